"""Pruning: what fades leaves the index, what is said in many words stays in fewer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from psm_core.acts.draft import Draft, size
from psm_core.acts.facts import archive
from psm_core.config import Config
from psm_core.content import Weight
from psm_core.protocols import Condensing, Parts
from psm_core.strength import retained
from psm_core.types import Entry, Tier

SPARED = "the sentences that are left carry it"
"""Why fewer words of an episode stand in the index."""

FULL = "the index holds all it may, and least is left of this"
"""Why an episode leaves an index that is full."""

CROWDED = "what was said takes more of the index than it may, and this is the weakest"
"""Why an episode that hasn't faded leaves the index."""


ROOM = 1_000
"""Words for which any index has room: who has said so little loses none of it."""


def archive_faded(draft: Draft, config: Config) -> None:
    """Episodes of which too little is left at the person's present go to the archive.

    Counted to when the person was last heard, not to the clock on the wall: who
    comes back after a year finds the memory as it was left.  Where there are more
    than the index may hold, those of which least is left go too.
    """
    touched = {e.id: e for e in draft.touched()}
    below, most = config.archive_below, config.index_most
    weakest, count = draft.store.fading(draft.at, below, most, len(touched))
    left = {i: strength for i, strength in weakest if i not in touched}
    left |= {
        i: retained(e, draft.at)
        for i, e in touched.items()
        if e.tier is Tier.EPISODIC and not e.pinned
    }
    count += sum(not e.pinned for e in draft.back()) - len(draft.left())
    # Of equals, who was heard first goes first.
    for memory_id, strength in sorted(left.items(), key=lambda pair: pair[1]):
        if strength < below:
            reason = f"less than {below:.2%} of it is left"
        elif count > most:
            reason = FULL
        else:
            return
        count -= archive(memory_id, reason, draft)


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
    cutoff = _cutoff(draft, config)
    ripe = draft.store.ripe(cutoff, most)
    left = {e.id for e in draft.touched() if e.tier is Tier.ARCHIVAL}
    for entry in (*ripe, *_whole(_back(draft, cutoff), draft)):
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
    allowed = max(config.index_share * draft.store.heard(cutoff), ROOM)
    over = _held(draft, cutoff) - allowed
    if over <= 0:
        return
    for weight in _weakest(draft, cutoff, int(over) + 1):
        if over <= 0:
            return
        if archive(weight.id, CROWDED, draft):
            over -= weight.words


def _held(draft: Draft, cutoff: datetime) -> int:
    """Words that the index will hold of what was said before *cutoff*."""
    came = _back(draft, cutoff)
    held = draft.store.indexed(cutoff)
    held += sum(size(e.text) for e in (*draft.new(), *came) if e.said_at < cutoff)
    held -= sum(fewer for said_at, fewer in draft.spared.values() if said_at < cutoff)
    return held - sum(size(e.text) for e in draft.left() if e.said_at < cutoff)


def _weakest(draft: Draft, cutoff: datetime, most: int) -> list[Weight]:
    """Episodes as they will be, the weakest first; enough to spare *most* words.

    Each has a word at least, so that as many episodes are enough.
    """
    touched = {e.id: e for e in draft.touched()}
    stored = draft.store.weakest(cutoff, most + len(touched))
    there = {w.id: w for w in stored if w.id not in touched}
    there |= {
        i: Weight(i, e.trace.strength, size(e.text))
        for i, e in touched.items()
        if e.tier is Tier.EPISODIC and not e.pinned and e.said_at < cutoff
    }
    for name, (_, fewer) in draft.spared.items():
        if name in there:
            there[name] = there[name]._replace(words=there[name].words - fewer)
    return sorted(there.values(), key=lambda w: w.strength)


def _back(draft: Draft, cutoff: datetime) -> list[Entry]:
    """Old episodes that the draft brings back from the archive."""
    return [e for e in draft.back() if e.said_at < cutoff]


def _whole(entries: Sequence[Entry], draft: Draft) -> list[Entry]:
    """Those of *entries* that weren't condensed before they left."""
    heard = draft.store.as_heard(entries)
    return [e for e, h in zip(entries, heard, strict=True) if e.text == h.text]


def _cutoff(draft: Draft, config: Config) -> datetime:
    return draft.at - timedelta(days=config.fresh_days)
