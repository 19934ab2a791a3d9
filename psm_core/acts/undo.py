"""Undo: what a sleep did to one memory is taken back, and isn't done to it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psm_core.acts.draft import UNDONE
from psm_core.acts.forget import uncover
from psm_core.content import Store
from psm_core.errors import FeedbackError
from psm_core.protocols import Parts
from psm_core.types import Change, ConflictKind, Entry, Tier

LINKING = {
    "superseded": ConflictKind.UPDATE,
    "contradicted": ConflictKind.CONTRADICTION,
}
"""Changes that came with a conflict, and of which kind it is."""


def undo(number: int, *, store: Store, parts: Parts) -> str:
    """Give a memory the values back that it had before one change.

    Args:
        number: Of the change, as the history of the memory gives it.
        store: Whose memory.
        parts: Encoder and clock.

    Returns:
        The memory's id.

    Raises:
        UnknownMemoryError: There is no such change.
        FeedbackError: It was itself an undoing, or a later change rests on it.
    """
    with store.transaction():
        former = store.before(number)
        if former.what == UNDONE:
            raise FeedbackError(
                f"change {number} took back what was {former.reason!r}; an undoing "
                "can't be undone"
            )
        changes = store.history(former.memory)
        gone = _taken_back(changes)
        if number in gone:
            raise FeedbackError(
                f"change {number} ({former.what}) was taken back already; look at the "
                f"history of {former.memory}"
            )
        if later := [n for n in former.later if n not in gone]:
            raise FeedbackError(
                f"change {number} ({former.what}) can't be undone before what was "
                f"changed after it: undo {', '.join(map(str, reversed(later)))} first"
            )
        now = parts.clock.now()
        values = dict(former.values)
        if former.what == "condensed":
            values["text"] = store.as_heard([store.find(former.memory)])[0].text
        elif "text" in values:
            values["vector"] = parts.encoder.encode([values["text"]])[0]
        if former.what in LINKING:
            at = next(c.at for c in changes if c.number == number)
            _unflag(store.find(former.memory), LINKING[former.what], at, store, parts)
        store.change(former.memory, now, UNDONE, former.what, **values)
    return former.memory


def retract(fact_id: str, *, store: Store, parts: Parts) -> None:
    """Take a fact back that a sleep wrote; what it stood for comes back.

    It isn't written again from what it rested on.

    Args:
        fact_id: Of a fact.
        store: Whose memory.
        parts: The clock.

    Raises:
        UnknownMemoryError: There is no memory of this id.
        FeedbackError: It is no fact.
    """
    with store.transaction():
        fact = store.find(fact_id)
        if fact.tier is not Tier.SEMANTIC:
            raise FeedbackError(
                f"{fact_id} is no fact; undo one of its changes by its number, as its "
                "history gives it"
            )
        now = parts.clock.now()
        for conflict in store.conflicts(status=None):
            other = {conflict.new: conflict.old, conflict.old: conflict.new}
            if fact_id in other:
                _restore(other[fact_id], fact_id, store, parts)
        uncover(fact, store, parts, why="the fact that covered it was taken back")
        store.forget(fact_id, now)


def _taken_back(changes: Sequence[Change]) -> set[int]:
    """The numbers of changes that were undone, and of their undoings."""
    gone: set[int] = set()
    for change in changes:
        if change.what == UNDONE:
            # Later ones are undone first, so it was the last of its sort.
            undone = [
                c.number
                for c in changes
                if c.number < change.number
                and c.number not in gone
                and c.what == change.reason
            ]
            gone |= {change.number, *undone[-1:]}
    return gone


def _unflag(
    entry: Entry, kind: ConflictKind, at: datetime, store: Store, parts: Parts
) -> None:
    """The conflict is none, says the person: nobody has to decide it."""
    now = parts.clock.now()
    for conflict in store.conflicts():
        sides = {conflict.new, conflict.old}
        found = (conflict.kind, conflict.found_at) == (kind, at)
        by = kind is not ConflictKind.UPDATE or entry.superseded_by in sides
        if found and by and entry.id in sides:
            store.settle(conflict.id, UNDONE, now)


def _restore(memory_id: str, by: str, store: Store, parts: Parts) -> None:
    """Let a memory hold again that the fact *by* put an end to.

    Not as an undoing: what is true instead may put an end to it yet.
    """
    if store.find(memory_id).superseded_by == by:
        store.change(
            memory_id,
            parts.clock.now(),
            "reinstated",
            "the fact that put an end to it was taken back",
            valid_until=None,
            superseded_by=None,
        )
