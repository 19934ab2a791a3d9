"""Sentences taken apart: who, does or doesn't, what. Shallow, and English only."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from psm_core.model import lexicon, verbs, words
from psm_core.model.predicates import AUXILIARIES, predicate

WORDS_MAX = 25
"""Longest clause that is taken apart; longer ones say more than one thing."""

SELF = "self"
"""The subject of a clause in which the speaker speaks of themselves."""

_STARTERS = (
    r"i|i'm|i've|i'd|i'll|im|ive|we|we're|we've|he|he's|she|she's|it|it's|they|they're"
    r"|you|you're|my|our|his|her|their|your|there|there's|this|that|that's|these|those"
    r"|the|nobody|somebody|someone|everybody|everyone|nothing|everything|what|let's"
)
_CUTS = re.compile(
    rf"[;:]\s+|\s+[\u2013\u2014-]\s+|\s*\.\.\.\s*|,\s+(?=(?:{_STARTERS})\b)"
    r"|(?<!\ba),?\s+(?=(?:because|although|though|while|which|then|yet|and|but|or)\b)"
    r"|,\s+(?=(?:so|since)\b)",
    re.IGNORECASE,
)
_LISTED = re.compile(r"(?:and|or|but)\b", re.IGNORECASE)
_LIMITS = re.compile(
    r"(?:,\s*|\s+)(?:if|unless|except|until|when|whenever|as long as|at least"
    r"|but (?:only|just)|only (?:if|when|on))\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"(?:(?:and|but|so|or|oh|well) )?(?:if|unless|when|whenever|once|suppose|imagine"
    r"|assuming|provided|in case|let's say|pretend)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"(?:but|though|although|except|unless|yet|or)\b", re.IGNORECASE
)
_DOUBTED = re.compile(
    r"(?:i|we) (?:think|guess|believe|suppose|reckon|hope|imagine)$"
    r"|(?:maybe|perhaps|probably|apparently|supposedly|or something|or so|not sure)$",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\s,;:!?()\"]+(?:[,:][^\s,;:!?()\"]+)*|[,;:!?()\"]")
_LEAD_IN = re.compile(
    rf"^(?:(?:{'|'.join(sorted(lexicon.OPENERS))})\b[,:!.\s]*|"
    r"(?:but|then|because|yet)\b\s*|[-*\u2022(]\s*)+(?=\S)",
    re.IGNORECASE,
)
_DAY = "|".join(lexicon.WEEKDAYS.split())
_TIME_FIRST = re.compile(
    rf"^(?:yesterday|today|last \w+|this (?:morning|week|month|year|summer|winter)"
    rf"|on (?:{_DAY})s?|(?:in|since) (?:\d{{4}}|{'|'.join(lexicon.MONTHS.split())})"
    r"|these days|nowadays|now|every \w+|currently|at the moment),?\s+(?=\S)",
    re.IGNORECASE,
)
_IS = re.compile(r"\b(name|birthday|age|job)'s\b(?= \S)", re.IGNORECASE)
_FORMS_OF_I = {
    "i": "", "i'm": "am", "im": "am", "i've": "have", "ive": "have", "i'll": "will",
    "i'd": "would", "we": "", "we're": "are", "we've": "have", "we'll": "will",
    "we'd": "would",
}  # fmt: skip


class Clause(NamedTuple):
    """One thing that is said of one subject.

    ``lead`` is a time that stands before the subject, ``subject`` its words as
    written, ``who`` a key for it (`SELF`, or nouns and names in lower case), ``head``
    the words from the subject to the main verb, ``verb`` the main verb's base,
    ``form`` one of present, past, perfect, going, future, possible, former;
    ``rest`` what follows the verb.  ``cut`` says that the sentence went on, and
    ``limited`` that a condition or an exception hangs on it.
    """

    lead: str
    subject: str
    who: str
    head: tuple[str, ...]
    verb: str
    form: str
    negated: bool
    rest: str
    cut: bool
    limited: bool = False

    @property
    def text(self) -> str:
        """The clause as it was said."""
        parts = (self.lead, self.subject, *self.head, self.rest)
        return " ".join(part for part in parts if part)


def clauses(text: str, speaker: str = "") -> tuple[Clause, ...]:
    """What *text* says, clause by clause; questions and quotations aren't said.

    Args:
        text: A turn or a fact.
        speaker: Who said it; a fact calls them by this name.

    Returns:
        The clauses that could be taken apart, in order; often none.

    >>> [(c.who, c.verb, c.rest) for c in clauses("oh, and I run on Sundays")]
    [('self', 'run', 'on Sundays')]
    """
    return _clauses(text, frozenset(words.words(speaker)))


@functools.lru_cache(maxsize=words.CACHED)
def _clauses(text: str, names: frozenset[str]) -> tuple[Clause, ...]:
    if words.pasted(text):
        return ()
    found: list[Clause] = []
    for sentence in words.sentences(text):
        if not words.asks(sentence) and '"' not in sentence:
            found += _of_sentence(sentence.rstrip(" .!\u2026"), names)
    return tuple(found)


def _of_sentence(sentence: str, names: frozenset[str]) -> list[Clause]:
    pieces = _pieces(sentence)
    parsed = [_clause(p, names, cut=len(pieces) > 1) for p in pieces]
    found, supposed = [], False
    for at, (piece, clause) in enumerate(zip(pieces, parsed, strict=True)):
        supposed = supposed or _SUPPOSED.match(piece) is not None
        if clause is None:
            continue
        taken_back = any(
            _TAKEN_BACK.match(next_piece) and not _verbal(next_piece)
            for next_piece in pieces[at + 1 : at + 2]
        )
        # "I live in Bergen, I think": the doubt stands apart, and would be lost.
        doubted = any(_DOUBTED.match(after) for after in pieces[at + 1 : at + 2])
        limits = _LIMITS.search(f" {clause.rest}") is not None
        limited = supposed or taken_back or doubted or limits
        found.append(clause._replace(limited=limited))
    return found


def _pieces(sentence: str) -> list[str]:
    """*sentence* cut where another clause begins; "my cat and my dog" stays whole."""
    cuts = [(0, 0), *((c.start(), c.end()) for c in _CUTS.finditer(sentence))]
    spans: list[tuple[int, int]] = []
    for (_, start), (end, _) in zip(cuts, [*cuts[1:], (len(sentence), 0)], strict=True):
        piece = sentence[start:end]
        joins = spans and _LISTED.match(piece) and not _verbal(piece)
        spans.append((spans.pop()[0] if joins else start, end))
    found = (sentence[start:end].strip() for start, end in spans)
    return [piece for piece in found if piece]


def _verbal(piece: str) -> bool:
    return any(_finite(word) or word in _FORMS_OF_I for word in words.words(piece))


def _clause(piece: str, names: frozenset[str], *, cut: bool) -> Clause | None:
    piece = _IS.sub(r"\1 is", _LEAD_IN.sub("", piece, count=1))
    timed = _TIME_FIRST.match(piece)
    lead = timed[0].rstrip(" ,") if timed else ""
    tokens = _TOKEN.findall(piece[timed.end() :] if timed else piece)
    if not 2 <= len(tokens) <= WORDS_MAX:
        return None
    subject = _subject(tokens, names)
    if subject is None:
        return None
    said, who, first = subject
    verb = predicate(first + [t.lower() for t in tokens[len(said) :]])
    if verb is None:
        return None
    at = len(said) + verb.used - len(first)
    return Clause(
        lead=lead,
        subject=" ".join(said),
        who=who,
        head=tuple(tokens[len(said) : at]),
        verb=verb.base,
        form=verb.form,
        negated=verb.negated,
        rest=_joined(tokens[at:]),
        cut=cut,
    )


def _joined(tokens: list[str]) -> str:
    return re.sub(r" ([,;:!?)])", r"\1", " ".join(tokens)).replace("( ", "(")


# ------------------------------------------------------------------- the subject


def _subject(
    tokens: list[str], names: frozenset[str]
) -> tuple[list[str], str, list[str]] | None:
    """The subject's tokens, its key, and the auxiliary that is contracted into it."""
    first = tokens[0].lower()
    if first in _FORMS_OF_I:
        contracted = _FORMS_OF_I[first]
        return tokens[:1], SELF, [contracted] if contracted else []
    end = _before_verb(tokens)
    if end is None or not _is_subject(tokens[:end]):
        return None
    said = tokens[:end]
    if len(said) == 1 and said[0].lower() in names:
        return said, SELF, []
    if [t.lower() for t in said] == ["the", "user"]:
        return said, SELF, []
    who = _key(said, names)
    return (said, who, []) if who else None


