"""Replay: old episodes that are rehearsed beside the new, so that months meet."""

from __future__ import annotations

from collections.abc import Sequence

from psm_core.content import Store
from psm_core.types import Entry, Tier

ASKING = 16
"""Most new episodes that call old ones to mind: the strongest."""

CALLED = 8
"""How many old ones each of them calls to mind."""


def rehearsed(new: Sequence[Entry], most: int, *, store: Store) -> list[Entry]:
    """Older episodes near what is new: the important, rarely recalled ones first.

    A fact that is told once in March and once in June lies in two nights, and neither
    alone would show it.

    Args:
        new: Episodes that no sleep has read, with vectors.
        most: At most so many; bounds the cost of a sleep, however old the memory.
        store: Whose memory sleeps.

    Returns:
        Episodes with vectors, in the order in which they were heard.

    Source:
        Experience replay of important memories during sleep: Mattar & Daw (2018).
    """
    if not new or not most:
        return []
    first = min(e.seq for e in new)
    asking = sorted(new, key=lambda e: (-e.trace.strength, e.seq))[:ASKING]
    called: dict[int, float] = {}
    for episode in asking:
        assert episode.vector is not None
        near = store.nearest(episode.vector, CALLED, [Tier.EPISODIC])
        for seq, cosine in near:
            if seq < first:
                called[seq] = max(called.get(seq, -1.0), cosine)
    found = store.entries(called, vectors=True)
    chosen = sorted(found.values(), key=lambda e: (-_wanted(e), e.seq))[:most]
    # What is rehearsed is what was heard, and not what was left of it in the index.
    return store.as_heard(sorted(chosen, key=lambda e: e.seq))


def _wanted(entry: Entry) -> float:
    """Important and rarely recalled comes first: what is recalled anyway stays."""
    return entry.trace.strength * (1 + entry.emotion) / (1 + entry.recalled)
