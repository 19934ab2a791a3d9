"""Numbers in a text as values, whether in digits or in words. Pure."""

from __future__ import annotations

import functools
import re

from psm_core.model import words

_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {
    **{word: value for value, word in enumerate(_TO_NINETEEN.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), 2)},
}
_LARGE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_DIGITS = re.compile(r"\d+(?:[.,\u202f ]\d{3})+(?!\d)|\d+(?:[.:,]\d+)?")
_SPELLED = re.compile(r"[a-z]+")


@functools.lru_cache(maxsize=words.CACHED)
def amounts(text: str) -> frozenset[float]:
    """The values that *text* names; a lone "one" is a pronoun, and left out.

    Times of the day count in hours.

    >>> sorted(amounts("Two hundred and ten jars, 1,200 g each, at half past four."))
    [4.5, 210.0, 1200.0]
    """
    low = words.plain(text).casefold()
    return frozenset([*map(_value, _DIGITS.findall(low)), *_spelled(low)])


def _value(digits: str) -> float:
    if re.fullmatch(r"\d+(?:[.,\u202f ]\d{3})+", digits):
        return float(re.sub(r"\D", "", digits))
    if ":" in digits:
        hours, minutes = digits.split(":")
        return float(hours) + float(minutes) / 60
    return float(digits.replace(",", "."))


def _spelled(low: str) -> list[float]:
    tokens = _SPELLED.findall(low)
    found, at = [], 0
    while at < len(tokens):
        end = _end(tokens, at)
        if end == at or tokens[at:end] == ["one"]:
            at += 1
            continue
        half = tokens[max(at - 2, 0) : at] == ["half", "past"]
        found.append(_added(tokens[at:end]) + 0.5 * half)
        at = end
    return found


def _end(tokens: list[str], at: int) -> int:
    """Behind the last word of the number that begins at *at*; *at* where none does."""
    end = at
    for place in range(at, len(tokens)):
        word = tokens[place]
        joins = word == "and" and place == end > at and tokens[place - 1] in _LARGE
        if word in _SMALL or word in _LARGE:
            end = place + 1
        elif not joins:
            break
    return end


def _added(number: list[str]) -> float:
    total, part = 0, 0
    for word in number:
        if word in _SMALL:
            part += _SMALL[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word in _LARGE:
            total, part = total + max(part, 1) * _LARGE[word], 0
    return float(total + part)