def _before_verb(tokens: list[str]) -> int | None:
    """Where the finite verb stands, at most six words in; None where there is none."""
    start = 2 if tokens[0].lower() in ("my", "our", "the") else 1
    for at in range(start, min(len(tokens), 7)):
        if tokens[at] in ",;:!?()":
            return None
        if _finite(tokens[at].lower()) or _agrees(tokens[at - 1], tokens[at]):
            return at
    return None


def _agrees(noun: str, word: str) -> bool:
    """Whether *word* is the plain form of a verb behind a plural: "my parents live"."""
    plural = noun.lower() in ("children", "people") or noun.endswith("s")
    return plural and "'" not in noun and verbs.base(word.lower()) == word.lower()


def _finite(word: str) -> bool:
    if word in AUXILIARIES or word in verbs.MODALS:
        return True
    base = verbs.base(word)
    if base is None:
        return word.endswith("n't")
    return word == verbs.third(base) or verbs.past(word)


def _is_subject(said: list[str]) -> bool:
    first = said[0]
    if first.lower() in ("my", "the"):
        return len(said) > 1
    # A name: written with a capital, and no word that merely opens a sentence.
    common = lexicon.FUNCTION_WORDS | lexicon.TALK_WORDS | lexicon.OPENERS
    return first[:1].isupper() and first.lower() not in common


def _key(said: list[str], names: frozenset[str]) -> str:
    """The nouns of a subject: "my sister Ines" is ines, "Ines's flat" is ines flat."""
    content = [t for t in said if t.lower() not in lexicon.FUNCTION_WORDS]
    if content and content[0].lower().removesuffix("'s") in names:
        content = content[1:]
    owned = [t for t in content if t.lower().endswith(("'s", "s'"))]
    named = [t for t in content if t[:1].isupper() and not t.lower().endswith("'s")]
    if named and not owned and said[0].lower() != "the":
        return " ".join(t.lower() for t in named)
    return " ".join(t.lower().removesuffix("'s") for t in content)
