"""What a trained policy sees of a candidate beside what the rules see.

How it stands among the others of its pool, what is around it, what sort of thing it
says, and whether that is the sort of thing that the question asks for.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from psm_core.model import words
from psm_core.model.features import RECALL, Feature, rarity, tabled
from psm_core.protocols import Candidate, Cue
from psm_core.types import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float64]
    Table = NDArray[np.float32]

BESIDE = 3
"""Memories stand side by side up to so many numbers apart, in one session."""

BEST = 3
"""So many of a session's candidates say how well the session fits."""

FULL = 60
"""Candidates in a full pool."""

_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_MONTH = {
    name: re.compile(
        r"\b(?:in|of|early|late|mid|during|since|until|by|last|\d+(?:st|nd|rd|th)?) may\b"
        r"|\bmay,? \d"
        if name == "may"
        else rf"\b{name}\b"
    )
    for name in _MONTHS
}
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_PLACED = re.compile(r"\b(?:in|at|from|to|near|outside) (?:the )?[A-Z\u00c0-\u00de]")
_REASONED = words.any_of(
    [
        r"because|since|so that|cause|cuz|due to|that's why|in order to|inspired",
        r"motivated|so i",
    ]
)
_WHO = words.any_of([r"who|whose|whom"])
_WHERE = words.any_of([r"where|(?:which|what) (?:city|country|town|place)"])
_MANY = words.any_of(
    [
        r"how (?:many|much|often|long|old|far|tall|big)",
        r"what (?:number|time|age|price|size)",
    ]
)
_WHY = words.any_of([r"why|what (?:made|caused|motivated|inspired)|reason"])
_WHEN = words.any_of(
    [
        r"when|(?:what|which) (?:day|date|month|year|time|season)",
        r"how long (?:ago|after|before|until)",
    ]
)

_LEAST = 1e-6
"""A best of less is no best that others can have a share of."""


def learned_features(cue: Cue, candidates: Sequence[Candidate]) -> Table:
    """What a trained policy sees of each candidate.

    Args:
        cue: The question.
        candidates: K memories, in any order.

    Returns:
        (K, F) float32, columns as in `LEARNED`; every number is finite.
    """
    return tabled(LEARNED, cue, candidates)


def _each(of: Callable[[Candidate], float], pool: Sequence[Candidate]) -> Column:
    return np.array([of(candidate) for candidate in pool], np.float64)


def _cosine(pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.cosine, pool)


def _bm25(pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: c.bm25, pool)


def _around(pool: Sequence[Candidate]) -> Column:
    return _each(lambda c: (c.cosine_before + c.cosine + c.cosine_after) / 3, pool)


def _rank(column: Column) -> Column:
    """1 for the best, halved three ranks further down; equals share a rank."""
    better = np.searchsorted(np.sort(-column), -column)  # how many are better
    ranks: Column = 1 / (1 + better / 3)
    return ranks * (column > 0)


def _share(column: Column) -> Column:
    most = float(column.max(initial=0.0))
    # A share of next to nothing has no end.
    return column / most if most > _LEAST else np.zeros(len(column))


# ----------------------------------------------------------- among the others


def _sessions(pool: Sequence[Candidate]) -> NDArray[np.int64]:
    """(K,) a number for the session of each candidate, from 0 on."""
    numbers: dict[str, int] = {}
    named = [numbers.setdefault(c.entry.session, len(numbers)) for c in pool]
    return np.array(named, np.int64)


def _best_of_session(pool: Sequence[Candidate], column: Column) -> Column:
    """For each candidate the mean of the best `BEST` of its session, missing ones 0."""
    session = _sessions(pool)
    order = np.lexsort((-column, session))
    ranked = session[order]
    place = np.arange(len(ranked)) - np.searchsorted(ranked, ranked)
    best = order[place < BEST]
    found: Column = np.bincount(session[best], weights=column[best])[session] / BEST
    return found


