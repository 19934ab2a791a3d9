"""`PSMMemory`: a person's memory behind ``memory=``. It only translates."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.memory import Memory as LlamaMemory
from llama_index.core.memory.memory import (
    DEFAULT_FLUSH_SIZE,
    DEFAULT_TOKEN_LIMIT,
    InsertMethod,
)
from llama_index.core.storage.chat_store.base_db import MessageStatus
from pydantic import ConfigDict, Field, PrivateAttr
from sqlalchemy.ext.asyncio import AsyncEngine

from psm_core.types import Erasure
from psm_llamaindex import translate
from psm_llamaindex.block import PSMMemoryBlock
from psm_llamaindex.chats import PersonsChats, awaited, made_store
from psm_llamaindex.talk import Person, Talk

_CHATS = ("table_name", "async_database_uri", "async_engine", "db_schema")
"""What `from_defaults` takes for the chat store that it makes."""


class PSMMemory(LlamaMemory):
    """What a person said in all their conversations, put into the prompt of this one.

    Goes wherever ``Memory`` or ``ChatMemoryBuffer`` goes: behind ``memory=`` of chat
    engines and agents.  It is LlamaIndex's ``Memory``, with its recent messages, limits
    and blocks.  Each turn is heard when it is put, and not only when it leaves the
    recent messages.  What fits the person's words is recalled before they are answered,
    and what the memories were worth is learned when they are.

    One object serves one conversation; several may serve one person.

    Raises:
        ValueError: People are served, and nobody was named; or two names were given.
        PSMError: As `psm_core.Memory` does: a user id or folder that can't serve.

    Example:
        >>> import tempfile
        >>> memory = PSMMemory(user="ada", home=tempfile.mkdtemp())
        >>> memory.put(ChatMessage(role="user", content="I live in Lyon."))
        >>> memory.get()[0].content
        'I live in Lyon.'
        >>> memory.close()
    """

    model_config = ConfigDict(extra="forbid")

    user: str = Field(default="default", frozen=True)
    """Whose memory it is; needed with *people*."""

    home: str | Path | None = Field(default=None, frozen=True)
    """The folder with the people's folders; None means as the settings say: ~/.psm."""

    limit: int | None = None
    """Most memories in a prompt; None means as the settings say."""

    budget: int | None = None
    """Most tokens of memories in a prompt; None means as the settings say.  There are
    never more than ``token_limit`` leaves room for."""

    people: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """The `psm_core.People` that opens *user*, where one process serves many."""

    psm: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """The open `psm_core.Memory`; give one to share it, or to set more than is here."""

    _person: Person = PrivateAttr()
    _current: Talk = PrivateAttr()
    _engine: AsyncEngine | None = PrivateAttr(default=None)
    _place: InsertMethod | None = PrivateAttr(default=None)

    if not TYPE_CHECKING:
        # Type checkers read the fields instead, and so see their names and types.
        # In a pydantic validator our errors would be turned into ValidationErrors.
        def __init__(self, **fields: Any) -> None:
            given = {k: v for k, v in fields.items() if v is not None}
            store = given.pop("chat_store", None) or given.pop("sql_store", None)
            made = {name: given.pop(name) for name in _CHATS if name in given}
            history = given.pop("chat_history", None)
            given.setdefault("token_limit", DEFAULT_TOKEN_LIMIT)
            super().__init__(**given)
            if any(isinstance(block, PSMMemoryBlock) for block in self.memory_blocks):
                raise ValueError(
                    "PSMMemory shows the person's memories itself; leave the "
                    "PSMMemoryBlock out, or give it to LlamaIndex's own Memory"
                )
            self._person = Person(
                given.get("user"),
                home=self.home,
                psm=self.psm,
                people=self.people,
                tokenizer=self.tokenizer_fn,
                asks=type(self).__name__,
            )
            self._know_person()
            self._place = given.get("insert_method")
            if store is None:
                store, self._engine = made_store(**made)
            self.sql_store = PersonsChats(store=store, user=self.user)
            if history is not None:
                self.set(history)

    def _know_person(self) -> None:
        memory = self._person.memory
        self.__dict__.update(user=memory.user, home=memory.config.home, psm=memory)
        self._current = Talk(memory, self.session_id, self.tokenizer_fn)

    @classmethod
    def from_defaults(  # type: ignore[override]
        cls,
        session_id: str | None = None,
        chat_history: list[ChatMessage] | None = None,
        token_limit: int = DEFAULT_TOKEN_LIMIT,
        **fields: Any,
    ) -> PSMMemory:
        """A memory as LlamaIndex's ``Memory.from_defaults`` makes it.

        Args:
            session_id: The conversation; a new one where none is named.
            chat_history: What was said in it so far; it is shown, and not heard.
            token_limit: Most tokens of recent messages and memories, at least 1.
            fields: All else that ``Memory.from_defaults`` and this class take.
        """
        flush = fields.pop("token_flush_size", DEFAULT_FLUSH_SIZE)
        if flush > token_limit:
            flush = int(token_limit * 0.7)
        fields |= {"session_id": session_id, "chat_history": chat_history}
        return cls(token_limit=token_limit, token_flush_size=flush, **fields)

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it."""
        return "PSMMemory"

    # ------------------------------------------------------ what LlamaIndex calls

    async def aget(
        self,
        input: str | ChatMessage | None = None,  # noqa: A002 - LlamaIndex's name
        **block_kwargs: Any,
    ) -> list[ChatMessage]:
        """Recent messages, and before them what the person's last words bring back.

        Asked several times in a turn, it says the same and recalls once.

        Args:
            input: What the person says, where it wasn't put yet.
            block_kwargs: Passed to the memory blocks; ``initial_token_count`` is what
                the prompt holds besides.

        Returns:
            Messages; the memories stand fenced before the person's last words, in the
            system message where those weren't put yet, or where ``insert_method`` says.
        """
        messages = await super().aget(input=input, **block_kwargs)
        recent = await self.aget_all(status=MessageStatus.ACTIVE)
        said = translate.said_in(recent)
        put = translate.unanswered(said)
        asked = translate.words_of(input)
        asked = "" if asked == put else asked
        context = await asyncio.to_thread(
            self._talk.show,
            asked or put,
            said,
            limit=self.limit,
            budget=self._room(messages, asked, **block_kwargs),
        )
        if not context:
            return messages
        place = self._place or (InsertMethod.SYSTEM if asked else InsertMethod.USER)
        role = MessageRole(InsertMethod(place).value)
        return translate.with_memories(messages, context, role=role)

    async def aput(self, message: ChatMessage) -> None:
        """Hear one message, and add it to the recent ones."""
        await self.aput_messages([message])

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        """Hear messages, and add them to the recent ones.

        Calls of tools and their results become recent messages, and aren't heard.
        """
        if messages:
            bare = [translate.unechoed(message) for message in messages]
            await asyncio.to_thread(self._talk.hear, translate.said_in(bare))
            await super().aput_messages(bare)

    async def aset(self, messages: list[ChatMessage]) -> None:
        """Replace the recent messages.

        They aren't heard, as whoever has them had them heard before; except that the
        person's last words are, when they are answered.
        """
        bare = [translate.unechoed(message) for message in messages]
        self._talk.expect(translate.unanswered(translate.said_in(bare)))
        await super().aset(bare)

    async def areset(self, status: MessageStatus | None = None) -> None:
        """Begin the session anew.  What the person told stays: see `forget_user`."""
        self._current = Talk(self.psm, self.session_id, self.tokenizer_fn)
        await super().areset(status=status)

    def get(
        self,
        input: str | ChatMessage | None = None,  # noqa: A002 - LlamaIndex's name
        **block_kwargs: Any,
    ) -> list[ChatMessage]:
        """`aget`, waited for."""
        return awaited(self.aget(input=input, **block_kwargs))

    def put(self, message: ChatMessage) -> None:
        """`aput`, waited for."""
        awaited(self.aput(message))

    def put_messages(self, messages: list[ChatMessage]) -> None:
        """`aput_messages`, waited for."""
        awaited(self.aput_messages(messages))

    @property
    def _talk(self) -> Talk:
        self._person.require_open()
        if self._current.session != self.session_id:
            self._current = Talk(self.psm, self.session_id, self.tokenizer_fn)
        return self._current

    def _room(
        self,
        messages: list[ChatMessage],
        asked: str,
        initial_token_count: int = 0,
        **_: Any,
    ) -> int:
        """Tokens that memories may have, counted as LlamaIndex counts."""
        taken = initial_token_count + self._estimate_token_count(asked)
        taken += self._estimate_token_count(messages) if messages else 0
        most = self.psm.config.recall_budget if self.budget is None else self.budget
        return max(0, min(most, self.token_limit - taken))

    # ------------------------------------------------------------ people and copies

    async def aforget_user(self) -> Erasure:
        """`forget_user`, in a worker thread; the loop goes on."""
        self._person.require_open()
        for session in await self.sql_store.get_keys():
            await self.sql_store.delete_messages(session)
        proof = await asyncio.to_thread(self._person.erase)
        self._know_person()
        return proof

    def forget_user(self) -> Erasure:
        """Delete the person everywhere, for good; the next turn begins anew.

        Their sessions in this chat store go too.  An open memory that was given as
        ``psm`` is closed by this, and stays so.

        Returns:
            The proof: what was there, and that nothing is left.
        """
        return awaited(self.aforget_user())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> PSMMemory:
        """A copy that shares what is open: a memory can't be doubled."""
        return self.model_copy()

    def close(self) -> None:
        """Let go of files and lock.  What was given, memory or store, stays open."""
        self._person.close()
        if self._engine is not None:
            awaited(self._engine.dispose())

    def __enter__(self) -> PSMMemory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
