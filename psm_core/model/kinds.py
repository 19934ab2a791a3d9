"""What sort of thing a text says: state, preference, event, plan, question or talk."""

from __future__ import annotations

import functools

from psm_core.model import lexicon, verbs, words
from psm_core.model.talk import kind_words, small_talk
from psm_core.types import Kind

LASTING_FIRST = (
    Kind.STATE,
    Kind.PREFERENCE,
    Kind.EVENT,
    Kind.PLAN,
    Kind.QUESTION,
    Kind.TALK,
)
"""A text of several sentences is of the kind that lasts longest."""

TELLING_WORDS = 3
"""Content words from which on a sentence of no certain kind tells of something."""

_I = r"(?:i|we)"
_ADVERBS = r"(?:\w+ly|also|always|never|still|just|now|often|only|do|even) "
_KIN = "|".join(sorted(lexicon.KIN))
_PREFERENCE = words.any_of(
    [
        rf"{_I} (?:{_ADVERBS})*(?:don't |do not |can't |never )?(?:really )?(?:like"
        r"|love|hate|prefer|enjoy|adore|dislike|stand|loathe|fancy|drink|eat)",
        rf"{_I}(?:'m| am|'ve been|'re| are) (?:\w+ )?(?:into|fond of|a fan of|keen on"
        r"|allergic|vegan|vegetarian|passionate about|obsessed with|crazy about)",
        r"my (?:\w+ )?favou?rite|favou?rites?|i'd rather|i'm not (?:a fan|into)",
        r"(?:no|never|please don't|don't) .{3,40} (?:unless i ask|please)",
    ]
)
_PLAN = words.any_of(
    [
        rf"{_I}(?:'ll| will| won't| might| may|'d like to|'d love to| want to)",
        rf"{_I}(?:'m|'re| am| are) (?:\w+ )?(?:going to|gonna|planning|hoping|thinking"
        r"|considering|looking (?:to|into|at|forward)|about to|saving|training for)",
        rf"(?:next|coming) (?:week|month|year|weekend|summer|winter|spring|autumn|fall"
        rf"|{lexicon.WEEKDAYS.replace(' ', '|')})|tomorrow|tonight",
        rf"{_I} (?:plan|intend|hope|wish|need to|have to|must|should)|can't wait",
        r"(?:is|are|'s|'re) (?:coming|visiting|arriving|starting|flying|moving)",
        r"(?:appointment|interview|deadline|exam|flight|due) (?:is |on |at |by )",
    ]
)
_STATE = words.any_of(
    [
        rf"{_I}(?:'m| am|'re| are)(?: not)?(?: \w+)? (?:an?(?! bit| little| lot)|the|my"
        r"|from|in(?! a)|at|\d+|one|married|single|engaged|divorced|based|retired"
        r"|left-handed|right-handed)",
        rf"{_I} (?:{_ADVERBS})*(?:live|work|have|own|speak|play|study|teach|run|rent"
        r"|pay|use|belong|volunteer|attend|go|drive|wear|suffer|keep|smoke|cook|read"
        r"|sing|paint|write|train|dance|practice|practise|commute|earn|need)(?! to)",
        rf"{_I}(?:'ve| have)(?: \w+)? (?:got|been|had|known|lived|worked)",
        rf"my (?:\w+ )?(?:{_KIN}|name|job|birthday|rent|address|phone|car|house|flat"
        r"|apartment|boss|age|size|email|hobby|hobbies|dream|goal|major)(?:'s)?"
        r"(?: \w+){0,2}?(?: is|'s| are| lives?| works?| has| likes?| loves?)",
        r"\w+'s birthday|my name|call me|(?:is|are|'m) allergic",
    ]
)
_PRESENT = words.any_of([r"\w+ (?:is|are|has|lives|works|costs|means|belongs)"])


@functools.lru_cache(maxsize=words.CACHED)
def kind_of(text: str, known: frozenset[str] = frozenset()) -> Kind:
    """What sort of thing *text* says; of several, the one that lasts longest.

    Args:
        text: One turn or one sentence.
        known: Names of those who speak, in lower case.

    >>> [kind_of(t).value for t in ("I work as a nurse.", "I ran today.", "haha ok")]
    ['state', 'event', 'talk']
    """
    found = {sentence_kind(s, known) for s in words.sentences(text)} or {Kind.TALK}
    return next(kind for kind in LASTING_FIRST if kind in found)


def only_possible(text: str, kind: Kind) -> bool:
    """Whether every sentence that makes *text* be of *kind* is hedged."""
    said = words.sentences(text)
    carrying = [s for s in said if sentence_kind(s) is kind] or list(said)
    return bool(carrying) and all(words.hedged(s) for s in carrying)


@functools.lru_cache(maxsize=words.CACHED)
def sentence_kind(sentence: str, known: frozenset[str] = frozenset()) -> Kind:
    """What sort of thing one sentence says."""
    if small_talk(sentence, known) or kind_words(sentence, known):
        return Kind.TALK
    if words.asks(sentence):
        return Kind.QUESTION
    return _told(words.plain(sentence))


def _told(sentence: str) -> Kind:
    liked = None if words.hedged(sentence) else _PREFERENCE.search(sentence)
    if liked:
        return Kind.PREFERENCE
    planned, stated = _PLAN.search(sentence), _STATE.search(sentence)
    if planned and (not stated or planned.start() <= stated.start()):
        return Kind.PLAN
    if stated:
        return Kind.STATE
    if any(verbs.past(word) for word in words.words(sentence)):
        return Kind.EVENT
    if _says_what_is(sentence):
        return Kind.EVENT if words.timed(sentence) else Kind.STATE
    telling = words.content_count(sentence) >= TELLING_WORDS
    return Kind.EVENT if telling else Kind.TALK


def _says_what_is(sentence: str) -> bool:
    """Whether somebody or something with a name or a number is said to be so."""
    anchored = bool(words.names(sentence)) or bool(words.numbers(sentence))
    return anchored and _PRESENT.search(sentence) is not None
