"""PSMPolicy: the five verbs by a trained network. One set of weights for everybody."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from psm_core.errors import EncoderMismatchError, WeightsError
from psm_core.model import lookup
from psm_core.model.adapter import SUFFIX
from psm_core.model.card import Card
from psm_core.model.encoder import SentenceEncoder
from psm_core.model.gist import gist
from psm_core.model.signs import known_names
from psm_core.protocols import Candidate, Cue, Encoder, GateContext, Weighting
from psm_core.types import Conflict, Entry, GateDecision, Lesson, Pattern, Turn

if TYPE_CHECKING:
    from psm_core.content import Matrix
    from psm_core.model.network import PSM
    from psm_core.model.related import Related
    from psm_core.model.skill import Skill

WEIGHTS = Path(__file__).parent / "weights"
"""Where the weights lie that ship with the package."""

MINI = "psm-mini"
"""The weights that ship: small heads over all-MiniLM-L6-v2 and its adapter."""

SHIPPED = WEIGHTS / f"{MINI}.json"
"""Their card."""


class PSMPolicy:
    """The skill of memory as it was learned; keeps nothing between calls.

    The card is read at once, the network when the first verb is asked for.

    Args:
        name: Which weights.
        folder: Where they lie; those of the package by default.
        network: A network in training and its card, instead of files.
        encoder: Encodes what comes without a vector; found by the card by default.

    Raises:
        WeightsError: The card is missing or broken.

    >>> PSMPolicy().encoder.startswith("psm-mini-")
    True
    """

    def __init__(
        self,
        name: str = MINI,
        folder: Path = WEIGHTS,
        *,
        network: tuple[PSM, Card] | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._folder = folder
        self._given = network
        self._own_encoder = encoder
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
        """Is this worth keeping, how strongly, and for how long?

        Args:
            turn: What was said.
            context: What is known when it is heard; the store isn't asked.

        Returns:
            The decision; its strength is the probability that the turn is worth it.
        """
        return self._skill.gate(turn, context)

    def weigh(self, cue: Cue, candidates: Sequence[Candidate]) -> Weighting:
        """How strongly should each candidate surface for this cue?

        Args:
            cue: The question, taken apart.
            candidates: K memories, in any order; the result keeps it.

        Returns:
            Scores that are the probability in [0, 1] of being of use; all 0 where
            it is too unlikely that anything answers the cue.
        """
        return self._skill.weigh(cue, candidates)

    def abstract(self, episodes: Sequence[Entry]) -> list[Pattern]:
        """Which lasting facts do these episodes of one life hold?

        Args:
            episodes: Entries of one person's life, in any order.

        Returns:
            Facts in the order of their last mention; each as sure as the rules are of
            what they know, and else as likely as the network holds it.
        """
        return self._skill.abstract(episodes)

    def interferes(self, new: Entry, old: Entry) -> Conflict | None:
        """Can both be true now?  None where they can.

        Args:
            new: The memory that was said later.
            old: The one that was there before.

        Returns:
            A duplicate, or a conflict with the calibrated chance of it.
        """
        return self._skill.interferes(new, old)

    def relate(self, new: Entry, old: Entry) -> Related:
        """How the later of two memories stands to the other, below any threshold."""
        return self._skill.relate(new, old)

    def half_life(self, entry: Entry) -> timedelta:
        """In what time should this memory lose half of its strength?"""
        return self._skill.half_life(entry)

    def gist(self, episode: Entry) -> str:
        """The sentences that carry what was said, verbatim.  See `gist`."""
        return gist(episode.text, known_names([episode.speaker]))

    def leaning(self, lessons: Sequence[Lesson]) -> dict[str, float]:
        """How one person leans, if their own log says that it helps to know.

        Args:
            lessons: Rows of that person's journal; those of other features are passed
                over.

        Returns:
            Numbers by name for `Cue.leaning`; empty means that it is off.
        """
        return self._skill.leaning(lessons)

    @functools.cached_property
    def _skill(self) -> Skill:
        from psm_core.model.skill import Skill  # noqa: PLC0415 - loads torch

        if self._given:
            return Skill(self._given[0], self.card, self._encode)
        network = _shared(self._folder, self.card.name, self._digest)
        return Skill(network, self.card, self._encode)

    def _encode(self, texts: Sequence[str]) -> Matrix:
        encoder = self._own_encoder or SentenceEncoder(
            adapter=self._folder / f"{self.card.name}{SUFFIX}"
        )
        if encoder.name != self.encoder:
            raise EncoderMismatchError(
                f"the weights {self.card.name} were trained on vectors of "
                f"{self.encoder}, and {encoder.name} is here; give the policy its "
                "encoder"
            )
        return encoder.encode(texts)

    @functools.cached_property
    def _digest(self) -> str:
        if self._given:
            return "in-training"
        weights = self._folder / f"{self.card.name}.safetensors"
        try:
            return lookup.sha256(weights)[:8]
        except OSError as fault:
            raise WeightsError(
                f"the weights {weights} can't be read ({type(fault).__name__}: {fault})"
                "; install the package anew, or train weights with psm train"
            ) from fault


_networks: dict[tuple[Path, str, str], PSM] = {}


def _shared(folder: Path, name: str, digest: str) -> PSM:
    """One network for all memories of a process; it is never changed."""
    from psm_core.model.network import PSM  # noqa: PLC0415 - loads torch

    key = (folder, name, digest)
    if key not in _networks:
        _networks[key] = PSM.load(folder, name)[0]
    return _networks[key]
