"""RulePolicy: the five verbs by formulas. The floor that a trained policy must beat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from psm_core.model import fading
from psm_core.model.abstraction import abstract
from psm_core.model.gate import gate
from psm_core.model.gist import gist
from psm_core.model.interference import interferes
from psm_core.model.signs import known_names
from psm_core.model.weigh import weigh
from psm_core.protocols import Candidate, Cue, GateContext, Weighting
from psm_core.types import Conflict, Entry, GateDecision, Pattern, Turn


class RulePolicy:
    """The skill of memory without training: one rule or formula for each verb.

    It serves from the first turn on, teaches the trained model, and is what that model
    must beat.  It keeps nothing between calls, so all people share one.

    >>> RulePolicy().name
    'rules'
    """

    @property
    def name(self) -> str:
        """Which policy decided; stands in every journal row."""
        return "rules"

    def gate(self, turn: Turn, context: GateContext) -> GateDecision:
        """Is this worth keeping, how strongly, and for how long?  See `gate`."""
        return gate(turn, context)

    def weigh(self, cue: Cue, candidates: Sequence[Candidate]) -> Weighting:
        """How strongly should each candidate surface for this cue?  See `weigh`."""
        return weigh(cue, candidates)

    def abstract(self, episodes: Sequence[Entry]) -> list[Pattern]:
        """Which lasting facts do these episodes of one life hold?  See `abstract`."""
        return abstract(episodes)

    def interferes(self, new: Entry, old: Entry) -> Conflict | None:
        """Can both be true now?  None where they can.  See `interferes`."""
        return interferes(new, old)

    def half_life(self, entry: Entry) -> timedelta:
        """In what time should this memory lose half of its strength?"""
        return fading.half_life(entry)

    def gist(self, episode: Entry) -> str:
        """The sentences that carry what was said, verbatim.  See `gist`."""
        return gist(episode.text, known_names([episode.speaker]))
