"""LoCoMo: long conversations between two people, in dated sessions.

Both speakers are people, so both have the role "user".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from psm_core.errors import TranscriptError
from psm_core.transcripts.checks import Choice, Row, need, turn
from psm_core.types import Turn

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
"""Spelled out, since `strptime` reads the names of the machine's own language."""

_SESSION = re.compile(r"session_([1-9][0-9]{0,5})")
_DATE = re.compile(
    r"(1[0-2]|0?[1-9]):(\d\d) ?([ap])m on (\d\d?) ([a-z]+),? (\d{4})", re.IGNORECASE
)


def matches(sample: dict[str, object]) -> bool:
    """Whether an object is a LoCoMo item."""
    talk = sample.get("conversation")
    return isinstance(talk, dict) and any(map(_SESSION.fullmatch, talk))


def turns(rows: Iterable[Row], choice: Choice) -> Iterator[Turn]:
    """The turns of each item, session by session.

    Args:
        rows: The items.
        choice: Which ``sample_id`` is asked for.

    Returns:
        Turns named ``<sample_id>/<dia_id>`` in sessions ``<sample_id>/S<n>``.

    Raises:
        TranscriptError: An item isn't what it should be.
    """
    for place, value in rows:
        item = need(value, dict, "the item", place)
        sample = need(item.get("sample_id"), str, "its sample_id", place)
        if not choice.takes(sample):
            continue
        talk = need(item.get("conversation"), dict, "its conversation", place)
        numbers = sorted(int(m[1]) for key in talk if (m := _SESSION.fullmatch(key)))
        for number in numbers:
            yield from _session(talk, sample, number, f"{place}, session {number}")


def _session(
    talk: dict[str, object], sample: str, number: int, place: str
) -> Iterator[Turn]:
    at = date(talk.get(f"session_{number}_date_time"), place)
    messages = need(talk[f"session_{number}"], list, "the session", place)
    for n, value in enumerate(messages, 1):
        where = f"{place}, message {n}"
        message = need(value, dict, "the message", where)
        text = need(message.get("text") or "", str, "its text", where)
        if caption := message.get("blip_caption"):
            caption = need(caption, str, "its blip_caption", where)
            text = f"{text} [shares an image: {caption}]".lstrip()
        yield turn(
            where,
            text,
            speaker=need(message.get("speaker"), str, "its speaker", where),
            at=at,
            session=f"{sample}/S{number}",
            turn_id=f"{sample}/{need(message.get('dia_id'), str, 'its dia_id', where)}",
        )


def date(value: object, place: str) -> datetime:
    """When a session took place; LoCoMo names no timezone, so UTC is taken.

    Raises:
        TranscriptError: It isn't written as LoCoMo writes it.

    >>> date("1:56 pm on 8 May, 2023", "chat.json, conversation 1, session 1")
    datetime.datetime(2023, 5, 8, 13, 56, tzinfo=datetime.timezone.utc)
    """
    text = need(value, str, "its date_time", place)
    try:
        hour, minute, half, day, month, year = _DATE.fullmatch(text.strip()).groups()  # type: ignore[union-attr]
        hours = int(hour) % 12 + (12 if half in "pP" else 0)
        monthly = MONTHS.index(month.lower()) + 1
        return datetime(int(year), monthly, int(day), hours, int(minute), tzinfo=UTC)
    except (AttributeError, ValueError) as error:
        raise TranscriptError(
            f"{place}: its date_time is {text[:40]!r}; it must be written like "
            "'1:56 pm on 8 May, 2023'"
        ) from error
