"""What is still there when it is needed? Half-lives, beside other ways to forget."""

from __future__ import annotations

import functools
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from psm_core.config import Config
from psm_core.errors import TranscriptError
from psm_core.protocols import GateContext, Policy
from psm_core.strength import FLOOR, retained
from psm_core.train.corpus import Life, Question, Said
from psm_core.train.evaluate.again import said_before
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.fading import (
    ASKED_AGAIN,
    BUDGETS,
    DAY,
    Course,
    as_heard,
    course,
    kept,
    lived,
)
from psm_core.train.material import Remembered
from psm_core.transcripts import read
from psm_core.types import Action, Entry, Kind, Outcome, Trace, Turn

if TYPE_CHECKING:
    from psm_core.content import Vector

Remaining: TypeAlias = Callable[[Course], Sequence[float]]
"""What a system has retained of each turn heard, by row; what has least goes first."""

HALF_LIVES = tuple(timedelta(days=d) for d in (1, 7, 30, 90, 180, 365, 1000, 3650))
"""Half-lives that the fixed exponential is tried with, on validation people."""

STRENGTH = 0.5
"""Initial strength of every memory of the fixed exponential."""

ACT_R = 0.5
"""Exponent d of ACT-R's base level: Anderson and Schooler (1991)."""

COURSES = 10
"""Courses of each life; a question counts once, by its mean over them."""

ADVERSARIAL = 5
"""LoCoMo's category of questions about what was never said."""

_FIXED = "fixed exponential"
_BUDGET = 0.2


def evaluate_decay(
    policies: Sequence[Policy],
    lives: Sequence[Life],
    encoder: Remembered,
    *,
    chosen_on: Sequence[Life],
    again: float = ASKED_AGAIN,
) -> list[Measured]:
    """The share of what is needed that is kept, by each policy and by its baselines.

    Late in a life or after it, the turns are ordered by what they have retained, and
    the first 10, 20 and 40 % are kept; see `course` for what is needed.

    Args:
        policies: The trained one first.
        lives: People to measure on.
        encoder: Says which turns are near to a question or a turn.
        chosen_on: Other people, on whom the fixed half-life is chosen.
        again: Share in [0, 1] of what was asked before that is asked again.

    Returns:
        By budget and system the share kept; for each policy also how many times that
        of the fixed exponential it is, and what share of what is needed has faded
        below what a sleep archives.
    """
    fixed = _chosen([*(_fixed(h) for h in HALF_LIVES), _since_use], chosen_on, encoder)
    trained = _Policed(policies[0], encoder)
    systems: dict[str, Remaining] = {
        **{policy.name: _Policed(policy, encoder) for policy in policies},
        f"strength of {policies[0].name}, no decay": trained.strength,
        _FIXED: fixed,
        "time since last use": _since_use,
        "age": _age,
        "ACT-R": _act_r,
        "FSRS": _fsrs,
        "length": _length,
        "no decay": _nothing,
    }
    courses = [
        course(life, encoder, n, again) for life in lives for n in range(COURSES)
    ]
    left = {name: [system(c) for c in courses] for name, system in systems.items()}
    found: list[Measured] = []
    for budget in BUDGETS:
        measure = f"needed kept in {budget:.0%} of the turns"
        shares = {name: _shares(own, courses, budget) for name, own in left.items()}
        for name, own in shares.items():
            found.append(measured("decay", measure, name, _values(own)))
        if budget == _BUDGET:
            for policy in policies:
                paired = _paired(shares[policy.name], shares[_FIXED])
                times = f"{measure}, times that of the fixed exponential"
                found.append(measured("decay", times, policy.name, paired, _times))
    for policy in policies:
        gone = _gone(left[policy.name], courses)
        found.append(measured("decay", "needed and archived", policy.name, gone))
    return found


def half_lives(
    policy: Policy, lives: Sequence[Life], encoder: Remembered
) -> dict[Kind, list[float]]:
    """The deciles of the half-lives that memories start with, by kind.

    Args:
        policy: Decides kind and half-life.
        lives: What is heard.
        encoder: Vectors for the gate.

    Returns:
        Nine numbers of days by kind, ascending; kinds with fewer than 2 are left out.
    """
    days = defaultdict(list)
    system = _Policed(policy, encoder)
    for life in lives:
        for entry in system.heard(life):
            days[entry.kind].append(policy.half_life(entry) / DAY)
    return {k: statistics.quantiles(own, n=10) for k, own in days.items() if own[1:]}


