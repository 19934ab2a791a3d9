"""How well a policy knows which of the patterns that it finds are facts.

A pattern counts as *labelled a fact* where a careful reader held each turn that it
rests on to be worth keeping, and a state or a preference.  Labels are of whole turns:
they can't tell which of the spans of a turn is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.config import Config
from psm_core.protocols import Policy
from psm_core.train import reading
from psm_core.train.calibrate import calibration_error, reliability
from psm_core.train.corpus import Said
from psm_core.train.evaluate.figures import Case, auc
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.types import Entry

if TYPE_CHECKING:
    from psm_core.train.calibrate import Column, Mask

OPERATION = "consolidation"
"""What these figures belong to on the report card."""

SURE = Config().fact_confidence
"""Confidence in [0, 1] from which on a sleep writes a pattern down."""

SUREST = 3
"""Patterns in 100 turns, the surest ones, at which systems are compared."""

EVERYTHING = "everything is a fact"
"""The system that writes down all that the rules can word."""


class Found(NamedTuple):
    """The patterns in one life: how sure each is, and whether it is labelled a fact."""

    turns: int
    patterns: Sequence[Case]

    @property
    def written(self) -> list[float]:
        """For each pattern that a sleep writes down 1 where it is labelled a fact."""
        return [so for confidence, so in self.patterns if confidence >= SURE]

    @property
    def surest(self) -> list[float]:
        """The same for the surest of them; of equals, those that were said first."""
        ranked = sorted(self.patterns, key=lambda case: -case[0])
        return [so for _, so in ranked[: round(SUREST * self.turns / 100)]]


def patterns_in(
    policy: Policy, episodes: Sequence[Entry], said: Sequence[Said]
) -> Found:
    """The patterns that *policy* finds, each beside what the labels say of it.

    Args:
        policy: Abstracts.
        episodes: What it abstracts from.
        said: The turns that the episodes rest on, with their labels.
    """
    facts = {s.turn.id for s in said if s.keep and s.kind in reading.LASTING}
    sources = {episode.id: episode.sources for episode in episodes}
    return Found(
        len(said),
        [
            (p.confidence, float(all(facts.issuperset(sources[i]) for i in p.episodes)))
            for p in policy.abstract(episodes)
        ],
    )


def evaluate_patterns(told: Mapping[str, Mapping[str, Found]]) -> list[Measured]:
    """How well each system knows which of its patterns are labelled facts.

    Args:
        told: By system, by person; the rules last, whose patterns are all facts to
            the system that writes everything down.

    Returns:
        For each system and `EVERYTHING`: how far confidence ranks facts above the
        rest (AUC); its mean distance from what is so; the share of facts among what
        is written, and among equally many of the surest; how much is written in 100
        turns; and a row for each bin of confidence.
    """
    rows: list[Measured] = []
    for system, people in told.items():
        rows += _of(system, people)
    if told:
        rules = list(told.values())[-1]
        rows += _of(EVERYTHING, {n: _all_written(one) for n, one in rules.items()})
    return rows


def _all_written(one: Found) -> Found:
    return one._replace(patterns=[(1.0, so) for _, so in one.patterns])


def _of(system: str, people: Mapping[str, Found]) -> list[Measured]:
    cases = {name: one.patterns for name, one in people.items() if one.patterns}
    if not cases:
        return []
    far = "distance of confidence from what is so"
    rows = [
        measured(OPERATION, "AUC of confidence", system, cases, auc),
        measured(OPERATION, far, system, cases, _distance),
    ]
    written = {name: one.written for name, one in people.items()}
    surest = {name: one.surest for name, one in people.items()}
    for which, columns in (
        ("what is written", written),
        (f"the surest {SUREST} in 100 turns", surest),
    ):
        if any(columns.values()):
            measure = f"labelled a fact, of {which}"
            rows.append(measured(OPERATION, measure, system, columns))
    density = {n: [100 * len(one.written) / one.turns] for n, one in people.items()}
    rows.append(measured(OPERATION, "written in 100 turns", system, density))
    return rows + _honesty(system, [case for own in cases.values() for case in own])


def _honesty(system: str, cases: Sequence[Case]) -> list[Measured]:
    """For each bin of confidence: the share that is labelled a fact."""
    rows = []
    for each in reliability(*_columns(cases)):
        hits = round(each.true * each.n)
        so = {"all": [1.0] * hits + [0.0] * (each.n - hits)}
        measure = f"labelled a fact where {each.said:.2f} was said"
        rows.append(measured(OPERATION, measure, system, so))
    return rows


def _distance(cases: Sequence[Case]) -> float:
    return calibration_error(*_columns(cases))


def _columns(cases: Sequence[Case]) -> tuple[Column, Mask]:
    said, so = np.array(cases, np.float32).T
    return said, so > 0
