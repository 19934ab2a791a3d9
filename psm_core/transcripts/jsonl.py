"""JSON lines: PSM's own format, one turn a line, for whatever no other format fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC

from psm_core.errors import TranscriptError
from psm_core.transcripts.checks import Choice, Row, derived_id, label, moment, need
from psm_core.transcripts.checks import turn as checked
from psm_core.types import Turn

KEYS = frozenset({"text", "speaker", "role", "at", "session", "id"})
"""What a line may say; all but the text is optional, other keys are left alone."""


def matches(sample: dict[str, object]) -> bool:
    """Whether an object has a key that a turn has."""
    return not KEYS.isdisjoint(sample)


def turns(rows: Iterable[Row], choice: Choice) -> Iterator[Turn]:
    """The turn on each line, in the order of the file, one at a time.

    A turn without an id gets one that follows from what it says and from how many
    equal ones came before, so that a file that has grown keeps its ids.

    Args:
        rows: The lines.
        choice: Which session is asked for.

    Returns:
        One turn a line.

    Raises:
        TranscriptError: A line isn't what it should be.

    >>> [turn] = turns([Row("line 1", {"text": "Hello."})], Choice("chat"))
    >>> turn.text, turn.role, turn.session
    ('Hello.', 'user', 'default')
    """
    equal: Counter[str] = Counter()
    for place, value in rows:
        turn = _turn(need(value, dict, "the turn", place), place)
        if not choice.takes(turn.session):
            continue
        if not turn.id:
            at = turn.at.astimezone(UTC).isoformat() if turn.at else ""
            said = derived_id(turn.session, turn.speaker, turn.role, at, turn.text)
            turn = replace(turn, id=derived_id(said, equal[said]))
            equal[said] += 1
        yield turn


def _turn(line: dict[str, object], place: str) -> Turn:
    if "text" not in line:
        raise TranscriptError(
            f'{place}: the text is missing; every turn has one, as in {{"text": "Hi."}}'
        )
    return checked(
        place,
        need(line["text"], str, "the text", place),
        speaker=label(line.get("speaker"), "the speaker", place),
        role=label(line.get("role"), "the role", place) or "user",
        at=moment(line.get("at"), "at", place),
        session=label(line.get("session"), "the session", place) or "default",
        turn_id=label(line.get("id"), "the id", place),
    )