def asked_of(data: Path) -> list[Life]:
    """The conversations of a file in LoCoMo's format as lives; to measure on only.

    Args:
        data: The file; questions without evidence are left out.

    Raises:
        TranscriptError: It isn't in LoCoMo's format.
    """
    transcript = read(data)
    if transcript.format != "locomo":
        raise TranscriptError(
            f"{data.name} is {transcript.format}; questions come with LoCoMo's format"
        )
    said: dict[str, list[Said]] = defaultdict(list)
    for turn in transcript.turns:
        name = turn.id.rpartition("/")[0]
        said[name].append(Said(turn, keep=False, kind=Kind.TALK, valence=0, arousal=0))
    items = json.loads(data.read_text(encoding="utf-8"))
    return [_as_life(item, said[item["sample_id"]]) for item in items]


def _as_life(item: Mapping[str, object], said: Sequence[Said]) -> Life:
    name = str(item["sample_id"])
    known = {s.turn.id for s in said}
    asked = item["qa"]
    assert isinstance(asked, list)
    questions = []
    for row in asked:
        named = {f"{name}/{i}" for i in row.get("evidence") or ()} & known
        if named and row.get("category") != ADVERSARIAL:
            evidence = tuple(sorted(named))
            questions.append(Question(row["question"], "single-hop", evidence, ""))
    return Life(
        name=name,
        chat="two people",
        people=dict.fromkeys(sorted({s.turn.speaker for s in said}), ""),
        said=tuple(said),
        questions=tuple(questions),
        pairs=(),
        corrections=(),
    )


# --------------------------------------------------------------------- policies


class _Policed:
    """What a policy has retained of a life, which it hears once."""

    def __init__(self, policy: Policy, encoder: Remembered) -> None:
        self._policy = policy
        self._encoder = encoder
        self._known: dict[str, list[Entry]] = {}

    def __call__(self, course: Course) -> list[float]:
        found = lived(self.heard(course.life), course, self._policy.half_life)
        return [retained(entry, course.now) for entry in found]

    def strength(self, course: Course) -> list[float]:
        """What it was worth when heard, whatever became of it since."""
        entries = self.heard(course.life)[: course.heard]
        return [entry.trace.strength for entry in entries]

    def heard(self, life: Life) -> list[Entry]:
        """One entry for each turn."""
        if life.name not in self._known:
            self._known[life.name] = self._hear(life)
        return self._known[life.name]

    def _hear(self, life: Life) -> list[Entry]:
        vectors = self._encoder.encode([turn.text for turn in life.turns])
        before: dict[str, list[Turn]] = defaultdict(list)
        entries: list[Entry] = []
        again = said_before(life.turns)
        for turn, vector, same in zip(life.turns, vectors, again, strict=True):
            told = before[turn.session]
            context = GateContext(
                user=next(iter(life.people)),
                recent=told[-Config().sensory_turns :],
                said_before=same,
                vector=vector,
                nearest=functools.partial(_nearest, tuple(entries), vector),
            )
            entries.append(self._entry(turn, context))
            told.append(turn)
        return entries

    def _entry(self, turn: Turn, context: GateContext) -> Entry:
        decision = self._policy.gate(turn, context)
        floor = FLOOR.get(decision.kind, 0.0) if decision.action is Action.KEEP else 0.0
        entry = as_heard(turn, decision.kind, decision.strength, decision.emotion)
        trace = Trace(
            decision.strength,
            decision.half_life,
            entry.said_at,
            min(floor, decision.strength),
        )
        return replace(entry, trace=trace, vector=context.vector)


def _nearest(
    entries: Sequence[Entry], vector: Vector, k: int
) -> list[tuple[Entry, float]]:
    near = [(e, float(e.vector @ vector)) for e in entries if e.vector is not None]
    return sorted(near, key=lambda found: -found[1])[:k]


# -------------------------------------------------------------------- baselines


def _fixed(half_life: timedelta) -> Remaining:
    """One half-life for all; outcomes strengthen and weaken as everywhere."""

    def remaining(course: Course) -> list[float]:
        entries = []
        for turn in course.life.turns:
            entry = as_heard(turn, Kind.TALK, STRENGTH, 0.0)
            trace = replace(entry.trace, half_life=half_life)
            entries.append(replace(entry, trace=trace))
        found = lived(entries, course, lambda _: half_life)
        return [retained(entry, course.now) for entry in found]

    return remaining


def _chosen(
    systems: Sequence[Remaining], lives: Sequence[Life], encoder: Remembered
) -> Remaining:
    """The system that keeps most within 20 % of the turns of *lives*."""
    courses = [course(life, encoder, n) for life in lives for n in range(COURSES)]

    def share(system: Remaining) -> float:
        left = [system(c) for c in courses]
        own = _values(_shares(left, courses, _BUDGET))
        return statistics.fmean(value for values in own.values() for value in values)

    return max(systems, key=share)


