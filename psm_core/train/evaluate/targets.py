"""What the trained memory has to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from psm_core.train.evaluate.baselines import MASKED
from psm_core.train.evaluate.measured import Measured
from psm_core.train.evaluate.recall import gain

PSM = "psm"
RULES = "rules"

PEOPLE = "people"
"""The written lives of one split."""

LOCOMO = "LoCoMo"
"""The conversations of a file in LoCoMo's format."""

Rows: TypeAlias = Sequence[Measured]

Said = Literal["aim met", "floor met", "aim missed", "missed", "not measured"]


class Target(NamedTuple):
    """One figure with the least that will do, and what is aimed for.

    ``where`` says on whom it is measured; ``floor`` and ``aim`` are None where there
    is none; ``of`` finds the figure in the rows measured there, None where they don't
    hold it.  Lower is better where *at_most*.
    """

    what: str
    where: str
    floor: float | None
    aim: float | None
    of: Callable[[Rows], float | None]
    at_most: bool = False


class Verdict(NamedTuple):
    """One target, what was found, and what to say of it."""

    what: str
    where: str
    value: float | None
    floor: float | None
    aim: float | None
    verdict: Said


def judge(rows: Mapping[str, Rows]) -> list[Verdict]:
    """Each of `TARGETS` held against the rows that were measured, by where."""
    found = []
    for target in TARGETS:
        value = target.of(rows.get(target.where, ()))
        found.append(
            Verdict(
                target.what,
                target.where,
                value,
                target.floor,
                target.aim,
                _said(target, value),
            )
        )
    return found


def _said(target: Target, value: float | None) -> Said:
    if value is None:
        return "not measured"
    sign = -1 if target.at_most else 1
    if target.aim is not None and sign * value >= sign * target.aim:
        return "aim met"
    if target.floor is None:
        return "aim missed"
    return "floor met" if sign * value >= sign * target.floor else "missed"


def row_of(rows: Rows, operation: str, measure: str, system: str) -> Measured | None:
    """The row of this name, or None where it wasn't measured."""
    wanted = operation, measure, system
    return next((row for row in rows if row[:3] == wanted), None)


# ------------------------------------------------------------ where a figure stands

Figure: TypeAlias = Callable[[Rows], float | None]


def _value(operation: str, measure: str, system: str = PSM) -> Figure:
    def of(rows: Rows) -> float | None:
        row = row_of(rows, operation, measure, system)
        return row.value if row else None

    return of


def _above(operation: str, measure: str, over: str) -> Figure:
    """How far the trained system stands above another one."""

    def of(rows: Rows) -> float | None:
        own = row_of(rows, operation, measure, PSM)
        other = row_of(rows, operation, measure, over)
        return own.value - other.value if own and other else None

    return of


def _least(measure: str) -> Figure:
    """The figure of the person for whom it is lowest."""

    def of(rows: Rows) -> float | None:
        row = row_of(rows, "recall", measure, PSM)
        return min(row.people.values()) if row else None

    return of


def _supervised_share(episodes: str) -> Figure:
    return _value("utility", f"share of the supervised gain, {episodes} episodes")


_FIXED = "needed kept in 20% of the turns, times that of the fixed exponential"

