"""From patterns to facts: written once, merged with what is known, held against it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from psm_core.acts.draft import Draft
from psm_core.acts.forget import COVERED
from psm_core.acts.writing import worded
from psm_core.config import Config
from psm_core.protocols import Parts
from psm_core.strength import CONFLICT_LOSS, FLOOR, expired, weakened
from psm_core.types import (
    Conflict,
    ConflictKind,
    Entry,
    Pattern,
    Tier,
    Trace,
)

if TYPE_CHECKING:
    from psm_core.content import Vector

NEAR = 8
"""How many facts each retriever proposes as the other half of a conflict."""


def write_facts(
    new: Sequence[Entry],
    rehearsed: Sequence[Entry],
    draft: Draft,
    parts: Parts,
    config: Config,
) -> None:
    """Draft the facts that *new* episodes hold, alone or with older ones.

    Args:
        new: Episodes that no sleep has read.
        rehearsed: Older ones that may say the same.
        draft: Takes what is to be written.
        parts: Encoder and policy.
        config: From which confidence a pattern is a fact.
    """
    # What a person took back isn't learned, however plainly it was said, nor what
    # surfaces no more.
    held = [
        e
        for e in (*rehearsed, *new)
        if e.corrected <= e.used and not expired(e, draft.at)
    ]
    by_id = {e.id: e for e in held}
    fresh = {e.id for e in new}
    found = [
        p
        for p in parts.policy.abstract([*by_id.values()])
        # What older episodes say by themselves was read in its own night.
        if not fresh.isdisjoint(p.episodes)
    ]
    found = [_grown(p, by_id, draft, parts) for p in found]
    sure = [
        worded(p, [by_id[i] for i in p.episodes], parts.abstractor, draft.store)
        for p in found
        if p.confidence >= config.fact_confidence
    ]
    vectors = parts.encoder.encode([p.text for p in sure])
    for pattern, vector in zip(sure, vectors, strict=True):
        fact = _fact(pattern, vector, [by_id[i] for i in pattern.episodes], parts)
        _write(fact, pattern, draft, parts)


def _grown(
    pattern: Pattern, by_id: dict[str, Entry], draft: Draft, parts: Parts
) -> Pattern:
    """*pattern* with the occasions that an earlier sleep counted already."""
    known = f"f-{digest(pattern.recurs)}"
    if not pattern.recurs or not draft.holds(known):
        return pattern
    turns = draft.find(known).sources
    # As they were heard: the sentence that told of it may have been spared since.
    told = draft.store.as_heard([*draft.store.known(turns).values()])
    earlier = {e.id: e for e in told}
    by_id |= {i: e for i, e in earlier.items() if i not in by_id}
    occasions = [by_id[i] for i in dict.fromkeys([*earlier, *pattern.episodes])]
    anew = parts.policy.abstract(occasions)
    return next((p for p in anew if p.recurs == pattern.recurs), pattern)


def _write(fact: Entry, pattern: Pattern, draft: Draft, parts: Parts) -> None:
    """Upsert one fact, hold it against its neighbours, archive what it covers."""
    if pattern.recurs and draft.holds(fact.id):
        _count_on(fact, draft)
    # What a person had forgotten isn't learned again from what it rested on.
    elif not draft.holds(fact.id) and not draft.store.forgotten([fact.id]):
        _settle_in(fact, draft, parts)
    for memory_id in pattern.covers:
        archive(memory_id, COVERED, draft)


def _fact(
    pattern: Pattern, vector: Vector, rests_on: Sequence[Entry], parts: Parts
) -> Entry:
    """The entry of a pattern; its id is a hash of its provenance.

    Slept twice, it is stored once.  What recurs keeps its id while it goes on.
    """
    sources = tuple(dict.fromkeys(s for e in rests_on for s in e.sources))
    first, last = (pick(e.said_at for e in rests_on) for pick in (min, max))
    strength = max(e.trace.strength for e in rests_on)
    named = [pattern.recurs] if pattern.recurs else [*sorted(sources), pattern.text]
    fact = Entry(
        id=f"f-{digest(*named)}",
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
        expires_at=min((e.expires_at for e in rests_on if e.expires_at), default=None),
        reason=f"{len(rests_on)} episode(s) say so",
        vector=vector,
    )
    half_life = parts.policy.half_life(fact)
    return replace(fact, trace=replace(fact.trace, half_life=half_life))


def _count_on(fact: Entry, draft: Draft) -> None:
    """It happened again: the fact says so, and rests on one occasion more."""
    old = draft.find(fact.id)
    new = [s for s in fact.sources if s not in old.sources]
    if new:
        draft.change(
            fact.id,
            draft.at,
            "counted on",
            f"it happened {len(new)} more time(s)",
            text=fact.text,
            vector=fact.vector,
            sources=(*old.sources, *new),
            mentions=old.mentions + len(new),
            last_said_at=fact.last_said_at,
            trace=old.trace if old.pinned else fact.trace,
        )


def _settle_in(fact: Entry, draft: Draft, parts: Parts) -> None:
    """Store *fact* unless it is known in other words; link what it interferes with."""
    assert fact.vector is not None
    near = [
        e
        for e in draft.near(fact.vector, fact.text, NEAR)
        if e.speaker == fact.speaker
        and e.valid_until is None
        and not expired(e, draft.at)
        and e.id != fact.id
    ]
    found = [(old, parts.policy.interferes(fact, old)) for old in near]
    conflicts = [(old, c) for old, c in found if c is not None]
    for old, conflict in conflicts:
        if conflict.kind is ConflictKind.DUPLICATE and _merge(fact, old, draft):
            return
    draft.add(fact, fact.reason)
    for old, conflict in conflicts:
        if conflict.kind is not ConflictKind.DUPLICATE:
            _interfere(fact, old, conflict, draft)


def _merge(fact: Entry, old: Entry, draft: Draft) -> bool:
    """The old fact was said again: it gains sources and mentions, once each."""
    new = [s for s in fact.sources if s not in old.sources]
    if not new:
        return True
    return draft.change(
        old.id,
        draft.at,
        "merged",
        f"said again in {len(new)} turn(s)",
        sources=(*old.sources, *new),
        mentions=old.mentions + len(new),
        last_said_at=max(fact.said_at, old.last_said_at or old.said_at),
    )


def _interfere(fact: Entry, old: Entry, conflict: Conflict, draft: Draft) -> None:
    """Flag and link; an update ends the old one, a contradiction weakens both."""
    named = f"c-{digest(fact.id, old.id)}"
    draft.flag(replace(conflict, id=named, new=fact.id, old=old.id, found_at=draft.at))
    if conflict.kind is ConflictKind.UPDATE:
        # Facts may reach the ledger out of order: the one said last is the current.
        late, early = sorted([fact, old], key=_last_said, reverse=True)
        # Who moves back lives again where they lived before the place in between.
        returned = late.said_at <= early.said_at
        draft.change(
            early.id,
            draft.at,
            "superseded",
            conflict.reason,
            valid_until=_last_said(late) if returned else late.said_at,
            superseded_by=late.id,
        )
        return
    for entry in map(draft.find, (fact.id, old.id)):
        if not entry.pinned:
            trace = weakened(entry.trace, CONFLICT_LOSS, draft.at)
            draft.change(
                entry.id, draft.at, "contradicted", conflict.reason, trace=trace
            )


def _last_said(entry: Entry) -> datetime:
    return entry.last_said_at or entry.said_at


def archive(memory_id: str, reason: str, draft: Draft) -> bool:
    """Draft that a memory leaves the index; whether it does.

    What is pinned stays, and what a person took back from the archive.
    """
    entry = draft.find(memory_id)
    if entry.pinned or entry.tier is Tier.ARCHIVAL:
        return False
    return draft.change(memory_id, draft.at, "archived", reason, tier=Tier.ARCHIVAL)


def digest(*parts: str) -> str:
    """A name made of what something rests on: made twice, it is the same."""
    joined = "\x1f".join(parts).encode()
    return hashlib.blake2b(joined, digest_size=10).hexdigest()
