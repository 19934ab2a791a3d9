"""LangChain's dumps of messages, and the bare role-and-content list of chat models.

Neither says when a thing was said, so these turns have no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from psm_core.errors import TranscriptError
from psm_core.transcripts.checks import (
    Choice,
    Row,
    blank,
    derived_id,
    label,
    need,
    turn,
)
from psm_core.types import Turn

ROLES = {
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
"""What a message calls its author, and what a turn calls it."""

TEXT_BLOCKS = ("text", "input_text", "output_text")
"""Kinds of content block that hold words; images and calls of tools don't."""


def matches(sample: dict[str, object]) -> bool:
    """Whether an object is a message, dumped by LangChain or with role and content."""
    return (
        "lc" in sample
        or {"type", "data"} <= sample.keys()
        or ("content" in sample and ("role" in sample or "type" in sample))
    )


def matches_many(sample: dict[str, object]) -> bool:
    """Whether an object is a conversation, ``{"messages": [...]}``."""
    return isinstance(sample.get("messages"), list)


def turns(rows: Iterable[Row], choice: Choice) -> Iterator[Turn]:
    """The turns of a file that is one conversation, one at a time.

    A message without an id is named by all that was said up to it, so that a
    conversation that went on, or was saved under another name, keeps its ids.

    Args:
        rows: The messages.
        choice: Which session is asked for: the file's name without its ending.

    Returns:
        Turns of one session, named like the file; no time.

    Raises:
        TranscriptError: A message isn't what it should be.
    """
    if choice.takes(choice.stem):
        yield from _said(rows, choice.stem)


def turns_of_many(rows: Iterable[Row], choice: Choice) -> Iterator[Turn]:
    """The turns of a file that holds several conversations, as `turns` reads one.

    Returns:
        Turns of the session ``<stem>`` for the first conversation, then ``<stem>-2``,
        ``<stem>-3``, ...; no time.

    Raises:
        TranscriptError: A message isn't what it should be.
    """
    for number, (place, value) in enumerate(rows, 1):
        conversation = need(value, dict, "the conversation", place)
        session = choice.stem if number == 1 else f"{choice.stem}-{number}"
        if choice.takes(session):
            messages = need(conversation.get("messages"), list, "its messages", place)
            places = (f"{place}, message {n}" for n in range(1, len(messages) + 1))
            yield from _said(map(Row, places, messages), session)


def _said(messages: Iterable[Row], session: str) -> Iterator[Turn]:
    before = ""
    for place, value in messages:
        author, message = _unwrapped(need(value, dict, "the message", place), place)
        role = _role(author, place)
        text = _text(message.get("content"), place)
        # An empty speaker is the person, which neither the system nor a tool is.
        unnamed = role if role in ("system", "tool") else ""
        speaker = label(message.get("name"), "its name", place) or unnamed
        before = derived_id(before, role, speaker, text)
        if not blank(text):
            yield turn(
                place,
                text,
                speaker=speaker,
                role=role,
                session=session,
                turn_id=label(message.get("id"), "its id", place) or before,
            )


def _unwrapped(
    message: dict[str, object], place: str
) -> tuple[object, dict[str, object]]:
    """Who a message is from, as it says it, and the object that holds its content."""
    if "lc" in message:
        path = need(message.get("id"), list, "its id", place)
        inner = need(message.get("kwargs"), dict, "its kwargs", place)
        return inner.get("role") or (path[-1] if path else None), inner
    if "data" in message:
        inner = need(message["data"], dict, "its data", place)
        return inner.get("role") or message.get("type"), inner
    return message.get("role") or message.get("type"), message


def _role(author: object, place: str) -> str:
    name = need(author, str, "its role", place)
    short = name.removesuffix("Chunk").removesuffix("Message").lower()
    if short not in ROLES:
        raise TranscriptError(
            f"{place}: its role is {name[:40]!r}; it must be one of {', '.join(ROLES)}"
        )
    return ROLES[short]


def _text(content: object, place: str) -> str:
    """The words; "" for a message that only calls a tool."""
    if content is None or isinstance(content, str):
        return content or ""
    words = []
    for block in need(content, list, "its content", place):
        if isinstance(block, str):
            words.append(block)
        elif isinstance(block, dict) and block.get("type") in TEXT_BLOCKS:
            words.append(need(block.get("text"), str, "a block's text", place))
    return "\n".join(w for w in words if not blank(w))
