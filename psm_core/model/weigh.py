"""How strongly each candidate should surface for a cue. A sum of signals, by rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from psm_core.model.features import FEATURES_HASH, NAMES, recall_features
from psm_core.model.words import asks_for_past
from psm_core.protocols import Candidate, Cue, Weighting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.floating]

WEIGHTS = {
    "cosine": 1.5,  # meaning finds what words miss, and is never quite silent
    "cosine_before": 0.5,  # one names the topic, the other answers with "it"
    "bm25": 1.0,  # rare words shared are the surest sign of all
    "bm25_window": 0.5,  # a question and its answer stand side by side
    "bm25_session": 1.0,  # a conversation has a topic
    "speaker_named": 2.0,  # who is asked about mostly said it
    "words": 0.7,  # BM25 and cosine favour the short, answers are long
    "retention": 0.5,  # of two that fit alike, the stronger memory
    "time_told": 1.0,  # "when" is answered by a time
    "only_asks": -1.0,  # a question holds no answer
    "talk": -1.0,  # nor does small talk
    "fact": 0.5,  # a fact was worth writing down
    "pinned": 1.0,  # a person said that it matters
    "corrected": -1.0,  # it was wrong before
    "lapsed": -2.0,  # it holds no longer
    "former": 2.0,  # "before" asks for just that
    "recent": 2.0,  # "now" asks for the latest
}
"""Points for each unit of a feature; those not named weigh nothing.  Set by hand and
rounded, on five conversations whose questions were never learned from."""

BEHIND = 0.5
"""Points by which a memory stays behind its successor, unless the past is asked for."""

MIDDLE = 8.0
"""Points at which one memory of a full pool surfaces with half of its strength."""

POOL = 60
"""Candidates in a full pool.  In a smaller one nothing can stand out as far."""

STEEPNESS = 0.5
"""How fast the score rises around `MIDDLE`, in logits a point."""

WORDS_SHARE = 0.5
"""What words covered in full add to the fit of a candidate, beside its cosine."""

FIT_MIN = 0.33
"""Best fit (cosine + half the share of words covered) below which nothing surfaces,
in a full pool: the nearest of many strangers looks nearer than the nearest of few."""

FIT_ALONE = 0.2
"""The same where there is one memory; between them it rises with the pool's log."""

FIT_SURE = 0.8
"""Best fit from which on scores aren't damped for doubt."""


def weigh(cue: Cue, candidates: Sequence[Candidate]) -> Weighting:
    """How strongly each candidate should surface for this cue.

    Points are summed over features that are scaled within the pool, then mapped into
    [0, 1].  Where not even the best candidate fits, all scores are 0: an empty answer
    is better than a wrong one.

    Args:
        cue: The question, taken apart.
        candidates: K memories, in any order; the result keeps it.

    Returns:
        Scores and features, with propensities of 1, for nothing is left to chance.
    """
    if not candidates:
        empty = np.zeros(0, np.float32)
        return Weighting(empty, np.zeros((0, len(NAMES)), np.float32), NAMES, empty)
    features = recall_features(cue, candidates)  # (K, F)
    weights = np.array([WEIGHTS.get(name, 0.0) for name in NAMES])  # (F,)
    points = features.astype(np.float64) @ weights  # (K,)
    if not asks_for_past(cue.text):
        points = behind_successors(points, candidates)
    middle = MIDDLE * fullness(len(candidates))
    scores = _certainty(candidates) / (1 + np.exp(STEEPNESS * (middle - points)))
    return Weighting(
        scores=scores.astype(np.float32),
        features=features,
        names=NAMES,
        propensities=np.ones(len(candidates), np.float32),
        shares=(features * weights).astype(np.float32),
        digest=FEATURES_HASH,
    )


def behind_successors(points: Points, candidates: Sequence[Candidate]) -> Points:
    """The points, with each memory behind the one that superseded it, if here."""
    moved = points.copy()
    # Twice, because a successor may have been superseded too.
    for i, successor in _superseded(candidates) * 2:
        moved[i] = min(moved[i], moved[successor] - BEHIND)
    return moved


def before_successors(points: Points, candidates: Sequence[Candidate]) -> Points:
    """The points, with each memory before the one that superseded it, if here."""
    moved = points.copy()
    for i, successor in _superseded(candidates) * 2:
        moved[i] = max(moved[i], moved[successor] + BEHIND)
    return moved


def _superseded(candidates: Sequence[Candidate]) -> list[tuple[int, int]]:
    """The places of memories that were superseded, and those of their successors."""
    row = {c.entry.id: i for i, c in enumerate(candidates)}
    found = (
        (i, row.get(c.entry.superseded_by or "")) for i, c in enumerate(candidates)
    )
    return [(i, at) for i, at in found if at is not None and at != i]


def _certainty(candidates: Sequence[Candidate]) -> float:
    """In [0, 1]: 0 where nothing fits, 1 where the best fits beyond doubt."""
    fit = max(c.cosine + WORDS_SHARE * c.covered for c in candidates)
    enough = FIT_ALONE + (FIT_MIN - FIT_ALONE) * fullness(len(candidates))
    return 0.0 if fit < enough else min(fit / FIT_SURE, 1.0)


def fullness(count: int) -> float:
    """In [0, 1]: how far the best of so many strangers stands out, against `POOL`."""
    return min(math.log(count) / math.log(POOL), 1.0)
