"""PSMPolicy: the five verbs by a trained network. One set of weights for everybody."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psm_core.model.card import Card
from psm_core.model.pool import LEARNED_NAMES, learned_features
from psm_core.model.rules import RulePolicy
from psm_core.model.weigh import behind_successors
from psm_core.model.words import asks_for_past
from psm_core.protocols import Candidate, Cue, Encoder, GateContext, Weighting
from psm_core.types import Conflict, Entry, GateDecision, Pattern, Turn

if TYPE_CHECKING:
    from psm_core.model.network import PSM

WEIGHTS = Path(__file__).parent / "weights"
"""Where the weights lie that ship with the package."""

MINI = "psm-mini"
"""The weights that ship: small heads over all-MiniLM-L6-v2 and its adapter."""


class PSMPolicy:
    """The skill of memory as it was learned; keeps nothing between calls.

    The network is loaded when the first verb is asked for, not before.

    Args:
        name: Which weights.
        folder: Where they lie; those of the package by default.
        network: The network itself, for weights that are in training.

    Raises:
        WeightsError: The card is missing or broken, or doesn't fit this release.

    >>> PSMPolicy().encoder.startswith("psm-mini-")
    True
    """

    def __init__(
        self,
        name: str = MINI,
        folder: Path = WEIGHTS,
        *,
        network: tuple[PSM, Card] | None = None,
    ) -> None:
        self._folder = folder
        self._rules = RulePolicy()
        self._given = network[0] if network else None
        self.card = network[1] if network else Card.read(folder, name)

    @property
    def name(self) -> str:
        """Which weights decide, and their digest: two trainings never share a name."""
        return f"{self.card.name}-{self._digest}"

    @property
    def encoder(self) -> str:
        """The name of the encoder whose vectors the weights understand."""
        return self.card.encoder

    def gate(self, turn: Turn, context: GateContext) -> GateDecision:
        """Is this worth keeping, how strongly, and for how long?"""
        return self._rules.gate(turn, context)

    def weigh(self, cue: Cue, candidates: Sequence[Candidate]) -> Weighting:
        """How strongly should each candidate surface for this cue?

        Args:
            cue: The question, taken apart.
            candidates: K memories, in any order; the result keeps it.

        Returns:
            Scores that are the probability in [0, 1] of being of use; all 0 where
            it is too unlikely that anything answers the cue.
        """
        import torch  # noqa: PLC0415 - takes seconds, and listing memories needs none

        from psm_core.model.ranking import fit_of  # noqa: PLC0415 - the same

        if not candidates:
            empty = np.zeros(0, np.float32)
            table = np.zeros((0, len(LEARNED_NAMES)), np.float32)
            return Weighting(empty, table, LEARNED_NAMES, empty)
        features = learned_features(cue, candidates)  # (K, F)
        network = self._network
        with torch.inference_mode():
            points = network.recall(torch.from_numpy(features)).numpy()  # (K,)
            fit = torch.from_numpy(fit_of(candidates, points))
            sure = float(network.calibrated("fit", network.fit(fit))[0])
            if not asks_for_past(cue.text):
                points = behind_successors(points, candidates)
            scores = network.calibrated("recall", torch.from_numpy(points)).numpy()
        answered = sure >= self.card.thresholds["answer"]
        return Weighting(
            scores=scores.astype(np.float32) * answered,
            features=features,
            names=LEARNED_NAMES,
            propensities=np.ones(len(candidates), np.float32),
            shares=features * network.recall.linear.weight.detach().numpy(),
        )

    def abstract(self, episodes: Sequence[Entry]) -> list[Pattern]:
        """Which lasting facts do these episodes of one life hold?"""
        return self._rules.abstract(episodes)

    def interferes(self, new: Entry, old: Entry) -> Conflict | None:
        """Can both be true now?  None where they can."""
        return self._rules.interferes(new, old)

    def half_life(self, entry: Entry) -> timedelta:
        """In what time should this memory lose half of its strength?"""
        return self._rules.half_life(entry)

    @functools.cached_property
    def _network(self) -> PSM:
        if self._given is not None:
            return self._given
        return _shared(self._folder, self.card.name)

    @functools.cached_property
    def _digest(self) -> str:
        if self._given is not None:
            return "in-training"
        weights = (self._folder / f"{self.card.name}.safetensors").read_bytes()
        return hashlib.sha256(weights).hexdigest()[:8]


@functools.cache
def _shared(folder: Path, name: str) -> PSM:
    """One network for all memories of a process; it is never changed."""
    from psm_core.model.network import PSM  # noqa: PLC0415 - loads torch

    network, _ = PSM.load(folder, name)
    return network
