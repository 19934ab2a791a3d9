"""The head that holds two statements against each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from psm_core.model.pairs import PAIR_NAMES

RELATIONS = ("compatible", "duplicate", "update", "contradiction")
"""What the head tells apart, in the order of its logits."""


class Relation(nn.Module):
    """How the new of two statements stands to the old: logits for `RELATIONS`.

    Args:
        width: D, the numbers in one vector.
        project: Numbers that each vector is projected to before they are compared.
        hidden: Numbers in the hidden layer.
    """

    def __init__(self, width: int, project: int, hidden: int) -> None:
        super().__init__()
        signs = len(PAIR_NAMES)
        self.project = nn.Linear(width, project, bias=False)
        self.hidden = nn.Linear(2 * project + signs, hidden)
        self.out = nn.Linear(hidden, len(RELATIONS))
        self.linear = nn.Linear(signs, len(RELATIONS))
        self.drop = nn.Dropout(0.3)

    def forward(self, new: Tensor, old: Tensor, signs: Tensor) -> Tensor:
        """(N, D) and (N, D) vectors with (N, P) signs to (N, 4) logits."""
        u, v = self.project(new), self.project(old)
        seen = self.drop(torch.cat([(u - v).abs(), u * v, signs], 1))
        hidden = self.drop(functional.gelu(self.hidden(seen)))
        logits: Tensor = self.out(hidden) + self.linear(signs)
        return logits
