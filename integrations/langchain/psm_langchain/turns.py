"""From the messages of a conversation to turns, each under one id. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from psm_core.acts.context import unfenced
from psm_core.types import Turn
from psm_langchain.whose import configured

ROLES: Mapping[str, str] = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
}
"""Who says a message of a type; what isn't here is nobody's words."""


class Split(NamedTuple):
    """A conversation around what the person said last, since the answer before it."""

    before: Sequence[BaseMessage]
    said: Sequence[BaseMessage]


def words(message: BaseMessage) -> str:
    """What a message says, without memories that were put into it."""
    return unfenced(str(message.text))


def blank(message: BaseMessage) -> bool:
    """Whether *message* says nothing of its own, as one that only calls a tool."""
    return not words(message).strip(" \t\r\n\0")


def speaks(message: BaseMessage, kind: type[BaseMessage]) -> bool:
    """Whether *message* is by *kind* and says something.

    What LangChain writes in a person's name, such as a summary, they didn't say.
    """
    ours = "lc_source" not in message.additional_kwargs
    return ours and isinstance(message, kind) and not blank(message)


def split(messages: Sequence[BaseMessage]) -> Split:
    """The last that the person said, and what came before it.

    Several messages in a row are one, and the same words twice count once: whoever
    gets no answer says them again.
    """
    places = [n for n, message in enumerate(messages) if speaks(message, HumanMessage)]
    if not places:
        return Split(messages, [])
    start = places[-1]
    while start and not isinstance(messages[start - 1], AIMessage):
        start -= 1
    said = {words(messages[n]): messages[n] for n in reversed(places) if n >= start}
    return Split(messages[:start], list(reversed(said.values())))


def cue(said: Iterable[BaseMessage]) -> str:
    """The words of several messages as one."""
    return "\n".join(words(message) for message in said)


def last_answer(messages: Sequence[BaseMessage]) -> BaseMessage | None:
    """The last message in which the model says something to the person."""
    spoken = (m for m in reversed(messages) if speaks(m, AIMessage))
    return next(spoken, None)


def turn_id(message: BaseMessage, session: str) -> str:
    """The id of the turn that *message* is remembered as.

    The same message is the same turn, however often an agent goes over it, and in
    `psm_langgraph` too.  One that was written anew under its old id is another turn,
    since other words were said.
    """
    place = _digest(session, str(message.id))
    return f"m-{place}-{_digest(message.type, words(message))}"


def message_of(turn: str) -> str:
    """What the ids of all wordings of one message have in common."""
    return turn.rpartition("-")[0]


def _digest(*parts: str) -> str:
    joined = "\x1f".join(parts).encode("utf-8", "replace")
    return hashlib.blake2b(joined, digest_size=8).hexdigest()


def as_turn(message: BaseMessage, session: str) -> Turn:
    """*message* as a turn.  A person who is named in it has said it under that name."""
    named = message.name if isinstance(message, HumanMessage) else None
    return Turn(
        words(message),
        speaker=named or "",
        role=ROLES[message.type],
        session=session,
        id=turn_id(message, session),
    )


def in_view(messages: Iterable[BaseMessage], session: str) -> set[str]:
    """The ids of the turns that are seen in *messages*."""
    return {turn_id(message, session) for message in messages}


def session_of(
    config: Mapping[str, Any] | None, messages: Sequence[BaseMessage]
) -> str:
    """Which conversation a run belongs to.

    Args:
        config: Of the run; its thread_id names the conversation.
        messages: The conversation; without a thread, its first message stands for it.
    """
    thread = configured(config, "thread_id")
    if thread is not None:
        return str(thread)
    return f"from {messages[0].id}" if messages else "default"
