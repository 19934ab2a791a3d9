"""One statement taken apart: what can be read off it before it is held against another.

Reads words, numbers, names and claims; knows nothing of the other statement.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model import lexicon, phrases, verbs, words
from psm_core.model.amounts import amounts
from psm_core.model.claims import claims
from psm_core.model.kinds import kind_of
from psm_core.model.signs import SIGN_NAMES, Heard, known_names, signs
from psm_core.model.slots import Claim
from psm_core.model.wording import named
from psm_core.types import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row = NDArray[np.float32]

_HEARD = ("asked", "assistant", "before_words", "before_own")
ALONE = tuple(name for name in SIGN_NAMES if name not in _HEARD)
"""Signs of a text that need no turn before it."""

_KEPT = [SIGN_NAMES.index(name) for name in ALONE]

MUSING = words.any_of(
    [
        "might|maybe|perhaps|could|would|should|ought|shall|if|whether|in theory",
        r"may(?! \d)|what if|who knows|we'll see|time will tell|imagine|idea|i'd|we'd",
        "some ?day|one day|one of these (?:days|years)|some (?:year|time)|when i'm",
        r"wonder\w*|dream\w*|consider\w*|suppose[sd]?|tempted|toying|ponder\w*|mull\w*",
        r"fanc(?:y|ies)|wish\w*|hop(?:e|es|ing)|plan\w*|offered|undecided|not sure",
        "think(?:ing|s)? (?:of|about|i|we|that)|thought (?:of|about)",
        "talk(?:s|ed|ing)? (?:of|about)|keeps? (?:saying|asking)|until then",
        "look(?:ed|ing|s)? (?:at|into)|(?:only|just) (?:looking|to look)|an eye|eye on",
        "wants? (?:me|us|to|a|him|her)|would like|asked (?:if|whether|me)|haven't",
        "says i (?:should|ought|could)|for fun|retire|picture|brochures?",
    ]
)
"""Words for what is only thought of: it conflicts with nothing."""

TURNING = words.any_of(
    [
        "since|now|nowadays|these days|any ?more|no longer|instead|by now|already|yet",
        "again|until|at last|from now on|ever since|for good|used to|has become|off",
        "back to|down to|up to|over|gone|done|new|finally|last|this",
        "quits?|stopped|gave|giv(?:e|en)(?: up)?|sold|moved|moving|left|turned|lost",
        "switched|changed|swapped|traded|became|become|retired|got rid|threw|broke",
        "ended|cancell?ed|called off|signed|booked|renewed|took over|taken over|hired",
        "fired|resigned|started|begun|began|dropped|cut|went bust|grown|healed|mended",
        "fixed|cured|passed|failed|decided|married|engaged|divorced|died|dead|bought",
        "adopted|born",
    ]
)
"""Words for what is otherwise than it was."""

LIFELONG = words.any_of(
    [
        r"(?:was )?born|grew up|as a (?:child|boy|girl|kid)|in (?:19|20)\d\d|childhood",
        "at (?:school|university|uni)|(?:my|the) first|my whole life|all my life|ever",
        "in my life|never|always|youngest|eldest|oldest|only child|learned|learnt|met",
        "taught me|proposed|wedding day|degree|studied|graduated",
    ]
)
"""Words for what is so once and for all: another value can only be a contradiction."""

MENDING = words.any_of(
    [
        "told you|i said|i meant|wrong|mistake|correct(?:ion|ing)?|misread|mixed up",
        "not the one|in fact|actually|to be exact|sorry|i lied|confess",
    ]
)
"""Words that take back what was said."""

_ABSOLUTE = words.any_of(
    [
        "never|always|only|every|all|nobody|no one|nothing|none|alone|whole|once|ever",
        "not (?:one|a single)|each|entire|both|neither|first|still",
    ]
)
_COUNTED = re.compile(
    rf"(\d+(?:[.,:]\d+)*|\b(?:{'|'.join(sorted(lexicon.NUMBER_WORDS))})\b)\W+([a-z]+)"
)
_SUBJECT = re.compile(
    rf"\b(?:(?:my|our|his|her) )?(?:\w+ )?(?:{'|'.join(sorted(lexicon.KIN))})\b"
    r"|\b(?:i|we|he|she|they|it|you)\b"
)


class Parts(NamedTuple):
    """What can be read off one statement; sets are in lower case.

    ``signs`` (A,) in the order of `ALONE`; ``marks`` (5,) how often it muses, turns,
    speaks of a whole life, mends and allows of no exception, each in [0, 1.5].
    """

    said: tuple[str, ...]
    stems: frozenset[str]
    values: frozenset[float]
    names: frozenset[str]
    kin: frozenset[str]
    kind: Kind
    negated: bool
    subject: str
    counted: frozenset[tuple[str, str]]
    claims: tuple[Claim, ...]
    signs: Row
    marks: Row


MARKS = ("musing", "turning", "lifelong", "mending", "absolute")
"""Names of `Parts.marks`."""

_MARKS = (MUSING, TURNING, LIFELONG, MENDING, _ABSOLUTE)


@functools.lru_cache(maxsize=words.CACHED)
def parts(text: str, speaker: str) -> Parts:
    """*text* taken apart.

    A fact calls its speaker by name; it is read as if they had said it themselves.

    Args:
        text: An episode in the first person, or a fact in the third.
        speaker: Whose words it is.

    >>> found = parts("Ada's sister moved to Lyon.", "Ada")
    >>> found.subject, sorted(found.stems)
    ('my sister', ['lyon', 'move', 'sister'])
    """
    told = _first_person(text, speaker)
    plain = words.plain(told).casefold()
    subject = _SUBJECT.search(plain)
    known = known_names([speaker])
    return Parts(
        said=words.words(told),
        stems=frozenset(verbs.base(w) or phrases.stem(w) for w in words.content(told)),
        values=amounts(told),
        names=frozenset(n.casefold() for n in words.names(told)),
        kin=frozenset(w for w in words.words(told) if w in lexicon.KIN),
        kind=kind_of(told),
        negated=words.negated(told),
        subject=subject[0] if subject else "",
        counted=frozenset((n, unit) for n, unit in _COUNTED.findall(plain)),
        claims=claims(text, speaker),
        signs=signs(Heard(told, speaker, "user", None, known))[_KEPT],
        marks=np.array([min(len(m.findall(plain)), 3) / 2 for m in _MARKS], np.float32),
    )


def _first_person(text: str, speaker: str) -> str:
    if not speaker or words.first_person(text):
        return text
    name = re.escape(named(speaker))
    return re.sub(rf"\b{name}\b", "I", re.sub(rf"\b{name}'s\b", "my", text))