def _since_use(course: Course) -> list[float]:
    """An exponential that each use starts anew; its half-life changes no order."""
    return [-min(ages) for ages in _ages(course)]


def _age(course: Course) -> list[float]:
    return [-max(ages) for ages in _ages(course)]


def _act_r(course: Course) -> list[float]:
    """Base-level activation: each telling and use counts, the recent ones most."""
    return [sum(age**-ACT_R for age in ages) for ages in _ages(course)]


def _ages(course: Course) -> list[list[float]]:
    """Days since each turn was told, and since each of its uses; at least an hour."""
    moments = [[turn.at] for turn in course.life.turns[: course.heard]]
    for event in course.judged:
        if event.outcome is Outcome.USED:
            moments[event.row].append(event.at)
    return [
        [max((course.now - at) / DAY, 1 / 24) for at in own if at] for own in moments
    ]


class _Card(NamedTuple):
    """What FSRS knows of a memory: stability in days, and when it was last seen."""

    stability: float
    seen: datetime


def _fsrs(course: Course) -> list[float]:
    """FSRS-4.5 with its published weights, difficulty 5; a use counts as "good".

    Source:
        Ye et al. (2022); the power-law forgetting curve of FSRS-4.5.
    """
    told = [turn.at or course.now for turn in course.life.turns[: course.heard]]
    cards = [_Card(2.4, at) for at in told]
    for event in course.judged:
        stability, seen = cards[event.row]
        recalled = _recallable(stability, event.at - seen)
        if event.outcome is Outcome.USED:
            gain = math.exp(1.49) * (11 - 5) * stability**-0.14
            grown = 1 + gain * (math.exp(0.94 * (1 - recalled)) - 1)
            cards[event.row] = _Card(stability * grown, event.at)
        elif event.outcome is Outcome.CORRECTED:
            lapsed = 2.18 * 5**-0.05 * ((stability + 1) ** 0.34 - 1)
            lapsed *= math.exp(1.26 * (1 - recalled))
            cards[event.row] = _Card(min(stability, lapsed), event.at)
    return [_recallable(card.stability, course.now - card.seen) for card in cards]


def _recallable(stability: float, elapsed: timedelta) -> float:
    days = max(elapsed / DAY, 0.0)
    recalled: float = (1 + 19 / 81 * days / stability) ** -0.5
    return recalled


def _length(course: Course) -> list[float]:
    return [float(len(turn.text)) for turn in course.life.turns[: course.heard]]


def _nothing(course: Course) -> list[float]:
    """Nothing fades, so chance decides what is kept."""
    return [0.0] * course.heard


# ------------------------------------------------------------------ what is kept

Shares: TypeAlias = dict[str, dict[int, float]]
"""By life and question, the share of its evidence that is kept, mean over courses."""


def _shares(
    left: Sequence[Sequence[float]], courses: Sequence[Course], budget: float
) -> Shares:
    found: dict[str, dict[int, list[float]]] = {}
    for own, drawn in zip(left, courses, strict=True):
        asked = found.setdefault(drawn.life.name, defaultdict(list))
        for question, share in kept(own, drawn, budget).items():
            asked[question].append(share)
    return {
        life: {question: statistics.fmean(own) for question, own in asked.items()}
        for life, asked in found.items()
    }


def _values(shares: Shares) -> dict[str, list[float]]:
    return {life: list(asked.values()) for life, asked in shares.items()}


def _paired(one: Shares, other: Shares) -> dict[str, list[tuple[float, float]]]:
    return {
        life: [(share, other[life][question]) for question, share in asked.items()]
        for life, asked in one.items()
    }


def _times(pairs: Sequence[tuple[float, float]]) -> float:
    """How many times the second share the first one is, over all questions."""
    first, second = sum(one for one, _ in pairs), sum(two for _, two in pairs)
    return first / max(second, 1e-9)


def _gone(
    left: Sequence[Sequence[float]], courses: Sequence[Course]
) -> dict[str, list[float]]:
    """By life, for each needed row: 1 where a sleep has archived it by now."""
    below = Config().archive_below
    found: dict[str, list[float]] = defaultdict(list)
    for own, drawn in zip(left, courses, strict=True):
        rows = {row for rows in drawn.needed.values() for row in rows}
        found[drawn.life.name] += [float(own[row] < below) for row in rows]
    return found
