"""What a policy makes of a pool: without names, with nothing to find, and how sure."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import torch

from psm_core.acts.candidates import unnamed
from psm_core.model.network import PSM
from psm_core.model.ranking import fit_of
from psm_core.protocols import Weighting
from psm_core.train.calibrate import calibration_error, reliability
from psm_core.train.corpus import Life
from psm_core.train.evaluate.asking import AFTER, System
from psm_core.train.evaluate.baselines import Baselines
from psm_core.train.evaluate.figures import Case, auc, paired
from psm_core.train.evaluate.found import found, judged
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.material import Remembered
from psm_core.train.pools import Asked, Asking, asked
from psm_core.train.ranking import points_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float32]

OPERATION = "recall"

NAMELESS = "R@10 without names"
"""The figure of the probe that takes the names out of the questions."""

TOLD_APART = "AUC of answerable against unanswerable"
"""The figure that says whether a policy knows when it knows nothing."""

SHOWN = 10
"""Memories of each recall whose scores are held against what was so."""

Seen: TypeAlias = Mapping[str, Sequence["Weighed"]]
"""What one policy made of each question, by person."""


class Weighed(NamedTuple):
    """One question, what a policy made of its pool, and what it would without names.

    ``sure`` in [0, 1] is how sure the policy is that anything answers it;
    ``milliseconds`` the CPU time of weighing.
    """

    asked: Asked
    weighting: Weighting
    sure: float
    nameless: Column
    milliseconds: float


def evaluate_pools(
    systems: Sequence[System], lives: Sequence[Life], plain: Remembered
) -> list[Measured]:
    """What each policy makes of what its store proposes.

    Args:
        systems: The trained policy first.
        lives: Whose questions are asked, those without an answer too.
        plain: The encoder of the baselines.

    Returns:
        R@10 where questions have no names and speakers don't count; the share of
        unanswerable questions answered and of answerable ones left empty, and how
        well the two are told apart; how often a shown memory was evidence, by its
        score; the CPU time of weighing.
    """
    rows: list[Measured] = []
    for system in systems:
        seen = _seen(system, lives)
        rows += _nameless(system.name, seen)
        rows += _silence(system.name, seen)
        rows += _honesty(system.name, seen)
        spent = _cases(seen, lambda w: w.milliseconds)
        rows.append(measured(OPERATION, "CPU ms of weighing", system.name, spent))
    return rows + list(_baselines(lives, plain))


def _seen(system: System, lives: Sequence[Life]) -> dict[str, list[Weighed]]:
    seen: dict[str, list[Weighed]] = {life.name: [] for life in lives}
    for one in asked(lives, system.encoder, system.policy, Asking(after=AFTER)):
        seen[one.person].append(_weighed(one, system))
    return seen


def _weighed(one: Asked, system: System) -> Weighed:
    began = time.process_time()
    weighting = system.policy.weigh(one.cue, one.candidates)
    spent = (time.process_time() - began) * 1000
    speakers = {candidate.entry.speaker for candidate in one.candidates}
    bare = replace(one.cue, text=unnamed(one.cue.text, speakers)[1], named=frozenset())
    nameless = system.policy.weigh(bare, one.candidates).scores
    sure = (
        _sure(system.network, one)
        if system.network
        else float(weighting.scores.max(initial=0.0))
    )
    return Weighed(one, weighting, sure, nameless, spent)


def _sure(network: PSM, one: Asked) -> float:
    fit = fit_of(one.cue, one.candidates, points_of(network.recall, one.features))
    with torch.inference_mode():
        logit = network.fit(torch.from_numpy(fit))
        return float(network.calibrated("fit", logit)[0])


def _cases(
    seen: Seen, of: Callable[[Weighed], float], *, answerable: bool | None = None
) -> dict[str, list[float]]:
    return {
        name: [of(w) for w in own if answerable in (None, bool(w.asked.sources))]
        for name, own in seen.items()
    }


def _nameless(system: str, seen: Seen) -> Iterable[Measured]:
    cases = _cases(
        seen, lambda w: found(w.nameless, w.asked).recall_10, answerable=True
    )
    yield measured(OPERATION, NAMELESS, system, cases)


def _silence(system: str, seen: Seen) -> Iterable[Measured]:
    empty = _cases(seen, lambda w: float(not w.weighting.scores.any()), answerable=True)
    told = _cases(seen, lambda w: float(w.weighting.scores.any()), answerable=False)
    yield measured(OPERATION, "answerable left empty", system, empty)
    if any(told.values()):
        yield measured(OPERATION, "unanswerable answered", system, told)
        sure = {
            name: paired((w.sure for w in own), (bool(w.asked.sources) for w in own))
            for name, own in seen.items()
        }
        yield measured(OPERATION, TOLD_APART, system, sure, auc)


def _honesty(system: str, seen: Seen) -> Iterable[Measured]:
    shown = {name: [c for w in own for c in _shown(w)] for name, own in seen.items()}
    yield measured(OPERATION, "distance of score and truth", system, shown, _error)
    every = [case for own in shown.values() for case in own]
    for each in reliability(*_columns(every)):
        hits = round(each.true * each.n)
        cases = {"all": [1.0] * hits + [0.0] * (each.n - hits)}
        measure = f"evidence where {each.said:.2f} was said"
        yield measured(OPERATION, measure, system, cases)


def _shown(weighed: Weighed) -> list[Case]:
    """Score and truth of what one recall would show."""
    scores = weighed.weighting.scores
    order = [row for row in np.argsort(-scores)[:SHOWN] if scores[row] > 0]
    return paired(scores[order], weighed.asked.relevant[order])


def _columns(cases: Sequence[Case]) -> tuple[Column, NDArray[np.bool_]]:
    table = np.array(cases, np.float32).reshape(-1, 2)
    return table[:, 0], table[:, 1] > 0


def _error(cases: Sequence[Case]) -> float:
    return calibration_error(*_columns(cases))


def _baselines(lives: Sequence[Life], plain: Remembered) -> Iterable[Measured]:
    """The usual retrievers without names, and how well they know when to be silent."""
    for name, values in _bare(lives, plain).items():
        yield measured(OPERATION, NAMELESS, name, values)
    if any(not q.evidence for life in lives for q in life.questions):
        for name, cases in _best(lives, plain).items():
            yield measured(OPERATION, TOLD_APART, name, cases, auc)


def _bare(
    lives: Sequence[Life], plain: Remembered
) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for life in lives:
        baselines = Baselines(life, plain, nameless=True)
        for question in (q for q in life.questions if q.evidence):
            for name, ranked in baselines.rankings(question.text).items():
                value = judged(ranked.ranking, question.evidence).recall_10
                found[name].setdefault(life.name, []).append(value)
    return found


def _best(lives: Sequence[Life], plain: Remembered) -> dict[str, dict[str, list[Case]]]:
    found: dict[str, dict[str, list[Case]]] = defaultdict(dict)
    for life in lives:
        baselines = Baselines(life, plain)
        for question in life.questions:
            for name, ranked in baselines.rankings(question.text).items():
                case = ranked.best, float(bool(question.evidence))
                found[name].setdefault(life.name, []).append(case)
    return found
