"""Forget: what a person wants gone, with everything that repeats it."""

from __future__ import annotations

from psm_core.acts.passages import is_passage, passages_of
from psm_core.content import Store
from psm_core.protocols import Parts
from psm_core.types import Entry, Tier

COVERED = "a fact says all of it"
"""Why a sleep archives an episode whose words a fact has in full."""


def forget(memory_id: str, *, store: Store, parts: Parts) -> None:
    """Delete a memory, all passages of its turn, and every fact that rests on it.

    A fact that rests on other turns too may have the words of this one, so it goes;
    what it covered comes back into the index, for a later fact to be drawn from.

    Args:
        memory_id: A turn's id, a passage's, or a fact's.
        store: Whose memory.
        parts: The clock.

    Raises:
        UnknownMemoryError: There is no memory of this id.
    """
    with store.transaction():
        entry = store.find(memory_id)
        turn = entry.sources[0] if is_passage(entry) else None
        for fact in store.listing(tiers=[Tier.SEMANTIC]) if turn else ():
            if turn in fact.sources and len(fact.sources) > 1:
                why = "the fact that covered it was forgotten"
                uncover(fact, store, parts, why=why, save=turn)
                # Nobody wants the fact itself forgotten: it may be drawn anew from
                # the turns that are left.
                store.forget(fact.id, parts.clock.now(), for_good=False)
        for passage in passages_of(turn, store) if turn else [entry.id]:
            store.forget(passage, parts.clock.now())


def uncover(
    fact: Entry, store: Store, parts: Parts, *, why: str, save: str | None = None
) -> None:
    """Bring back the episodes that *fact* stood for.

    Args:
        fact: It doesn't stand for them any more.
        store: Whose memory.
        parts: The clock.
        why: Goes into their history.
        save: The turn that is left where it is, if any.
    """
    others = store.known(source for source in fact.sources if source != save)
    for episode in others.values():
        changes = store.history(episode.id)
        covered = any(c.what == "archived" and c.reason == COVERED for c in changes)
        if episode.tier is Tier.ARCHIVAL and covered:
            store.change(
                episode.id,
                parts.clock.now(),
                "reinstated",
                why,
                tier=Tier.EPISODIC,
            )
