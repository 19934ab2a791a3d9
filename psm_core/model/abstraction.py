"""From episodes to facts: spans that stand alone, put together where they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psm_core.model import lexicon, phrases, words
from psm_core.model.claims import claimed
from psm_core.model.clauses import SELF, Clause, clauses
from psm_core.model.emotion import emotional_weight
from psm_core.model.interference import LASTING
from psm_core.model.recurring import OCCASIONS, Occasion, counted, occasion
from psm_core.model.slots import HABITS, Claim
from psm_core.model.wording import named, worded
from psm_core.types import Entry, Kind, Pattern

SURE = {
    "residence": 0.9,
    "employer": 0.9,
    "occupation": 0.9,
    "status": 0.9,
    "diet": 0.9,
    "allergy": 0.9,
    "origin": 0.9,
    "age": 0.85,
    "alive": 0.85,
    "liking": 0.8,
    "prefer": 0.8,
    "be": 0.5,
}
"""Confidence in [0, 1] that a span of this slot is a fact worth writing down.  What
somebody *is* in general is mostly a figure of speech, hence the 0.5."""

HABIT = 0.75
"""The same for what somebody does as a habit, or can do."""

ATTRIBUTE = 0.85
"""The same for a birthday, a name, a favourite."""

PLAN = 0.6
"""The same for what is wanted or planned."""

UNUSUAL = 0.1
"""The same for what happened twice: no habit yet, unless one is known."""

MAYBE = 0.4
"""The same for what is only possible; its hedge stays in the sentence."""

ELSE = 0.5
"""The same for events and for whatever fills no slot: they stay episodes."""

REPEATED = 0.05
"""What each further mention adds, up to `SURE_MAX`."""

SURE_MAX = 0.95
"""No rule is surer than this."""

_TASTE = ("liking", "prefer", "diet", "allergy", "do eat", "do drink")
_AHEAD = words.any_of(
    [
        r"tomorrow|tonight|soon|this (?:weekend|summer|autumn|winter|spring)",
        r"next (?:week|month|year|weekend|summer|autumn|fall|winter|spring|\w+day)",
        rf"(?:on )?(?:{'|'.join(lexicon.WEEKDAYS.split())})",
        rf"\d{{1,2}} (?:{'|'.join(lexicon.MONTHS.split())})",
        rf"in (?:{'|'.join(lexicon.MONTHS.split())}|\d{{4}})",
    ]
)
_WANTING = ("want", "plan", "intend", "hope")


class Span(NamedTuple):
    """One clause that stands alone, as a sentence about who said it.

    ``said`` is the clause as it was said, ``text`` the sentence about the speaker,
    ``confidence`` in [0, 1] how sure it is that this is a fact.  Spans of one ``key``
    say one fact.
    """

    entry: Entry
    said: str
    text: str
    kind: Kind
    confidence: float
    key: tuple[object, ...]


def abstract(episodes: Sequence[Entry]) -> list[Pattern]:
    """Which lasting facts these episodes hold, as sentences that stand alone.

    Each is the span that says it, put into the third person; spans are put together
    only where they claim the same of the same, never because they are near.  What
    leans on other sentences, asks, or quotes somebody, stays an episode.

    Args:
        episodes: Entries of one person's life, in any order.

    Returns:
        Facts with sources and confidence, in the order of their last mention.
    """
    return [*patterns(spans(episodes)), *habits(episodes)]


def spans(episodes: Sequence[Entry]) -> list[Span]:
    """What people say in *episodes* that stands alone, in the order it was said."""
    said = [e for e in episodes if e.role == "user"]
    names = frozenset(n for e in episodes for n in words.names(e.text))
    speakers = frozenset(e.speaker for e in said)
    return [
        span
        for entry in sorted(said, key=lambda e: (e.said_at, e.id))
        for span in _spans(entry, names | speakers, speakers - {entry.speaker})
    ]


def sure_of(text: str, speaker: str) -> float:
    """How sure it is that *text* tells something lasting of whoever said it, in [0, 1].

    Denied or not; what is hedged, or hangs on a condition, tells nothing.

    >>> sure_of("I'm vegetarian.", "ada"), sure_of("Nice weather today.", "ada")
    (0.9, 0.0)
    """
    told = (
        claim
        for clause in clauses(text, speaker)
        if not words.hedged(clause.text)
        for claim in claimed(clause)
        if claim.subject == SELF and not claim.implied
    )
    return max(map(_sure, told), default=0.0)


def patterns(told: Iterable[Span]) -> list[Pattern]:
    """The facts that spans tell: one for each key, in the order of its last mention.

    Args:
        told: In the order in which they were said.
    """
    groups: dict[tuple[object, ...], list[Span]] = {}
    for span in told:
        groups.setdefault(span.key, []).append(span)
    found = sorted(groups.values(), key=lambda g: (g[-1].entry.said_at, g[0].text))
    return [_pattern(group) for group in found]


def habits(episodes: Sequence[Entry]) -> list[Pattern]:
    """What people do again and again by these episodes, with how often and since when.

    Two days alone are no habit, but they may go on with one that is known: such a
    pattern is too unsure to be written down by itself.

    Args:
        episodes: Entries of one person's life, in any order.
    """
    names = frozenset(n for e in episodes for n in words.names(e.text))
    doings: dict[str, dict[str, tuple[Entry, Occasion]]] = {}
    for entry in sorted(episodes, key=lambda e: (e.said_at, e.id)):
        for clause in (
            clauses(entry.text, entry.speaker) if entry.role == "user" else ()
        ):
            done = occasion(clause, entry.speaker, entry.said_at, names)
            if done is not None:
                same = " ".join([entry.speaker.casefold(), *done.doing])
                doings.setdefault(same, {})[entry.id] = (entry, done)
    found = (_habit(same, [*told.values()]) for same, told in sorted(doings.items()))
    return [pattern for pattern in found if pattern is not None]


def _habit(same: str, told: Sequence[tuple[Entry, Occasion]]) -> Pattern | None:
    days = {entry.said_at.date() for entry, _ in told}
    if len(days) < 2:
        return None
    text = counted([done for _, done in told])
    sure = HABIT + REPEATED * (len(days) - OCCASIONS) if text else UNUSUAL
    last, done = told[-1]
    return Pattern(
        text=text or f"{done.text}.",
        kind=Kind.STATE,
        speaker=last.speaker,
        confidence=round(min(sure, SURE_MAX), 2),
        episodes=tuple(entry.id for entry, _ in told),
        emotion=emotional_weight(done.text),
        recurs=same,
    )


def _spans(
    entry: Entry, names: frozenset[str], called: frozenset[str]
) -> Iterable[Span]:
    for clause in clauses(entry.text, entry.speaker):
        text = worded(clause, entry.speaker, entry.said_at, names, called)
        if text is not None:
            told = [c for c in claimed(clause) if not c.implied]
            yield Span(
                entry,
                clause.text,
                text,
                _kind(clause, told),
                _confidence(clause, told),
                _key(entry, text, told),
            )


def _key(entry: Entry, text: str, told: Sequence[Claim]) -> tuple[object, ...]:
    """What two spans must share to be one fact: the claims, or else the words."""
    speaker = entry.speaker.casefold()
    if told and all(claim.slot != "be" for claim in told):
        same = sorted((c.subject, c.slot, c.positive, *sorted(c.items)) for c in told)
        details = sorted({word for c in told for word in c.qualifiers})
        return (speaker, *same, *details)
    return (speaker, text)


def _kind(clause: Clause, told: Sequence[Claim]) -> Kind:
    if any(claim.slot in _TASTE for claim in told):
        return Kind.PREFERENCE
    if clause.form in ("future", "possible") or _wants(clause):
        return Kind.PLAN
    if clause.form == "going":
        return Kind.PLAN if _AHEAD.search(clause.rest) else Kind.EVENT
    return Kind.STATE if told or clause.form == "present" else Kind.EVENT


def _confidence(clause: Clause, told: Sequence[Claim]) -> float:
    if _wants(clause):
        return PLAN
    if words.hedged(clause.text):
        return MAYBE
    if clause.form in ("future", "going"):
        return PLAN if _AHEAD.search(clause.rest) else ELSE
    return max((_sure(claim) for claim in told), default=ELSE)


def _wants(clause: Clause) -> bool:
    to_do = clause.verb in _WANTING and clause.rest.startswith("to ")
    return to_do and clause.form in ("present", "perfect")


def _sure(claim: Claim) -> float:
    if claim.slot.startswith("the "):
        return ATTRIBUTE
    if claim.slot.startswith(("do ", "can ")):
        return HABIT if claim.slot.split()[-1] in HABITS else ELSE
    if claim.slot == "have":
        return ELSE if claim.items.isdisjoint(LASTING) else HABIT
    return SURE.get(claim.slot, ATTRIBUTE)


def _pattern(group: Sequence[Span]) -> Pattern:
    """One fact from the spans that say it; the fullest of them words it."""
    best = max(group, key=lambda span: len(words.content(span.text)))
    entries = list({span.entry.id: span.entry for span in group}.values())
    sure = max(span.confidence for span in group)
    confidence = sure + REPEATED * (len(entries) - 1)
    return Pattern(
        text=best.text,
        kind=best.kind,
        speaker=best.entry.speaker,
        confidence=round(min(confidence, SURE_MAX), 2),
        episodes=tuple(e.id for e in entries),
        covers=tuple(e.id for e in entries if _covered(e, best.text)),
        emotion=emotional_weight(best.text),
    )


def _covered(entry: Entry, fact: str) -> bool:
    """Whether everything that *entry* says is in the words of *fact*."""
    told = {phrases.stem(w) for w in (*words.words(fact), *words.words(named("user")))}
    silent = lexicon.OPENERS | lexicon.FUNCTION_WORDS
    said = {w for w in words.words(entry.text) if w not in silent}
    denied = words.negated(entry.text) == words.negated(fact)
    return denied and all(phrases.stem(w) in told or w in told for w in said)
