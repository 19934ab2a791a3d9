"""`PSMMemoryBlock`: a person's memory as a block of LlamaIndex's ``Memory``."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory.memory import BaseMemoryBlock
from llama_index.core.utils import get_tokenizer
from pydantic import ConfigDict, Field, PrivateAttr

from psm_core.types import Erasure
from psm_llamaindex.talk import Heard, Person, Talk, Tokenizer
from psm_llamaindex.translate import Said, said_in, unanswered

SESSIONS = 64
"""Sessions that one block follows at a time; an older one is looked up again."""


class _Ear(NamedTuple):
    talk: Talk
    heard: Heard


class PSMMemoryBlock(BaseMemoryBlock[str]):
    """What a person said in all their conversations, as a block of a ``Memory``.

    A block is told of a turn when LlamaIndex looks at its blocks again.  Agents do so
    at the end of each run; a chat engine does when the chat goes on, so there its last
    exchange isn't heard.  Where that matters, use `PSMMemory`.

    Raises:
        ValueError: People are served, and nobody was named; or two names were given.
        PSMError: As `psm_core.Memory` does: a user id or folder that can't serve.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = "psm_memory"
    """What the block is called in the prompt."""

    description: str | None = "What the person said in earlier conversations."
    """What the block is for."""

    priority: int = 1
    """When it is shortened, if the prompt is too long: 0 means never, 1 first."""

    user: str = Field(default="default", frozen=True)
    """Whose memory it is; needed with *people*."""

    home: str | Path | None = Field(default=None, frozen=True)
    """The folder with the people's folders; None means as the settings say: ~/.psm."""

    limit: int | None = None
    """Most memories in a prompt; None means as the settings say."""

    budget: int | None = None
    """Most tokens of memories in a prompt; None means as the settings say."""

    tokenizer_fn: Tokenizer = Field(default_factory=get_tokenizer, exclude=True)
    """What counts tokens: give the one that the ``Memory`` was given."""

    people: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """The `psm_core.People` that opens *user*, where one process serves many."""

    psm: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """The open `psm_core.Memory`; give one to share it, or to set more than is here."""

    _person: Person = PrivateAttr()
    _ears: OrderedDict[str, _Ear] = PrivateAttr(default_factory=OrderedDict)
    _listening: Any = PrivateAttr(default_factory=threading.Lock)

    if not TYPE_CHECKING:
        # Type checkers read the fields instead, and so see their names and types.
        # In a pydantic validator our errors would be turned into ValidationErrors.
        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)
            self._person = Person(
                fields.get("user"),
                home=self.home,
                psm=self.psm,
                people=self.people,
                tokenizer=self.tokenizer_fn,
                asks=type(self).__name__,
            )
            self._know_person()

    def _know_person(self) -> None:
        memory = self._person.memory
        self.__dict__.update(user=memory.user, home=memory.config.home, psm=memory)
        self._ears.clear()

    # ------------------------------------------------------ what LlamaIndex calls

    async def _aget(
        self, messages: list[ChatMessage] | None = None, **block_kwargs: Any
    ) -> str:
        session = str(block_kwargs.get("session_id") or "default")
        return await asyncio.to_thread(self._show, said_in(messages or []), session)

    async def _aput(self, messages: list[ChatMessage]) -> None:
        sessions = [m.additional_kwargs.get("session_id") for m in messages]
        session = str(next(filter(None, sessions), "default"))
        await asyncio.to_thread(self._leave, said_in(messages), session)

    async def atruncate(self, content: str, tokens_to_truncate: int) -> str | None:
        """The strongest memories of *content*, by so many tokens less.

        Args:
            content: What this block said last.
            tokens_to_truncate: At least 0.

        Returns:
            Fenced text; None where no memory fits.
        """
        talks = [ear.talk for ear in self._ears.values()]
        talk = next((t for t in talks if content and t.context == content), None)
        if talk is None:
            return None
        room = len(self.tokenizer_fn(content)) - tokens_to_truncate
        return await asyncio.to_thread(talk.shorten, room) or None

    def _show(self, said: Sequence[Said], session: str) -> str:
        with self._listening:
            talk, heard = self._ear(session)
            talk.hear(heard.new(said))
            return talk.show(
                unanswered(said), said, limit=self.limit, budget=self.budget
            )

    def _leave(self, said: Sequence[Said], session: str) -> None:
        with self._listening:
            talk, heard = self._ear(session)
            talk.hear(heard.new(said))
            heard.leave(said)

    def _ear(self, session: str) -> _Ear:
        self._person.require_open()
        ear = self._ears.get(session)
        if ear is None:
            talk = Talk(self.psm, session, self.tokenizer_fn)
            ear = self._ears[session] = _Ear(talk, Heard(self.psm, session))
        self._ears.move_to_end(session)
        while len(self._ears) > SESSIONS:
            self._ears.popitem(last=False)
        return ear

    # ----------------------------------------------------------------- the person

    def forget_user(self) -> Erasure:
        """Delete the person everywhere, for good; the next turn begins anew.

        The recent messages are the ``Memory``'s to delete: reset it too.  An open
        memory that was given as ``psm`` is closed by this, and stays so.

        Returns:
            The proof: what was there, and that nothing is left.
        """
        proof = self._person.erase()
        self._know_person()
        return proof

    def close(self) -> None:
        """Let go of files and lock.  A memory that was given stays open."""
        self._person.close()

    def __enter__(self) -> PSMMemoryBlock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
