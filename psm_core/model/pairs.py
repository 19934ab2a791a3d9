"""What the trained model sees of two statements of one speaker, the old and the new."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model import lexicon, phrases, verbs, words
from psm_core.model.claims import claims
from psm_core.model.interference import compare
from psm_core.model.kinds import kind_of
from psm_core.model.slots import Claim
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

_ABSOLUTE = words.any_of(
    [
        "never|always|only|every|all|nobody|no one|nothing|none|alone|whole|once|ever",
        "not (?:one|a single)|each|entire|both|neither|first|still",
    ]
)
_ADDS = frozenset({"also", "too", "another", "both", "plus", "besides"})
_COUNTED = re.compile(
    rf"(\d+(?:[.,:]\d+)*|\b(?:{'|'.join(sorted(lexicon.NUMBER_WORDS))})\b)\W+([a-z]+)"
)
_SUBJECT = re.compile(
    rf"\b(?:(?:my|our|his|her) )?(?:\w+ )?(?:{'|'.join(sorted(lexicon.KIN))})\b"
    r"|\b(?:i|we|he|she|they|it|you)\b"
)
_CALENDAR = (
    frozenset(lexicon.MONTHS.split()),
    frozenset(lexicon.WEEKDAYS.split()),
    lexicon.listed("morning mornings noon afternoon evening evenings night nights"),
    lexicon.listed("spring summer autumn fall winter"),
)


class Statement(NamedTuple):
    """One side of a pair: its text, whose words it is, and its vector (D,)."""

    text: str
    speaker: str
    vector: Row


class Both(NamedTuple):
    """Two statements taken apart, and the nearness of their vectors."""

    new: Parts
    old: Parts
    cosine: float


class Parts(NamedTuple):
    """What can be read off one statement; sets are in lower case."""

    text: str
    said: tuple[str, ...]
    stems: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    kin: frozenset[str]
    kind: Kind
    subject: str
    counted: frozenset[tuple[str, str]]
    claims: tuple[Claim, ...]


@functools.lru_cache(maxsize=words.CACHED)
def _parts(text: str, speaker: str) -> Parts:
    said = words.words(text)
    plain = words.plain(text).casefold()
    subject = _SUBJECT.search(plain)
    return Parts(
        text=text,
        said=said,
        stems=frozenset(verbs.base(w) or phrases.stem(w) for w in words.content(text)),
        numbers=frozenset(words.numbers(text)),
        names=frozenset(n.casefold() for n in words.names(text)),
        kin=frozenset(w for w in said if w in lexicon.KIN),
        kind=kind_of(text),
        subject=subject[0] if subject else "",
        counted=frozenset((n, unit) for n, unit in _COUNTED.findall(plain)),
        claims=claims(text, speaker),
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


# ------------------------------------------------------------------- the pieces

Part = Callable[["Parts"], "frozenset[str]"]


def _differ(part: Part) -> Callable[[Both], float]:
    """1 where both have some, and none in common."""
    return lambda b: float(
        bool(part(b.new) and part(b.old) and part(b.new).isdisjoint(part(b.old)))
    )


def _same(part: Part) -> Callable[[Both], float]:
    return lambda b: float(not part(b.new).isdisjoint(part(b.old)))


def _one(part: Part) -> Callable[[Both], float]:
    return lambda b: float(bool(part(b.new)) != bool(part(b.old)))


def _numbers(parts: Parts) -> frozenset[str]:
    return parts.numbers


def _names(parts: Parts) -> frozenset[str]:
    return parts.names


def _kin(parts: Parts) -> frozenset[str]:
    return parts.kin


def _shared(b: Both) -> float:
    return len(b.new.stems & b.old.stems) / max(len(b.new.stems | b.old.stems), 1)


def _inside(b: Both) -> float:
    fewer = min(len(b.new.stems), len(b.old.stems))
    return len(b.new.stems & b.old.stems) / max(fewer, 1)


def _rest(one: Parts, other: Parts) -> float:
    return math.log1p(len(one.stems - other.stems)) / 2


def _new(test: Callable[[str], object]) -> Callable[[Both], float]:
    return lambda b: float(bool(test(b.new.text)))


def _old(test: Callable[[str], object]) -> Callable[[Both], float]:
    return lambda b: float(bool(test(b.old.text)))


def _past(text: str) -> bool:
    return any(verbs.past(word) for word in words.words(text))


def _adds(text: str) -> bool:
    return not _ADDS.isdisjoint(words.words(text))


def _denied_once(b: Both) -> float:
    return float(words.negated(b.new.text) != words.negated(b.old.text))


def _denied_both(b: Both) -> float:
    return float(words.negated(b.new.text) and words.negated(b.old.text))


def _opposed(b: Both) -> float:
    new, old = b.new.stems - b.old.stems, b.old.stems - b.new.stems
    return float(any(not _OPPOSED.get(w, frozenset()).isdisjoint(old) for w in new))


def _counts_differ(b: Both) -> float:
    """Two numbers of one thing: "79 points", "87 points"."""
    counts = dict((unit, n) for n, unit in b.old.counted)
    return float(any(counts.get(unit, n) != n for n, unit in b.new.counted))


def _calendar(b: Both) -> float:
    """How many of month, weekday, time of day and season are named, and differ."""
    new, old = frozenset(b.new.said), frozenset(b.old.said)
    named = [(new & row, old & row) for row in _CALENDAR]
    return float(sum(bool(n and o and n.isdisjoint(o)) for n, o in named)) / 2


def _begins_alike(b: Both) -> float:
    pairs = zip(b.new.said, b.old.said, strict=False)
    shorter = min(len(b.new.said), len(b.old.said))
    same = next((n for n, (one, other) in enumerate(pairs) if one != other), shorter)
    return min(same, 4) / 4


def _ends_alike(b: Both) -> float:
    return float(b.new.said[-1:] == b.old.said[-1:])


def _subject(b: Both) -> float:
    return float(bool(b.new.subject) and b.new.subject == b.old.subject)


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


def _either_of(kind: Kind) -> Callable[[Both], float]:
    return lambda b: float(kind in (b.new.kind, b.old.kind))


_S = PairSign
PAIR_SIGNS: Sequence[PairSign] = (
    _S("cosine", "nearness of the two", lambda b: b.cosine),
    _S("shared", "share of all content stems that both have", _shared),
    _S("inside", "the same of the shorter one's", _inside),
    _S("only_new", "log of stems of the new one alone", lambda b: _rest(b.new, b.old)),
    _S("only_old", "log of stems of the old one alone", lambda b: _rest(b.old, b.new)),
    _S("begins_alike", "first words in common, 1 at 4", _begins_alike),
    _S("ends_alike", "1 where the last words are the same", _ends_alike),
    _S("subject", "1 where they begin to speak of the same", _subject),
    _S("numbers_differ", "1 where both name numbers, none the same", _differ(_numbers)),
    _S("numbers_same", "1 where they share a number", _same(_numbers)),
    _S("counts_differ", "1 where two numbers of one thing differ", _counts_differ),
    _S("names_differ", "1 where both name names, none the same", _differ(_names)),
    _S("names_same", "1 where they share a name", _same(_names)),
    _S("kin_differ", "1 where they speak of different kin", _differ(_kin)),
    _S("kin_same", "1 where they share kin", _same(_kin)),
    _S("kin_one", "1 where only one speaks of kin", _one(_kin)),
    _S("calendar", "times of the calendar that differ, by 2", _calendar),
    _S("opposed", "1 where words oppose each other", _opposed),
    _S("negation", "1 where only one denies", _denied_once),
    _S("negated_both", "1 where both deny", _denied_both),
    _S(
        "absolute_new",
        "1 where the new one is without exception",
        _new(_ABSOLUTE.search),
    ),
    _S("absolute_old", "1 where the old one is", _old(_ABSOLUTE.search)),
    _S("hedged_new", "1 where the new one is only possible", _new(words.hedged)),
    _S("hedged_old", "1 where the old one is", _old(words.hedged)),
    _S("changed_new", "1 where the new one tells of a change", _new(words.changed)),
    _S("changed_old", "1 where the old one does", _old(words.changed)),
    _S("adds", "1 where the new one adds to something", _new(_adds)),
    _S("asks_new", "1 where the new one asks", _new(words.asks)),
    _S("past_new", "1 where the new one tells of the past", _new(_past)),
    _S("past_old", "1 where the old one does", _old(_past)),
    _S("timed_new", "1 where the new one names a time", _new(words.timed)),
    _S("timed_old", "1 where the old one does", _old(words.timed)),
    _S(
        "first_new",
        "1 where the new one is about the speaker",
        _new(words.first_person),
    ),
    _S("first_old", "1 where the old one is", _old(words.first_person)),
    _S("states", "1 where both are states", _both_of(Kind.STATE)),
    _S("preferences", "1 where both are preferences", _both_of(Kind.PREFERENCE)),
    _S("events", "1 where both are events", _both_of(Kind.EVENT)),
    _S("event", "1 where one is an event", _either_of(Kind.EVENT)),
    _S("plan", "1 where one is a plan", _either_of(Kind.PLAN)),
    _S("slot", "1 where they fill a slot of one subject", _slots),
    _S("item", "1 where what fills them is shared", _items),
    _S("rule_duplicate", "how sure the rules are", _clash(ConflictKind.DUPLICATE)),
    _S("rule_update", "the same, of an update", _clash(ConflictKind.UPDATE)),
    _S("rule_contradiction", "the same", _clash(ConflictKind.CONTRADICTION)),
)
"""The numbers of `pair_signs`, in order."""

PAIR_NAMES = tuple(sign.name for sign in PAIR_SIGNS)
"""Their names."""

PAIRS_HASH = hashlib.sha256(
    repr([(s.name, s.meaning) for s in PAIR_SIGNS]).encode()
).hexdigest()[:16]
"""Changes with the list: weights never meet signs they weren't trained on."""
