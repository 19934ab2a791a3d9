"""An entry as a row of the ledger, and back."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psm_core.store import archive
from psm_core.types import Entry, Kind, Tier, Trace

if TYPE_CHECKING:
    from psm_core.content import Vector

LIVE = (Tier.EPISODIC, Tier.SEMANTIC)
"""The tiers whose words and vectors are indexed."""

STORED = (*LIVE, Tier.ARCHIVAL)
"""The tiers that a ledger holds; the others live in the process."""

NAMES = (
    "seq",
    "id",
    "tier",
    "kind",
    "text",
    "packed",
    "speaker",
    "role",
    "session",
    "said_at",
    "strength",
    "half_life",
    "anchored_at",
    "floor",
    "emotion",
    "confidence",
    "mentions",
    "last_said_at",
    "about_at",
    "valid_until",
    "superseded_by",
    "recalled",
    "used",
    "corrected",
    "pinned",
    "expires_at",
    "reason",
)
"""The columns of ``memory`` that make up an entry, in the order of `entry`."""

ADDED = (*NAMES, "fact", "said", "indexed")
"""The columns of a new row, in the order of `row`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MOMENTS = {"said_at", "last_said_at", "about_at", "valid_until", "expires_at"}
_TIERS = {str(tier): tier for tier in Tier}
_KINDS = {str(kind): kind for kind in Kind}


def micros(at: datetime) -> int:
    """Microseconds since 1970 in UTC of an aware datetime."""
    return (at - _EPOCH) // _MICROSECOND


@functools.lru_cache(maxsize=8192)
def moment(number: int) -> datetime:
    """The aware datetime that `micros` made *number* of, in UTC."""
    # A memory's times are mostly one time, and to make one takes a microsecond.
    return _EPOCH + timedelta(microseconds=number)


def columns(name: str, value: Any) -> dict[str, Any]:
    """The columns, by name, that hold one field of an entry, save its text and tier.

    >>> columns("pinned", True)
    {'pinned': 1}
    """
    match name:
        case "trace":
            return {
                "strength": float(value.strength),
                "half_life": value.half_life // _MICROSECOND,
                "anchored_at": micros(value.anchored_at),
                "floor": float(value.floor),
            }
        case "kind":
            return {name: str(Kind(value))}
        case "pinned":
            return {name: int(value)}
        case _:
            return {name: _moment_in(value) if name in MOMENTS else value}


def body(tier: Tier, text: str) -> tuple[bytes | None, bytes | None]:
    """The columns ``text`` and ``packed``: archived words are compressed."""
    if tier is Tier.ARCHIVAL:
        return None, archive.packed(text)
    return archive.plain(text), None


def row(entry: Entry) -> tuple[Any, ...]:
    """The columns `ADDED` of a new entry."""
    return (
        entry.seq,
        entry.id,
        str(entry.tier),
        str(entry.kind),
        *body(entry.tier, entry.text),
        entry.speaker,
        entry.role,
        entry.session,
        micros(entry.said_at),
        *columns("trace", entry.trace).values(),
        float(entry.emotion),
        float(entry.confidence),
        entry.mentions,
        _moment_in(entry.last_said_at),
        _moment_in(entry.about_at),
        _moment_in(entry.valid_until),
        entry.superseded_by,
        entry.recalled,
        entry.used,
        entry.corrected,
        int(entry.pinned),
        _moment_in(entry.expires_at),
        entry.reason,
        int(entry.tier is Tier.SEMANTIC),
        archive.said(entry.speaker, entry.text),
        0,
    )


def entry(
    found: Sequence[Any], sources: tuple[str, ...], vector: Vector | None = None
) -> Entry:
    """The entry that a row beginning with the columns `NAMES` holds."""
    return Entry(
        seq=found[0],
        id=found[1],
        tier=_TIERS[found[2]],
        kind=_KINDS[found[3]],
        text=text(found[4], found[5]),
        speaker=found[6],
        role=found[7],
        session=found[8],
        said_at=moment(found[9]),
        sources=sources,
        trace=Trace(found[10], span(found[11]), moment(found[12]), found[13]),
        emotion=found[14],
        confidence=found[15],
        mentions=found[16],
        last_said_at=_moment_out(found[17]),
        about_at=_moment_out(found[18]),
        valid_until=_moment_out(found[19]),
        superseded_by=found[20],
        recalled=found[21],
        used=found[22],
        corrected=found[23],
        pinned=bool(found[24]),
        expires_at=_moment_out(found[25]),
        reason=found[26],
        vector=vector,
    )


def text(stored: bytes | None, packed: bytes | None) -> str:
    """The words of a memory, from whichever column holds them."""
    if stored is not None:
        return archive.unplain(stored)
    return "" if packed is None else archive.unpacked(packed)


@functools.lru_cache(maxsize=8192)
def span(number: int) -> timedelta:
    """The span of so many microseconds."""
    return timedelta(microseconds=number)


def _moment_in(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment_out(number: int | None) -> datetime | None:
    return None if number is None else moment(number)
