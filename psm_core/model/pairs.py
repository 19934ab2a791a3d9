"""What the trained model sees of two statements of one speaker, the old and the new."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model import lexicon
from psm_core.model.frames import Frame, calendar_differs, calendar_same, frame
from psm_core.model.interference import compare
from psm_core.model.parts import ALONE, MARKS, Parts, parts
from psm_core.model.signs import SIGNS_HASH
from psm_core.types import ConflictKind, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row = NDArray[np.float32]

_OPPOSITES = (
    "love hate | like dislike hate loathe | always never | morning evening night | "
    "early late | alone together | single married engaged | full part | hot cold | "
    "big small | left right | upstairs downstairs | older younger | open closed "
    "shut | alive dead died | start stop quit end | begin end finish | win lose | "
    "buy sell | yes no | first second third last | only twin | north south east "
    "west | mother father | brother sister | son daughter | winter summer spring "
    "autumn | cheap expensive | easy hard | long short | best worst | more less | "
    "everything nothing | everybody nobody | left-handed right-handed | inside "
    "outside | black white | sweet salty savoury | vegan vegetarian meat | rent own "
    "| employed unemployed | healthy ill sick | allow forbid ban | remember forget "
    "| pass fail | arrive leave | accept refuse reject decline | empty full | tall "
    "short | fat thin"
)
_OPPOSED: dict[str, frozenset[str]] = {}
for _row in _OPPOSITES.split("|"):
    for _word in _row.split():
        _others = frozenset(_row.split()) - {_word}
        _OPPOSED[_word] = _OPPOSED.get(_word, frozenset()) | _others

_ADDS = lexicon.listed("also too another both besides either else other second third")
_TURNS_ROUND = lexicon.listed("but instead rather though not")
_THEM = lexicon.listed("he she it they this that there those these him her them")
_US = lexicon.listed("we our us we're we've")
_RARE = 5
"""Letters from which on a word that both share tells that they share a matter."""


class Statement(NamedTuple):
    """One side of a pair: its text, whose words it is, and its vector (D,)."""

    text: str
    speaker: str
    vector: Row


class Both(NamedTuple):
    """Two statements taken apart, how they fit, and the nearness of their vectors."""

    new: Parts
    old: Parts
    frame: Frame
    cosine: float


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
        (P,) float32 in the order of `PAIR_NAMES`; every number is finite.
    """
    one, other = parts(new.text, new.speaker), parts(old.text, old.speaker)
    near = float(new.vector @ old.vector)
    both = Both(one, other, frame(one.said, other.said), near)
    held = np.array([sign.of(both) for sign in PAIR_SIGNS], np.float32)
    return np.concatenate([held, one.marks, other.marks, one.signs, other.signs])


# ------------------------------------------------------------------- the pieces

Part = Callable[["Parts"], "frozenset[str] | frozenset[float]"]


def _differ(part: Part) -> Callable[[Both], float]:
    """1 where both have some, and none in common."""
    return lambda b: float(
        bool(part(b.new) and part(b.old) and part(b.new).isdisjoint(part(b.old)))
    )


def _same(part: Part) -> Callable[[Both], float]:
    return lambda b: float(not part(b.new).isdisjoint(part(b.old)))


def _one(part: Part) -> Callable[[Both], float]:
    return lambda b: float(bool(part(b.new)) != bool(part(b.old)))


def _values(one: Parts) -> frozenset[float]:
    return one.values


def _names(one: Parts) -> frozenset[str]:
    return one.names


def _kin(one: Parts) -> frozenset[str]:
    return one.kin


def _shared(b: Both) -> float:
    return len(b.new.stems & b.old.stems) / max(len(b.new.stems | b.old.stems), 1)


def _inside(b: Both) -> float:
    fewer = min(len(b.new.stems), len(b.old.stems))
    return len(b.new.stems & b.old.stems) / max(fewer, 1)


def _rest(one: Parts, other: Parts) -> float:
    return math.log1p(len(one.stems - other.stems)) / 2


def _values_shared(b: Both) -> float:
    return len(b.new.values & b.old.values) / max(len(b.new.values | b.old.values), 1)


def _opposed(b: Both) -> float:
    new, old = b.new.stems - b.old.stems, b.old.stems - b.new.stems
    return float(any(not _OPPOSED.get(w, frozenset()).isdisjoint(old) for w in new))


def _counts_differ(b: Both) -> float:
    """Two numbers of one thing: "79 points", "87 points"."""
    counts = dict((unit, n) for n, unit in b.old.counted)
    return float(any(counts.get(unit, n) != n for n, unit in b.new.counted))


def _begins_alike(words: int) -> Callable[[Both], float]:
    return lambda b: float(b.new.said[:words] == b.old.said[:words])


def _rare(b: Both) -> float:
    return sum(len(w) >= _RARE for w in b.new.stems & b.old.stems) / 3


def _subject(b: Both) -> float:
    return float(bool(b.new.subject) and b.new.subject == b.old.subject)


