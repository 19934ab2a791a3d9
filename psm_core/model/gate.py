"""Is this turn worth keeping? Turns away clear noise only, and says why. Rules."""

from __future__ import annotations

from typing import NamedTuple

from psm_core.model import words
from psm_core.model.emotion import emotional_weight
from psm_core.model.fading import half_life_of
from psm_core.model.kinds import kind_of, only_possible
from psm_core.model.talk import follow_up, kind_words, small_talk
from psm_core.protocols import GateContext
from psm_core.types import Action, GateDecision, Kind, Turn

STRENGTH = {
    Kind.STATE: 0.8,
    Kind.PREFERENCE: 0.75,
    Kind.EVENT: 0.65,
    Kind.PLAN: 0.65,
    Kind.TALK: 0.45,
    Kind.QUESTION: 0.3,
}
"""Initial strength of what is kept, by kind, in [0, 1]: what lasts starts strong."""

MOVED = 0.2
"""What full emotional weight adds to the initial strength, no unit."""

DEFERRED = 0.5
"""Factor on the strength of what a sleep is still to decide on, no unit."""

ARCHIVED = 0.1
"""Factor on the strength of what is turned away, no unit."""

ALONE_WORDS = 2
"""Content words that a turn needs to be understood without the one before it."""

_WHY_KEPT = {
    Kind.STATE: "states something lasting about the speaker's life",
    Kind.PREFERENCE: "says what the speaker likes, dislikes or can't have",
    Kind.EVENT: "tells of something that happened or goes on",
    Kind.PLAN: "tells of something planned or wished for",
    Kind.TALK: "says little, but nothing that is only polite",
    Kind.QUESTION: "asks, and tells something on the way",
}


class Verdict(NamedTuple):
    """What the gate does, how sure it is in [0, 1], and why, without the words."""

    action: Action
    confidence: float
    reason: str


def gate(turn: Turn, context: GateContext) -> GateDecision:
    """Whether *turn* is worth keeping, how strongly, and for how long.

    Only what is clearly noise is turned away: exact repeats, greetings, thanks, kind
    words, questions back, and what no person said.

    Args:
        turn: What was said.
        context: What is known when it is heard; the store isn't asked.

    Returns:
        The decision, with a reason that never quotes the turn.
    """
    known = _known(turn, context)
    kind, emotion = kind_of(turn.text, known), emotional_weight(turn.text)
    verdict = _verdict(turn, context, kind, known)
    factor = {Action.KEEP: 1.0, Action.DEFER: DEFERRED, Action.ARCHIVE: ARCHIVED}
    strength = (STRENGTH[kind] + MOVED * emotion) * factor[verdict.action]
    return GateDecision(
        id=turn.id,
        action=verdict.action,
        strength=round(min(strength, 1.0), 3),
        half_life=half_life_of(kind, emotion, hedged=only_possible(turn.text, kind)),
        emotion=emotion,
        confidence=verdict.confidence,
        kind=kind,
        reason=verdict.reason,
    )


def _verdict(
    turn: Turn, context: GateContext, kind: Kind, known: frozenset[str]
) -> Verdict:
    return (
        _not_said(turn)
        or _repeat(context)
        or _noise(turn, context, known)
        or _doubtful(turn, kind)
        or _kept(turn, context, kind)
    )


def _not_said(turn: Turn) -> Verdict | None:
    """Instructions and tool output: the conversation says what mattered of them.

    Letting them in would also let a web page write into a person's memory.
    """
    match turn.role:
        case "system":
            reason = "an instruction to the assistant, not something that was said"
        case "tool":
            reason = "output of a tool, not something that was said"
        case _:
            return None
    return Verdict(Action.ARCHIVE, 0.9, reason)


def _repeat(context: GateContext) -> Verdict | None:
    if context.said_before is None:
        return None
    reason = f"word for word what was said before ({context.said_before})"
    return Verdict(Action.ARCHIVE, 0.99, reason)


def _noise(turn: Turn, context: GateContext, known: frozenset[str]) -> Verdict | None:
    """Every sentence is small talk, a kind word, or a question back."""
    said = words.sentences(turn.text)
    rest = [s for s in said if not small_talk(s, known)]
    if not rest:
        if _answers(turn, context):
            return Verdict(Action.DEFER, 0.6, "a short answer to the turn before")
        count = len(words.words(turn.text))
        noun = "word" if count == 1 else "words"
        return Verdict(Action.ARCHIVE, 0.95, f"small talk of {count} {noun}")
    rest = [s for s in rest if not kind_words(s, known)]
    if not rest:
        return Verdict(Action.ARCHIVE, 0.85, "kind words for the listener, no more")
    if _among_others(turn, context) and all(follow_up(s, known) for s in rest):
        return Verdict(
            Action.ARCHIVE, 0.75, "asks the other one back, and tells nothing"
        )
    return None


def _doubtful(turn: Turn, kind: Kind) -> Verdict | None:
    if turn.role == "assistant":
        return Verdict(Action.DEFER, 0.6, "the assistant's words, which mostly restate")
    if kind is Kind.QUESTION:
        return Verdict(Action.DEFER, 0.6, "a question; it may show an interest")
    if kind is Kind.TALK and words.content_count(turn.text) < ALONE_WORDS:
        return Verdict(Action.DEFER, 0.5, "too little to be understood alone")
    return None


def _kept(turn: Turn, context: GateContext, kind: Kind) -> Verdict:
    denied = words.denies(turn.text) and not _asked(turn, context)
    if denied or words.corrects(turn.text):
        return Verdict(Action.KEEP, 0.9, "takes back or confirms something said before")
    if words.pasted(turn.text):
        return Verdict(Action.KEEP, 0.7, "passes on what somebody else wrote")
    reason = _WHY_KEPT[kind]
    if only_possible(turn.text, kind) and kind is not Kind.PLAN:
        reason = f"{reason}, as a possibility"
    return Verdict(Action.KEEP, 0.6 if kind is Kind.TALK else 0.85, reason)


def _answers(turn: Turn, context: GateContext) -> bool:
    """Whether this is a yes or a no to a question of somebody else."""
    first = next(iter(words.words(turn.text)), "")
    yes_or_no = first in (
        "yes",
        "yeah",
        "yep",
        "no",
        "nope",
        "never",
        "nothing",
        "both",
    )
    return yes_or_no and _asked(turn, context)


def _asked(turn: Turn, context: GateContext) -> bool:
    """Whether somebody else has just asked something."""
    if not context.recent or context.recent[-1].speaker == turn.speaker:
        return False
    return context.recent[-1].text.rstrip().endswith("?")


def _among_others(turn: Turn, context: GateContext) -> bool:
    """Whether a question goes to a person; what a user asks an assistant shows more."""
    if turn.role == "assistant":
        return True
    return any(
        other.role == "user" and other.speaker not in ("", turn.speaker)
        for other in context.recent
    )


def _known(turn: Turn, context: GateContext) -> frozenset[str]:
    speakers = {turn.speaker, context.user, *(t.speaker for t in context.recent)}
    return frozenset(w for name in speakers for w in words.words(name))
