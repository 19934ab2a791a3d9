"""Pin: a memory that a person wants kept as it is, or no longer."""

from __future__ import annotations

from dataclasses import replace

from psm_core.content import Store
from psm_core.protocols import Parts
from psm_core.strength import anchored
from psm_core.types import Tier


def pin(memory_id: str, *, pinned: bool, store: Store, parts: Parts) -> None:
    """Keep a memory as strong as it is now, or let it fade on from here.

    Args:
        memory_id: Which memory.  One from the archive comes back.
        pinned: False lets go of it again.
        store: Whose memory.
        parts: The clock.

    Raises:
        UnknownMemoryError: There is no memory of this id.
    """
    now = parts.clock.now()
    entry = store.find(memory_id)
    if entry.pinned == pinned:
        return
    held = entry.trace if pinned else replace(entry.trace, anchored_at=now)
    what = "pinned" if pinned else "unpinned"
    tier = Tier.EPISODIC if entry.tier is Tier.ARCHIVAL and pinned else entry.tier
    store.change(
        memory_id,
        now,
        what,
        "a person asked for it",
        pinned=pinned,
        trace=anchored(held, now),
        tier=tier,
    )
