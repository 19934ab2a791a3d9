"""The verbs as the network answers them. Loads torch; `PSMPolicy` loads it when asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import torch

from psm_core.model import fading
from psm_core.model.card import Card
from psm_core.model.gate import gate as gate_by_rule
from psm_core.model.heads import Fading, Reading
from psm_core.model.kinds import LASTING_FIRST, only_possible
from psm_core.model.network import PSM
from psm_core.model.pool import LEARNED_NAMES, learned_features
from psm_core.model.ranking import fit_of
from psm_core.model.signs import Heard, known_names, signs
from psm_core.model.weigh import behind_successors
from psm_core.model.words import asks_for_past
from psm_core.protocols import Candidate, Cue, GateContext, Weighting
from psm_core.strength import HALF_LIFE_MAX, bounded
from psm_core.types import Action, Entry, GateDecision, Tier, Turn

if TYPE_CHECKING:
    from psm_core.protocols import Matrix, Vector

REPEATED = 0.1
"""Factor on the strength of what is turned away, no unit."""


class Skill:
    """What a network knows to do; it is read, and never changed.

    Args:
        network: Trained.
        card: Its thresholds.
        encode: Gives the vectors of texts that come without.
    """

    def __init__(
        self, network: PSM, card: Card, encode: Callable[[Sequence[str]], Matrix]
    ) -> None:
        self.network = network.eval()
        self._card = card
        self._encode = encode

    def gate(self, turn: Turn, context: GateContext) -> GateDecision:
        """The rules say what clear noise is; the network what the rest is worth."""
        ruled = gate_by_rule(turn, context)
        heard = Heard.turn(turn, context.recent, context.user)
        with torch.inference_mode():
            read = self._read(heard, context.vector)
            worth = float(self.network.calibrated("keep", read.worth)[0])
            emotion = float(read.emotion[0])
            kind = LASTING_FIRST[int(read.kind[0].argmax())]
            # The first half-life: nothing has become of it yet.
            factor = self.network.fading(
                read.state, torch.tensor([(0.0,) * 5 + (emotion,)])
            ) + Fading.between(read.kind, [kind])
        hedged = only_possible(turn.text, ruled.kind)
        start = fading.half_life_of(kind, emotion, hedged=hedged)
        archived = ruled.action is Action.ARCHIVE
        return replace(
            ruled,
            action=self._action(ruled, worth),
            strength=round(worth * (REPEATED if archived else 1.0), 3),
            half_life=bounded(start * float(factor.exp()[0])),
            emotion=round(emotion, 3),
            confidence=ruled.confidence if archived else round(max(worth, 1 - worth), 3),
            kind=kind,
        )

    def _action(self, ruled: GateDecision, worth: float) -> Action:
        if ruled.action is Action.ARCHIVE:
            return Action.ARCHIVE
        return Action.DEFER if worth < self._card.thresholds["defer"] else Action.KEEP

    def weigh(self, cue: Cue, candidates: Sequence[Candidate]) -> Weighting:
        """Scores that are the probability in [0, 1] of being of use to this cue."""
        if not candidates:
            empty = np.zeros(0, np.float32)
            table = np.zeros((0, len(LEARNED_NAMES)), np.float32)
            return Weighting(empty, table, LEARNED_NAMES, empty)
        features = learned_features(cue, candidates)  # (K, F)
        network = self.network
        with torch.inference_mode():
            points = network.recall(torch.from_numpy(features)).numpy()  # (K,)
            fit = torch.from_numpy(fit_of(candidates, points))
            sure = float(network.calibrated("fit", network.fit(fit))[0])
            if not asks_for_past(cue.text):
                points = behind_successors(points, candidates)
            chance = network.calibrated("recall", torch.as_tensor(points)).numpy()
        # Weights in training don't know yet when to stay silent.
        answered = sure >= self._card.thresholds.get("answer", 0.0)
        return Weighting(
            scores=chance.astype(np.float32) * answered,
            features=features,
            names=LEARNED_NAMES,
            propensities=np.ones(len(candidates), np.float32),
            shares=features * network.recall.linear.weight.detach().numpy(),
        )

    def half_life(self, entry: Entry) -> timedelta:
        """The rules' half-life, times what the network makes of text and fate."""
        if entry.pinned:
            return HALF_LIFE_MAX
        heard = Heard(
            entry.text, entry.speaker, entry.role, None, known_names([entry.speaker])
        )
        vector = entry.vector
        if vector is None:
            vector = self._encode([entry.text])[0]
        with torch.inference_mode():
            read = self._read(heard, vector)
            became = torch.tensor([Fading.became(entry)])
            factor = self.network.fading(read.state, became)
            if entry.tier is not Tier.SEMANTIC:
                factor = factor + Fading.between(read.kind, [entry.kind])
        return bounded(fading.half_life(entry) * float(factor.exp()[0]))

    def _read(self, heard: Heard, vector: Vector) -> Reading:
        seen = torch.from_numpy(signs(heard))[None]
        reading: Reading = self.network.reader(
            torch.from_numpy(np.asarray(vector, np.float32))[None], seen
        )
        return reading
