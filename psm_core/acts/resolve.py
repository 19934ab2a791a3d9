"""Resolve: what a person decides about two memories that may not both hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from psm_core.acts.undo import ANSWER, sentence, take_back
from psm_core.acts.wellformed import wellformed
from psm_core.content import Store
from psm_core.errors import FeedbackError
from psm_core.protocols import Parts
from psm_core.strength import judged
from psm_core.types import Conflict, Entry, Outcome, Tier

KEEP = ("new", "old", "both")
"""What a person may keep of the two sides of a conflict."""

REWORDED = "text"
"""The status of a conflict whose sides a person replaced by words of their own."""


def resolve(conflict_id: str, keep: str, *, store: Store, parts: Parts) -> Conflict:
    """Settle a conflict: the side that isn't kept ends, and is corrected.

    The same answer again changes nothing; another one takes the place of the first.

    Args:
        conflict_id: As `Memory.conflicts` names it.
        keep: "new", "old", "both", or a sentence that is true instead of the two.
        store: Whose memories are in conflict.
        parts: Encoder and clock.

    Returns:
        The conflict as settled.

    Raises:
        FeedbackError: *keep* is none of the three and no sentence.
        UnknownMemoryError: There is no such conflict.
    """
    now = parts.clock.now()
    if keep not in KEEP:
        # One word is a slip of the hand, and no fact about anybody.
        if not isinstance(keep, str) or len(keep.split()) < 2:
            raise FeedbackError(
                f"a conflict can't be resolved with keep={keep!r}; keep one of "
                f"{', '.join(KEEP)}, or say in a sentence what is true"
            )
        return _reword(conflict_id, wellformed(keep).strip(), now, store, parts)
    why = ANSWER.format(conflict_id)
    with store.transaction():
        if answered := _answered(conflict_id, keep, store):
            return answered
        take_back(conflict_id, store=store, parts=parts)
        settled = store.settle(conflict_id, keep, now)
        new, old = store.find(settled.new), store.find(settled.old)
        for entry, other in ((new, old), (old, new)):
            if keep == "both" or entry is (new if keep == "new" else old):
                _keep(entry, why, store, parts)
            else:
                _end(entry, other, why, store, parts)
    return settled


def _answered(conflict_id: str, status: str, store: Store) -> Conflict | None:
    """The conflict, if it was settled like this before."""
    settled = store.conflicts(status=status)
    return next((c for c in settled if c.id == conflict_id), None)


def _reword(
    conflict_id: str, text: str, now: datetime, store: Store, parts: Parts
) -> Conflict:
    """What the person says takes the place of both sides, and rests on both."""
    vector = parts.encoder.encode([text])[0]
    name = sentence(conflict_id, text)
    with store.transaction():
        answered = _answered(conflict_id, REWORDED, store)
        if answered and store.known([name]):
            return answered
        take_back(conflict_id, store=store, parts=parts)
        settled = store.settle(conflict_id, REWORDED, now)
        new, old = store.find(settled.new), store.find(settled.old)
        said = replace(
            new,
            id=name,
            seq=0,
            tier=Tier.SEMANTIC,
            text=text,
            vector=vector,
            said_at=now,
            last_said_at=None,
            valid_until=None,
            superseded_by=None,
            expires_at=None,
            sources=tuple(dict.fromkeys((*new.sources, *old.sources))),
            trace=replace(new.trace, strength=1.0, anchored_at=now),
            confidence=1.0,
            mentions=1,
            recalled=0,
            used=0,
            corrected=0,
            reason="a person said so",
        )
        store.add([said])
        for entry in (new, old):
            _end(entry, said, ANSWER.format(conflict_id), store, parts)
    return settled


def _keep(entry: Entry, why: str, store: Store, parts: Parts) -> None:
    """A side that holds is current again, and stronger for having been confirmed."""
    now = parts.clock.now()
    store.change(
        entry.id,
        now,
        "confirmed",
        why,
        trace=judged(entry.trace, Outcome.USED, now),
        valid_until=None,
        superseded_by=None,
    )


def _end(entry: Entry, other: Entry, why: str, store: Store, parts: Parts) -> None:
    """A side that doesn't hold ends now at the latest, and points to the other."""
    now = parts.clock.now()
    after = replace(entry, corrected=entry.corrected + 1)
    trace = judged(entry.trace, Outcome.CORRECTED, now)
    store.change(
        entry.id,
        now,
        "refuted",
        why,
        trace=replace(trace, half_life=parts.policy.half_life(after)),
        corrected=after.corrected,
        valid_until=entry.valid_until or now,
        superseded_by=other.id,
    )
