"""LongMemEval: a question, and the haystack of dated chats that holds its answer.

Only the chats are read; the question and its answer are nobody's memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from psm_core.errors import TranscriptError
from psm_core.transcripts.checks import Choice, Row, blank, need, turn
from psm_core.types import Turn

_DATE = re.compile(r"(\d{4})/(\d\d)/(\d\d) \(\w+\) (\d\d):(\d\d)")


class _Session(NamedTuple):
    place: str
    at: object
    name: object
    messages: object


def matches(sample: dict[str, object]) -> bool:
    """Whether an object is a LongMemEval item."""
    return "haystack_sessions" in sample


def turns(rows: Iterable[Row], choice: Choice) -> Iterator[Turn]:
    """The turns of each item's haystack, the oldest session first.

    Args:
        rows: The items.
        choice: Which ``question_id`` is asked for.

    Returns:
        Turns named ``<question_id>/<session_id>/<n>``, in sessions
        ``<question_id>/<session_id>``, since items share their sessions.

    Raises:
        TranscriptError: An item isn't what it should be.
    """
    for place, value in rows:
        item = need(value, dict, "the item", place)
        question = need(item.get("question_id"), str, "its question_id", place)
        if not choice.takes(question):
            continue
        before: Counter[str] = Counter()
        for where, at, named, said in sorted(_sessions(item, place), key=_started):
            name = f"{question}/{need(named, str, 'its session id', where)}"
            messages = need(said, list, "the session", where)
            yield from _said(messages, name, date(at, where), before[name], where)
            before[name] += len(messages)


def _sessions(item: dict[str, object], place: str) -> list[_Session]:
    columns = [
        need(item.get(key), list, f"its {key}", place)
        for key in ("haystack_dates", "haystack_session_ids", "haystack_sessions")
    ]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise TranscriptError(
            f"{place}: it has {lengths[0]} dates and {lengths[1]} ids for {lengths[2]} "
            "sessions; each session needs one of both"
        )
    return [
        _Session(f"{place}, session {n}", *session)
        for n, session in enumerate(zip(*columns, strict=True), 1)
    ]


def _started(session: _Session) -> datetime:
    """By what sessions are put in order; one with a spoilt date is met last."""
    try:
        return date(session.at, session.place)
    except TranscriptError:
        return datetime.max.replace(tzinfo=UTC)


def _said(
    messages: list[object], name: str, at: datetime, before: int, place: str
) -> Iterator[Turn]:
    """The turns of a session, numbered from the *before* messages of its namesakes."""
    for n, value in enumerate(messages, 1):
        where = f"{place}, message {n}"
        message = need(value, dict, "the message", where)
        text = need(message.get("content"), str, "its content", where)
        role = need(message.get("role"), str, "its role", where)
        # Chats that people shared, of which the haystack is made, have empty messages.
        if not blank(text):
            turn_id = f"{name}/{before + n}"
            yield turn(where, text, role=role, at=at, session=name, turn_id=turn_id)


def date(value: object, place: str) -> datetime:
    """When a session took place; LongMemEval names no timezone, so UTC is taken.

    Raises:
        TranscriptError: It isn't written as LongMemEval writes it.

    >>> date("2023/05/20 (Sat) 02:21", "chat.json, conversation 1, session 1")
    datetime.datetime(2023, 5, 20, 2, 21, tzinfo=datetime.timezone.utc)
    """
    text = need(value, str, "its date", place)
    try:
        year, month, day, hour, minute = map(int, _DATE.fullmatch(text).groups())  # type: ignore[union-attr]
        return datetime(year, month, day, hour, minute, tzinfo=UTC)
    except (AttributeError, ValueError) as error:
        raise TranscriptError(
            f"{place}: its date is {text[:40]!r}; it must be written like "
            "'2023/05/20 (Sat) 02:21'"
        ) from error
