"""What became of the memories that were shown: told from the words around them. Pure.

No model is asked.  An answer leans on a memory where it says words that only this
memory explains, and a person takes an answer back in words of a few kinds.  English
phrases are known; in other languages nothing is ever taken for a correction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psm_core.store.words import stems
from psm_core.types import Feedback, Hit, Recall

LEANS = 0.25
"""Share of the words that memory and answer could have in common, from which on the
answer leans on the memory, no unit.

Lower, and one chance word of a long answer is enough; higher, and a short answer to
a long memory counts for nothing.  LoCoMo's short answers, evidence against the ten
turns nearest in words: precision .85, recall .69 (for a word in common: .62, .78).
Long answers of LongMemEval against memories of other conversations: 5 % are taken for
used (for a word in common: 54 %).  Nearness in meaning added nothing to it.
"""

TEXT_MAX = 20_000
"""Characters of a text that are compared; more wouldn't change the verdict."""

CORRECTION_MAX = 2_000
"""Characters in which a correction is looked for; it isn't made by pasting pages."""

_EMPTY = frozenset(
    {"ye", "yeah", "yep", "yup", "ok", "okai", "sure", "hi", "hello", "hei", "thank"}
    | {"sorri", "pleas", "no", "nope", "nah", "oh"}
)
"""Stems of greeting and assent: they say nothing of what an answer leans on."""

# ------------------------------------------------------------- ways to take it back

