"""What a policy sees of a candidate: the list, its order, its units. Written once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model import words
from psm_core.protocols import Candidate, Cue
from psm_core.types import Kind, Tier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float64]
    Table = NDArray[np.float32]

CORRECTED_MAX = 3
"""Corrections that are counted; more say nothing new."""

_TINY = 1e-6
_ASKS_WHEN = words.any_of(
    [r"when|how (?:long|old|often)|(?:what|which) (?:day|date|month|year|time|season)"]
)
_ASKS_NOW = words.any_of([r"now|currently|at the moment|these days|nowadays|still"])


class Feature(NamedTuple):
    """One number that a policy sees of each candidate.

    ``raw`` gives it for a pool of K, as (K,) float64.  ``background`` is what it is
    for unrelated memories: where there is one, the feature is centred and divided by
    its deviation within pool and background, so that one or two candidates have
    something to stand out from.  Where there is none it keeps its unit.
    """

    name: str
    meaning: str
    raw: Callable[[Cue, Sequence[Candidate]], Column]
    background: tuple[float, ...] = ()


def recall_features(cue: Cue, candidates: Sequence[Candidate]) -> Table:
    """What a policy sees of each candidate.

    Args:
        cue: The question.
        candidates: K memories, in any order.

    Returns:
        (K, F) float32, columns as in `RECALL`; every number is finite.
    """
    return tabled(RECALL, cue, candidates)


def tabled(
    features: Sequence[Feature], cue: Cue, candidates: Sequence[Candidate]
) -> Table:
    """(K, F) float32: the columns of *features* for K candidates."""
    columns = [_scaled(feature, feature.raw(cue, candidates)) for feature in features]
    table: Table = np.stack(columns, axis=1).astype(np.float32)
    return table


def _scaled(feature: Feature, column: Column) -> Column:
    if not feature.background:
        return column
    pool = np.concatenate([column, np.array(feature.background)])
    scaled: Column = (column - pool.mean()) / (pool.std() + _TINY)
    return scaled


# ------------------------------------------------------------------ the raw signals


def _each(of: Callable[[Candidate], float], pool: Sequence[Candidate]) -> Column:
    return np.array([of(candidate) for candidate in pool], np.float64)


def _cosine(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.cosine, pool)


def _cosine_before(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.cosine_before, pool)


def _cosine_after(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.cosine_after, pool)


def rarity(cue: Cue) -> float:
    """What the words of *cue* weigh together; 1 where they weigh next to nothing."""
    found = sum(cue.terms.values())
    return found if found > _TINY else 1.0


def _bm25(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.bm25, pool) / rarity(cue)


def _bm25_window(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.bm25_window, pool) / rarity(cue)


def _bm25_session(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _usual_for_facts(_each(lambda c: c.bm25_session, pool) / rarity(cue), pool)


def _covered(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.covered, pool)


def _covered_window(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.covered_window, pool)


def by_named(cue: Cue, candidate: Candidate) -> bool:
    """Whether somebody said it whom the cue names."""
    return not cue.named.isdisjoint(candidate.entry.speaker.casefold().split())


def _speaker_named(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: by_named(cue, c), pool)


def _words(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _usual_for_facts(np.log1p(_each(lambda c: c.words, pool)), pool)


def _retention(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.retention, pool)


def _time_told(cue: Cue, pool: Sequence[Candidate]) -> Column:
    if not _ASKS_WHEN.search(cue.text):
        return np.zeros(len(pool))
    return _each(lambda c: words.timed(c.entry.text), pool)


def _only_asks(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.entry.text.rstrip().endswith("?"), pool)


def _talk(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.entry.kind is Kind.TALK, pool)


def _fact(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.entry.tier is Tier.SEMANTIC, pool)


def _pinned(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.entry.pinned, pool)


def _corrected(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: min(c.entry.corrected, CORRECTED_MAX), pool)


def _lapsed(cue: Cue, pool: Sequence[Candidate]) -> Column:
    if words.asks_for_past(cue.text):
        return np.zeros(len(pool))
    return _over(cue, pool)


def _former(cue: Cue, pool: Sequence[Candidate]) -> Column:
    if not words.asks_for_former(cue.text):
        return np.zeros(len(pool))
    return _over(cue, pool)


def _over(cue: Cue, pool: Sequence[Candidate]) -> Column:
    def over(candidate: Candidate) -> bool:
        until = candidate.entry.valid_until
        return until is not None and until <= cue.at

    return _each(over, pool)


def _recent(cue: Cue, pool: Sequence[Candidate]) -> Column:
    """The share of the pool's moments that lie before; ranks, for gaps mean nothing."""
    if not _ASKS_NOW.search(cue.text):
        return np.zeros(len(pool))
    said = _each(lambda c: (c.entry.last_said_at or c.entry.said_at).timestamp(), pool)
    moments = np.unique(said)
    return np.searchsorted(moments, said) / max(len(moments) - 1, 1)


def _usual_for_facts(column: Column, pool: Sequence[Candidate]) -> Column:
    """Facts are short and stand in no session, which must not count against them."""
    fact = np.array([c.entry.tier is Tier.SEMANTIC for c in pool], bool)
    usual = float(column[~fact].mean()) if not fact.all() else 0.0
    return np.where(fact, np.maximum(column, usual), column)


# ------------------------------------------------------------------------ the list

_NEAR = (0.05, 0.15, 0.25)

RECALL = (
    Feature("cosine", "nearness of cue and memory", _cosine, _NEAR),
    Feature("cosine_before", "the same, the turn before", _cosine_before, _NEAR),
    Feature("cosine_after", "the same, the turn after", _cosine_after, _NEAR),
    Feature("bm25", "BM25 over the cue's whole rarity", _bm25, (0.0, 0.1, 0.2)),
    Feature(
        "bm25_window", "the same over the turns around", _bm25_window, (0.0, 0.1, 0.2)
    ),
    Feature(
        "bm25_session", "the same over its session", _bm25_session, (0.0, 0.2, 0.4)
    ),
    Feature("covered", "share in [0, 1] of the cue's rarity found in it", _covered),
    Feature("covered_window", "the same over the turns around", _covered_window),
    Feature("speaker_named", "1 where the cue names who said it", _speaker_named),
    Feature("words", "log of 1 + its content words", _words, (1.5, 2.0, 2.5)),
    Feature("retention", "strength in [0, 1] that it has retained", _retention),
    Feature("time_told", "1 where a time is asked for and it names one", _time_told),
    Feature("only_asks", "1 where it ends in a question", _only_asks),
    Feature("talk", "1 where it says little", _talk),
    Feature("fact", "1 for a fact, 0 for an episode", _fact),
    Feature("pinned", "1 where a person pinned it", _pinned),
    Feature("corrected", "times it was corrected, at most 3", _corrected),
    Feature("lapsed", "1 where it holds no longer and the past isn't asked", _lapsed),
    Feature("former", "1 where it holds no longer and that is asked for", _former),
    Feature("recent", "rank in time in [0, 1], where the present is asked", _recent),
)
"""The columns of `Weighting.features`, in order."""

NAMES = tuple(feature.name for feature in RECALL)
"""Their names."""

FEATURES_HASH = hashlib.sha256(
    repr([(f.name, f.meaning, f.background) for f in RECALL]).encode()
).hexdigest()[:16]
"""Changes with the list: weights never meet features they weren't trained on."""
