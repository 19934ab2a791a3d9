"""Resolve: what a person decides about two memories that may not both hold."""

from __future__ import annotations

from dataclasses import replace

from psm_core.errors import FeedbackError
from psm_core.protocols import Parts, Store
from psm_core.strength import judged
from psm_core.types import Conflict, Entry, Outcome

KEEP = ("new", "old", "both")
"""What a person may keep of the two sides of a conflict."""


def resolve(conflict_id: str, keep: str, *, store: Store, parts: Parts) -> Conflict:
    """Settle a conflict: the side that isn't kept ends, and is corrected.

    Args:
        conflict_id: As `Memory.conflicts` names it.
        keep: "new", "old" or "both".
        store: Whose memories are in conflict.
        parts: The clock.

    Returns:
        The conflict as settled.

    Raises:
        FeedbackError: *keep* is none of the three.
        UnknownMemoryError: There is no such conflict.
    """
    if keep not in KEEP:
        raise FeedbackError(
            f"a conflict can't be resolved with keep={keep!r}; keep one of "
            f"{', '.join(KEEP)}"
        )
    now = parts.clock.now()
    with store.transaction():
        settled = store.settle(conflict_id, keep, now)
        new, old = store.find(settled.new), store.find(settled.old)
        for entry, other in ((new, old), (old, new)):
            kept = keep == "both" or entry is (new if keep == "new" else old)
            _keep(entry, store, parts) if kept else _end(entry, other, store, parts)
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
