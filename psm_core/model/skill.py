"""The verbs as the network answers them. Loads torch; `PSMPolicy` loads it late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import torch

from psm_core.model import consolidation, fading, personal, related
from psm_core.model.abstraction import sure_of
from psm_core.model.card import Card
from psm_core.model.gate import gate as gate_by_rule
from psm_core.model.heads import Fading, Reading
from psm_core.model.kinds import LASTING_FIRST, only_possible
from psm_core.model.latest import latest_first
from psm_core.model.logged import of_list, together
from psm_core.model.network import PSM
from psm_core.model.pool import LEARNED_HASH, LEARNED_NAMES, learned_features
from psm_core.model.ranking import chances, fit_of
from psm_core.model.signs import Heard, known_names, signs
from psm_core.model.weigh import before_successors, behind_successors, fullness
from psm_core.model.words import asks_for_former, asks_for_past
from psm_core.protocols import Candidate, Cue, GateContext, Weighting
from psm_core.strength import HALF_LIFE_MAX, bounded
from psm_core.types import (
    Action,
    Conflict,
    Entry,
    GateDecision,
    Kind,
    Lesson,
    Pattern,
    Tier,
    Turn,
)

if TYPE_CHECKING:
    from psm_core.content import Matrix, Vector

PLAIN = 0.75
"""From so sure on a plain statement about oneself is worth as much, in [0, 1].

Written lives have few of them: what the network makes of "I'm vegetarian." by itself,
it has from small talk of that length.
"""

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
            plain = _plain(turn.text, turn.speaker, turn.role)
            if plain:
                worth = max(worth, PLAIN)
                kind = ruled.kind if kind is Kind.TALK else kind
            # The first half-life: nothing has become of it yet.
            factor = self.network.fading(
                read.state, torch.tensor([(0.0,) * 5 + (emotion,)])
            ) + Fading.between(read.kind, [kind])
            factor = factor.clamp(min=0.0) if plain else factor
        hedged = only_possible(turn.text, ruled.kind)
        start = fading.half_life_of(kind, emotion, hedged=hedged)
        archived = ruled.action is Action.ARCHIVE
        return replace(
            ruled,
            action=self._action(ruled, worth),
            strength=round(worth * (REPEATED if archived else 1.0), 3),
            half_life=bounded(start * float(factor.exp()[0])),
            emotion=round(emotion, 3),
            confidence=ruled.confidence
            if archived
            else round(max(worth, 1 - worth), 3),
            kind=kind,
        )

    def _action(self, ruled: GateDecision, worth: float) -> Action:
        if ruled.action is Action.ARCHIVE:
            return Action.ARCHIVE
        # Weights in training don't know yet whom to doubt.
        doubted = worth < self._card.thresholds.get("defer", 0.0)
        return Action.DEFER if doubted else Action.KEEP

    def weigh(self, cue: Cue, candidates: Sequence[Candidate]) -> Weighting:
        """Scores that are the probability in [0, 1] of being of use to this cue.

        Nothing is left to chance.  The propensities say with which probability a
        softmax over the pool's points would have put each memory first, before
        what was said later and successors are minded: so a ranking that learns from
        the log knows how much the weights that made it favoured each.
        """
        if not candidates:
            empty = np.zeros(0, np.float32)
            table = np.zeros((0, len(LEARNED_NAMES)), np.float32)
            return Weighting(empty, table, LEARNED_NAMES, empty)
        features = learned_features(cue, candidates)  # (K, F)
        network = self.network
        with torch.inference_mode():
            points = network.recall(torch.from_numpy(features)).numpy()  # (K,)
            fit = torch.from_numpy(fit_of(cue, candidates, points))
            sure = float(network.calibrated("fit", network.fit(fit))[0])
            weights = network.recall.linear.weight.detach().numpy()  # (1, F)
            if cue.leaning:
                # Whether anything fits is no matter of taste, so this comes after.
                tilted = personal.tilt(weights[0], cue.leaning).astype(np.float32)
                points, weights = points + features @ tilted, weights + tilted
            likely = chances(points)
            if asks_for_former(cue.text):
                points = before_successors(points, candidates)
            elif not asks_for_past(cue.text):
                points = latest_first(points, candidates, self._conflict)
                points = behind_successors(points, candidates)
            chance = network.calibrated("recall", torch.as_tensor(points)).numpy()
        # Weights in training don't know yet when to stay silent.  The rest learned it
        # on full pools; in a new store nothing can stand out as far.
        least = self._card.thresholds.get("answer", 0.0)
        answered = sure >= least * (1 + fullness(len(candidates))) / 2
        return Weighting(
            scores=chance.astype(np.float32) * answered,
            features=features,
            names=LEARNED_NAMES,
            propensities=likely,
            shares=features * weights,
            digest=LEARNED_HASH,
        )

    def _conflict(self, new: Candidate, old: Candidate) -> float:
        """The chance in [0, 1] that two candidates can't both hold."""
        one, other = (replace(c.entry, vector=c.vector) for c in (new, old))
        return self.relate(one, other).conflict

    def abstract(self, episodes: Sequence[Entry]) -> list[Pattern]:
        """Which lasting facts these episodes hold; see `consolidation.abstract`."""
        return consolidation.abstract(
            episodes, self.network, self._card.thresholds, self._encode
        )

    def interferes(self, new: Entry, old: Entry) -> Conflict | None:
        """Whether both can be true now; see `related.interferes`."""
        network, thresholds = self.network, self._card.thresholds
        return related.interferes(network, thresholds, self._encode, new, old)

    def relate(self, new: Entry, old: Entry) -> related.Related:
        """How the later said one stands to the other; see `related.relate`."""
        return related.relate(self.network, self._encode, new, old)

    def leaning(self, lessons: Sequence[Lesson]) -> dict[str, float]:
        """How the person leans whose log this is; see `personal.leaning`."""
        ranking = self.network.recall
        along = personal.directions(ranking.linear.weight.detach().numpy()[0])
        recalls = []
        with torch.inference_mode():
            for one in together(r for r in lessons if of_list(r, LEARNED_HASH)):
                points = ranking(torch.from_numpy(one.features)).numpy()
                seen = personal.Seen(points, one.features @ along, one.rewards)
                recalls.append(seen)
        return personal.leaning(recalls)

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
            if _plain(entry.text, entry.speaker, entry.role):
                factor = factor.clamp(min=0.0)
        return bounded(fading.half_life(entry) * float(factor.exp()[0]))

    def _read(self, heard: Heard, vector: Vector) -> Reading:
        seen = torch.from_numpy(signs(heard))[None]
        reading: Reading = self.network.reader(
            torch.from_numpy(np.asarray(vector, np.float32))[None], seen
        )
        return reading


def _plain(text: str, speaker: str, role: str) -> bool:
    """Whether somebody says plainly what is so of them, and lasts."""
    return role == "user" and sure_of(text, speaker) >= PLAIN
