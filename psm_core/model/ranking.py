"""The heads that weigh a pool of candidates: points for each, and whether any fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from psm_core.model.features import by_named
from psm_core.protocols import Candidate, Cue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float32]

FIT = (
    "cosine",
    "covered",
    "fit",
    "margin",
    "certain",
    "points",
    "ahead",
    "named",
    "named_first",
    "named_share",
)
"""What the abstention head sees of a pool of candidates; see `fit_of`.

Nothing that depends on how much else was proposed: a sleep takes noise out of the
index, and must not make the memory less sure.
"""


class Ranking(nn.Module):
    """Points for each candidate: a linear skip, and a small correction to it.

    Args:
        features: F, the columns of `recall_features`.
        hidden: Numbers in the hidden layer.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1, bias=False)
        self.scale = nn.Parameter(torch.ones(features), requires_grad=False)
        self.hidden = nn.Linear(features, hidden)
        self.out = nn.Linear(hidden, 1)
        self.drop = nn.Dropout(0.2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(..., K, F) features to (..., K) points."""
        hidden = functional.gelu(self.hidden(features / self.scale))
        points = self.out(self.drop(hidden)) + self.linear(features)
        squeezed: Tensor = points.squeeze(-1)
        return squeezed


FIRST = 5
"""So many of the best say whether those speak whom the cue names."""

LEAST = 1e-9
"""Least chance that is noted; whoever learns from a log divides by it."""


def chances(points: Column) -> Column:
    """With which probability a softmax over the points puts each of a pool first.

    Args:
        points: (K,) as `Ranking` gives them.

    Returns:
        (K,) float32 in (0, 1].

    >>> chances(np.array([0.0, 0.0], np.float32)).tolist()
    [0.5, 0.5]
    """
    raised = np.exp(points - points.max(initial=-np.inf))
    found: Column = np.maximum(raised / raised.sum(), LEAST).astype(np.float32)
    return found


def fit_of(cue: Cue, pool: Sequence[Candidate], points: Column) -> Column:
    """What the abstention head sees of a pool.

    Args:
        cue: The question.
        pool: K candidates.
        points: (K,) as `Ranking` gives them.

    Returns:
        (10,) float32 in the order of `FIT`: the best cosine, the best share of words
        covered, the best of both together; how far the best stands above the sixth;
        both signals of the one that stands first; its points, and how far it stands
        above the second; whether the cue names a speaker, whether that one said what
        stands first, and the share of the first five they said.
    """
    cosine = np.array([c.cosine for c in pool])
    covered = np.array([c.covered for c in pool])
    best = np.argsort(-points, kind="stable")
    order, first = points[best], int(best[0])
    said = [by_named(cue, pool[row]) for row in best[:FIRST]]
    seen = [
        cosine.max(),
        covered.max(),
        (cosine + covered / 2).max(),
        (order[0] - order[min(5, len(order) - 1)]) / 5,
        cosine[first] + covered[first] / 2,
        order[0] / 10,
        (order[0] - order[min(1, len(order) - 1)]) / 5,
        float(bool(cue.named)),
        float(said[0]),
        sum(said) / len(said),
    ]
    return np.array(seen, np.float32)
