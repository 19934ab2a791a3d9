"""Pruning: what fades leaves the index, what is said in many words stays in fewer."""

from __future__ import annotations

from datetime import datetime, timedelta

from psm_core.acts.draft import Draft, size
from psm_core.acts.facts import archive
from psm_core.config import Config
from psm_core.protocols import Condensing, Parts
from psm_core.strength import retained
from psm_core.types import Tier

SPARED = "the sentences that are left carry it"
"""Why fewer words of an episode stand in the index."""

CROWDED = "what was said takes more of the index than it may, and this is the weakest"
"""Why an episode that hasn't faded leaves the index."""


def archive_faded(draft: Draft, config: Config) -> None:
    """Episodes of which too little is left at the person's present go to the archive.

    Counted to when the person was last heard, not to the clock on the wall: who
    comes back after a year finds the memory as it was left.
    """
    below = config.archive_below
    reason = f"less than {below:.0%} of it is left"
    touched = {e.id: e for e in draft.touched()}
    faded = [i for i in draft.store.faded(below, draft.at) if i not in touched]
    faded += [
        i
        for i, e in touched.items()
        if e.tier is Tier.EPISODIC and retained(e, draft.at) < below
    ]
    for memory_id in faded:
        archive(memory_id, reason, draft)


def condense(draft: Draft, parts: Parts, config: Config, most: int) -> int:
    """Let the sentences that carry an old episode stand for it in the index.

    Its own words are kept aside, and nothing is reworded.

    Args:
        draft: Takes what is to be done.
        parts: The policy, which may not know how; nothing is condensed then.
        config: How long an episode stays as it was heard.
        most: Most episodes at once.

    Returns:
        How many episodes were looked at.
    """
    policy = parts.policy
    if not isinstance(policy, Condensing) or config.index_share >= 1:
        return 0
    ripe = draft.store.ripe(_cutoff(draft, config), most)
    left = {e.id for e in draft.touched() if e.tier is Tier.ARCHIVAL}
    for entry in ripe:
        if entry.id not in left:
            text = entry.text if entry.pinned else policy.gist(entry)
            draft.condense(entry, text, SPARED)
    return len(ripe)


def fit(draft: Draft, config: Config) -> None:
    """Archive the weakest episodes until the index holds its share of what was said.

    What was said of late doesn't count: nothing is known yet of what became of it.
    """
    if config.index_share >= 1:
        return
    cutoff = _cutoff(draft, config)
    allowed = config.index_share * draft.store.heard(cutoff)
    held, episodes = draft.store.weights(cutoff)
    left = {e.id for e in draft.touched() if e.tier is Tier.ARCHIVAL}
    words = {w.id: w.words - draft.spared.get(w.id, 0) for w in episodes}
    held += sum(size(e.text) for e in draft.new() if e.said_at < cutoff)
    held -= sum(draft.spared.values()) + sum(words.get(i, 0) for i in left)
    for weight in episodes:
        if held <= allowed:
            return
        if weight.id not in left:
            archive(weight.id, CROWDED, draft)
            held -= words[weight.id]


def _cutoff(draft: Draft, config: Config) -> datetime:
    return draft.at - timedelta(days=config.fresh_days)