TARGETS = (
    Target("R@10", LOCOMO, 0.787, 0.84, _value("recall", "R@10")),
    Target("R@5", LOCOMO, 0.70, 0.77, _value("recall", "R@5")),
    Target("nDCG@10", LOCOMO, 0.62, 0.70, _value("recall", "nDCG@10")),
    Target(
        "R@10 above masked cosine",
        LOCOMO,
        0.19,
        0.24,
        _value("recall", gain("R@10", MASKED)),
    ),
    Target(
        "R@10 above the rules",
        LOCOMO,
        0.03,
        0.06,
        _value("recall", gain("R@10", RULES)),
    ),
    Target(
        "the same, least conversation, cosine",
        LOCOMO,
        0.19,
        0.24,
        _least(gain("R@10", MASKED)),
    ),
    Target(
        "the same, least conversation, rules",
        LOCOMO,
        0.03,
        0.06,
        _least(gain("R@10", RULES)),
    ),
    Target(
        "without names, above the rules",
        LOCOMO,
        0.03,
        0.08,
        _above("recall", "R@10 without names", RULES),
    ),
    Target(
        "all evidence in 1,000 tokens, above the rules",
        LOCOMO,
        0.03,
        0.06,
        _above("recall", "all evidence in 1,000 tokens", RULES),
    ),
    Target(
        "all evidence in 2,000 tokens, above the rules",
        LOCOMO,
        0.0,
        0.03,
        _above("recall", "all evidence in 2,000 tokens", RULES),
    ),
    Target(
        "multi-hop R@10, above the rules",
        LOCOMO,
        0.05,
        None,
        _above("recall", "R@10, multi-hop", RULES),
    ),
    Target("multi-hop R@10", LOCOMO, None, 0.60, _value("recall", "R@10, multi-hop")),
    Target(
        "evidence kept, 30 % turned away",
        LOCOMO,
        0.975,
        0.985,
        _value("gate", "evidence kept, 30% turned away"),
    ),
    Target(
        "the same, counted by questions",
        LOCOMO,
        0.975,
        0.985,
        _value("gate", "evidence kept, 30% turned away, by questions"),
    ),
    Target(
        "evidence kept, 50 % turned away",
        LOCOMO,
        0.93,
        0.955,
        _value("gate", "evidence kept, 50% turned away"),
    ),
    Target(
        "the same, counted by questions",
        LOCOMO,
        0.93,
        0.955,
        _value("gate", "evidence kept, 50% turned away, by questions"),
    ),
    Target(
        "evidence kept, 30 % turned away",
        PEOPLE,
        0.975,
        0.985,
        _value("gate", "evidence kept, 30% turned away"),
    ),
    Target(
        "the same, counted by questions",
        PEOPLE,
        0.975,
        0.985,
        _value("gate", "evidence kept, 30% turned away, by questions"),
    ),
    Target(
        "evidence kept, 50 % turned away",
        PEOPLE,
        0.93,
        0.955,
        _value("gate", "evidence kept, 50% turned away"),
    ),
    Target(
        "the same, counted by questions",
        PEOPLE,
        0.93,
        0.955,
        _value("gate", "evidence kept, 50% turned away, by questions"),
    ),
    Target(
        "conflicts told from the rest, AUC",
        PEOPLE,
        0.87,
        0.92,
        _value("interference", "AUC"),
    ),
    Target(
        "conflicts told from look-alikes, AUC",
        PEOPLE,
        0.80,
        0.88,
        _value("interference", "hard AUC"),
    ),
    Target(
        "conflicts found at precision .9",
        PEOPLE,
        0.60,
        0.75,
        _value("interference", "recall at precision .9"),
    ),
    Target(
        "needed kept in 20 %, times the best exponential",
        PEOPLE,
        1.17,
        1.3,
        _value("decay", _FIXED),
    ),
    Target(
        "needed kept in 20 %, times the best exponential",
        LOCOMO,
        1.17,
        1.3,
        _value("decay", _FIXED),
    ),
    Target(
        "supervised gain from 1,000 logged episodes",
        PEOPLE,
        0.70,
        0.85,
        _supervised_share("1,000"),
    ),
    Target(
        "supervised gain from 10,000 logged episodes",
        PEOPLE,
        0.80,
        0.95,
        _supervised_share("10,000"),
    ),
    Target(
        "CPU ms of a recall beyond encoding",
        PEOPLE,
        10.0,
        3.0,
        _value("recall", "CPU ms of a recall, encoding left out"),
        at_most=True,
    ),
    Target(
        "CPU ms of a recall beyond encoding",
        LOCOMO,
        10.0,
        3.0,
        _value("recall", "CPU ms of a recall, encoding left out"),
        at_most=True,
    ),
)
"""Floors below which the weights don't ship, and aims."""
