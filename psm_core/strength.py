"""The arithmetic of forgetting. Pure: no clock, no store, no torch."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from psm_core.types import Entry, Kind, Outcome, Trace

N = TypeVar("N", bound=Any)
"""A number, or an array of them."""

HALF_LIFE_MIN = timedelta(hours=1)
"""Nothing fades faster: below that a memory wouldn't outlive its session."""

HALF_LIFE_MAX = timedelta(days=3650)
"""Nothing fades slower; ten years is for good, and keeps datetimes in range."""

USED_GAIN = 0.3
"""Share of the missing strength that one use restores, no unit."""

IGNORED_LOSS = 0.1
"""Share of its strength that a memory loses when shown and not used, no unit."""

CORRECTED_LOSS = 0.6
"""Share of its strength that a corrected memory loses: the strongest negative."""

CONFLICT_LOSS = 0.3
"""Share of its strength that each side of an open contradiction loses, no unit."""

FLOOR = {Kind.STATE: 0.1, Kind.PREFERENCE: 0.1}
"""Strength that time alone can't take from what lasts, by kind; 0 for the rest."""

REWARD = {Outcome.USED: 1.0, Outcome.IGNORED: -1.0, Outcome.CORRECTED: -3.0}
"""What each outcome is worth in a journal row, no unit."""


def retention(trace: Trace, now: datetime) -> float:
    """Strength that a memory still has at *now*.

    Derived at every reading and never written back, so reading twice at one
    instant gives one answer.

    Args:
        trace: Strength in [0, 1] as of ``trace.anchored_at``.
        now: Aware datetime.  Before ``anchored_at`` counts as no time passed.

    Returns:
        Retained strength in [``trace.floor``, ``trace.strength``], no unit.

    Source:
        Exponential forgetting, R = 2 ** (-t / half_life); Ebbinghaus (1885).

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> trace = Trace(0.8, timedelta(days=7), noon)
    >>> retention(trace, noon + timedelta(days=7))
    0.4
    """
    elapsed = max(now - trace.anchored_at, timedelta(0))
    floor = min(trace.floor, trace.strength)
    return remaining(trace.strength, floor, elapsed / trace.half_life)


def remaining(strength: N, floor: N, halvings: N) -> N:
    """What is left of a strength after so many half-lives, for numbers or arrays.

    Args:
        strength: In [0, 1].
        floor: In [0, strength]; what time can't take.
        halvings: Half-lives that have passed, 0 or more.
    """
    left: N = strength - (strength - floor) * (1 - 2.0**-halvings)
    return left


def retained(entry: Entry, now: datetime) -> float:
    """Strength that *entry* still has at *now*; what is pinned doesn't fade.

    Args:
        entry: Any memory.
        now: Aware datetime.

    Returns:
        Retained strength in [0, 1], no unit.
    """
    return entry.trace.strength if entry.pinned else retention(entry.trace, now)


def expired(entry: Entry, now: datetime) -> bool:
    """Whether *entry* surfaces no more at *now*, because a person said so."""
    return entry.expires_at is not None and entry.expires_at <= now


def anchored(trace: Trace, now: datetime) -> Trace:
    """The same memory, measured from *now* on: it fades on as if nothing happened.

    Args:
        trace: The trace as it was.
        now: Aware datetime; before ``anchored_at`` the trace stays as it is.

    Returns:
        A trace with the retention of *trace* at *now* and ever after.
    """
    if now <= trace.anchored_at:
        return trace
    return replace(trace, strength=retention(trace, now), anchored_at=now)


def judged(trace: Trace, outcome: Outcome, at: datetime) -> Trace:
    """What a showing does to a memory: use strengthens, a correction weakens most.

    Args:
        trace: The trace before.
        outcome: Used, ignored or corrected.
        at: When it was shown.

    Returns:
        The trace after, anchored at *at*; strength in [floor, 1].

    The half-life isn't touched: how fast a memory fades is the policy's decision,
    which sees the counts of uses and corrections.

    Source:
        Gain in proportion to what is missing: Rescorla and Wagner (1972).
    """
    now = anchored(trace, at)
    match outcome:
        case Outcome.USED:
            gain = (1 - now.strength) * USED_GAIN
            return replace(now, strength=now.strength + gain)
        case Outcome.IGNORED:
            return _weakened(now, IGNORED_LOSS)
        case Outcome.CORRECTED:
            # A correction outweighs the floor: what is wrong may fade to nothing.
            return _weakened(replace(now, floor=0.0), CORRECTED_LOSS)


def weakened(trace: Trace, share: float, at: datetime) -> Trace:
    """The trace after losing *share* in [0, 1] of its strength at *at*."""
    return _weakened(anchored(trace, at), share)


def bounded(half_life: timedelta) -> timedelta:
    """*half_life*, moved into [`HALF_LIFE_MIN`, `HALF_LIFE_MAX`]."""
    return min(max(half_life, HALF_LIFE_MIN), HALF_LIFE_MAX)


def _weakened(trace: Trace, share: float) -> Trace:
    return replace(trace, strength=max(trace.strength * (1 - share), trace.floor))
