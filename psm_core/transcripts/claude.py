"""Claude's export: a list of conversations, each a list of messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from psm_core.errors import TranscriptError
from psm_core.transcripts.checks import (
    Choice,
    Row,
    began,
    blank,
    label,
    moment,
    need,
    turn,
)
from psm_core.types import Turn

ROLES = {"human": "user", "assistant": "assistant"}
"""What Claude calls a sender, and what a turn calls it."""


def matches(sample: dict[str, object]) -> bool:
    """Whether an object is a conversation of Claude."""
    return "chat_messages" in sample


def turns(rows: Iterable[Row], choice: Choice) -> Iterator[Turn]:
    """The turns of each conversation, the oldest conversation first.

    Args:
        rows: The conversations, in any order.
        choice: Which uuid or name is asked for.

    Returns:
        Turns that have the message's uuid, in sessions that have the conversation's.

    Raises:
        TranscriptError: A conversation isn't what it should be.
    """
    for place, value in sorted(rows, key=_started):
        conversation = need(value, dict, "the conversation", place)
        session = need(conversation.get("uuid"), str, "its uuid", place)
        if not choice.takes(session, conversation.get("name")):
            continue
        at = moment(conversation.get("created_at"), "its created_at", place)
        messages = need(conversation.get("chat_messages"), list, "its messages", place)
        yield from _said(messages, session, at, place)


def _started(row: Row) -> float:
    return began(row.value.get("created_at") if isinstance(row.value, dict) else None)


def _said(
    messages: list[object], session: str, at: datetime | None, place: str
) -> Iterator[Turn]:
    for n, value in enumerate(messages, 1):
        where = f"{place}, message {n}"
        message = need(value, dict, "the message", where)
        at = moment(message.get("created_at"), "its created_at", where) or at
        sender = need(message.get("sender"), str, "its sender", where)
        if sender not in ROLES:
            raise TranscriptError(
                f"{where}: its sender is {sender[:40]!r}; it must be human or assistant"
            )
        text = "\n\n".join([*_words(message, where), *_attached(message, where)])
        if not blank(text):
            name = need(message.get("uuid"), str, "its uuid", where)
            role = ROLES[sender]
            yield turn(where, text, role=role, at=at, session=session, turn_id=name)


def _words(message: dict[str, object], place: str) -> list[str]:
    """The blocks of text; ``text`` alone in exports that have no blocks.

    Where there are both, ``text`` also holds notes about what the window couldn't
    show, which nobody said.
    """
    blocks = need(message.get("content") or [], list, "its content", place)
    words = [
        need(block.get("text"), str, "a block's text", place)
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "text"
    ]
    spoken = [w for w in words if not blank(w)]
    if spoken or blocks:
        return spoken
    text = label(message.get("text"), "its text", place)
    return [] if blank(text) else [text]


def _attached(message: dict[str, object], place: str) -> list[str]:
    """What was pasted or attached, where it is text; long pastes arrive this way."""
    found = []
    for value in need(message.get("attachments") or [], list, "its attachments", place):
        attachment = need(value, dict, "an attachment", place)
        content = label(attachment.get("extracted_content"), "its content", place)
        name = label(attachment.get("file_name"), "its file_name", place)
        if not blank(content):
            found.append(f"[attaches {name or 'a file'}]\n{content}")
    return found
