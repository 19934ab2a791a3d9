"""What a trained head sees of a text beside its vector: the list, order and units."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model import verbs, words
from psm_core.model.claims import claims
from psm_core.model.emotion import emotional_weight
from psm_core.model.kinds import LASTING_FIRST, kind_of, only_possible
from psm_core.model.talk import follow_up, kind_words, small_talk
from psm_core.types import Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row = NDArray[np.float32]


_OTHERS = frozenset(
    ["he", "she", "they", "him", "her", "them", "his", "hers", "their", "theirs"]
)


class Heard(NamedTuple):
    """A text, where it was said: who spoke, in which role, and what stood before.

    ``before`` is the turn before it in the session, None at its beginning; ``known``
    are the names of those who speak, in lower case.
    """

    text: str
    speaker: str
    role: str
    before: Turn | None = None
    known: frozenset[str] = frozenset()

    @classmethod
    def turn(cls, turn: Turn, recent: Sequence[Turn], user: str = "") -> Heard:
        """A turn as the gate hears it: the past of its session is all that is known.

        Args:
            turn: What was said.
            recent: The last turns of its session, oldest first.
            user: Whose memory it is.
        """
        known = known_names([turn.speaker, user, *(t.speaker for t in recent)])
        before = recent[-1] if recent else None
        return cls(turn.text, turn.speaker, turn.role, before, known)


class Sign(NamedTuple):
    """One number about a text, in [0, 1] or near it."""

    name: str
    meaning: str
    of: Callable[[Heard], float]


def signs(heard: Heard) -> Row:
    """What a trained head sees of a text beside its vector.

    Returns:
        (S,) float32 in the order of `SIGNS`; every number is finite.

    >>> row = signs(Heard("I moved to Lyon last week.", "ada", "user"))
    >>> row.shape == (len(SIGNS),), float(row[SIGN_NAMES.index("first_person")])
    (True, 1.0)
    """
    return np.array([sign.of(heard) for sign in SIGNS], np.float32)


def known_names(speakers: Sequence[str]) -> frozenset[str]:
    """The words of the names of those who speak, in lower case."""
    return frozenset(w for name in speakers for w in words.words(name))


def _share(test: Callable[[str], bool]) -> Callable[[Heard], float]:
    def share(heard: Heard) -> float:
        said = words.sentences(heard.text)
        return sum(map(test, said)) / max(len(said), 1)

    return share


def _on_text(test: Callable[[str], object]) -> Callable[[Heard], float]:
    return lambda heard: float(bool(test(heard.text)))


def _log(count: Callable[[str], int], most: float) -> Callable[[Heard], float]:
    return lambda heard: min(math.log1p(count(heard.text)) / math.log1p(most), 1.5)


def _small_talk(heard: Heard) -> float:
    said = words.sentences(heard.text)
    return sum(small_talk(s, heard.known) for s in said) / max(len(said), 1)


def _kind_words(heard: Heard) -> float:
    said = words.sentences(heard.text)
    return sum(kind_words(s, heard.known) for s in said) / max(len(said), 1)


def _follow_up(heard: Heard) -> float:
    said = words.sentences(heard.text)
    return sum(follow_up(s, heard.known) for s in said) / max(len(said), 1)


def _names(heard: Heard) -> float:
    found = {n.casefold() for n in words.names(heard.text)} - heard.known
    return min(len(found), 4) / 4


def _calls(heard: Heard) -> float:
    said = {w.removesuffix("'s") for w in words.words(heard.text)}
    own = set(words.words(heard.speaker))
    return float(bool(said & (heard.known - own)))


def _kind(index: int) -> Callable[[Heard], float]:
    return lambda heard: float(kind_of(heard.text, heard.known) is LASTING_FIRST[index])


def _possible(heard: Heard) -> float:
    return float(only_possible(heard.text, kind_of(heard.text, heard.known)))


def _asked(heard: Heard) -> float:
    before = heard.before
    other = before is not None and before.speaker != heard.speaker
    return float(other and before is not None and before.text.rstrip().endswith("?"))


def _fresh(heard: Heard) -> float:
    """Content words that the turn before didn't have: what this one brings in."""
    told = set(words.content(heard.before.text)) if heard.before else set()
    fresh = set(words.content(heard.text)) - told - heard.known
    return math.log1p(len(fresh)) / math.log1p(20)


