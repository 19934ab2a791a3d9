"""Consolidate: one sleep, a sequence of small transactions, the watermark last.

Nothing in here asks for the time: a sleep is a function of the ledger alone, so one
that was cut off and is slept again ends where an uninterrupted one would have.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from psm_core.acts.forget import COVERED
from psm_core.acts.learn import apply_judged
from psm_core.config import Config
from psm_core.protocols import Leaning, Parts, Store
from psm_core.strength import CONFLICT_LOSS, FLOOR, retained, weakened
from psm_core.types import (
    Change,
    Conflict,
    ConflictKind,
    Entry,
    Pattern,
    SleepReport,
    Tier,
    Trace,
)

if TYPE_CHECKING:
    from psm_core.protocols import Vector

LESSONS = 5_000
"""Rows of a person's journal that tell how they lean: those of the last months."""

NEAR = 8
"""How many facts each retriever proposes as the other half of a conflict."""


@dataclass(slots=True)
class _Night:
    """What one sleep works on, and what it has done so far."""

    store: Store
    parts: Parts
    config: Config
    at: datetime
    facts: int = 0
    conflicts: int = 0
    archived: int = 0
    changes: list[Change] = field(default_factory=list)

    def note(self, memory_id: str, what: str, reason: str) -> None:
        self.changes.append(Change(self.at, memory_id, what, reason))


def consolidate(*, store: Store, parts: Parts, config: Config) -> SleepReport:
    """Sleep once: facts from episodes, conflicts, reinforcement, archive, index.

    Args:
        store: Whose memory sleeps.
        parts: Encoder and policy.
        config: From which confidence a pattern is a fact, and what has faded.

    Returns:
        What was done, change by change.
    """
    began = time.perf_counter()
    present = store.present()
    watermark = store.watermark()
    if present is None:
        return SleepReport(store.user, parts.clock.now(), _since(began))
    night = _Night(store, parts, config, present)
    episodes = store.listing(tiers=[Tier.EPISODIC], after=watermark, vectors=True)
    _write_facts(episodes, night)
    reinforced = apply_judged(store, parts)
    for memory_id in reinforced:
        night.note(memory_id, "reinforced", "its outcomes were applied")
    _archive_faded(night)
    _lean(night)
    indexed = store.flush()
    # The watermark goes last: a sleep that was cut off is slept again, not skipped.
    if episodes:
        store.set_watermark(episodes[-1].seq)
    return SleepReport(
        user=store.user,
        at=present,
        milliseconds=_since(began),
        episodes=len(episodes),
        facts=night.facts,
        conflicts=night.conflicts,
        reinforced=len(reinforced),
        archived=night.archived,
        indexed=indexed,
        changes=tuple(night.changes),
    )


# ------------------------------------------------------------------- the facts


def _write_facts(episodes: Sequence[Entry], night: _Night) -> None:
    """Write down the patterns that are sure enough, one transaction each."""
    by_id = {e.id: e for e in episodes}
    sure = night.config.fact_confidence
    found = night.parts.policy.abstract(episodes)
    patterns = [p for p in found if p.confidence >= sure]
    vectors = night.parts.encoder.encode([p.text for p in patterns])
    for pattern, vector in zip(patterns, vectors, strict=True):
        fact = _fact(pattern, vector, [by_id[i] for i in pattern.episodes], night)
        _write_fact(fact, pattern, night)


def _write_fact(fact: Entry, pattern: Pattern, night: _Night) -> None:
    """Upsert one fact, hold it against its neighbours, archive what it covers."""
    store = night.store
    with store.transaction():
        # What a person had forgotten isn't learned again from what it rested on.
        if not store.known([fact.id]) and not store.forgotten([fact.id]):
            _settle_in(fact, night)
        for memory_id in pattern.covers:
            _archive(memory_id, COVERED, night)


def _fact(
    pattern: Pattern, vector: Vector, rests_on: Sequence[Entry], night: _Night
) -> Entry:
    """The entry of a pattern; its id is a hash of its provenance.

    Slept twice, it is stored once.
    """
    sources = tuple(dict.fromkeys(s for e in rests_on for s in e.sources))
    first, last = (pick(e.said_at for e in rests_on) for pick in (min, max))
    strength = max(e.trace.strength for e in rests_on)
    fact = Entry(
        id=f"f-{_digest(*sorted(sources), pattern.text)}",
        tier=Tier.SEMANTIC,
        kind=pattern.kind,
        text=pattern.text,
        speaker=pattern.speaker,
        role=rests_on[0].role,
        session=rests_on[0].session,
        said_at=first,
        last_said_at=last,
        sources=sources,
        trace=Trace(
            strength=strength,
            half_life=rests_on[0].trace.half_life,
            anchored_at=last,
            floor=min(FLOOR.get(pattern.kind, 0.0), strength),
        ),
        emotion=pattern.emotion,
        confidence=pattern.confidence,
        mentions=len(rests_on),
        reason=f"{len(rests_on)} episode(s) say so",
        vector=vector,
    )
    half_life = night.parts.policy.half_life(fact)
    return replace(fact, trace=replace(fact.trace, half_life=half_life))


