"""What the demo shows, scene by scene: the answers of a memory, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psm_core.types import (
    Action,
    Conflict,
    Entry,
    GateDecision,
    Recall,
    SleepReport,
    Tier,
    Turn,
)


class Judged(NamedTuple):
    """A turn, and what the gate made of it."""

    turn: Turn
    decision: GateDecision


class Proven(NamedTuple):
    """A memory, and the turns it rests on, in their own words."""

    entry: Entry
    turns: tuple[Turn, ...]


class Sides(NamedTuple):
    """Two memories that may not both hold, with the turns they rest on."""

    conflict: Conflict
    new: Proven
    old: Proven


class Fading(NamedTuple):
    """One memory, and what of it is left after each of `LATER`."""

    what: str
    entry: Entry
    left: tuple[float, ...]


class Lesson(NamedTuple):
    """A memory that feedback judged: its strength before and after."""

    outcome: str
    entry: Entry
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Play:
    """All that the demo shows, as the memory answered it."""

    user: str
    first: datetime
    last: datetime
    turns: int
    sessions: int
    encoder: str
    seconds: float
    gate: dict[Action, int]
    judged: tuple[Judged, ...]
    sleeps: tuple[SleepReport, ...]
    tiers: dict[Tier, int]
    evening: Recall
    morning: Recall
    fact: Proven | None
    update: Sides | None
    contradiction: Sides | None
    fading: tuple[Fading, ...]
    question: Recall
    lessons: tuple[Lesson, ...]
    prompt: Recall