_HARMLESS = re.compile(
    r"^(?:no|nope|nah)\b[\s,.!]*(?:thanks|thank you|thx|but|worries|problem|idea|need|"
    r"rush|doubt|wonder|way|please|not yet|more|nothing (?:else|more)|really|"
    r"(?:that|it)(?:'s| is) (?:all|it|fine|ok|okay|good|enough|everything))\b"
    r"|\bplease\b",
    re.IGNORECASE,
)
_PAUSE = r"\s*[,.!;:…\u2013\u2014-]|$"
_NO = re.compile(
    rf"^(?:no|nope|nah)(?:{_PAUSE}|"
    r" (?:no|i|i'm|i've|it|it's|my|we|we're|he|she|they|that's|you|you're)\b)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"^(?:.*\b(?:so|and|but|well|hey|sorry),? )?(?:that|this)(?:'s| is| was)(?: \w+)? "
    r"(?:wrong(?! of| with)|incorrect|false|not (?:right|true|correct|what i said))\b"
    r"|\b(?:that|this) (?:isn't|wasn't) (?:right|true|correct|what i said)\b"
    rf"|^(?:wrong|incorrect|correction|not (?:true|right|quite))(?:{_PAUSE})"
    r"|^not any ?more\b"
    r"|\byou(?:'re| are) (?:wrong|mistaken|confusing)\b"
    r"|\byou (?:got|have|remember|remembered) (?:it|that|this) (?:all )?wrong\b"
    r"|(?<!what )(?<!that )\bi (?:already |just )?told you(?! about)\b"
    r"|\bi (?:never|didn't) (?:said|say|told|tell|mentioned|mention)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:(?:well|oh|sorry|hm+|wait|but|um|ah),? )?actually\b"
    r"|\bi meant\b|\bi misspoke\b|\bscratch that\b|^(?:but )?i (?:just )?said\b",
    re.IGNORECASE,
)
_NO_MORE = re.compile(r"\bno longer\b|(?:n't|\bnot)\b.* any ?more\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")
_DENIED = re.compile(
    r"\b(?:not|never|no|without|no longer|\w+n't)\b([^.,;:!?\n]*)", re.IGNORECASE
)


def takes_back(text: str, answer: str = "") -> bool:
    """Whether *text* refuses the answer that was given before, or turns from it.

    Args:
        text: What the person says next.
        answer: What they were told before; a "no" to a question is no correction,
            unless it concerns a memory, which `attribute` finds out.

    >>> takes_back("No, I drink tea."), takes_back("No, thanks."), takes_back("Nice!")
    (True, False, False)
    """
    return _refuses(text, answer) or _turns_from(text)


def leaned_on(hits: Sequence[Hit], cue: str, answer: str) -> frozenset[str] | None:
    """The memories that *answer* leans on.

    Words of the question don't count: the answer has them from there.  A word that
    several memories explain speaks for the one that explains most of the answer.

    Args:
        hits: What was shown.
        cue: For what it was shown.
        answer: What was then said.

    Returns:
        Ids of hits; None where the answer has no words of its own, as in "Yes, you
        do.", so that nothing can be told.
    """
    asked = _stems(cue)
    said = _stems(answer) - asked
    if not said:
        return None
    own = {hit.id: _stems(hit.text) - asked for hit in hits}
    shared = {i: words & said for i, words in own.items()}
    return frozenset(
        i
        for i, words in shared.items()
        if _unexplained(words, shared.values())
        and len(words) >= LEANS * min(len(own[i]), len(said))
    )


def attribute(recall: Recall, answer: str, following: str = "") -> Feedback:
    """What became of each memory that *recall* showed.

    A memory is *corrected* where the person takes the answer back, the answer leaned
    on it, and it concerns what they say.  It is *used* where the answer leaned on it,
    or the correction says the same; else *ignored*.  Where nothing can be told, as
    after "Yes, you do.", it gets no outcome.

    Args:
        recall: What was shown, and for what.
        answer: What was then said.
        following: What the person said next; "" while they haven't.

    Returns:
        Feedback; later feedback on the same recall takes the place of this one.
    """
    leaned = leaned_on(recall.hits, recall.cue, answer)
    corrected, confirmed = _taken_back(recall.hits, leaned, following, answer)
    used = ((leaned or frozenset()) | confirmed) - corrected
    told = frozenset(hit.id for hit in recall.hits) if leaned is not None else used
    return Feedback(
        recall.id,
        used=_listed(recall.hits, used),
        ignored=_listed(recall.hits, told - used - corrected),
        corrected=_listed(recall.hits, corrected),
    )


# ------------------------------------------------------------------ its two halves


class _Statement(NamedTuple):
    """The content words of a text, apart by whether it affirms or denies them."""

    affirmed: frozenset[str]
    denied: frozenset[str]

    @property
    def words(self) -> frozenset[str]:
        return self.affirmed | self.denied

    def agrees(self, other: _Statement) -> bool:
        """Whether all that *other* says is said here too."""
        if self.affirmed & other.denied or self.denied & other.affirmed:
            return False
        if other.denied & self.denied:
            return True
        return bool(other.affirmed) and other.affirmed <= self.affirmed


def _taken_back(
    hits: Sequence[Hit], leaned: frozenset[str] | None, following: str, answer: str
) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of what a correction takes back, and of what agrees with it."""
    if not takes_back(following, answer):
        return frozenset(), frozenset()
    correction = _statement(_without_markers(following))
    says = {hit.id: _statement(hit.text) for hit in hits}
    confirmed = frozenset(i for i, s in says.items() if s.agrees(correction))
    blamed = frozenset(says if leaned is None else leaned) - confirmed
    concerned = frozenset(i for i in blamed if says[i].words & correction.words)
    if not concerned and leaned is not None and _refuses(following, answer):
        # It names nothing that was shown, so it is about all that the answer said.
        concerned = blamed
    return concerned, confirmed


def _refuses(text: str, answer: str) -> bool:
    """Whether *text* says of the answer itself that it is wrong."""
    told = _told(text)
    if not told or _HARMLESS.search(told[0]):
        return False
    if _NO.match(told[0]) and not answer.rstrip().endswith("?"):
        return True
    return any(_REFUSAL.search(sentence) for sentence in told)


def _turns_from(text: str) -> bool:
    """Whether *text* may concern what was said before: then it must name it, too."""
    told = _told(text)
    if not told or _HARMLESS.search(told[0]):
        return False
    marks = (_OPENING, _NO_MORE)
    return bool(_NO.match(told[0])) or any(m.search(s) for m in marks for s in told)


def _told(text: str) -> list[str]:
    """The sentences of *text* that aren't questions; none if it opens with one."""
    sentences = [s.strip() for s in _SENTENCE.findall(_plain(text))]
    if sentences and sentences[0].endswith("?"):
        return []
    return [s for s in sentences if s and not s.endswith("?")]


def _without_markers(text: str) -> str:
    """*text* without the words that only say that something is taken back."""
    kept = [sentence.strip() for sentence in _SENTENCE.findall(_plain(text))]
    for marker in (_NO, _REFUSAL, _OPENING):
        kept = [marker.sub(" ", sentence).strip() for sentence in kept]
    return " ".join(kept)


def _plain(text: str) -> str:
    return text[:CORRECTION_MAX].replace("\u2019", "'")


def _statement(text: str) -> _Statement:
    plain = _plain(text)
    denied = _stems(" ".join(_DENIED.findall(plain)))
    return _Statement(_stems(_DENIED.sub(" ", plain)) - denied, denied)


def _unexplained(words: frozenset[str], others: Iterable[frozenset[str]]) -> bool:
    """Whether one of *words* is in no set that is larger than theirs."""
    larger = [other for other in others if len(other) > len(words)]
    return bool(words.difference(*larger))


def _listed(hits: Sequence[Hit], ids: Iterable[str]) -> tuple[str, ...]:
    wanted = set(ids)
    return tuple(dict.fromkeys(hit.id for hit in hits if hit.id in wanted))


def _stems(text: str) -> frozenset[str]:
    return frozenset(stems(text[:TEXT_MAX])) - _EMPTY
