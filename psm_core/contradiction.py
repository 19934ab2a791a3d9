"""Whether what a person says contradicts a memory: told from its words alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psm_core.store.words import STOP_WORDS, stems

TEXT_MAX = 20_000
"""Characters of a text that are compared; more wouldn't change the verdict."""

CORRECTION_MAX = 2_000
"""Characters in which a correction is looked for; it isn't made by pasting pages."""

_EMPTY = frozenset(
    {"ye", "yeah", "yep", "yup", "ok", "okai", "sure", "hi", "hello", "hei", "thank"}
    | {"sorri", "pleas", "no", "nope", "nah", "oh"}
)
"""Stems of greeting and assent: they say nothing of what an answer leans on."""

# ----------------------------------------------------------- ways to ask and to deny

ASKING = (
    r"(?:can|could|would|will) you|(?:tell|find|show|give|remind) me|(?:what|how) about"
    r"|let's|(?:i have|i've got) (?:a|another|one more) question"
)
"""Ways to ask for something, as a pattern."""
ACTUALLY = r"^(?:(?:well|oh|sorry|hm+|wait|but|um|ah),? )?actually\b"
"""The beginning of a text that turns from what was said, as a pattern."""
OPENING = re.compile(
    rf"{ACTUALLY}|\bi meant\b|\bi misspoke\b|\bscratch that\b"
    r"|^(?:but )?i (?:just )?said\b",
    re.IGNORECASE,
)
"""Words that only say that something is taken back."""
_ASKS = re.compile(
    r"^\W*(?:what|where|when|who|whose|why|how|which|do|does|did|is|are|was|were|am|"
    r"can|could|would|should|will|shall|have|has)\b"
    rf"|\b(?:{ASKING}|also|too|as well|another)\b",
    re.IGNORECASE,
)
"""A request or question, though it has no question mark, or one thing more."""
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")
_REMEMBER = re.compile(r", (?:do you |don't you )?remember\?", re.IGNORECASE)
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)
_ENDED = r"(?:i|we|he|she|they)(?:'ve| have)? (?:quit|left|stopped|gave up)"
_DENIED = re.compile(
    rf"\b(?:not|never|no longer|no|without|\w+n't|{_ENDED})\b"
    r"((?:[^.,;:!?\n]|(?<=\d)[.:](?=\d))*)",
    re.IGNORECASE,
)
_IS_NOT = re.compile(
    r"\b(?:(?:am|is|are|was|were|[ms]|re) not|never|no longer|"
    rf"(?:is|are|was|were|do|does|did|have|has|ai)n't|{_ENDED})\b",
    re.IGNORECASE,
)
"""Who can't or won't, or does without, denies nothing that they told."""

# ------------------------------------------------------ ways to say something else

