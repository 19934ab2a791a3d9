"""What every format asks of a value, and how it refuses one: naming the place.

No file is opened here, and no format is known.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from psm_core.errors import TranscriptError, TurnError
from psm_core.types import Turn

NAMED_AT_MOST = 8
"""How many conversations or keys an error names: what fits into two lines."""

Wanted = TypeVar("Wanted", dict, list, str)  # type: ignore[type-arg]

_WORDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "missing",
}

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Row(NamedTuple):
    """One value of a file, parsed but not yet understood, and where it stands."""

    place: str
    value: object


@dataclass(slots=True)
class Choice:
    """Which conversation of a file is asked for, and which ones the file had.

    Args:
        stem: The file's name without its ending, for formats that name no session.
        conversation: Id or title; None takes them all.
    """

    stem: str
    conversation: str | None = None
    met: dict[str, None] = field(default_factory=dict)
    found: bool = False

    def takes(self, *names: object) -> bool:
        """Whether the conversation of this id (and title) is to be read.

        >>> Choice("chat", "Lyon").takes("c1", "Lyon")
        True
        >>> Choice("chat", "Lyon").takes("c2", None)
        False
        """
        if len(self.met) <= NAMED_AT_MOST:
            self.met[str(names[0])] = None
        taken = self.conversation is None or self.conversation in names
        self.found = self.found or taken
        return taken


def described(value: object) -> str:
    """What a JSON value is, in words.

    >>> described([])
    'a list'
    """
    return _WORDS.get(type(value), type(value).__name__)


def few(names: list[str]) -> str:
    """The first names of a list, shortened to what a reader takes in.

    >>> few(["a", "b"])
    'a, b'
    """
    shown = [n if len(n) <= 40 else f"{n[:39]}…" for n in names[:NAMED_AT_MOST]]
    more = ", …" if len(names) > NAMED_AT_MOST else ""
    return whole(", ".join(shown)) + more


def need(value: object, kind: type[Wanted], what: str, place: str) -> Wanted:
    """The value itself, if it is of the kind that the format promises.

    Raises:
        TranscriptError: It is of another kind; the message names the place.

    >>> need(["hi"], list, "the messages", "chat.json, conversation 1")
    ['hi']
    """
    if not isinstance(value, kind):
        raise TranscriptError(
            f"{place}: {what} is {described(value)}; it must be {_WORDS[kind]}"
        )
    return value


def label(value: object, what: str, place: str) -> str:
    """An id, a name or a session; "" where there is none.

    Raises:
        TranscriptError: It is neither a string nor a whole number.

    >>> label(17, "the id", "chat.jsonl, line 1")
    '17'
    """
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    return need(value, str, what, place)


def blank(text: str) -> bool:
    r"""Whether a text says nothing, as `Turn` sees it.

    >>> blank(" \n")
    True
    """
    return not text.strip(" \t\r\n\0")


def whole(text: str) -> str:
    r"""The text with U+FFFD for each half of a character pair that stands alone.

    JSON can spell such halves (a message that was cut inside an emoji), but no file
    and no database can hold them.

    >>> whole("caf\u00e9 \ud83d") == "caf\u00e9 \ufffd"
    True
    """
    return _LONE_SURROGATE.sub("\ufffd", text)


def moment(value: object, what: str, place: str) -> datetime | None:
    """When something was said: ISO 8601 with an offset, or Unix seconds.

    Args:
        value: A string, a number, or None.
        what: What the value is, for the message.
        place: Where it stands, for the message.

    Returns:
        An aware datetime, with the offset that was written; None for None.

    Raises:
        TranscriptError: The time is naive, or no time that the calendar has.

    >>> moment(1_700_000_000, "at", "chat.jsonl, line 1").isoformat()
    '2023-11-14T22:13:20+00:00'
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TranscriptError(
            f"{place}: {what} is {described(value)}; write it as ISO 8601 or as Unix "
            "seconds"
        )
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
        else:
            at = datetime.fromtimestamp(value, UTC)
        if at.tzinfo is not None:
            # A store keeps UTC, in which the calendar's first and last day may lack.
            at.astimezone(UTC)
            return at
    except (ValueError, OverflowError, OSError) as error:
        raise TranscriptError(
            f"{place}: {what} is {str(value)!r:.42}, which is no time; write it as "
            "ISO 8601, for example 2026-03-03T20:12:07+01:00, or as Unix seconds"
        ) from error
    raise TranscriptError(
        f"{place}: {what} is {str(value)!r:.42}, which names no timezone; write the "
        f"offset too, for example {at.isoformat()}+01:00, or Unix seconds"
    )


def began(value: object) -> float:
    """When a conversation began, in Unix seconds, to put several in order.

    One without a time, or with a spoilt one, goes last: its fault is then met when
    all the others have been read.

    >>> began("2026-03-03T20:12:07Z"), began("yesterday")
    (1772568727.0, inf)
    """
    try:
        at = moment(value, "its time", "")
    except TranscriptError:
        return math.inf
    return math.inf if at is None else at.timestamp()


def derived_id(*parts: object) -> str:
    """An id that follows from what it names: 32 hex digits, the same every time.

    >>> derived_id("default", "Mira", 0) == derived_id("default", "Mira", 0)
    True
    """
    spelled = json.dumps([str(part) for part in parts])
    return hashlib.sha256(spelled.encode()).hexdigest()[:32]


def turn(
    place: str,
    text: str,
    *,
    speaker: str = "",
    role: str = "user",
    at: datetime | None = None,
    session: str = "default",
    turn_id: str = "",
) -> Turn:
    """A turn that any store can hold.

    Raises:
        TranscriptError: It can't be one; the message names the place.
    """
    text, speaker, session, turn_id = map(whole, (text, speaker, session, turn_id))
    try:
        return Turn(text, speaker, role, at, session, turn_id)
    except TurnError as error:
        raise TranscriptError(f"{place}: {error}") from error