def _has(these: frozenset[str], side: str) -> Callable[[Both], float]:
    return lambda b: float(not these.isdisjoint(getattr(b, side).said))


def _refers(b: Both) -> float:
    """1 where the new one begins with a word for what was spoken of."""
    return float(bool(b.new.said) and b.new.said[0].split("'")[0] in _THEM)


def _slots(b: Both) -> float:
    one, other = ({(c.subject, c.slot) for c in p.claims} for p in (b.new, b.old))
    return float(bool(one & other))


def _items(b: Both) -> float:
    one, other = ({i for c in p.claims for i in c.items} for p in (b.new, b.old))
    return float(bool(one & other))


def _clash(kind: ConflictKind) -> Callable[[Both], float]:
    def confidence(b: Both) -> float:
        found = [compare(n, o) for n in b.new.claims for o in b.old.claims]
        sure = [clash.confidence for clash in found if clash and clash.kind is kind]
        return max(sure, default=0.0)

    return confidence


def _both_of(kind: Kind) -> Callable[[Both], float]:
    return lambda b: float(b.new.kind is kind and b.old.kind is kind)


def _framed(name: str) -> Callable[[Both], float]:
    return lambda b: float(getattr(b.frame, name))


_S = PairSign
PAIR_SIGNS: Sequence[PairSign] = (
    _S("cosine", "nearness of the two", lambda b: b.cosine),
    _S("shared", "share of all content stems that both have", _shared),
    _S("inside", "the same of the shorter one's", _inside),
    _S("only_new", "log of stems of the new one alone", lambda b: _rest(b.new, b.old)),
    _S("only_old", "log of stems of the old one alone", lambda b: _rest(b.old, b.new)),
    _S("rare", "long stems that both have, 1 at 3", _rare),
    _S("begins_alike", "1 where the first words are the same", _begins_alike(1)),
    _S("begins_with_two", "1 where the first two are", _begins_alike(2)),
    _S("subject", "1 where they begin to speak of the same", _subject),
    _S("refers", "1 where the new one begins with a pronoun for another", _refers),
    *(_S(f"frame_{name}", "see Frame", _framed(name)) for name in Frame._fields),
    _S("values_differ", "1 where both name numbers, none the same", _differ(_values)),
    _S("values_one", "1 where only one names a number", _one(_values)),
    _S("values_shared", "share of their numbers that both name", _values_shared),
    _S("counts_differ", "1 where two numbers of one thing differ", _counts_differ),
    _S("names_differ", "1 where both name names, none the same", _differ(_names)),
    _S("names_same", "1 where they share a name", _same(_names)),
    _S("kin_differ", "1 where they speak of different kin", _differ(_kin)),
    _S("kin_same", "1 where they share kin", _same(_kin)),
    _S("kin_one", "1 where only one speaks of kin", _one(_kin)),
    _S(
        "calendar_differs",
        "1 where times of the calendar differ",
        lambda b: float(calendar_differs(b.new.said, b.old.said)),
    ),
    _S(
        "calendar_same",
        "1 where they share one",
        lambda b: float(calendar_same(b.new.said, b.old.said)),
    ),
    _S("opposed", "1 where words oppose each other", _opposed),
    _S(
        "negation",
        "1 where only one denies",
        lambda b: float(b.new.negated != b.old.negated),
    ),
    _S(
        "negated_both",
        "1 where both deny",
        lambda b: float(b.new.negated and b.old.negated),
    ),
    _S("adds", "1 where the new one adds to something", _has(_ADDS, "new")),
    _S("but", "1 where the new one turns round", _has(_TURNS_ROUND, "new")),
    _S("us_new", "1 where the new one speaks of us", _has(_US, "new")),
    _S("us_old", "1 where the old one does", _has(_US, "old")),
    _S("states", "1 where both are states", _both_of(Kind.STATE)),
    _S("preferences", "1 where both are preferences", _both_of(Kind.PREFERENCE)),
    _S("events", "1 where both are events", _both_of(Kind.EVENT)),
    _S("slot", "1 where they fill a slot of one subject", _slots),
    _S("item", "1 where what fills them is shared", _items),
    _S("rule_duplicate", "how sure the rules are", _clash(ConflictKind.DUPLICATE)),
    _S("rule_update", "the same, of an update", _clash(ConflictKind.UPDATE)),
    _S("rule_contradiction", "the same", _clash(ConflictKind.CONTRADICTION)),
)
"""What is seen when two statements are held against each other, in order."""

PAIR_NAMES = (
    *(sign.name for sign in PAIR_SIGNS),
    *(f"{side}_{name}" for side in ("new", "old") for name in MARKS),
    *(f"{side}_{name}" for side in ("new", "old") for name in ALONE),
)
"""The names of the numbers of `pair_signs`, in order."""

PAIRS_HASH = hashlib.sha256(
    repr(([(s.name, s.meaning) for s in PAIR_SIGNS], PAIR_NAMES, SIGNS_HASH)).encode()
).hexdigest()[:16]
"""Changes with the list: weights never meet signs they weren't trained on."""