def _session_cosine(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _best_of_session(pool, _cosine(pool))


def _session_bm25(cue: Cue, pool: Sequence[Candidate]) -> Column:
    return _best_of_session(pool, _bm25(pool) / rarity(cue))


def _session_share(cue: Cue, pool: Sequence[Candidate]) -> Column:
    session = _sessions(pool)
    share: Column = np.bincount(session)[session] / len(pool)
    return share


def _beside(cue: Cue, pool: Sequence[Candidate]) -> Column:
    """How well the best neighbour fits that is itself a candidate; 0 where none is."""
    fit = np.array([c.cosine + c.covered for c in pool])
    seq = np.array([c.entry.seq for c in pool])
    session = np.array([hash(c.entry.session) for c in pool])
    near = np.abs(seq[:, None] - seq[None]) <= BESIDE
    near &= (session[:, None] == session[None]) & ~np.eye(len(pool), dtype=bool)
    found: Column = np.where(near, fit[None], 0.0).max(axis=1)
    return found


# --------------------------------------------------- what is asked, what it tells


def _where_asked(
    asks: re.Pattern[str], told: Callable[[str], object]
) -> Callable[[Cue, Sequence[Candidate]], Column]:
    """1 where the cue asks for a sort of thing and the memory tells one."""

    def column(cue: Cue, pool: Sequence[Candidate]) -> Column:
        if not asks.search(cue.text):
            return np.zeros(len(pool))
        return _each(lambda c: bool(told(c.entry.text)), pool)

    return column


def _denied(cue: Cue, pool: Sequence[Candidate]) -> Column:
    if not words.negated(cue.text):
        return np.zeros(len(pool))
    return _each(lambda c: words.negated(c.entry.text), pool)


def _date_fits(cue: Cue, pool: Sequence[Candidate]) -> Column:
    """How well the day it was said fits a month or year that the cue names."""
    text = cue.text.casefold()
    months = [n for n, name in enumerate(_MONTHS, 1) if _MONTH[name].search(text)]
    years = {int(year) for year in _YEAR.findall(text)}
    if not months and not years:
        return np.zeros(len(pool))

    def fits(candidate: Candidate) -> float:
        said = candidate.entry.said_at
        if years and said.year not in years:
            return 0.0
        # What is asked of a month is often told in the next one.
        late = [{0: 1.0, 1: 0.5}.get((said.month - m) % 12, 0.0) for m in months]
        return max(late, default=1.0)

    return _each(fits, pool)


def _text(
    test: Callable[[str], object],
) -> Callable[[Cue, Sequence[Candidate]], Column]:
    return lambda cue, pool: _each(lambda c: bool(test(c.entry.text)), pool)


def _kind(kind: Kind) -> Callable[[Cue, Sequence[Candidate]], Column]:
    return lambda cue, pool: _each(lambda c: c.entry.kind is kind, pool)


def _of_cue(of: Callable[[Cue], float]) -> Callable[[Cue, Sequence[Candidate]], Column]:
    """The same number for each candidate: what sort of question it is."""
    return lambda cue, pool: np.full(len(pool), float(of(cue)))


def _asks(pattern: re.Pattern[str]) -> Callable[[Cue, Sequence[Candidate]], Column]:
    return _of_cue(lambda cue: pattern.search(cue.text) is not None)


def _of_pool(
    of: Callable[[Sequence[Candidate]], float],
) -> Callable[[Cue, Sequence[Candidate]], Column]:
    return lambda cue, pool: np.full(len(pool), float(of(pool)))


_NEAR = (0.05, 0.15, 0.25)
_RARE = (0.0, 0.1, 0.2)
_FIRST_PERSON = _text(words.first_person)

POOL = (
    Feature("cosine_around", "mean nearness of it and its neighbours", lambda q, p: _around(p), _NEAR),
    Feature("cosine_beside", "nearness of the better neighbour", lambda q, p: _each(lambda c: max(c.cosine_before, c.cosine_after), p), _NEAR),
    Feature("cosine_rank", "1 for the nearest, 1/2 three ranks on", lambda q, p: _rank(_cosine(p))),
    Feature("around_rank", "the same of the mean with its neighbours", lambda q, p: _rank(_around(p))),
    Feature("bm25_rank", "the same by BM25", lambda q, p: _rank(_bm25(p))),
    Feature("window_rank", "the same by BM25 over the turns around", lambda q, p: _rank(_each(lambda c: c.bm25_window, p))),
    Feature("cosine_share", "nearness as a share of the nearest", lambda q, p: _share(_cosine(p))),
    Feature("bm25_share", "BM25 as a share of the best", lambda q, p: _share(_bm25(p))),
    Feature("session_cosine", "nearness of its session's best three", _session_cosine, _NEAR),
    Feature("session_bm25", "BM25 of its session's best three", _session_bm25, _RARE),
    Feature("session_share", "share of the pool that is of its session", _session_share),
    Feature("beside", "fit of the best candidate beside it", _beside, _NEAR),
    Feature("number_told", "1 where a number is asked for and told", _where_asked(_MANY, words.numbers)),
    Feature("name_told", "1 where a name is asked for and told", _where_asked(_WHO, words.names)),
    Feature("place_told", "1 where a place is asked for and told", _where_asked(_WHERE, _PLACED.search)),
    Feature("reason_told", "1 where a reason is asked for and told", _where_asked(_WHY, _REASONED.search)),
    Feature("denied", "1 where both cue and memory deny", _denied),
    Feature("date_fits", "fit in [0, 1] of when it was said to a date in the cue", _date_fits),
    Feature("worth", "strength in [0, 1] that the gate gave it", lambda q, p: _each(lambda c: c.entry.trace.strength, p)),
    Feature("state", "1 for a state", _kind(Kind.STATE)),
    Feature("preference", "1 for a preference", _kind(Kind.PREFERENCE)),
    Feature("event", "1 for an event", _kind(Kind.EVENT)),
    Feature("plan", "1 for a plan", _kind(Kind.PLAN)),
    Feature("first_person", "1 where the speaker speaks of themselves", _FIRST_PERSON),
    Feature("second_person", "1 where the listener is spoken of", _text(words.second_person)),
    Feature("asks", "1 where it asks anything", _text(lambda t: "?" in t)),
    Feature("assistant", "1 where no person said it", lambda q, p: _each(lambda c: c.entry.role != "user", p)),
    Feature("emotion", "emotional weight in [0, 1]", lambda q, p: _each(lambda c: c.entry.emotion, p)),
    Feature("cue_names", "1 where the cue names a speaker", _of_cue(lambda q: bool(q.named))),
    Feature("cue_terms", "content words of the cue, 1 at 8", _of_cue(lambda q: min(len(q.terms), 8) / 8)),
    Feature("cue_when", "1 where a time is asked for", _asks(_WHEN)),
    Feature("cue_who", "1 where a name is", _asks(_WHO)),
    Feature("cue_where", "1 where a place is", _asks(_WHERE)),
    Feature("cue_many", "1 where a number is", _asks(_MANY)),
    Feature("cue_why", "1 where a reason is", _asks(_WHY)),
    Feature("pool_covered", "share of the cue's rarity that the best covers", _of_pool(lambda p: max(c.covered for c in p))),
    Feature("pool_cosine", "nearness of the nearest", _of_pool(lambda p: max(c.cosine for c in p))),
    Feature("pool_size", "log of the pool's size, 1 where it is full", _of_pool(lambda p: math.log(len(p)) / math.log(FULL))),
)  # fmt: skip
"""What the rules don't see."""

LEARNED = (*RECALL, *POOL)
"""The columns that a trained policy sees, in order."""

LEARNED_NAMES = tuple(feature.name for feature in LEARNED)
"""Their names."""

LEARNED_HASH = hashlib.sha256(
    repr([(f.name, f.meaning, f.background) for f in LEARNED]).encode()
).hexdigest()[:16]
"""Changes with the list: weights never meet features they weren't trained on."""
