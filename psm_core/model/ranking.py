"""The heads that weigh a pool of candidates: points for each, and whether any fits."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


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
