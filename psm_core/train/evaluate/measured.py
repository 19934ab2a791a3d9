"""One figure of the report card, with its confidence interval."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")

DRAWS = 500
"""Resamples behind a confidence interval."""


class Measured(NamedTuple):
    """One figure: of which operation, which system, by which measure.

    ``low`` and ``high`` bound 95 % of the resamples; ``people`` gives the figure for
    each person; ``n`` is how many cases it rests on.
    """

    operation: str
    measure: str
    system: str
    value: float
    low: float
    high: float
    n: int
    people: Mapping[str, float]


def measured(
    operation: str,
    measure: str,
    system: str,
    cases: Mapping[str, Sequence[T]],
    figure: Callable[[Sequence[T]], float] = statistics.fmean,  # type: ignore[assignment]
) -> Measured:
    """The figure over all cases, each person's own, and what chance makes of it.

    Args:
        operation: One of gate, recall, consolidation, interference, decay.
        measure: What the figure is, with its unit.
        system: Who was measured.
        cases: What was measured, by person.
        figure: From cases to the figure; their mean by default.
    """
    every = [case for own in cases.values() for case in own]
    draw = random.Random(1)  # noqa: S311 - not a secret
    means = sorted(figure(draw.choices(every, k=len(every))) for _ in range(DRAWS))
    return Measured(
        operation,
        measure,
        system,
        figure(every),
        means[int(DRAWS * 0.025)],
        means[int(DRAWS * 0.975)],
        len(every),
        {name: figure(own) for name, own in cases.items() if own},
    )
