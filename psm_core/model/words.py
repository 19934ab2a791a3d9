"""What can be read off the words of a text without knowing what it means. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from psm_core.model import lexicon

CACHED = 4096
"""Texts whose analysis is kept; a recall sees the same candidates again and again."""

TEXT_MAX = 20_000
"""Characters of a text that are analysed; rules learn nothing from the rest."""

CHARACTERS_A_WORD = 2
"""Characters that make a word in Chinese, Japanese and Thai, about."""

_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """One pattern for any of *patterns* as whole words, in any case."""
    return re.compile(rf"(?<![\w'])(?:{'|'.join(patterns)})(?![\w'])", re.IGNORECASE)


def _quick(listed: str) -> re.Pattern[str]:
    """One pattern for any of these words in text in lower case.

    It begins with a letter, which `re` skips ahead to; each memory of each recall is
    searched by it.
    """
    tails: dict[str, list[str]] = {}
    for word in listed.split("|"):
        tails.setdefault(word[0], []).append(word[1:])
    first = "".join(tails)
    rest = "|".join(rf"(?<={one})(?:{'|'.join(ends)})" for one, ends in tails.items())
    return re.compile(rf"[{first}](?<![\w'][{first}])(?:{rest})(?![\w'])")


_WORD = re.compile(r"[^\W_]+(?:['\-][^\W_]+)*")
_END = re.compile(r"[.!?\u2026]+[\"')\]]*(?=\s|$)|\u3002|\n+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-HJ-Z]|dr|mr|mrs|ms|prof|st|no|vs|etc|approx|e\.g|i\.e)\.$",
    re.IGNORECASE,
)
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_FIRST = _quick("i|i'm|im|i've|ive|i'd|i'll|me|my|mine|myself|we|we're|we've|us|our")
_SECOND = _quick("you|your|you're|you've|you'll|you'd|yours|yourself|u|ya|y'all")
_HEDGE = any_of(lexicon.HEDGES)
_NEGATION = any_of(lexicon.NEGATIONS)
_CHANGE = any_of(lexicon.CHANGES)
_CORRECTION = re.compile("|".join(lexicon.CORRECTIONS), re.IGNORECASE)
_DENIAL = re.compile("|".join(lexicon.DENIALS), re.IGNORECASE)
_FORMER_CUE = any_of(lexicon.FORMER_CUES)
_PAST_CUE = any_of(lexicon.PAST_CUES)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_CALENDAR = frozenset(f"{lexicon.MONTHS} {lexicon.WEEKDAYS}".split())
_TIME = any_of(
    [
        r"yesterday|today|tomorrow|tonight|ago|nowadays|recently|lately|soon",
        rf"(?:{'|'.join(lexicon.WEEKDAYS.split())})s?",
        "|".join(m for m in lexicon.MONTHS.split() if m not in ("may", "mar")),
        r"(?:in|of|since|until|by|\d+(?:st|nd|rd|th)?) may|may \d+",
        r"(?:last|next|this|every|each) (?:week|month|year|day|night|morning|evening"
        r"|weekend|spring|summer|autumn|fall|winter|time)",
        r"\d+ (?:days?|weeks?|months?|years?|hours?|minutes?)|(?:19|20)\d\d",
        r"(?:spring|summer|autumn|winter|easter|christmas|weekends?)",
        r"\d{1,2}:\d\d|\d{1,2} ?(?:am|pm)|o'clock|noon|midnight",
    ]
)
_ASKS = re.compile(
    r"^(?:(?:and|so|but|ok|okay|oh|well|hey|wow|cool|nice|great)[,!.]? )*"
    r"(?!what an? )(?:who|what|when|where|which|why|how|whose|do|does|did|are|is|was"
    r"|were|can|could|will|would|should|have|has|had|any|got)(?:'s|'re|n't)? "
    r"(?:you|your|he|she|they|it|we|i|the|that|this|there|a|an|is|are|was|were|do"
    r"|does|did|kind|many|much|long|about|made|inspired|got|else|plans|tips|ideas)\b",
    re.IGNORECASE,
)
_PASTED = re.compile(
    r"(?:^|\n)\s*(?:>|dear [^\n,]{1,40},?[ ]*\n|from: |subject: |```|\{\")"
    r"|\n\s*(?:with )?(?:kind|best|warm)? ?regards|\n\s*(?:yours )?sincerely"
    r"|\bforwarded message\b|\"[^\"]{60,}\"",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![.!?\u2026:\n] )(?<!^)(?<![\n\"(])\b[A-Z\u00c0-\u00de][\w'-]+")
_NO_NAMES = frozenset({"i", "i'm", "i've", "i'd", "i'll", "ok", "omg", "lol", "tv"})


def plain(text: str) -> str:
    """As much of *text* as is analysed, with straight quotation marks."""
    cut = text[:TEXT_MAX]
    return cut if cut.isascii() else cut.translate(_STRAIGHT)


@functools.lru_cache(maxsize=CACHED)
def words(text: str) -> tuple[str, ...]:
    """The words of *text* in lower case, with straight apostrophes.

    >>> words("I've moved to Croix-Rousse!")
    ("i've", 'moved', 'to', 'croix-rousse')
    """
    return tuple(_WORD.findall(plain(text).casefold()))


def content(text: str) -> list[str]:
    """Those words of *text* that carry content, in lower case, endings kept."""
    kept = (w for w in words(text) if w not in lexicon.FUNCTION_WORDS)
    return [w.removesuffix("'s") for w in kept]


def content_count(text: str) -> int:
    """How many content words *text* has; scripts without spaces count by characters."""
    unspaced = len(_UNSPACED.findall(plain(text))) // CHARACTERS_A_WORD
    return len(content(text)) + unspaced


@functools.lru_cache(maxsize=CACHED)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of *text*, with their marks; abbreviations don't end one.

    >>> sentences("I saw Dr. Weiss. she said 3.5 mg!")
    ('I saw Dr. Weiss.', 'she said 3.5 mg!')
    """
    whole, start, found = plain(text), 0, []
    for end in _END.finditer(whole):
        if not _ABBREVIATION.search(whole[max(start, end.end() - 9) : end.end()]):
            found.append(whole[start : end.end()].strip())
            start = end.end()
    found.append(whole[start:].strip())
    return tuple(sentence for sentence in found if sentence)


