"""ChatGPT's export: each conversation is a tree, of which one branch was last open.

What was edited away or regenerated lies on other branches and isn't read.
"""

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

ROLES = ("user", "assistant")
"""Whose messages are read; what the system and the tools wrote is not a chat."""

SPOKEN = ("text", "multimodal_text")
"""The kinds of content that people see as messages; not code, thoughts or quotes."""


def matches(sample: dict[str, object]) -> bool:
    """Whether an object is a conversation of ChatGPT."""
    return "mapping" in sample


def turns(rows: Iterable[Row], choice: Choice) -> Iterator[Turn]:
    """The turns of each conversation, the oldest conversation first.

    A message without a time takes that of the message before it.

    Args:
        rows: The conversations, in any order (the export has the newest first).
        choice: Which id or title is asked for.

    Returns:
        Turns that have the message's id, in sessions that have the conversation's.

    Raises:
        TranscriptError: A conversation isn't what it should be.
    """
    for place, value in sorted(rows, key=_started):
        conversation = need(value, dict, "the conversation", place)
        branch = _branch(conversation, place)
        name = conversation.get("conversation_id") or conversation.get("id")
        # Exports of early 2023 name no id; the root's is as stable.
        session = label(name, "its id", place) or next(iter(branch), "")
        if choice.takes(session, conversation.get("title")):
            at = moment(conversation.get("create_time"), "its create_time", place)
            yield from _said(branch, session, at, place)


def _started(row: Row) -> float:
    return began(row.value.get("create_time") if isinstance(row.value, dict) else None)


def _branch(conversation: dict[str, object], place: str) -> dict[str, object]:
    """The messages from the root to where the conversation was last open, by node."""
    mapping = need(conversation.get("mapping"), dict, "its mapping", place)
    nodes = {}
    name = conversation.get("current_node") or _newest_leaf(mapping)
    while name is not None:
        if not isinstance(name, str) or name not in mapping:
            raise TranscriptError(f"{place}: its mapping lacks the node {name!r:.60}")
        if name in nodes:
            raise TranscriptError(
                f"{place}: its mapping goes round in a circle at {name!r:.60}"
            )
        node = need(mapping[name], dict, f"the node {name!r:.60}", place)
        nodes[name] = node.get("message")
        name = node.get("parent")
    return dict(reversed(nodes.items()))


def _newest_leaf(mapping: dict[str, object]) -> str | None:
    """The last node that has no answer, for the exports that name no current one."""
    parents = [n.get("parent") for n in mapping.values() if isinstance(n, dict)]
    answered = {parent for parent in parents if isinstance(parent, str)}
    return next((name for name in reversed(mapping) if name not in answered), None)


def _said(
    branch: dict[str, object], session: str, at: datetime | None, place: str
) -> Iterator[Turn]:
    for n, (node, value) in enumerate(branch.items(), 1):
        where = f"{place}, message {n}"
        if value is None:
            continue
        message = need(value, dict, "the message", where)
        at = moment(message.get("create_time"), "its create_time", where) or at
        author = need(message.get("author"), dict, "its author", where)
        role = need(author.get("role"), str, "its role", where)
        if role not in ROLES or _hidden(message):
            continue
        text = _text(need(message.get("content"), dict, "its content", where), where)
        if not blank(text):
            name = label(message.get("id"), "its id", where) or node
            yield turn(where, text, role=role, at=at, session=session, turn_id=name)


def _hidden(message: dict[str, object]) -> bool:
    """Whether the window never showed it: context, or what was sent to a tool."""
    about = message.get("metadata")
    flags = about if isinstance(about, dict) else {}
    return (
        bool(flags.get("is_visually_hidden_from_conversation"))
        or message.get("recipient", "all") != "all"
    )


def _text(content: dict[str, object], place: str) -> str:
    """The words; images and sounds have none, but what was dictated has."""
    if content.get("content_type") not in SPOKEN:
        return ""
    parts = need(content.get("parts"), list, "its parts", place)
    words = [p.get("text") if isinstance(p, dict) else p for p in parts]
    return "\n".join(w for w in words if isinstance(w, str) and not blank(w))
