"""Expire: from when on a memory surfaces no more, though it is kept."""

from __future__ import annotations

from datetime import datetime

from psm_core.content import Store
from psm_core.protocols import Parts
from psm_core.types import Tier


def expire(memory_id: str, at: datetime | None, *, store: Store, parts: Parts) -> None:
    """Let a memory surface no more from *at* on, nor a fact that rests on it alone.

    Args:
        memory_id: A turn's id, a passage's, or a fact's.
        at: Aware datetime; None takes it back.
        store: Whose memory.
        parts: The clock.

    Raises:
        UnknownMemoryError: There is no memory of this id.
    """
    now = parts.clock.now()
    with store.transaction():
        found = [store.find(memory_id)]
        found += [
            fact
            for fact in store.listing(tiers=[Tier.SEMANTIC])
            if fact.id != memory_id and fact.sources == found[0].sources
        ]
        for entry in found:
            store.change(
                entry.id, now, "expires", "a person asked for it", expires_at=at
            )
