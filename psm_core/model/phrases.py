"""Noun phrases behind a verb, boiled down to what can be compared. Pure."""

from __future__ import annotations

import re

from psm_core.model import lexicon, verbs, words

_ENDS = lexicon.listed(
    "a about after again ago all along although always an any anymore around as at "
    "away because before but by called daily despite during each either especially "
    "ever every for from here if in instead into just last later like lately mainly "
    "mostly named near nearby next not now nowadays of off on once only out over "
    "rather right since so still that the then there these this though through to "
    "today together tomorrow tonight too under unless until up usually very weekly "
    "times twice when where whether which while who whose with within without "
    "yesterday yet"
)
"""Words at which a noun phrase is over; articles, because they begin the next one."""

_ARTICLES = lexicon.listed(
    "a an the my our any some no all more much many lots of his her their this that "
    "these those such both few little several own very really quite pretty so too"
)
_PLURALS = {"children": "child", "men": "man", "women": "woman", "feet": "foot"}
_CONTRAST = re.compile(
    r"(?:,\s*|\s+)(?:(?:but |and )?(?:not|never|no)|instead of|rather than|over)\s+",
    re.IGNORECASE,
)
_LIST = re.compile(r"\s*(?:,|\band\b|\bor\b|&|/)\s*", re.IGNORECASE)


def stem(word: str) -> str:
    """A noun in the singular, a verb in its base form.

    >>> stem("peanuts"), stem("berries"), stem("running"), stem("Paris")
    ('peanut', 'berry', 'run', 'paris')
    """
    low = _PLURALS.get(word.casefold(), word.casefold().removesuffix("'s"))
    if low.endswith("ing") and (base := verbs.base(low)):
        return base
    if len(low) > 4 and low.endswith("ies"):
        return f"{low[:-3]}y"
    plural = len(low) > 3 and low.endswith("s") and not low.endswith(("ss", "us", "is"))
    return low[:-1] if plural else low


def after(text: str, preposition: str) -> str:
    """What stands behind the first *preposition* (a pattern); "" where it doesn't.

    >>> after("as a nurse at the Klinik", "at"), after("at home", "for")
    ('the Klinik', '')
    """
    found = re.search(rf"(?:^|\s)(?:{preposition})\s+(?=\S)", text, re.IGNORECASE)
    return text[found.end() :] if found else ""


def head(text: str) -> tuple[str, ...]:
    """The words of the first noun phrase of *text*, without articles, as stems.

    >>> head("the Saint-Aubin hospital today"), head("Lyon, up in Croix-Rousse")
    (('saint-aubin', 'hospital'), ('lyon',))
    """
    first = re.split(r"[,;:.!?()]", text, maxsplit=1)[0]
    tokens = words.words(first)
    start = 0
    while start < len(tokens) and tokens[start] in _ARTICLES:
        start += 1
    end = start
    while end < len(tokens) and tokens[end] not in _ENDS | {"and", "or"}:
        end += 1
    if tokens[start:end] and tokens[start] in lexicon.FUNCTION_WORDS:
        return ()  # "it" and "them" name nothing that could be compared
    return tuple(stem(token) for token in tokens[start:end])


def listed(text: str) -> frozenset[str]:
    """The things that *text* lists, each as one key.

    >>> sorted(listed("tea and black coffee in the morning"))
    ['black coffee', 'tea']
    """
    found = set()
    for part in _LIST.split(_first_phrase(text)):
        if key := " ".join(head(part)):
            found.add(key)
    return frozenset(found)


def contrast(text: str) -> tuple[str, str]:
    """What *text* affirms and what it denies: "tea, never coffee" says both.

    >>> contrast("tea, not coffee"), contrast("tea")
    (('tea', 'coffee'), ('tea', ''))
    """
    parts = _CONTRAST.split(text, maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else (text, "")


def qualifiers(text: str) -> frozenset[str]:
    """The content of *text*, as stems: what narrows it down to when, where, how."""
    return frozenset(
        stem(w)
        for w in words.words(text)
        if w not in lexicon.FUNCTION_WORDS and w not in ("every", "always", "never")
    )


def _first_phrase(text: str) -> str:
    """*text* up to its first preposition; "" where it begins with one."""
    tokens = text.split()
    for at, token in enumerate(tokens):
        low = token.casefold()
        if low in _ENDS and low not in _ARTICLES:
            return " ".join(tokens[:at])
    return text
