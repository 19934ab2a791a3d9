"""Looking at memories and changing them by name, as an agent's tools do."""

from __future__ import annotations

from psm_core.acts.context import Context, count_tokens
from psm_core.memory import Memory
from psm_core.types import Feedback, GateDecision, Recall, Turn


def listed(memory: Memory, recall: Recall) -> str:
    """What *recall* found, fenced, each memory with the id that it is changed by.

    Args:
        memory: Whose.
        recall: What it answered; what was forgotten since is left out.

    Returns:
        Text for a prompt; "" where nothing was found.
    """
    text = Context(memory.user, None, count_tokens, ids=True)
    for entry in memory.known(hit.id for hit in recall.hits):
        text.offer(entry)
    return text.text()


def save(memory: Memory, turn: Turn) -> GateDecision:
    """Keep what somebody wants kept: as strong as the gate lets it in, for good.

    Args:
        memory: Whose.
        turn: What is to be kept, and whose words it is in.

    Returns:
        What the gate made of it; what it archives, as a repetition, isn't pinned.
    """
    decision = memory.remember(turn)
    if decision.new and decision.kept:
        memory.pin(decision.id)
    return decision


def correct(
    memory: Memory, memory_id: str, turn: Turn, *, recall_id: str | None = None
) -> GateDecision:
    """Put *turn* in the place of a memory that is wrong.

    The wrong one surfaces no more.  It isn't deleted: ``memory.expire(id, None)``
    takes that back.

    Args:
        memory: Whose.
        memory_id: What is wrong.
        turn: What is right.
        recall_id: Which recall showed the wrong one; it is charged with that.

    Returns:
        What the gate made of *turn*.

    Raises:
        UnknownMemoryError: There is no memory or recall of this id.
        FeedbackError: The recall didn't show it; nothing was done.
    """
    memory.entry(memory_id)
    if recall_id is not None:
        memory.learn(Feedback(recall_id, corrected=[memory_id]))
    decision = save(memory, turn)
    # From when the right one was said, by the memory's own clock.
    memory.expire(memory_id, memory.entry(decision.id).said_at)
    return decision
