"""Undo: what was done to a memory is taken back, and no sleep does it to it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from psm_core.acts.draft import UNDONE
from psm_core.acts.facts import digest
from psm_core.acts.forget import uncover
from psm_core.content import Store
from psm_core.errors import FeedbackError
from psm_core.protocols import Parts
from psm_core.types import Change, Conflict, ConflictKind, Entry, Tier

LINKING = {
    "superseded": ConflictKind.UPDATE,
    "contradicted": ConflictKind.CONTRADICTION,
}
"""Changes that came with a conflict, and of which kind it is."""

ANSWER = "a person's answer to {}"
"""Why a side of the conflict of this id was confirmed or refuted."""

OPEN = "open"
"""The status of a conflict that a person has to decide."""


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
        conflict = _answered(former.reason, store)
        why = former.reason if conflict else former.what
        store.change(former.memory, now, UNDONE, why, **values)
        if conflict:
            _reopen(conflict, store, parts)
    return former.memory


def retract(fact_id: str, *, store: Store, parts: Parts) -> None:
    """Take a fact back that a sleep wrote; what it stood for comes back.

    It isn't written again from what it rested on.  A sentence that settled a conflict
    leaves the conflict open again.

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
        for conflict in store.conflicts(status=None):
            if fact_id == sentence(conflict.id, fact.text):
                take_back(conflict.id, store=store, parts=parts)
        if store.known([fact_id]):
            _drop(fact, store, parts)


def take_back(conflict_id: str, *, store: Store, parts: Parts) -> None:
    """Open a conflict again: its sides hold as before a person answered, if one did.

    Args:
        conflict_id: As `Memory.conflicts` names it.
        store: Whose memory.
        parts: The clock.

    Raises:
        UnknownMemoryError: There is no such conflict.
    """
    now = parts.clock.now()
    conflict = store.settle(conflict_id, OPEN, now)
    standing = _standing(conflict, store)
    for number in standing:
        former = store.before(number)
        gone = _taken_back(store.history(former.memory))
        # What a use or another answer has changed since is theirs.
        theirs = {
            name
            for later in former.later
            if later not in gone
            for name in store.before(later).values
        }
        values = {n: v for n, v in former.values.items() if n not in theirs}
        store.change(former.memory, now, UNDONE, former.reason, **values)
    if standing:
        _unsay(conflict, store, parts)


def sentence(conflict_id: str, text: str) -> str:
    """The id of the fact that says *text* in the place of both sides."""
    return f"f-{digest(conflict_id, text)}"


def _taken_back(changes: Sequence[Change]) -> set[int]:
    """The numbers of changes that were undone, and of their undoings."""
    gone: set[int] = set()
    for change in changes:
        if change.what == UNDONE:
            # Later ones are undone first, so it was the last of its sort; an answer
            # to a conflict, which needn't be, is named.
            undone = [
                c.number
                for c in changes
                if c.number < change.number
                and c.number not in gone
                and change.reason in (c.what, c.reason)
            ]
            gone |= {change.number, *undone[-1:]}
    return gone


def _answered(reason: str, store: Store) -> Conflict | None:
    """The conflict that a person answered, where that is the *reason* of a change."""
    known = store.conflicts(status=None)
    return next((c for c in known if reason == ANSWER.format(c.id)), None)


def _reopen(conflict: Conflict, store: Store, parts: Parts) -> None:
    """Let a person decide again, of whose answer a part was undone."""
    store.settle(conflict.id, OPEN, parts.clock.now())
    # A sentence stands for the other side as long as that is still refuted.
    if not _standing(conflict, store):
        _unsay(conflict, store, parts)


def _standing(conflict: Conflict, store: Store) -> list[int]:
    """The changes of both sides that a person's answer made and nobody took back."""
    found = []
    for side in (conflict.new, conflict.old):
        changes = store.history(side)
        gone = _taken_back(changes)
        answers = [c for c in changes if c.reason == ANSWER.format(conflict.id)]
        found += [c.number for c in answers if c.number not in gone]
    return found


def _unsay(conflict: Conflict, store: Store, parts: Parts) -> None:
    """Drop the sentence that was a person's answer to a conflict, if one was."""
    sides = (conflict.new, conflict.old)
    covered = {turn for side in sides for turn in store.find(side).sources}
    for fact in store.listing(tiers=[Tier.SEMANTIC, Tier.ARCHIVAL]):
        if fact.id == sentence(conflict.id, fact.text):
            # The sides stand for their turns again; only what was merged comes back.
            own = tuple(turn for turn in fact.sources if turn not in covered)
            # Nobody wants it forgotten: they may say the same once more.
            _drop(replace(fact, sources=own), store, parts, for_good=False)


def _drop(fact: Entry, store: Store, parts: Parts, *, for_good: bool = True) -> None:
    """Delete a fact, and let what it ended and covered come back."""
    for conflict in store.conflicts(status=None):
        other = {conflict.new: conflict.old, conflict.old: conflict.new}
        if fact.id in other:
            _restore(other[fact.id], fact.id, store, parts)
    uncover(fact, store, parts, why="the fact that covered it was taken back")
    store.forget(fact.id, parts.clock.now(), for_good=for_good)


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
