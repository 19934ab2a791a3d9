"""Making a head's confidence mean what it says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float32]
    Mask = NDArray[np.bool_]

BINS = 10
"""Bins of a reliability figure."""


class Bin(NamedTuple):
    """Cases of about one confidence: what was said, what was true, how many."""

    said: float
    true: float
    n: int


def platt(logits: Column, true: Mask) -> tuple[float, float]:
    """Slope and offset that turn logits into probabilities.

    Args:
        logits: (N,) what a head says.
        true: (N,) what was so.

    Returns:
        a > 0 and b of sigmoid(a * logit + b) with the least cross entropy.

    Source:
        Platt (1999), with its smoothed targets.
    """
    said = torch.tensor(np.asarray(logits, np.float64))
    yes, no = int(true.sum()), int((~true).sum())
    target = torch.where(
        torch.tensor(true), (yes + 1) / (yes + 2), 1 / (no + 2)
    ).double()
    found = torch.tensor([0.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        # The slope is an exponential: a head's order is never turned round.
        value = functional.binary_cross_entropy_with_logits(
            found[0].exp() * said + found[1], target
        )
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = found.detach().tolist()
    return math.exp(slope), offset


def logistic(head: nn.Linear, seen: Tensor, true: Tensor, ridge: float) -> None:
    """Fit a logistic regression to the end; it has no epochs and no chance in it.

    Args:
        head: (F, 1), trained in place, from nothing.
        seen: (N, F) float32, of any scale: each column is pulled alike.
        true: (N,) float32, 0 or 1.
        ridge: Pull of the weights of columns with deviation 1 towards nothing, on
            their squares, no unit.
    """
    middle, spread = seen.mean(0), seen.std(0, correction=0) + 1e-3
    even = (seen - middle) / spread
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=300, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = functional.binary_cross_entropy_with_logits(head(even).squeeze(1), true)
        value = value + ridge * head.weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        # The same regression, on the columns as they were.
        head.weight /= spread
        head.bias.sub_((head.weight * middle).sum())


def reliability(said: Column, true: Mask, bins: int = BINS) -> list[Bin]:
    """How often each confidence was right.

    Args:
        said: (N,) probabilities in [0, 1].
        true: (N,) what was so.
        bins: How many bins of equal width.

    Returns:
        The bins that hold anything, in order.

    >>> said = np.array([0.1, 0.9, 0.9], "f")
    >>> reliability(said, np.array([False, True, False]))[1].true
    0.5
    """
    rows = np.minimum((said * bins).astype(int), bins - 1)
    return [
        Bin(
            float(said[rows == b].mean()),
            float(true[rows == b].mean()),
            int((rows == b).sum()),
        )
        for b in range(bins)
        if (rows == b).any()
    ]


def calibration_error(said: Column, true: Mask) -> float:
    """Mean distance in [0, 1] between what was said and what was so, over the bins.

    Source:
        Expected calibration error: Naeini et al. (2015).
    """
    return sum(b.n * abs(b.said - b.true) for b in reliability(said, true)) / len(said)
