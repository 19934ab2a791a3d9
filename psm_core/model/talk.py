"""Small talk and kind words: what is said to be polite, and tells nothing. Pure."""

from __future__ import annotations

import functools
import re

from psm_core.model import lexicon, words

KIND_WORDS_MAX = 20
"""Longest sentence, in words, that counts as a kind word; longer ones tell things."""

WARM_WORDS_MAX = 14
"""The same for a sentence in the first person, which tells things sooner."""

FOLLOW_UP_WORDS_MAX = 6
"""Longest question, in words, that only asks back; longer ones bring in something."""

_TALK = re.compile(f"(?:{'|'.join(lexicon.TALK_PHRASES)})")
_PRAISE = words.any_of(lexicon.PRAISE)
_WARMTH = words.any_of(lexicon.WARMTH)
_OWN = words.any_of(["my|mine|our|ours"])
_CLAUSE = re.compile(r"[,;.!?:\u2026\u2013\u2014]+ *| - ")
_CALLED = re.compile(r"([^\W_]+)(?:'s)?")
_SILENT = lexicon.FUNCTION_WORDS | lexicon.TALK_WORDS


@functools.lru_cache(maxsize=words.CACHED)
def small_talk(sentence: str, known: frozenset[str] = frozenset()) -> bool:
    """Whether a sentence greets, thanks, agrees or parts, and says nothing else.

    Args:
        sentence: One sentence.
        known: Names of those who speak, in lower case; calling them is no content.

    >>> small_talk("Thanks! Talk to you later."), small_talk("Thanks, it's a boy!")
    (True, False)
    """
    if words.numbers(sentence):
        return False
    spoken = [w for w in words.words(sentence) if w.removesuffix("'s") not in known]
    if all(word in _SILENT for word in spoken):
        return True
    clauses = _CLAUSE.split(_without(words.plain(sentence).casefold(), known))
    return all(_says_nothing(clause.strip()) for clause in clauses)


@functools.lru_cache(maxsize=words.CACHED)
def kind_words(sentence: str, known: frozenset[str] = frozenset()) -> bool:
    """Whether a sentence praises, comforts or encourages the listener, and no more.

    Names, numbers and times make it more, and so does what is told of oneself.

    Args:
        sentence: One sentence.
        known: Names of those who speak, in lower case.

    >>> kind_words("You did a great job!"), kind_words("I did a great job in Rome.")
    (True, False)
    """
    spoken = words.words(sentence)
    if not spoken or _tells(sentence, known) or len(spoken) > KIND_WORDS_MAX:
        return False
    if words.first_person(sentence):
        own = _OWN.search(words.plain(sentence))
        warm = _WARMTH.search(words.plain(sentence))
        return bool(warm and not own) and len(spoken) <= WARM_WORDS_MAX
    opens = next((w for w in spoken if w not in known), "") in lexicon.PRAISE_OPENERS
    about_listener = opens or words.second_person(sentence)
    return about_listener and _PRAISE.search(words.plain(sentence)) is not None


def follow_up(sentence: str, known: frozenset[str] = frozenset()) -> bool:
    """Whether a sentence only asks the listener back about what they just said.

    >>> follow_up("How did you feel?"), follow_up("Did you see Ines in Lyon?")
    (True, False)
    """
    if not words.asks(sentence) or words.first_person(sentence):
        return False
    short = len(words.words(sentence)) <= FOLLOW_UP_WORDS_MAX
    return short and words.second_person(sentence) and not _tells(sentence, known)


def _tells(sentence: str, known: frozenset[str]) -> bool:
    named = any(name.casefold() not in known for name in words.names(sentence))
    return named or bool(words.numbers(sentence)) or words.timed(sentence)


def _says_nothing(clause: str) -> bool:
    return all(w in _SILENT for w in words.words(clause)) or bool(
        _TALK.fullmatch(clause)
    )


def _without(sentence: str, known: frozenset[str]) -> str:
    if known.isdisjoint(w.removesuffix("'s") for w in words.words(sentence)):
        return sentence
    return _CALLED.sub(lambda m: "" if m[1] in known else m[0], sentence)