def first_person(text: str) -> bool:
    """Whether the speaker speaks of themselves."""
    return _FIRST.search(plain(text).lower()) is not None


def second_person(text: str) -> bool:
    """Whether the listener is spoken of."""
    return _SECOND.search(plain(text).lower()) is not None


def hedged(text: str) -> bool:
    """Whether it is said as a possibility, a wish or a guess.

    >>> hedged("I might get a dog in the autumn."), hedged("I got a dog in May.")
    (True, False)
    """
    return _HEDGE.search(plain(text)) is not None


def negated(text: str) -> bool:
    """Whether something is denied."""
    return _NEGATION.search(plain(text)) is not None


def changed(text: str) -> bool:
    """Whether something is said to be otherwise than before."""
    return _CHANGE.search(plain(text)) is not None


def denies(text: str) -> bool:
    """Whether it begins by saying no to what came before."""
    return _DENIAL.match(plain(text).strip()) is not None


def corrects(text: str) -> bool:
    """Whether it takes back or repeats what was said before.

    >>> corrects("I drink tea, not coffee. I told you that.")
    True
    """
    return _CORRECTION.search(plain(text).strip()) is not None


def asks(sentence: str) -> bool:
    """Whether a sentence is a question, with or without its mark."""
    whole = plain(sentence).strip()
    return whole.endswith("?") or _ASKS.match(whole) is not None


def asks_for_former(cue: str) -> bool:
    """Whether a question asks for what holds no longer."""
    return _FORMER_CUE.search(plain(cue)) is not None


def asks_for_past(cue: str) -> bool:
    """Whether a question may be about what holds no longer."""
    return _PAST_CUE.search(plain(cue)) is not None


@functools.lru_cache(maxsize=CACHED)
def timed(text: str) -> bool:
    """Whether a date, a weekday or another time is named."""
    return _TIME.search(plain(text)) is not None


def numbers(text: str) -> tuple[str, ...]:
    """The numbers in *text*, in digits, then those in words."""
    spelled = (w for w in words(text) if w in lexicon.NUMBER_WORDS)
    return (*_NUMBER.findall(plain(text)), *spelled)


def names(text: str) -> tuple[str, ...]:
    """Words written as names: capitals inside a sentence, but no weekday or month.

    >>> names("On Monday I saw Ines in Lyon.")
    ('Ines', 'Lyon')
    """
    found = (name.removesuffix("'s") for name in _NAME.findall(plain(text)))
    return tuple(
        name
        for name in found
        if not _NO_NAMES & {name.casefold()}
        and not _CALENDAR & {name.casefold(), name.casefold()[:-1]}
    )


def pasted(text: str) -> bool:
    """Whether *text* carries somebody else's words: a mail, a quote, or code."""
    return _PASTED.search(plain(text)) is not None
