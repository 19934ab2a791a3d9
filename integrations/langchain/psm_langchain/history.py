"""`PSMChatMessageHistory`: a session's messages, kept as memories. It translates."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, message_chunk_to_message

from psm_core.conversation import View
from psm_core.memory import Memory
from psm_core.people import People
from psm_core.types import Turn
from psm_langchain import translate, turns
from psm_langchain.whose import Whose

_CLEARED = Turn("A new conversation begins here.", speaker="psm", role="system")
"""What stands in a session where it was cleared; no recall shows it."""


class PSMChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session; what is said in it is remembered for all others.

    For ``RunnableWithMessageHistory`` and for interfaces that keep such an object.
    What a tool was called with and what it gave belong to a call that isn't in view
    any more, so they don't come back.

    Args:
        session_id: Which conversation; an earlier one's goes on where it was left.
        user: Whose it is; not needed where *psm* is one person's.
        psm: `psm_core.People`, or one person's open `Memory`; stays yours to close.
            None opens people in *home*, which loads an encoder for each object: a
            server gives its own.
        home: The folder with the people's folders; None means as the settings say.
        limit: Most messages that come back, the last ones, at least 1; None means as
            the settings say.

    Raises:
        UserError: Nobody says whose messages they are, or *psm* is another's.
        ConfigError: A setting is unknown or out of range.

    Example:
        >>> import tempfile
        >>> from psm_core import People
        >>> people = People(home=tempfile.mkdtemp(), encoder="hash")
        >>> history = PSMChatMessageHistory("s1", user="ada", psm=people)
        >>> history.add_user_message("I moved to Lyon last week.")
        >>> [message.text for message in history.messages]
        ['I moved to Lyon last week.']
        >>> people.close()
    """

    def __init__(
        self,
        session_id: str,
        *,
        user: str | None = None,
        psm: People | Memory | None = None,
        home: str | Path | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self.session_id = session_id
        self.limit = limit
        self._whose = Whose(psm, user=user, home=home, asks="PSMChatMessageHistory")
        self.psm = self._whose.memory()

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """The session's last messages since it was cleared, oldest first."""
        said = self.psm.working(self.session_id, self.limit)
        cleared = [n for n, turn in enumerate(said, 1) if _is_end(turn)]
        since = said[cleared[-1] :] if cleared else said
        return translate.as_messages(View("", since))

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Remember what was said, in one transaction; the gate decides what surfaces.

        Args:
            messages: In their order; those without words are left out.
        """
        # An answer that was streamed comes as the sum of its chunks.
        whole = map(message_chunk_to_message, messages)
        self.psm.remember_many(
            [
                turns.as_turn(_named(message), self.session_id)
                for message in whole
                if message.type in turns.ROLES and not turns.blank(message)
            ]
        )

    def clear(self) -> None:
        """Begin a new conversation, for every object and process of this session.

        What the person told stays in their memory, and surfaces in other prompts.
        """
        name = f"cleared-{secrets.token_hex(8)}"
        self.psm.remember(replace(_CLEARED, session=self.session_id, id=name))

    async def aget_messages(self) -> list[BaseMessage]:
        """`messages`, read in a worker thread; the loop goes on."""
        return await asyncio.to_thread(lambda: self.messages)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """`add_messages` in a worker thread; the loop goes on."""
        await asyncio.to_thread(self.add_messages, messages)

    async def aclear(self) -> None:
        """`clear` in a worker thread; the loop goes on."""
        await asyncio.to_thread(self.clear)

    def close(self) -> None:
        """Let go of files and locks.  What was given as *psm* stays open."""
        self._whose.close()


def _is_end(turn: Turn) -> bool:
    return (turn.speaker, turn.role) == (_CLEARED.speaker, _CLEARED.role)


def _named(message: BaseMessage) -> BaseMessage:
    """*message* under an id of its own, so that what is said twice is there twice."""
    if message.id is not None:
        return message
    return message.model_copy(update={"id": secrets.token_hex(8)})
