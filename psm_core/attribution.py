"""What became of the memories that were shown: told from the words around them. Pure.

No model is asked.  An answer leans on a memory where it says words that only this
memory explains, and a person takes an answer back in words of a few kinds.  English
phrases are known; in other languages nothing is ever taken for a correction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from psm_core.contradiction import (
    ACTUALLY,
    ASKING,
    OPENING,
    all_sentences,
    asks,
    content_stems,
    contradicted,
    sentences,
    statement,
)
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

# ------------------------------------------------------------- ways to take it back

_HARMLESS = re.compile(
    r"^(?:no|nope|nah)\b[\s,.!]*(?:thanks|thank you|thx|but|worries|problem|idea|need|"
    r"rush|doubt|wonder|way|please|not yet|more|nothing (?:else|more)|really|"
    rf"{ASKING}|"
    r"(?:that|it)(?:'s| is) (?:all|it|fine|ok|okay|good|enough|everything))\b"
    rf"|{ACTUALLY},? (?:yes|yeah|yep|yup|sure|exactly|true|correct|right(?! now)|"
    r"(?:that|it)(?:'s| is) (?:right|true|correct|fine|good|great|perfect)|"
    r"you(?:'re| are) (?:right|correct))\b"
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
    r"^(?:.*\b(?:so|and|but|well|hey|sorry|actually),? )?"
    r"(?:that|this)(?:'s| is| was)(?: \w+)? "
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
_NO_MORE = re.compile(
    r"\bno longer\b|(?:n't|\bnot)\b.* any ?more"
    r"(?=\s*(?:[^\w\s]|$|(?:and|but|so|since|because)\b))",
    re.IGNORECASE,
)
_NOT_THAT = re.compile(r"[,;\u2013\u2014-] *not\b", re.IGNORECASE)


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
    asked = content_stems(cue)
    said = content_stems(answer) - asked
    if not said:
        return None
    own = {hit.id: content_stems(hit.text) - asked for hit in hits}
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
    corrected, confirmed = _taken_back(recall, leaned, following, answer)
    used = ((leaned or frozenset()) | confirmed) - corrected
    told = frozenset(hit.id for hit in recall.hits) if leaned is not None else used
    return Feedback(
        recall.id,
        used=_listed(recall.hits, used),
        ignored=_listed(recall.hits, told - used - corrected),
        corrected=_listed(recall.hits, corrected),
    )


# ------------------------------------------------------------------ its two halves


def _taken_back(
    recall: Recall, leaned: frozenset[str] | None, following: str, answer: str
) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of what a correction takes back, and of what agrees with it."""
    if not takes_back(following, answer):
        return frozenset(), frozenset()
    correction = statement(_without_markers(following))
    says = {hit.id: statement(hit.text) for hit in recall.hits}
    confirmed = frozenset(i for i, s in says.items() if s.agrees(correction))
    blamed = frozenset(says if leaned is None else leaned) - confirmed
    concerned = frozenset(i for i in blamed if says[i].words & correction.words)
    if not _refuses(following, answer) and not _NO.match(sentences(following)[0]):
        # "Actually, …" may as well go on, so it must say something else than was told.
        shown = [hit for hit in recall.hits if hit.id in blamed]
        texts = (hit.text for hit in shown)
        gone = contradicted(following, texts, recall.cue, answer)
        concerned = frozenset(hit.id for hit in shown if hit.text in gone)
    if not concerned and leaned is not None and _refuses(following, answer):
        # It names nothing that was shown, so it is about all that the answer said.
        concerned = blamed
    return concerned, confirmed


def _refuses(text: str, answer: str) -> bool:
    """Whether *text* says of the answer itself that it is wrong."""
    told = sentences(text)
    if not told or _HARMLESS.search(told[0]):
        return False
    if _NO.match(told[0]) and not answer.rstrip().endswith("?"):
        return True
    return any(_REFUSAL.search(sentence) for sentence in told)


def _turns_from(text: str) -> bool:
    """Whether *text* may concern what was said before: then it must name it, too."""
    told = sentences(text)
    if not told or _HARMLESS.search(told[0]):
        return False
    marks = (OPENING, _NO_MORE, _NOT_THAT)
    return bool(_NO.match(told[0])) or any(
        mark.search(s) for mark in marks for s in told if not asks(s)
    )


def _without_markers(text: str) -> str:
    """*text* without the words that only say that something is taken back."""
    kept = all_sentences(text)
    for marker in (_NO, _REFUSAL, OPENING):
        kept = [marker.sub(" ", sentence).strip() for sentence in kept]
    return " ".join(kept)


def _unexplained(words: frozenset[str], others: Iterable[frozenset[str]]) -> bool:
    """Whether one of *words* is in no set that is larger than theirs."""
    larger = [other for other in others if len(other) > len(words)]
    return bool(words.difference(*larger))


def _listed(hits: Sequence[Hit], ids: Iterable[str]) -> tuple[str, ...]:
    wanted = set(ids)
    return tuple(dict.fromkeys(hit.id for hit in hits if hit.id in wanted))
