"""The heads that read a text: worth, kind, feeling, and how fast it fades."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from psm_core.model.kinds import LASTING_FIRST
from psm_core.model.signs import SIGN_NAMES

FADING = ("used", "vain", "corrected", "mentions", "fact", "emotion")
"""What the half-life head sees beside the text: log counts, and two numbers in [0, 1]."""


class Reading(NamedTuple):
    """What the heads say of N texts.

    ``keep``, ``needed``, ``fact`` (N,) logits; ``feeling`` (N, 2) valence in [-1, 1]
    and arousal in [0, 1]; ``kind`` (N, 6) logits in the order of `LASTING_FIRST`;
    ``state`` (N, H) what the half-life head reads on.
    """

    keep: Tensor
    needed: Tensor
    fact: Tensor
    feeling: Tensor
    kind: Tensor
    state: Tensor


class Reader(nn.Module):
    """A trunk over a text's vector and signs, and a head for each thing it tells.

    Args:
        width: D, the numbers in one vector.
        state: Numbers in the trunk.
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        signs = len(SIGN_NAMES)
        self.trunk = nn.Sequential(
            nn.Linear(width + signs, state), nn.GELU(), nn.Dropout(0.2)
        )
        told = state + signs
        self.keep = nn.Linear(told, 1)
        self.needed = nn.Linear(told, 1)
        self.fact = nn.Linear(told, 1)
        self.kind = nn.Linear(told, len(LASTING_FIRST))
        self.feeling = nn.Sequential(
            nn.Linear(width, state), nn.GELU(), nn.Dropout(0.2), nn.Linear(state, 2)
        )

    def forward(self, vectors: Tensor, signs: Tensor) -> Reading:
        """What N texts are worth, say and feel.

        Args:
            vectors: (N, D) rows of length 1.
            signs: (N, S) as `signs.signs` gives them.
        """
        state = self.trunk(torch.cat([vectors, signs], 1))
        told = torch.cat([state, signs], 1)
        feeling = self.feeling(vectors)
        return Reading(
            keep=self.keep(told).squeeze(1),
            needed=self.needed(told).squeeze(1),
            fact=self.fact(told).squeeze(1),
            feeling=torch.stack([feeling[:, 0].tanh(), feeling[:, 1].sigmoid()], 1),
            kind=self.kind(told),
            state=told,
        )


class Fading(nn.Module):
    """Log of the factor on the rules' half-life, in [-2, 2]; 0 before it is trained."""

    def __init__(self, state: int) -> None:
        super().__init__()
        told = state + len(SIGN_NAMES) + len(FADING)
        self.out = nn.Linear(told, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, state: Tensor, became: Tensor) -> Tensor:
        """(N, H) of `Reading.state` with (N, 6) of `FADING` to (N,)."""
        return 2 * self.out(torch.cat([state, became], 1)).squeeze(1).tanh()
