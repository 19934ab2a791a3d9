"""How fast a memory should fade, by what it says and what became of it. Pure."""

from __future__ import annotations

from datetime import timedelta

from psm_core.model.kinds import only_possible
from psm_core.strength import HALF_LIFE_MAX, bounded
from psm_core.types import Entry, Kind, Tier

BASE = {
    Kind.TALK: timedelta(days=3),
    Kind.QUESTION: timedelta(days=5),
    Kind.PLAN: timedelta(days=45),
    Kind.EVENT: timedelta(days=120),
    Kind.PREFERENCE: timedelta(days=365),
    Kind.STATE: timedelta(days=540),
}
"""Half-life of what is told once and never used, by kind: a plan is over when its time
has come, an event is told for a season, a state holds until it changes."""

MOVED = 1.0
"""How much of the half-life full emotional weight adds to it, no unit: it doubles."""

HEDGED = 0.5
"""Factor for what was said as a possibility, no unit."""

USED = 0.6
"""Exponent on 1 + uses: the first use counts most, no unit."""

SHOWN_IN_VAIN = 0.1
"""Share of the half-life lost each time it was shown and not used, no unit."""

CORRECTED = 0.5
"""Factor for each time it was corrected, no unit."""

REPEATED = 0.3
"""Exponent on the number of mentions: what is told again is meant to stay, no unit."""

FACT = 2.0
"""Factor for a fact: it was worth writing down, no unit."""


def half_life_of(kind: Kind, emotion: float, *, hedged: bool) -> timedelta:
    """The half-life with which a new memory starts.

    Args:
        kind: What sort of thing it says.
        emotion: Emotional weight in [0, 1].
        hedged: Whether it was said as a possibility.

    >>> half_life_of(Kind.EVENT, 0.5, hedged=False).days
    180
    """
    factor = (1 + MOVED * emotion) * (HEDGED if hedged else 1.0)
    return bounded(BASE[kind] * factor)


def half_life(entry: Entry) -> timedelta:
    """In what time *entry* should lose half of its strength, given what became of it.

    Derived from the counts that the entry carries, so asking twice changes nothing.

    Args:
        entry: A memory, with how often it was shown, used and corrected.

    Returns:
        In [`HALF_LIFE_MIN`, `HALF_LIFE_MAX`]; the longest for what is pinned.

    Source:
        Half-life regression: Settles and Meeder (2016), with weights set by hand.
    """
    if entry.pinned:
        return HALF_LIFE_MAX
    hedged = only_possible(entry.text, entry.kind)
    start = half_life_of(entry.kind, entry.emotion, hedged=hedged)
    vain = max(entry.recalled - entry.used - entry.corrected, 0)
    factor = (1 + entry.used) ** USED * max(entry.mentions, 1) ** REPEATED
    factor *= (1 - SHOWN_IN_VAIN) ** vain * CORRECTED ** min(entry.corrected, 30)
    factor *= FACT if entry.tier is Tier.SEMANTIC else 1.0
    # Counts have no upper bound, timedeltas do.
    return bounded(start * min(factor, 1e3))
