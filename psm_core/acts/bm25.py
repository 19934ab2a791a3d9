"""BM25 over what the lexical index found: for a turn, its window and its session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.content import Postings, SessionSize

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

_SHIFT = 32
"""Bits for the place in one number for (session, place)."""


class Scores(NamedTuple):
    """What each text that shares a word with the cue scores; the others have 0.

    ``keys`` (N,) ascending name the texts, ``bm25`` (N,) from 0 up, ``covered`` (N,)
    the share of the cue's whole rarity that was found, in [0, 1].
    """

    keys: Numbers
    bm25: Floats
    covered: Floats

    def best(self, k: int) -> list[int]:
        """The keys of the *k* best, best first."""
        order = np.argsort(-self.bm25, kind="stable")[:k]
        best: list[int] = self.keys[order].tolist()
        return best

    def at(self, keys: Sequence[int]) -> tuple[list[float], list[float]]:
        """BM25 and share covered of each of *keys*."""
        if not len(self.keys):
            return [0.0] * len(keys), [0.0] * len(keys)
        wanted = np.asarray(keys, np.int64)
        where = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        found = self.keys[where] == wanted
        bm25: list[float] = np.where(found, self.bm25[where], 0.0).tolist()
        covered: list[float] = np.where(found, self.covered[where], 0.0).tolist()
        return bm25, covered


_NONE = Scores(np.empty(0, np.int64), np.empty(0), np.empty(0))


class Lexical(NamedTuple):
    """What the words of a cue say: how rare each is, and what the texts score.

    Turns go by seq, windows by `spot` of their middle.
    """

    idf: dict[str, float]
    turn: Scores = _NONE
    window: Scores = _NONE


def spot(session: int, place: int) -> int:
    """One number for a place in a session, and so for the window around it."""
    return (session << _SHIFT) + place + REACH


def place_of(key: int) -> tuple[int, int]:
    """The session and place that `spot` made *key* of.

    >>> place_of(spot(3, 0))
    (3, 0)
    """
    return key >> _SHIFT, (key & 0xFFFFFFFF) - REACH


def lexical(postings: Postings) -> Lexical:
    """BM25 of every turn and window that shares a word with the cue.

    Args:
        postings: Where the cue's words stand.

    Returns:
        Scores from 0 up; what isn't named has 0.

    Source:
        Robertson and Zaragoza, The Probabilistic Relevance Framework (2009).
    """
    idf = np.log1p((postings.memories - postings.df + 0.5) / (postings.df + 0.5))
    named = dict(zip(postings.terms, idf.tolist(), strict=True))
    if not len(postings.seq):
        return Lexical(named)
    mean = max(postings.words, 1.0)
    rows = _Rows(postings.seq, postings.term, postings.frequency, postings.length)
    return Lexical(
        named,
        turn=rows.scores(idf, mean),
        window=_windows(postings).scores(idf, mean * (2 * REACH + 1)),
    )


def by_session(
    postings: Postings, sizes: Mapping[int, SessionSize], count: int
) -> Scores:
    """BM25 of those sessions whose sizes are given, by their number.

    Args:
        postings: Where the cue's words stand.
        sizes: How much was said in each session that matters.  Facts stand in
            sessions of their own, below 0, where nothing else was said; they score
            nothing.
        count: How many sessions there are in all.
    """
    rows = _Rows(
        postings.session, postings.term, postings.frequency, postings.length
    ).pooled()
    df = np.bincount(rows.term, minlength=len(postings.terms))
    idf = np.log1p((count - df + 0.5).clip(0) / (df + 0.5))
    words = {number: size.words for number, size in sizes.items() if number > 0}
    asked = np.isin(rows.key, list(words))
    if not asked.any():
        return _NONE
    rows = _Rows(
        rows.key[asked], rows.term[asked], rows.frequency[asked], rows.length[asked]
    )
    length = np.array([words[int(number)] for number in rows.key], np.float64)
    mean = postings.words * postings.memories / max(count, 1) or 1.0
    return rows._replace(length=length).scores(idf, mean)


class _Rows(NamedTuple):
    """Term frequencies in texts of one width; arrays (P,)."""

    key: Numbers
    term: Numbers
    frequency: Numbers | Floats
    length: Numbers | Floats

    def scores(self, idf: Floats, mean: float) -> Scores:
        """The sum over terms of rarity and saturated frequency, by key."""
        rarity = idf[self.term]
        norm = K1 * (1 - B + B * self.length / mean)
        weight = rarity * self.frequency * (K1 + 1) / (self.frequency + norm)
        keys, inverse = np.unique(self.key, return_inverse=True)
        score = np.bincount(inverse, weights=weight).astype(np.float64)
        covered = np.bincount(inverse, weights=rarity).astype(np.float64)
        return Scores(keys, score, covered / (float(idf.sum()) or 1.0))

    def pooled(self) -> _Rows:
        """One row for each term in a text, frequencies added, lengths averaged."""
        terms = int(self.term.max(initial=0)) + 1
        pairs, inverse = np.unique(self.key * terms + self.term, return_inverse=True)
        rows = np.bincount(inverse, minlength=len(pairs))
        return _Rows(
            pairs // terms,
            pairs % terms,
            np.bincount(inverse, weights=self.frequency, minlength=len(pairs)),
            np.bincount(inverse, weights=self.length, minlength=len(pairs)) / rows,
        )


def _windows(postings: Postings) -> _Rows:
    """Every window that a word stands in: its own turn's and its neighbours'."""
    shifts = np.arange(-REACH, REACH + 1)
    # Moved by REACH, as in `spot`, so that no place is negative.
    place = (postings.place[:, None] + REACH + shifts).ravel()
    real = place >= REACH

    def each(column: Numbers) -> Numbers:
        repeated: Numbers = np.repeat(column, len(shifts))[real]
        return repeated

    return _Rows(
        (each(postings.session) << _SHIFT) + place[real],
        each(postings.term),
        each(postings.frequency),
        each(postings.length) * len(shifts),
    ).pooled()
