"""Explain: what is known of one memory, in sentences."""

from __future__ import annotations

from datetime import datetime, timedelta

from psm_core.strength import retained
from psm_core.types import Entry

YEAR = timedelta(days=365)


def explain(entry: Entry, now: datetime) -> str:
    """Why *entry* is here, what it rests on, and how fast it fades.

    Args:
        entry: Any memory.
        now: To when its strength is counted.

    Returns:
        A few lines, none with the memory's own words.
    """
    return "\n".join([_origin(entry), _state(entry, now), *_marks(entry)])


def _origin(entry: Entry) -> str:
    turns = ", ".join(entry.sources)
    return (
        f"{entry.id} is a {entry.kind} in the {entry.tier} tier: {entry.reason}. "
        f"{entry.speaker} said it on {entry.said_at:%d %B %Y} ({turns})."
    )


def _state(entry: Entry, now: datetime) -> str:
    left = retained(entry, now)
    fading = (
        "it is pinned and doesn't fade"
        if entry.pinned
        else f"half of it is gone every {duration(entry.trace.half_life)}"
    )
    return (
        f"Strength {left:.2f} now, {entry.trace.strength:.2f} on "
        f"{entry.trace.anchored_at:%d %B %Y}; {fading}. Recalled {entry.recalled} "
        f"times, used {entry.used}, corrected {entry.corrected}; emotional weight "
        f"{entry.emotion:.2f}, confidence {entry.confidence:.2f}, said "
        f"{entry.mentions} time(s)."
    )


def _marks(entry: Entry) -> list[str]:
    marks = []
    if entry.valid_until:
        by = f", superseded by {entry.superseded_by}" if entry.superseded_by else ""
        marks.append(f"It held until {entry.valid_until:%d %B %Y}{by}.")
    if entry.expires_at:
        marks.append(f"It expires on {entry.expires_at:%d %B %Y, %H:%M}.")
    return marks


def duration(span: timedelta) -> str:
    """A time span in its largest fitting unit.

    >>> duration(timedelta(days=45))
    '45 days'
    """
    if span >= 2 * YEAR:
        return f"{span / YEAR:.1f} years"
    if span >= timedelta(days=2):
        return f"{span.days} days"
    return f"{span / timedelta(hours=1):.0f} hours"
