"""`PSMMemory`: a person's memory behind LangChain's ``memory=``. It only translates."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_classic.base_memory import BaseMemory
from pydantic import ConfigDict, Field, PrivateAttr

from psm_core.conversation import Conversation
from psm_core.memory import Memory
from psm_core.types import Erasure
from psm_langchain import translate

Unpickled: TypeAlias = "tuple[Callable[..., PSMMemory], tuple[dict[str, Any]]]"


def _new_session() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}-{secrets.token_hex(4)}"


class PSMMemory(BaseMemory):
    """What a person said in all their conversations, put into the prompt of this one.

    Goes wherever ``ConversationBufferMemory`` goes.  Before a turn it recalls what
    fits the input, and adds the session's recent turns; after it, it remembers both
    halves and learns which memories the answer leaned on.  When the person takes the
    answer back ("no, I moved"), the memories behind it are weakened before anything
    is recalled.

    One object serves one conversation; several may serve one person.  A copy shares
    the open memory and goes on with the conversation.

    Raises:
        PSMError: As `psm_core.Memory` does: a user id or folder that can't serve.

    Example:
        >>> import tempfile
        >>> memory = PSMMemory(user="ada", home=tempfile.mkdtemp())
        >>> memory.save_context({"input": "I live in Lyon."}, {"output": "Nice!"})
        >>> print(memory.load_memory_variables({"input": "So?"})["history"])
        Human: I live in Lyon.
        AI: Nice!
        >>> memory.close()
    """

    model_config = ConfigDict(extra="forbid")

    user: str = Field(default="default", frozen=True)
    """Whose memory it is; `for_user` gives another's."""

    home: str | Path | None = Field(default=None, frozen=True)
    """The folder with the people's folders; None means as the settings say: ~/.psm."""

    session: str = Field(default_factory=_new_session)
    """The conversation.  Give the same name to go on with an earlier one."""

    memory_key: str = "history"
    """The prompt's variable for memories and recent turns."""

    input_key: str | None = None
    """Which input is what the person said; None means the only one, or a usual name."""

    output_key: str | None = None
    """Which output is what the model said; None means the only one, or a usual name."""

    return_messages: bool = False
    """True for a ``MessagesPlaceholder``, False for text in a template."""

    human_prefix: str = "Human"
    """How the person's turns begin in a text."""

    ai_prefix: str = "AI"
    """How the model's turns begin in a text."""

    limit: int | None = None
    """Most memories in a prompt; None means as the settings say."""

    budget: int | None = None
    """Most tokens of memories in a prompt; None means as the settings say."""

    count_tokens: Callable[[str], int] | None = Field(default=None, exclude=True)
    """What a text costs the model, for *budget*; None counts words and marks."""

    psm: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """The open `psm_core.Memory`; give one to share it, or to set more than is here."""

    _opened: bool = PrivateAttr(default=False)
    _current: Conversation | None = PrivateAttr(default=None)

    if not TYPE_CHECKING:
        # Type checkers read the fields instead, and so see their names and types.
        # In a pydantic validator our errors would be turned into ValidationErrors.
        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)
            if self.psm is None:
                self._open()
            elif "user" in fields and fields["user"] != self.psm.user:
                raise ValueError(
                    f"the open memory is that of {self.psm.user}, not of "
                    f"{fields['user']}; leave user= out, or open that one's"
                )
            else:
                self.__dict__["user"] = self.psm.user
                self.__dict__["home"] = self.psm.config.home

    def _open(self) -> None:
        self._opened = True
        self.__dict__["psm"] = Memory(
            self.user, home=self.home, count_tokens=self.count_tokens
        )

    # ------------------------------------------------------- what LangChain calls

    @property
    def memory_variables(self) -> list[str]:
        """The prompt's variables that this memory fills."""
        return [self.memory_key]

    def load_memory_variables(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What the model should know before it answers.

        Asked twice for one input, it says the same and counts once.

        Args:
            inputs: The chain's inputs; with none, only the recent turns come back.

        Returns:
            Fenced memories and the session's recent turns, under ``memory_key``.

        Raises:
            ValueError: It can't be told which input is what the person said.
        """
        view = self._conversation.hear(
            self._human(inputs), limit=self.limit, budget=self.budget
        )
        if self.return_messages:
            return {self.memory_key: translate.as_messages(view)}
        text = translate.as_text(view, self.human_prefix, self.ai_prefix)
        return {self.memory_key: text}

    def save_context(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Remember both halves of a turn, and learn which memories served it.

        Args:
            inputs: The chain's inputs.
            outputs: What the chain returned.

        Raises:
            ValueError: It can't be told which input or output to remember.
        """
        model = translate.said_by_model(outputs, self.output_key)
        self._conversation.answered(self._human(inputs), model)

    def clear(self) -> None:
        """Begin a new conversation.  What the person told stays: see `forget_user`."""
        self.session = _new_session()

    async def aload_memory_variables(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """`load_memory_variables` in a worker thread; the loop goes on."""
        return await asyncio.to_thread(self.load_memory_variables, inputs)

    async def asave_context(
        self, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> None:
        """`save_context` in a worker thread; the loop goes on."""
        await asyncio.to_thread(self.save_context, inputs, outputs)

    async def aclear(self) -> None:
        """`clear`, which has nothing to wait for."""
        self.clear()

    def _human(self, inputs: dict[str, Any]) -> str:
        return translate.said_by_human(inputs, self.input_key, self.memory_key)

    @property
    def _conversation(self) -> Conversation:
        if self._current is None or self._current.session != self.session:
            self._current = Conversation(self.psm, self.session)
        return self._current

    # ------------------------------------------------------------ people and copies

    def for_user(self, user: str) -> PSMMemory:
        """Another person's memory with the same settings, in a session of its own.

        Raises:
            ValueError: This one was given an open memory, whose parts aren't known.
        """
        return self.model_copy(update={"user": user})

    def forget_user(self) -> Erasure:
        """Delete the person everywhere, for good; the next turn begins anew.

        An open memory that was given as ``psm`` is closed by this, and stays so.

        Returns:
            The proof: what was there, and that nothing is left.
        """
        proof: Erasure = self.psm.erase()
        self.clear()
        if self._opened:
            self._open()
        return proof

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> PSMMemory:
        """A copy that shares the open memory, unless *update* names another person.

        Args:
            update: Fields that are to differ; a new user or home is opened, and has a
                session of its own.
            deep: Makes no difference: an open memory can't be doubled.

        Raises:
            ValueError: Another person is named, but this one was given an open memory.
        """
        changed = dict(update or {})
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        if "psm" in changed or not changed.keys() & {"user", "home"}:
            copy = type(self)(**_without(fields, "user", "home") | changed)
            copy._opened = self._opened and "psm" not in changed
            copy._current = None if changed.keys() & {"psm"} else self._current
            return copy
        self._require_opened("has another person", "for each person")
        return type(self)(**_without(fields, "psm", "session") | changed)

    def __copy__(self) -> PSMMemory:
        return self.model_copy()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> PSMMemory:
        return self.model_copy()

    def __reduce__(self) -> Unpickled:
        """What reopens the same person and conversation where it is unpickled."""
        self._require_opened("travels", "where it arrives")
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return _reopened, (_without(fields, "psm"),)

    def _require_opened(self, why: str, where: str) -> None:
        if not self._opened:
            raise ValueError(
                f"no PSMMemory(psm=...) {why}: how its memory was opened isn't known; "
                f"open one {where} and give it as psm="
            )

    def close(self) -> None:
        """Let go of files and lock.  A memory that was given stays open."""
        if self._opened:
            self.psm.close()

    def __enter__(self) -> PSMMemory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _reopened(fields: dict[str, Any]) -> PSMMemory:
    return PSMMemory(**fields)
