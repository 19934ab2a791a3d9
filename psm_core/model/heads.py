"""The heads that read a text: worth, kind, feeling, and how fast it fades."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from psm_core.model.fading import BASE
from psm_core.model.kinds import LASTING_FIRST
from psm_core.model.signs import SIGN_NAMES
from psm_core.types import Entry, Kind, Tier

FADING = ("used", "vain", "corrected", "mentions", "fact", "emotion")
"""What the half-life head sees beside a text: log counts, and two numbers in [0, 1]."""

LOG_FACTOR_MAX = 3.0
"""Largest log of the factor on the rules' half-life: twentyfold, so that small talk, of
which the rules keep half for three days, may last two months."""


SPREAD = 3.0
"""Factor on the numbers of a vector, which are about 0.05 each and signs about 0.5."""

ROUTINE = 0.2
"""Arousal in [0, 1] of calm routine, which moves nobody."""


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

    @property
    def worth(self) -> Tensor:
        """The logit (N,) that turns are ordered by; `PSM.calibrated` as "keep".

        What is worth keeping and what is asked for later are two labels of one
        thing; their mean orders turns as well as either does on its own ground.
        """
        return (self.keep + self.needed) / 2

    @property
    def emotion(self) -> Tensor:
        """The emotional weight (N,) in [0, 1]: half valence, half arousal.

        Gladness and grief weigh alike, calm contentment and a start at something
        neutral weigh half, and routine weighs nothing.

        Source:
            Valence and arousal help memory by two routes: Kensinger and Corkin (2004).
        """
        valence, arousal = self.feeling.unbind(1)
        stirred = (arousal - ROUTINE).clamp(min=0) / (1 - ROUTINE)
        return (valence.abs() + stirred) / 2


class Reader(nn.Module):
    """A trunk over a text's vector and signs, and a head for each thing it tells.

    Worth is linear in both: with the vector the order of people whom it had not met is
    better, and a hidden layer adds nothing to that.

    Args:
        width: D, the numbers in one vector.
        state: Numbers in the trunk.
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        signs = len(SIGN_NAMES)
        self.trunk = _hidden(width + signs, state)
        self.mood = _hidden(width + signs, state // 2)
        self.keep = nn.Linear(width + signs, 1)
        self.needed = nn.Linear(width + signs, 1)
        self.fact = nn.Linear(state + signs, 1)
        self.kind = nn.Linear(state + signs, len(LASTING_FIRST))
        self.feeling = nn.Linear(state // 2 + signs, 2)

    @staticmethod
    def seen(vectors: Tensor, signs: Tensor) -> Tensor:
        """(N, D + S): what all heads see of (N, D) vectors and (N, S) signs."""
        return torch.cat([SPREAD * vectors, signs], 1)

    def forward(self, vectors: Tensor, signs: Tensor) -> Reading:
        """What N texts are worth, say and feel.

        Args:
            vectors: (N, D) rows of length 1.
            signs: (N, S) as `signs.signs` gives them.
        """
        seen = self.seen(vectors, signs)  # (N, D + S)
        told = torch.cat([self.trunk(seen), signs], 1)  # (N, H)
        felt = self.feeling(torch.cat([self.mood(seen), signs], 1))  # (N, 2)
        return Reading(
            keep=self.keep(seen).squeeze(1),
            needed=self.needed(seen).squeeze(1),
            fact=self.fact(told).squeeze(1),
            feeling=torch.stack([felt[:, 0].tanh(), felt[:, 1].sigmoid()], 1),
            kind=self.kind(told),
            state=told,
        )


def _hidden(seen: int, numbers: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(seen, numbers), nn.GELU(), nn.Dropout(0.2))


class Fading(nn.Module):
    """Log of the factor on the rules' half-life, in [-3, 3]; 0 before it is trained.

    Args:
        state: Numbers in the trunk.
    """

    def __init__(self, state: int) -> None:
        super().__init__()
        told = state + len(SIGN_NAMES) + len(FADING)
        self.out = nn.Linear(told, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, state: Tensor, became: Tensor) -> Tensor:
        """(N, H) of `Reading.state` with (N, 6) of `FADING` to (N,)."""
        factor: Tensor = self.out(torch.cat([state, became], 1)).squeeze(1)
        return LOG_FACTOR_MAX * factor.tanh()

    @staticmethod
    def between(kind: Tensor, taken: Sequence[Kind]) -> Tensor:
        """Log (N,) of the factor from one kind's half-life to that of all in doubt.

        A turn that asks and tells on the way is a question by a hair; it should last
        longer than a mere one.

        Args:
            kind: (N, 6) of `Reading.kind`.
            taken: N kinds that the texts were taken for.
        """
        logs = torch.tensor([math.log(BASE[k].total_seconds()) for k in LASTING_FIRST])
        chosen = [LASTING_FIRST.index(k) for k in taken]
        return kind.softmax(1) @ logs - logs[chosen]

    @staticmethod
    def became(entry: Entry) -> tuple[float, ...]:
        """What became of *entry*, in the order of `FADING`; every number is finite."""
        return (
            math.log1p(entry.used),
            math.log1p(max(entry.recalled - entry.used - entry.corrected, 0)),
            math.log1p(entry.corrected),
            math.log(max(entry.mentions, 1)),
            float(entry.tier is Tier.SEMANTIC),
            entry.emotion,
        )
