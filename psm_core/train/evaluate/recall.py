"""Does the evidence come back, early and readable, and nothing where there is none?"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from psm_core.train.corpus import Life
from psm_core.train.evaluate.asking import (
    BUDGETS,
    DEPTH,
    Answer,
    System,
    all_readable,
    answers,
    filled,
    heard,
)
from psm_core.train.evaluate.baselines import MASKED, Baselines, Ranked
from psm_core.train.evaluate.found import FIGURES as OF_RANKINGS
from psm_core.train.evaluate.found import Found, judged
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.material import Remembered, Say

OPERATION = "recall"

ByPerson: TypeAlias = Mapping[str, Sequence[Answer]]
"""What one system answered, by person; all systems in the same order."""


def _figure(of: Callable[[Found], float], answer: Answer) -> float:
    return of(judged(answer.ranking, answer.question.evidence))


FIGURES: Mapping[str, Callable[[Answer], float]] = {
    name: partial(_figure, of) for name, of in OF_RANKINGS.items()
}
"""Figures of one answer's ranking."""

WIDEST = 200
"""Turns of a plain ranking that may go into a context."""


def evaluate_recall(
    systems: Sequence[System], lives: Sequence[Life], plain: Remembered, say: Say
) -> list[Measured]:
    """How well the evidence of each question is found, beside the usual retrievers.

    Every system hears each life in a store of its own and is asked a year later.

    Args:
        systems: The trained policy first, then those it must beat.
        lives: Whose questions are asked.
        plain: The encoder of the baselines, not adapted to anything.
        say: Told whose turn it is.

    Returns:
        R@5, R@10 and nDCG@10, R@10 by sort of question, questions with all evidence
        readable within each of `BUDGETS`, the share of people for whom a system's
        R@10 is the best, what the first system gains over each other one, question
        by question, and the CPU time of a recall beyond encoding.
    """
    found: dict[str, dict[str, list[Answer]]] = defaultdict(dict)
    for life in lives:
        say(f"{life.name}: {len(life.turns)} turns, {len(life.questions)} questions")
        for system in systems:
            with heard(life, system) as memory:
                found[system.name][life.name] = answers(memory, life, timed=True)
        for name, given in _baselines(life, systems, plain).items():
            found[name][life.name] = given
    return [
        *_ranked(found),
        *_by_sort(found),
        *_won(found),
        *_gained(systems[0].name, found),
        *_spent(found),
    ]


def _baselines(
    life: Life, systems: Sequence[System], plain: Remembered
) -> dict[str, list[Answer]]:
    """What the usual retrievers answer; cosine by a trained encoder stands apart."""
    found = _of(life, Baselines(life, plain).rankings)
    for system in systems:
        if system.encoder.name != plain.name:
            own = _of(life, Baselines(life, system.encoder).rankings)
            found[f"{MASKED}, {system.encoder.name}"] = own[MASKED]
    return found


def _of(
    life: Life, rankings: Callable[[str], Mapping[str, Ranked]]
) -> dict[str, list[Answer]]:
    turns = {turn.id: turn for turn in life.turns}
    found = defaultdict(list)
    for question in life.questions:
        if not question.evidence:
            continue
        needed = [turns[i] for i in question.evidence]
        for name, (ranking, _) in rankings(question.text).items():
            read = {
                budget: all_readable(*filled(ranking[:WIDEST], turns, budget), needed)
                for budget in BUDGETS
            }
            found[name].append(Answer(question, ranking[:DEPTH], read))
    return found


# ------------------------------------------------------------------- the figures


def _row(
    measure: str, system: str, given: ByPerson, of: Callable[[Answer], float]
) -> Measured:
    cases = {name: [of(answer) for answer in own] for name, own in given.items()}
    return measured(OPERATION, measure, system, cases)


def _ranked(found: Mapping[str, ByPerson]) -> Iterable[Measured]:
    for measure, of in FIGURES.items():
        for system, given in found.items():
            yield _row(measure, system, given, of)
    for budget in BUDGETS:
        for system, given in found.items():
            cases = {
                n: [float(a.read[budget]) for a in own] for n, own in given.items()
            }
            measure = f"all evidence in {budget:,} tokens"
            yield measured(OPERATION, measure, system, cases)


def _by_sort(found: Mapping[str, ByPerson]) -> Iterable[Measured]:
    every = next(iter(found.values())).values()
    for sort in dict.fromkeys(a.question.sort for own in every for a in own):
        for system, given in found.items():
            cut = {
                n: [a for a in own if a.question.sort == sort]
                for n, own in given.items()
            }
            yield _row(f"R@10, {sort}", system, cut, FIGURES["R@10"])


def _won(found: Mapping[str, ByPerson]) -> Iterable[Measured]:
    people = list(next(iter(found.values())))
    mean = {
        system: {
            n: statistics.fmean(map(FIGURES["R@10"], own)) for n, own in given.items()
        }
        for system, given in found.items()
    }
    best = {n: max(each[n] for each in mean.values()) for n in people}
    for system, own in mean.items():
        cases = {n: [float(own[n] == best[n])] for n in people}
        yield measured(OPERATION, "people whose R@10 is best", system, cases)


def _gained(first: str, found: Mapping[str, ByPerson]) -> Iterable[Measured]:
    for system, given in found.items():
        if system == first:
            continue
        for measure, of in FIGURES.items():
            cases = {
                name: [
                    of(a) - of(b) for a, b in zip(found[first][name], own, strict=True)
                ]
                for name, own in given.items()
            }
            yield measured(OPERATION, gain(measure, system), first, cases)


def gain(measure: str, over: str) -> str:
    """The name of the figure that says what the first system gains over another.

    >>> gain("R@10", "rules")
    'R@10, gain over rules'
    """
    return f"{measure}, gain over {over}"


def _spent(found: Mapping[str, ByPerson]) -> Iterable[Measured]:
    for system, given in found.items():
        cases = {
            name: [a.milliseconds for a in own if a.milliseconds is not None]
            for name, own in given.items()
        }
        if any(cases.values()):
            yield measured(
                OPERATION, "CPU ms of a recall, encoding left out", system, cases
            )