_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|"
    r"december)"
)
_DATE = re.compile(
    rf"\d|^(?:{_MONTH}|(?:mon|tues|wednes|thurs|fri|satur|sun)day)$", re.IGNORECASE
)
_MANNER = re.compile(r"(?:\w+ly|hard|well|often|fast|alone|together)$", re.IGNORECASE)
_WHEN = re.compile(
    rf"\b(?:in (?:{_MONTH}|\d{{4}})|last \w+|\w+ \w+ ago|any ?more|back)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_CLAUSE = re.compile(r"[,;:.!?\u2013\u2014]+(?=\s|$)|\b(?:and|but|so|because)\b")
_BEGINNING = re.compile(r"(?:^|[.!?\n])\s*\w")
_BE = frozenset({"", "am", "are", "is", "m", "re", "s", "was", "were"})
_SAME = {"an": "a", "your": "my", "you": "i"}
"""What the person and the model say differently before one and the same value."""


class Statement(NamedTuple):
    """The content words of a text, apart by whether it affirms or denies them."""

    affirmed: frozenset[str]
    denied: frozenset[str]

    @property
    def words(self) -> frozenset[str]:
        """Both together."""
        return self.affirmed | self.denied

    def agrees(self, other: Statement) -> bool:
        """Whether all that *other* says is said here too."""
        if self.affirmed & other.denied or self.denied & other.affirmed:
            return False
        if other.denied & self.denied:
            return True
        return bool(other.affirmed) and other.affirmed <= self.affirmed


def contradicted(
    text: str, memories: Iterable[str], cue: str, answer: str
) -> frozenset[str]:
    """Those of *memories* that *text* denies, or of which it tells another value.

    Args:
        text: What the person says.
        memories: The texts of what was shown.
        cue: For what it was shown.
        answer: What was then said.

    Returns:
        Texts of memories; none where *text* only asks.

    >>> shown = ["I live in Lyon.", "I drink tea."]
    >>> contradicted("Actually, I live in Oslo.", shown, "Where do I live?", "Lyon.")
    frozenset({'I live in Lyon.'})
    """
    said = _clauses(text)
    return frozenset(m for m in memories if _contradicts(said, _told(m, cue, answer)))


def statement(text: str) -> Statement:
    """What *text* affirms and what it denies, in stems.

    Args:
        text: What somebody said; its end is left out, where it is long.

    >>> says = statement("I drink tea, but never coffee.")
    >>> sorted(says.affirmed), sorted(says.denied)
    (['drink', 'tea'], ['coffe'])
    """
    plain = _plain(text)
    denied = content_stems(" ".join(_DENIED.findall(plain)))
    return Statement(content_stems(_DENIED.sub(" ", plain)) - denied, denied)


def all_sentences(text: str) -> list[str]:
    """The sentences of *text*, questions too.

    Args:
        text: What somebody said; its end is left out, where it is long.

    >>> all_sentences("No. I live in Oslo, remember? Why?")
    ['No.', 'I live in Oslo.', 'Why?']
    """
    return [sentence.strip() for sentence in _SENTENCE.findall(_plain(text))]


def sentences(text: str) -> list[str]:
    """The sentences of *text* that aren't questions; none if it opens with one.

    Args:
        text: What somebody said; its end is left out, where it is long.

    >>> sentences("No. I live in Oslo, remember? Why?")
    ['No.', 'I live in Oslo.']
    """
    found = all_sentences(text)
    if found and found[0].endswith("?"):
        return []
    return [s for s in found if s and not s.endswith("?")]


def asks(sentence: str) -> bool:
    """Whether *sentence* asks for something, though it has no question mark.

    Args:
        sentence: One, as `sentences` gives it.

    >>> asks("Actually, tell me more."), asks("Actually, I drink tea.")
    (True, False)
    """
    return bool(_ASKS.search(OPENING.sub("", sentence)))


def content_stems(text: str) -> frozenset[str]:
    """Stems of the words of *text* that say something; a greeting says nothing.

    Args:
        text: Any; its end is left out, where it is long.

    >>> sorted(content_stems("Hello! I moved to Lyon."))
    ['lyon', 'move']
    """
    return frozenset(stems(text[:TEXT_MAX])) - _EMPTY


class _Word(NamedTuple):
    """A word that may be a value: its stem, its kind, and what stands before it."""

    stem: str
    kind: str
    before: str


class _Clause(NamedTuple):
    """What the person says in one clause, and whether it can deny what they told."""

    says: Statement
    words: list[_Word]
    is_not: bool


class _Told(NamedTuple):
    """A memory, all words that told it, and those that the answer has from it."""

    memory: Statement
    known: frozenset[str]
    values: list[_Word]


def _told(memory: str, cue: str, answer: str) -> _Told:
    says, asked, said = statement(memory), content_stems(cue), content_stems(answer)
    # A short answer leaves out what the question said.
    short = said - asked <= says.words
    texts = [_begun(memory), _begun(answer)]
    first, second = (_WORD.findall(text.lower()[:TEXT_MAX]) for text in texts)
    shared = frozenset(first).intersection(second) - STOP_WORDS
    values = [word for text in texts for word in _words(text, shared)]
    return _Told(
        says,
        says.words | said | (asked if short else frozenset()),
        [word for word in values if word.stem not in asked],
    )


def _contradicts(clauses: Sequence[_Clause], told: _Told) -> bool:
    """Whether one of *clauses* says what was told, but denied or with another value."""
    affirmed = frozenset(stem for clause in clauses for stem in clause.says.affirmed)
    denied = frozenset(stem for clause in clauses for stem in clause.says.denied)
    whole = Statement(affirmed, denied)
    return any(_denies(c, told) or _replaces(c, told, whole) for c in clauses)


def _denies(clause: _Clause, told: _Told) -> bool:
    says, memory = clause.says, told.memory
    # A denial of more than was told denies less of it: "I drink no tea after six".
    if not says.words <= told.known or (says.denied and not clause.is_not):
        return False
    return bool(says.denied & memory.affirmed or says.affirmed & memory.denied)


def _replaces(clause: _Clause, told: _Told, whole: Statement) -> bool:
    """Whether *clause* says nothing new but one value, where another one was told."""
    new = [word for word in clause.words if word.stem not in told.known]
    kinds = {word.kind for word in new}
    if len(kinds) != 1 or (len(new) > 1 and "word" in kinds):
        return False
    _, kind, before = new[0]
    gone = [v for v in told.values if v.kind == kind and v.stem not in whole.affirmed]
    places = {value.before for value in gone}
    rest = {word.stem for word in clause.words} - {word.stem for word in new}
    values = {value.stem for value in told.values}
    if rest <= values and (kind != "word" or values & whole.denied):
        return bool(places) and before in places | _BE  # "It's Oslo."
    # Of what somebody is, one word doesn't replace another: "my boss is away".
    alike = before in places and not (kind == "word" and before in _BE)
    return alike and bool(rest & told.memory.words)


def _clauses(text: str) -> list[_Clause]:
    """What *text* tells, clause by clause, without when it came to pass."""
    told = [OPENING.sub(" ", _begun(s)) for s in sentences(text) if not asks(s)]
    clauses = [_WHEN.sub(" ", clause) for s in told for clause in _CLAUSE.split(s)]
    return [_Clause(statement(c), _words(c), bool(_IS_NOT.search(c))) for c in clauses]


def _words(text: str, among: frozenset[str] | None = None) -> list[_Word]:
    """The words of *text* that say something, in order; of *among*, where given."""
    said = _WORD.findall(text[:TEXT_MAX])
    before = ["", *(_SAME.get(word.lower(), word.lower()) for word in said)]
    return [
        _Word(stem, _kind(word), before[n])
        for n, word in enumerate(said)
        if among is None or word.lower() in among
        for stem in content_stems(word)
    ]


def _kind(word: str) -> str:
    if _DATE.search(word):
        return "date"
    if word[0].isupper():
        return "name"
    return "manner" if _MANNER.match(word) else "word"


def _begun(text: str) -> str:
    """*text* without the capitals that stand at the beginning of a sentence."""
    return _BEGINNING.sub(lambda found: found[0].lower(), text)


def _plain(text: str) -> str:
    plain = text[:CORRECTION_MAX].replace("\u2019", "'")
    return _REMEMBER.sub(".", _ORDINAL.sub("", plain))