def _settle_in(fact: Entry, night: _Night) -> None:
    """Store *fact* unless it is known in other words; link what it interferes with."""
    near = _near(fact, night.store)
    found = [(old, night.parts.policy.interferes(fact, old)) for old in near]
    conflicts = [(old, c) for old, c in found if c is not None]
    for old, conflict in conflicts:
        if conflict.kind is ConflictKind.DUPLICATE:
            _merge(fact, old, night)
            return
    night.store.add([fact])
    night.facts += 1
    night.note(fact.id, "fact", fact.reason)
    for old, conflict in conflicts:
        _interfere(fact, old, conflict, night)


def _near(fact: Entry, store: Store) -> list[Entry]:
    """Facts that may be about the same: the nearest in meaning and in words.

    Both retrievers are asked, because each finds only about two thirds of the other
    halves of conflicts.
    """
    assert fact.vector is not None
    seqs = [seq for seq, _ in store.nearest(fact.vector, NEAR, [Tier.SEMANTIC])]
    postings = store.postings(store.terms(fact.text), NEAR * NEAR)
    seqs += [int(seq) for seq in postings.seq]
    entries = store.entries(dict.fromkeys(seqs), vectors=True).values()
    return [
        e
        for e in sorted(entries, key=lambda e: e.seq)
        if e.tier is Tier.SEMANTIC and e.speaker == fact.speaker
        if e.valid_until is None and e.id != fact.id
    ]


def _merge(fact: Entry, old: Entry, night: _Night) -> None:
    """The old fact was said again: it gains sources and mentions, once each."""
    new = [s for s in fact.sources if s not in old.sources]
    if not new:
        return
    last = max(fact.said_at, old.last_said_at or old.said_at)
    night.store.change(
        old.id,
        night.at,
        "merged",
        f"said again in {len(new)} turn(s)",
        sources=(*old.sources, *new),
        mentions=old.mentions + len(new),
        last_said_at=last,
    )
    night.note(old.id, "merged", f"said again in {len(new)} turn(s)")


def _interfere(fact: Entry, old: Entry, conflict: Conflict, night: _Night) -> None:
    """Flag and link; an update ends the old one, a contradiction weakens both."""
    named = f"c-{_digest(fact.id, old.id)}"
    flagged = replace(conflict, id=named, new=fact.id, old=old.id, found_at=night.at)
    if not night.store.flag(flagged):
        return
    night.conflicts += 1
    if conflict.kind is ConflictKind.UPDATE:
        # Facts may reach the ledger out of order: the later said one is the current.
        late, early = sorted([fact, old], key=lambda e: e.said_at, reverse=True)
        night.store.change(
            early.id,
            night.at,
            "superseded",
            conflict.reason,
            valid_until=late.said_at,
            superseded_by=late.id,
        )
        night.note(early.id, "superseded", conflict.reason)
        return
    for entry in (fact, old):
        if not entry.pinned:
            trace = weakened(entry.trace, CONFLICT_LOSS, night.at)
            night.store.change(
                entry.id, night.at, "contradicted", conflict.reason, trace=trace
            )
        night.note(entry.id, "contradicted", conflict.reason)


# ------------------------------------------------------------------ the leaning


def _lean(night: _Night) -> None:
    """Learn anew what sets this person apart, where the policy can tell."""
    policy = night.parts.policy
    if isinstance(policy, Leaning):
        lessons = night.store.lessons(last=LESSONS)
        night.store.set_leaning(policy.name, policy.leaning(lessons))


# ----------------------------------------------------------------- the archive


def _archive_faded(night: _Night) -> None:
    """Episodes of which too little is left at the person's present go to the archive.

    Counted to when the person was last heard, not to the clock on the wall: who
    comes back after a year finds the memory as it was left.
    """
    below = night.config.archive_below
    for entry in night.store.listing(tiers=[Tier.EPISODIC]):
        if not entry.pinned and retained(entry, night.at) < below:
            _archive(entry.id, f"less than {below:.0%} of it is left", night)


def _archive(memory_id: str, reason: str, night: _Night) -> None:
    entry = night.store.find(memory_id)
    if entry.pinned or entry.tier is Tier.ARCHIVAL:
        return
    night.store.change(memory_id, night.at, "archived", reason, tier=Tier.ARCHIVAL)
    night.archived += 1
    night.note(memory_id, "archived", reason)


def _digest(*parts: str) -> str:
    """A name made of what something rests on: made twice, it is the same."""
    joined = "\x1f".join(parts).encode()
    return hashlib.blake2b(joined, digest_size=10).hexdigest()


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
