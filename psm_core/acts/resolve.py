"""Resolve: what a person decides about two memories that may not both hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from psm_core.acts.facts import digest
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
        if len(keep.split()) < 2:
            raise FeedbackError(
                f"a conflict can't be resolved with keep={keep!r}; keep one of "
                f"{', '.join(KEEP)}, or say in a sentence what is true"
            )
        return _reword(conflict_id, wellformed(keep).strip(), now, store, parts)
    with store.transaction():
        settled = store.settle(conflict_id, keep, now)
        new, old = store.find(settled.new), store.find(settled.old)
        for entry, other in ((new, old), (old, new)):
            kept = keep == "both" or entry is (new if keep == "new" else old)
            _keep(entry, store, parts) if kept else _end(entry, other, store, parts)
    return settled


def _reword(
    conflict_id: str, text: str, now: datetime, store: Store, parts: Parts
) -> Conflict:
    """What the person says takes the place of both sides, and rests on both."""
    vector = parts.encoder.encode([text])[0]
    with store.transaction():
        settled = store.settle(conflict_id, REWORDED, now)
        new, old = store.find(settled.new), store.find(settled.old)
        said = replace(
            new,
            id=f"f-{digest(conflict_id, text)}",
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
            _end(entry, said, store, parts)
    return settled


def _keep(entry: Entry, store: Store, parts: Parts) -> None:
    """A side that holds is current again, and stronger for having been confirmed."""
    now = parts.clock.now()
    store.change(
        entry.id,
        now,
        "confirmed",
        "a person kept it",
        trace=judged(entry.trace, Outcome.USED, now),
        valid_until=None,
        superseded_by=None,
    )


def _end(entry: Entry, other: Entry, store: Store, parts: Parts) -> None:
    """A side that doesn't hold ends now at the latest, and points to the other."""
    now = parts.clock.now()
    after = replace(entry, corrected=entry.corrected + 1)
    trace = judged(entry.trace, Outcome.CORRECTED, now)
    store.change(
        entry.id,
        now,
        "refuted",
        "a person decided against it",
        trace=replace(trace, half_life=parts.policy.half_life(after)),
        corrected=after.corrected,
        valid_until=entry.valid_until or now,
        superseded_by=other.id,
    )