def _before_words(heard: Heard) -> float:
    said = words.words(heard.before.text) if heard.before else ()
    return min(math.log1p(len(said)) / math.log1p(60), 1.5)


def _before_own(heard: Heard) -> float:
    return float(heard.before is not None and words.first_person(heard.before.text))


def _past(heard: Heard) -> float:
    return min(sum(map(verbs.past, words.words(heard.text))), 5) / 5


def _others(heard: Heard) -> float:
    return min(sum(w in _OTHERS for w in words.words(heard.text)), 3) / 3


def _rare_letters(heard: Heard) -> float:
    """The share of characters that are neither letters nor blanks: code, lists."""
    text = heard.text[: words.TEXT_MAX]
    return sum(not (c.isalpha() or c.isspace()) for c in text) / max(len(text), 1)


SIGNS = (
    Sign("words", "log of its words, 1 at 60", _log(lambda t: len(words.words(t)), 60)),
    Sign("content", "log of its content words, 1 at 30", _log(words.content_count, 30)),
    Sign(
        "sentences",
        "log of its sentences, 1 at 6",
        _log(lambda t: len(words.sentences(t)), 6),
    ),
    Sign(
        "density", "share of its words that carry content", lambda h: _density(h.text)
    ),
    Sign("asking", "share of its sentences that ask", _share(words.asks)),
    Sign("only_asks", "1 where it ends in a question", _on_text(words.asks)),
    Sign(
        "exclaiming",
        "share of its sentences that exclaim",
        _share(lambda s: s.endswith("!")),
    ),
    Sign(
        "first_person",
        "1 where the speaker speaks of themselves",
        _on_text(words.first_person),
    ),
    Sign("first_share", "share of its sentences that do", _share(words.first_person)),
    Sign(
        "second_person",
        "1 where the listener is spoken of",
        _on_text(words.second_person),
    ),
    Sign("hedged", "1 where something is only possible", _on_text(words.hedged)),
    Sign("all_hedged", "1 where all that matters is", _possible),
    Sign("negated", "1 where something is denied", _on_text(words.negated)),
    Sign(
        "changed", "1 where something is otherwise than before", _on_text(words.changed)
    ),
    Sign("denies", "1 where it begins by saying no", _on_text(words.denies)),
    Sign("corrects", "1 where it takes something back", _on_text(words.corrects)),
    Sign("timed", "1 where a time is named", _on_text(words.timed)),
    Sign("numbers", "1 where a number is named", _on_text(words.numbers)),
    Sign("names", "names beside the speakers', 1 at 4", _names),
    Sign("calls", "1 where it calls somebody who speaks by name", _calls),
    Sign("pasted", "1 where it passes on another's words", _on_text(words.pasted)),
    Sign("claims", "log of what it claims, 1 at 3", _log(lambda t: len(claims(t)), 3)),
    Sign("small_talk", "share of its sentences that are small talk", _small_talk),
    Sign("kind_words", "share that praise or comfort", _kind_words),
    Sign("follow_up", "share that only ask back", _follow_up),
    Sign("asked", "1 where somebody else has just asked", _asked),
    Sign("assistant", "1 where no person says it", lambda h: float(h.role != "user")),
    Sign("signs", "share of characters that are no letters", _rare_letters),
    Sign("fresh", "log of content words that the turn before lacks, 1 at 20", _fresh),
    Sign("before_words", "log of the words of the turn before, 1 at 60", _before_words),
    Sign("before_own", "1 where the turn before is in the first person", _before_own),
    Sign("past", "verbs in the past, 1 at 5", _past),
    Sign("others", "words for others (she, his, them), 1 at 3", _others),
    Sign("emotion", "its emotional weight by rule", lambda h: emotional_weight(h.text)),
    *(
        Sign(f"kind_{kind}", f"1 where it is of kind {kind} by rule", _kind(index))
        for index, kind in enumerate(LASTING_FIRST)
    ),
)
"""The numbers of `signs`, in order."""

SIGN_NAMES = tuple(sign.name for sign in SIGNS)
"""Their names."""

SIGNS_HASH = hashlib.sha256(
    repr([(s.name, s.meaning) for s in SIGNS]).encode()
).hexdigest()[:16]
"""Changes with the list: weights never meet signs they weren't trained on."""


def _density(text: str) -> float:
    return words.content_count(text) / max(len(words.words(text)), 1)
