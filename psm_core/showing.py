"""What a model was shown, by names alone: for a conversation that is kept elsewhere.

`Conversation` holds its state in an object.  Where a framework keeps the state itself,
writes it to disk and may go back in it, names are all that it should hold: words that
were forgotten must not live on in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import NamedTuple

from psm_core.acts.context import Context, count_tokens, unfenced
from psm_core.attribution import attribute, takes_back
from psm_core.memory import Memory
from psm_core.types import Entry, Hit, Recall

LOOK_BACK = 200
"""Passages of a session among which turns of a branch that was left are looked for."""


class Showing(NamedTuple):
    """What one recall showed: its id, and those of the memories, best first."""

    recall: str
    memories: tuple[str, ...]


def show(
    memory: Memory,
    cue: str,
    *,
    without: Collection[str] = (),
    refuted: Collection[str] = (),
    limit: int | None = None,
    budget: int | None = None,
) -> Showing:
    """Recall for *cue*, and keep the names of what surfaced.

    Args:
        memory: Whose.
        cue: What the person said.
        without: Ids of turns that the model sees anyway.
        refuted: Memories that the person took back in this conversation.
        limit: Most memories; None means as the settings say.
        budget: Most tokens of their context; None means as the settings say.
    """
    config = memory.config
    found = memory.recall(
        unfenced(cue),
        limit=config.recall_limit if limit is None else limit,
        budget=config.recall_budget if budget is None else budget,
        without=without,
    )
    return Showing(found.id, tuple(h.id for h in found.hits if h.id not in refuted))


def left_behind(
    memory: Memory,
    session: str,
    in_view: Collection[str],
    message_of: Callable[[str], str] = str,
    *,
    heard: Collection[str] = (),
    earlier: Collection[str] | None = None,
) -> set[str]:
    """Turns of a session that somebody went back behind, as by forking it.

    They were said after the last of those in view that isn't heard only now, are what
    one in view said before it was written anew, or were left earlier; what else is
    missing was trimmed.  Other sessions remember them; this one goes on as if they
    hadn't been said.

    Args:
        memory: Whose.
        session: Which conversation.
        in_view: Ids of the turns that the model sees.
        message_of: From a turn's id to its message, where one that was written anew is
            another turn.
        heard: Ids of those in view that are to be answered now, maybe once more.
        earlier: What was left when this was asked before; None where nothing tells.
            Then it can't be known what was trimmed, and all that is missing after the
            first in view counts as left.
    """
    said = [turn.id for turn in memory.working(session, LOOK_BACK)]
    seen = {message_of(turn) for turn in in_view}
    first: dict[str, int] = {}
    for place, turn in enumerate(said):
        first.setdefault(message_of(turn), place)
    now = {message_of(turn) for turn in heard}
    among, end = (seen, min) if earlier is None else (seen - now, max)
    known = [first[message] for message in among & first.keys()]
    start = end(known, default=len(said))
    left = {turn for turn in said if message_of(turn) in seen}.union(said[start:])
    return left.union(earlier or ()).difference(in_view)


def context(memory: Memory, showing: Showing) -> str:
    """The text for a prompt, fenced; without what was forgotten since it was shown."""
    text = Context(memory.user, None, count_tokens)
    for entry in memory.known(showing.memories):
        # No budget here: what fitted it together still fits without some.
        text.offer(entry)
    return text.text()


def answered(memory: Memory, showing: Showing, cue: str, answer: str) -> None:
    """Learn which of the memories *answer* leaned on; again, once more the same."""
    recall = _as_recall(memory, showing, unfenced(cue))
    memory.learn(attribute(recall, unfenced(answer)))


def taken_back(
    memory: Memory, showing: Showing, cue: str, answer: str, following: str
) -> tuple[str, ...]:
    """Learn what the person takes back of *answer*, if they do.

    Args:
        memory: Whose.
        showing: What was shown before that answer.
        cue: What it was an answer to.
        answer: What the model said.
        following: What the person says to it.

    Returns:
        Ids of the memories that are wrong by this, not to be shown again in this
        conversation.
    """
    following, answer = unfenced(following), unfenced(answer)
    if not takes_back(following, answer):
        return ()
    recall = _as_recall(memory, showing, unfenced(cue))
    feedback = attribute(recall, answer, following)
    if feedback.corrected:
        memory.learn(feedback)
    return tuple(feedback.corrected)


def _as_recall(memory: Memory, showing: Showing, cue: str) -> Recall:
    hits = tuple(_hit(memory, entry) for entry in memory.known(showing.memories))
    return Recall(showing.recall, cue, datetime.now(UTC), hits)


def _hit(memory: Memory, entry: Entry) -> Hit:
    """*entry* as it was shown; what became of it is told from its words alone."""
    return Hit(
        id=entry.id,
        text=entry.text,
        score=0.0,
        tier=entry.tier,
        strength=memory.strength(entry),
        sources=entry.sources,
        explanation="was shown before",
        kind=entry.kind,
        speaker=entry.speaker,
        session=entry.session,
        said_at=entry.said_at,
        valid_until=entry.valid_until,
        pinned=entry.pinned,
    )
