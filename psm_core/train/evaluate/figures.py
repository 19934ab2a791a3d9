"""Figures over cases of two numbers: what a system said, and what was so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Case: TypeAlias = tuple[float, float]
"""What a system said, and what was so."""


def paired(said: Iterable[float], true: Iterable[float]) -> list[Case]:
    """Cases out of two columns of one length."""
    return [(float(a), float(b)) for a, b in zip(said, true, strict=True)]


def auc(cases: Sequence[Case]) -> float:
    """How often what is so (1) is ranked above what isn't (0); ties count half.

    Returns:
        In [0, 1]; 0.5 is chance, and the answer where all are so or none is.

    Source:
        Area under the ROC curve by ranks: Mann and Whitney (1947).

    >>> auc([(0.9, 1), (0.4, 0), (0.4, 1)])
    0.75
    """
    said, true = np.array(cases).T
    yes, no = int((true > 0).sum()), int((true <= 0).sum())
    if not yes or not no:
        return 0.5
    least = yes * (yes - 1) / 2
    return float((_ranks(said)[true > 0].sum() - least) / (yes * no))


def spearman(cases: Sequence[Case]) -> float:
    """Correlation in [-1, 1] of the ranks; 0 where one of the two never changes.

    >>> spearman([(1, 10), (2, 30), (3, 20)])
    0.5
    """
    said, true = (_ranks(column) for column in np.array(cases).T)
    if np.ptp(said) == 0 or np.ptp(true) == 0:
        return 0.0
    return round(float(np.corrcoef(said, true)[0, 1]), 12)


def accuracy(cases: Sequence[Case]) -> float:
    """Share in [0, 1] of cases in which what was said was so."""
    return float(np.mean([said == true for said, true in cases]))


def macro_f1(cases: Sequence[Case]) -> float:
    """Mean over the classes that occur of F1, in [0, 1]: rare ones count alike.

    >>> macro_f1([(0, 0), (0, 0), (0, 1)])
    0.4
    """
    said, true = np.array(cases).T
    each = []
    for label in np.unique(true):
        hits = ((said == label) & (true == label)).sum()
        each.append(2 * hits / ((said == label).sum() + (true == label).sum()))
    return float(np.mean(each))


def _ranks(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0 on; equals share the mean of theirs."""
    order = np.sort(column)
    left = np.searchsorted(order, column, "left")
    right = np.searchsorted(order, column, "right")
    ranks: NDArray[np.float64] = (left + right - 1) / 2
    return ranks
