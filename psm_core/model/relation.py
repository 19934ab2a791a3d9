"""The head that holds two statements against each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from psm_core.model.pairs import PAIR_NAMES

RELATIONS = ("compatible", "duplicate", "update", "contradiction")
"""What the head tells apart, in the order of its logits."""

MEMBERS = 8
"""Small networks that answer together; one alone depends on its seed."""

FARTHEST = 4.0
"""Standard deviations beyond which a number counts no more; outliers aren't learned."""


class Relation(nn.Module):
    """How the new of two statements stands to the old: logits for `RELATIONS`.

    What both are about is read off a few directions of their vectors: with more of
    them it learned the topics of the people whom it learned from.

    Args:
        width: D, the numbers in one vector.
        project: Directions K that are read off each vector.
        hidden: Numbers in the hidden layer of each member.
    """

    def __init__(self, width: int, project: int, hidden: int) -> None:
        super().__init__()
        signs, told = len(PAIR_NAMES), 2 * project + len(PAIR_NAMES)
        self.mean = nn.Parameter(torch.zeros(signs), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(signs), requires_grad=False)
        self.project = nn.Linear(width, project).requires_grad_(requires_grad=False)
        self.inner = nn.Parameter(_drawn(told, hidden))
        self.inner_bias = nn.Parameter(torch.zeros(MEMBERS, 1, hidden))
        self.outer = nn.Parameter(_drawn(hidden, len(RELATIONS)))
        self.outer_bias = nn.Parameter(torch.zeros(MEMBERS, 1, len(RELATIONS)))
        self.linear = nn.Parameter(torch.zeros(MEMBERS, told, len(RELATIONS)))
        self.blind = nn.Dropout(0.3)
        self.drop = nn.Dropout(0.5)

    def look(self, new: Tensor, old: Tensor, signs: Tensor) -> None:
        """Set what doesn't learn: the scale of the signs, and the directions.

        Args:
            new: (N, D) vectors of statements that are learned from; N > 1.
            old: (N, D) those that they are held against.
            signs: (N, P) as `pair_signs` gives them.

        Source:
            Principal components, each with variance 1.
        """
        vectors = torch.cat([new, old])
        centre = vectors.mean(0)
        _, spread, directions = torch.linalg.svd(vectors - centre, full_matrices=False)
        taken = min(len(self.project.weight), len(spread))
        unit = spread[:taken, None].clamp(min=1e-3) / math.sqrt(len(vectors))
        with torch.no_grad():
            self.mean.copy_(signs.mean(0))
            # A sign that hardly ever changes must not become an outlier when it does.
            self.scale.copy_(signs.std(0).clamp(min=0.05))
            self.project.weight.zero_()[:taken] = directions[:taken] / unit
            self.project.bias.copy_(-(self.project.weight @ centre))

    def members(self, new: Tensor, old: Tensor, signs: Tensor) -> Tensor:
        """What each says: (N, D), (N, D) and (N, P) to (MEMBERS, N, 4) logits."""
        scaled = (signs - self.mean) / self.scale
        told = torch.cat([self.project(new), self.project(old), scaled], 1)
        told = told.clamp(-FARTHEST, FARTHEST)  # (N, 2K + P)
        told = self.blind(told.expand(MEMBERS, *told.shape))  # (M, N, 2K + P)
        hidden = functional.gelu(torch.baddbmm(self.inner_bias, told, self.inner))
        logits: Tensor = torch.baddbmm(self.outer_bias, self.drop(hidden), self.outer)
        return logits.add(told @ self.linear)

    def forward(self, new: Tensor, old: Tensor, signs: Tensor) -> Tensor:
        """What they say together: the log of their mean probabilities, (N, 4)."""
        said = self.members(new, old, signs).log_softmax(2)
        together: Tensor = said.logsumexp(0) - math.log(MEMBERS)
        return together


def conflict(logits: Tensor) -> Tensor:
    """(N, 4) logits to the (N,) logits of an update or a contradiction."""
    return logits[:, 2:].logsumexp(1) - logits[:, :2].logsumexp(1)


def _drawn(rows: int, columns: int) -> Tensor:
    return torch.randn(MEMBERS, rows, columns) / math.sqrt(rows)
