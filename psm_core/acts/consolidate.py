"""Consolidate: one sleep.  It is drafted first, and then written in one transaction.

Nothing in here asks for the time: a sleep is a function of the ledger alone, so one
that was cut off and is slept again ends where an uninterrupted one would have.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from psm_core.acts.draft import Draft
from psm_core.acts.facts import write_facts
from psm_core.acts.learn import apply_judged
from psm_core.acts.pruning import archive_faded, condense, fit
from psm_core.acts.replay import rehearsed
from psm_core.config import Config
from psm_core.content import Store
from psm_core.errors import UnknownMemoryError
from psm_core.protocols import Leaning, Parts
from psm_core.types import Entry, SleepReport, Tier

LESSONS = 5_000
"""Rows of a person's journal that tell how they lean: those of the last months."""

NAP = 1_000
"""Episodes that are slept on at once: bounds the memory and the writing of a sleep."""

TRIES = 3
"""How often a draft is made anew because something was decided meanwhile."""


class _Nap(NamedTuple):
    """One draft, what it rests on, and how long each of its steps took."""

    draft: Draft
    episodes: int
    rehearsed: int
    reinforced: int
    more: bool
    steps: Counter[str]


def consolidate(*, store: Store, parts: Parts, config: Config) -> SleepReport:
    """Sleep once: facts from episodes, conflicts, reinforcement, archive, index.

    Who reads meanwhile sees the memory before or after, never between; who says or
    judges something meanwhile isn't kept waiting, and loses nothing.

    Args:
        store: Whose memory sleeps.
        parts: Encoder and policy.
        config: From which confidence a pattern is a fact, and what leaves the index.

    Returns:
        What was done, change by change.
    """
    began = time.perf_counter()
    at = store.present()
    if at is None:
        return SleepReport(store.user, parts.clock.now(), _since(began))
    naps = [*_naps(at, store, parts, config)]
    steps = sum((nap.steps for nap in naps), Counter[str]())
    with _timed("index", steps):
        indexed = store.flush()
    changes = [change for nap in naps for change in nap.draft.changes]
    done = Counter(change.what for change in changes)
    return SleepReport(
        user=store.user,
        at=at,
        milliseconds=_since(began),
        episodes=sum(nap.episodes for nap in naps),
        rehearsed=sum(nap.rehearsed for nap in naps),
        facts=done["fact"],
        merged=done["merged"] + done["counted on"],
        conflicts=sum(nap.draft.conflicts for nap in naps),
        reinforced=sum(nap.reinforced for nap in naps),
        condensed=done["condensed"],
        archived=done["archived"],
        indexed=indexed,
        steps={name: round(spent, 1) for name, spent in steps.items()},
        changes=tuple(changes),
    )


def _naps(at: datetime, store: Store, parts: Parts, config: Config) -> Iterator[_Nap]:
    """One nap after another, until everything is slept on; mostly there is one."""
    more = True
    while more:
        nap = _slept(at, store, parts, config)
        more = nap.more
        yield nap


def _slept(at: datetime, store: Store, parts: Parts, config: Config) -> _Nap:
    """One nap, drafted while everything goes on, and written if nothing stood in it."""
    for _ in range(TRIES):
        seen = store.revision()
        try:
            nap = _drafted(at, store, parts, config)
        except UnknownMemoryError:
            # Somebody has it forgotten while it is slept on.
            if store.revision() == seen:
                raise
            continue
        with store.transaction():
            if store.revision() == seen:
                with _timed("writing", nap.steps):
                    nap.draft.write()
                return nap
    # Somebody decides all the time: let them wait for once.
    with store.transaction():
        nap = _drafted(at, store, parts, config)
        nap.draft.write()
    return nap


def _drafted(at: datetime, store: Store, parts: Parts, config: Config) -> _Nap:
    """All that one nap does, step by step."""
    draft, steps = Draft(store, at), Counter[str]()
    episodes, read = _unread(store)
    with _timed("replay", steps):
        older = rehearsed(episodes, config.replay, store=store)
    with _timed("facts", steps):
        write_facts(episodes, older, draft, parts, config)
    with _timed("reinforcement", steps):
        reinforced = apply_judged(draft, parts)
        _lean(draft, parts)
    with _timed("pruning", steps):
        archive_faded(draft, config)
        looked_at = condense(draft, parts, config, NAP)
        more = NAP in (len(episodes), looked_at)
        if not more:
            fit(draft, config)
    # The watermark goes last: what it says has been slept on has been slept on.
    if read:
        draft.then(lambda: store.set_watermark(read))
    counted = (len(episodes), len(older), len(set(reinforced)))
    return _Nap(draft, *counted, more, steps)


def _unread(store: Store) -> tuple[list[Entry], int]:
    """Episodes that no sleep has read, and up to which number all have been then.

    What was archived when it was heard counts as read: if this sleep brings it back,
    the next one has nothing to do for that.
    """
    turns = [Tier.EPISODIC, Tier.ARCHIVAL]
    with store.reading():
        after = store.watermark()
        episodes = store.listing(
            tiers=[Tier.EPISODIC], after=after, limit=NAP, vectors=True
        )
        last = store.listing(tiers=turns, after=after, limit=1, newest_first=True)
    whole = len(episodes) < NAP
    return episodes, max((e.seq for e in (last if whole else episodes)), default=0)


def _lean(draft: Draft, parts: Parts) -> None:
    """Learn anew what sets this person apart, where the policy can tell."""
    policy = parts.policy
    if isinstance(policy, Leaning):
        lessons = draft.store.lessons(last=LESSONS)
        leaning = policy.leaning(lessons)
        draft.then(lambda: draft.store.set_leaning(policy.name, leaning))


@contextmanager
def _timed(step: str, steps: Counter[str]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    steps[step] += _since(began)  # type: ignore[assignment]  # milliseconds


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
