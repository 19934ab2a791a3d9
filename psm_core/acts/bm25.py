"""BM25 over what the lexical index found: for a turn, its window and its session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.protocols import Postings, SessionSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Floats = NDArray[np.float64]

K1 = 1.2
"""Saturation of term frequency; Robertson's usual value, no unit."""

B = 0.75
"""How much length counts against a text; Robertson's usual value, no unit."""

REACH = 1
"""Turns before and after that belong to a turn's window."""


class Lexical(NamedTuple):
    """What the words of a cue say about each memory.

    ``turn`` and ``covered`` go by seq, ``window`` and ``covered_window`` by
    (session, place), ``session`` by session number.  ``idf`` goes by term; covered
    is the share of the cue's whole idf that was found, in [0, 1].
    """

    idf: dict[str, float]
    turn: dict[int, float]
    covered: dict[int, float]
    window: dict[tuple[int, int], float]
    covered_window: dict[tuple[int, int], float]
    session: dict[int, float]


NOTHING = Lexical({}, {}, {}, {}, {}, {})


def lexical(
    postings: Postings, sessions: Mapping[int, SessionSize], session_count: int
) -> Lexical:
    """BM25 of every text that shares a word with the cue, at three widths.

    Args:
        postings: Where the cue's words stand.
        sessions: The sizes of the sessions in which they stand.
        session_count: How many sessions there are in all.

    Returns:
        Scores from 0 up; what isn't named has 0.

    Source:
        Robertson and Zaragoza, The Probabilistic Relevance Framework (2009).
    """
    idf = np.log1p((postings.count - postings.df + 0.5) / (postings.df + 0.5))
    named = dict(zip(postings.terms, idf.tolist(), strict=True))
    if not len(postings.seq):
        return NOTHING._replace(idf=named)
    whole = float(idf.sum()) or 1.0
    rarity = idf[postings.term]
    mean = max(postings.words, 1.0)

    turn = rarity * _saturated(postings.frequency, postings.length, mean)
    by_turn, first = _summed(postings.seq, turn)
    by_turn_covered, _ = _summed(postings.seq, rarity / whole)

    window = _Pooled.windows(postings)
    window_score = idf[window.term] * _saturated(
        window.frequency, window.length, mean * (2 * REACH + 1)
    )
    by_window, at = _summed(window.key, window_score)
    by_window_covered, _ = _summed(window.key, idf[window.term] / whole)
    places = [(int(k >> 32), int(k & 0xFFFFFFFF) - REACH) for k in window.key[at]]

    return Lexical(
        idf=named,
        turn=dict(zip(postings.seq[first].tolist(), by_turn, strict=True)),
        covered=dict(zip(postings.seq[first].tolist(), by_turn_covered, strict=True)),
        window=dict(zip(places, by_window, strict=True)),
        covered_window=dict(zip(places, by_window_covered, strict=True)),
        session=_by_session(postings, sessions, session_count),
    )


class _Pooled(NamedTuple):
    """Term frequencies pooled over a wider text than a turn; arrays (P',)."""

    key: Numbers
    term: Numbers
    frequency: Numbers
    length: Floats

    @classmethod
    def windows(cls, postings: Postings) -> _Pooled:
        """Every window that a word stands in: its own turn's and its neighbours'."""
        shifts = np.arange(-REACH, REACH + 1)
        # One number for (session, place), moved by REACH so that none is negative.
        own = (postings.session << 32) + postings.place + REACH
        key = (own[:, None] + shifts).ravel()
        real = (key & 0xFFFFFFFF) >= REACH
        term = np.repeat(postings.term, len(shifts))[real]
        frequency = np.repeat(postings.frequency, len(shifts))[real]
        length = np.repeat(postings.length, len(shifts))[real]
        return cls._pool(key[real], term, frequency, length * len(shifts))

    @classmethod
    def sessions(cls, postings: Postings) -> _Pooled:
        """Every session that a word stands in."""
        return cls._pool(
            postings.session, postings.term, postings.frequency, postings.length
        )

    @classmethod
    def _pool(
        cls, key: Numbers, term: Numbers, frequency: Numbers, length: Floats | Numbers
    ) -> _Pooled:
        terms = int(term.max(initial=0)) + 1
        pairs, index, inverse = np.unique(
            key * terms + term, return_index=True, return_inverse=True
        )
        pooled = np.bincount(inverse, weights=frequency, minlength=len(pairs))
        mean = np.bincount(inverse, weights=length) / np.bincount(inverse)
        return cls(key[index], term[index], pooled.astype(np.int64), mean)


def _by_session(
    postings: Postings, sessions: Mapping[int, SessionSize], session_count: int
) -> dict[int, float]:
    # Facts stand in sessions of their own, below 0, where nothing else was said.
    spoken = [number for number in sessions if number > 0]
    pooled = _Pooled.sessions(_among(postings, spoken))
    if not len(pooled.key):
        return {}
    df = np.bincount(pooled.term, minlength=len(postings.terms))
    idf = np.log1p((session_count - df + 0.5).clip(0) / (df + 0.5))
    words = np.array([sessions[int(k)].words for k in pooled.key], dtype=np.float64)
    mean = float(np.mean([sessions[n].words for n in spoken])) or 1.0
    score = idf[pooled.term] * _saturated(pooled.frequency, words, mean)
    total, at = _summed(pooled.key, score)
    return dict(zip(pooled.key[at].tolist(), total, strict=True))


def _among(postings: Postings, sessions: list[int]) -> Postings:
    """The rows that stand in *sessions*."""
    rows = np.isin(postings.session, sessions)
    return postings._replace(
        term=postings.term[rows],
        seq=postings.seq[rows],
        frequency=postings.frequency[rows],
        length=postings.length[rows],
        session=postings.session[rows],
        place=postings.place[rows],
    )


def _saturated(frequency: Numbers, length: Numbers | Floats, mean: float) -> Floats:
    """A term's weight in a text: more is better, less and less so; length counts."""
    norm = K1 * (1 - B + B * length / mean)
    weight: Floats = frequency * (K1 + 1) / (frequency + norm)
    return weight


def _summed(key: Numbers, value: Floats) -> tuple[list[float], Numbers]:
    """Sums of *value* by *key*, and where each key first stands."""
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    sums: list[float] = np.bincount(inverse, weights=value).tolist()
    return sums, first
