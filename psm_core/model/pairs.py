"""What the trained model sees of two statements of one speaker, the old and the new."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model import lexicon, phrases, verbs, words
from psm_core.model.claims import claims
from psm_core.model.interference import compare
from psm_core.model.kinds import kind_of
from psm_core.types import ConflictKind, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row = NDArray[np.float32]

_OPPOSITES = (
    "love hate",
    "like dislike hate loathe",
    "always never",
    "morning evening night",
    "early late",
    "alone together",
    "single married engaged",
    "full part",
    "hot cold",
    "big small",
    "left right",
    "upstairs downstairs",
    "older younger",
    "open closed shut",
    "alive dead died",
    "start stop quit end",
    "begin end finish",
    "win lose",
    "buy sell",
    "yes no",
    "first second third last",
    "only twin",
    "north south east west",
    "mother father",
    "brother sister",
    "son daughter",
    "winter summer spring autumn",
    "cheap expensive",
    "easy hard",
    "long short",
    "best worst",
    "more less",
    "everything nothing",
    "everybody nobody",
    "left-handed right-handed",
    "inside outside",
    "black white",
    "sweet salty savoury",
    "vegan vegetarian meat",
    "rent own",
    "employed unemployed",
    "healthy ill sick",
    "allow forbid ban",
    "remember forget",
    "pass fail",
    "arrive leave",
    "accept refuse reject decline",
    "empty full",
    "tall short",
    "fat thin",
)
_OPPOSED = {
    word: frozenset(row.split()) - {word} for row in _OPPOSITES for word in row.split()
}


class Statement(NamedTuple):
    """One side of a pair: its text, whose words it is, and its vector (D,)."""

    text: str
    speaker: str
    vector: Row


class Both(NamedTuple):
    """Two statements taken apart: *old* was said first."""

    new: _Parts
    old: _Parts
    cosine: float


class _Parts(NamedTuple):
    text: str
    speaker: str
    stems: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    kin: frozenset[str]
    kind: Kind


@functools.lru_cache(maxsize=words.CACHED)
def _parts(text: str, speaker: str) -> _Parts:
    said = words.content(text)
    return _Parts(
        text=text,
        speaker=speaker,
        stems=frozenset(verbs.base(w) or phrases.stem(w) for w in said),
        numbers=frozenset(words.numbers(text)),
        names=frozenset(n.casefold() for n in words.names(text)),
        kin=frozenset(w for w in words.words(text) if w in lexicon.KIN),
        kind=kind_of(text),
    )


class PairSign(NamedTuple):
    """One number about two statements, in [0, 1] or near it."""

    name: str
    meaning: str
    of: Callable[[Both], float]


def pair_signs(new: Statement, old: Statement) -> Row:
    """What the trained model sees of a pair beside the two vectors.

    Args:
        new: What was said later.
        old: What was said before.

    Returns:
        (P,) float32 in the order of `PAIR_SIGNS`; every number is finite.
    """
    both = Both(
        _parts(new.text, new.speaker),
        _parts(old.text, old.speaker),
        float(new.vector @ old.vector),
    )
    return np.array([sign.of(both) for sign in PAIR_SIGNS], np.float32)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _inside(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(min(len(one), len(other)), 1)


def _rest(one: frozenset[str], other: frozenset[str]) -> float:
    return math.log1p(len(one - other)) / 2


def _differ(one: frozenset[str], other: frozenset[str]) -> float:
    return float(bool(one and other and one.isdisjoint(other)))


def _xor(test: Callable[[str], bool]) -> Callable[[Both], float]:
    return lambda b: float(test(b.new.text) != test(b.old.text))


def _new(test: Callable[[str], object]) -> Callable[[Both], float]:
    return lambda b: float(bool(test(b.new.text)))


def _old(test: Callable[[str], object]) -> Callable[[Both], float]:
    return lambda b: float(bool(test(b.old.text)))


def _past(text: str) -> bool:
    return any(verbs.past(word) for word in words.words(text))


def _opposed(b: Both) -> float:
    new, old = b.new.stems - b.old.stems, b.old.stems - b.new.stems
    return float(any(not _OPPOSED.get(w, frozenset()).isdisjoint(old) for w in new))


def _clash(kind: ConflictKind) -> Callable[[Both], float]:
    def confidence(b: Both) -> float:
        found = [
            clash.confidence
            for one in claims(b.new.text, b.new.speaker)
            for other in claims(b.old.text, b.old.speaker)
            if (clash := compare(one, other)) is not None and clash.kind is kind
        ]
        return max(found, default=0.0)

    return confidence


def _slots(b: Both) -> float:
    one, other = (
        {(c.subject, c.slot) for c in claims(p.text, p.speaker)} for p in (b.new, b.old)
    )
    return float(bool(one & other))


def _items(b: Both) -> float:
    one, other = (
        {i for c in claims(p.text, p.speaker) for i in c.items} for p in (b.new, b.old)
    )
    return float(bool(one & other))


def _both_of(kind: Kind) -> Callable[[Both], float]:
    return lambda b: float(b.new.kind is kind and b.old.kind is kind)


def _either_of(kind: Kind) -> Callable[[Both], float]:
    return lambda b: float(kind in (b.new.kind, b.old.kind))


def _begins_alike(b: Both) -> float:
    one, other = words.words(b.new.text), words.words(b.old.text)
    same = next(
        (n for n, (a, c) in enumerate(zip(one, other, strict=False)) if a != c),
        min(len(one), len(other)),
    )
    return min(same, 4) / 4


def _adds(text: str) -> bool:
    said = words.words(text)
    return not {"also", "too", "another", "both", "plus", "besides"}.isdisjoint(said)


PAIR_SIGNS: Sequence[PairSign] = (
    PairSign("cosine", "nearness of the two", lambda b: b.cosine),
    PairSign("shared", "share of all content stems that both have", lambda b: _jaccard(b.new.stems, b.old.stems)),
    PairSign("inside", "the same of the shorter one's", lambda b: _inside(b.new.stems, b.old.stems)),
    PairSign("only_new", "log of stems that only the new one has", lambda b: _rest(b.new.stems, b.old.stems)),
    PairSign("only_old", "log of stems that only the old one has", lambda b: _rest(b.old.stems, b.new.stems)),
    PairSign("begins_alike", "first words in common, 1 at 4", _begins_alike),
    PairSign("numbers_differ", "1 where both name numbers, none the same", lambda b: _differ(b.new.numbers, b.old.numbers)),
    PairSign("numbers_same", "1 where they share a number", lambda b: float(bool(b.new.numbers & b.old.numbers))),
    PairSign("names_differ", "1 where both name names, none the same", lambda b: _differ(b.new.names, b.old.names)),
    PairSign("names_same", "1 where they share a name", lambda b: float(bool(b.new.names & b.old.names))),
    PairSign("kin_differ", "1 where they speak of different kin", lambda b: _differ(b.new.kin, b.old.kin)),
    PairSign("kin_same", "1 where they share kin", lambda b: float(bool(b.new.kin & b.old.kin))),
    PairSign("kin_one", "1 where only one speaks of kin", lambda b: float(bool(b.new.kin) != bool(b.old.kin))),
    PairSign("opposed", "1 where words oppose each other", _opposed),
    PairSign("negation", "1 where only one denies", _xor(words.negated)),
    PairSign("negated_both", "1 where both deny", lambda b: float(words.negated(b.new.text) and words.negated(b.old.text))),
    PairSign("hedged_new", "1 where the new one is only possible", _new(words.hedged)),
    PairSign("hedged_old", "1 where the old one is", _old(words.hedged)),
    PairSign("changed_new", "1 where the new one tells of a change", _new(words.changed)),
    PairSign("changed_old", "1 where the old one does", _old(words.changed)),
    PairSign("adds", "1 where the new one adds to something", _new(_adds)),
    PairSign("asks_new", "1 where the new one asks", _new(words.asks)),
    PairSign("past_new", "1 where the new one tells of the past", _new(_past)),
    PairSign("past_old", "1 where the old one does", _old(_past)),
    PairSign("timed_new", "1 where the new one names a time", _new(words.timed)),
    PairSign("timed_old", "1 where the old one does", _old(words.timed)),
    PairSign("first_new", "1 where the new one is about the speaker", _new(words.first_person)),
    PairSign("first_old", "1 where the old one is", _old(words.first_person)),
    PairSign("states", "1 where both are states", _both_of(Kind.STATE)),
    PairSign("preferences", "1 where both are preferences", _both_of(Kind.PREFERENCE)),
    PairSign("events", "1 where both are events", _both_of(Kind.EVENT)),
    PairSign("event", "1 where one is an event", _either_of(Kind.EVENT)),
    PairSign("plan", "1 where one is a plan", _either_of(Kind.PLAN)),
    PairSign("slot", "1 where they fill a slot of one subject", _slots),
    PairSign("item", "1 where what fills them is shared", _items),
    PairSign("rule_duplicate", "confidence of the rules that they say the same", _clash(ConflictKind.DUPLICATE)),
    PairSign("rule_update", "the same that the new one replaces the old", _clash(ConflictKind.UPDATE)),
    PairSign("rule_contradiction", "the same that they contradict each other", _clash(ConflictKind.CONTRADICTION)),
)
"""The numbers of `pair_signs`, in order."""

PAIR_NAMES = tuple(sign.name for sign in PAIR_SIGNS)
"""Their names."""

PAIRS_HASH = hashlib.sha256(
    repr([(s.name, s.meaning) for s in PAIR_SIGNS]).encode()
).hexdigest()[:16]
"""Changes with the list: weights never meet signs they weren't trained on."""
