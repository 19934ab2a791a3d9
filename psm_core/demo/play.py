"""The demo: a life that ships with the package, lived through a real memory.

Nothing is printed here, and nothing is decided: each line of `Play` is what a memory
answered.  Which questions are asked, and which turns are looked at first, is written
down below.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psm_core
from psm_core.config import Config
from psm_core.demo.scenes import Fading, Judged, Lesson, Play, Proven, Sides
from psm_core.strength import retained
from psm_core.transcripts import read
from psm_core.types import (
    Action,
    Conflict,
    ConflictKind,
    Entry,
    Feedback,
    Recall,
    SleepReport,
    Tier,
    Turn,
)

if TYPE_CHECKING:
    from psm_core.memory import Memory

LIFE = Path(__file__).with_name("life.jsonl")
"""158 turns between Mira and her assistant Juno, from March to June 2026."""

USER = "Mira"
"""Whose life it is."""

NIGHT = timedelta(hours=6)
"""How long after the last word of a session its sleep begins."""

LATER = tuple(timedelta(days=days) for days in (0, 30, 90, 365))
"""How far ahead the fading of a memory is looked at."""

FADING = {"strong emotion": "s07-03", "preference": "s04-14", "small talk": "s09-15"}
"""Which memories are looked at while they fade: what rests on these turns."""

GATE = {Action.KEEP: 4, Action.DEFER: 2, Action.ARCHIVE: 2}
"""How many turns of each sort are looked at."""

LOOKED_AT = (
    *("s05-13", "s06-03", "s06-09", "s07-03"),
    *("s04-06", "s06-08", "s02-13", "s08-14"),
)
"""Turns whose gate decisions are looked at first, if they are of the sort wanted."""

CUE = "What does Mira drink?"
"""Asked before the sleep of `NIGHT_OF`, and after it."""

NIGHT_OF = "s01"
"""The session whose sleep is looked at."""

QUESTION = "Does Mira drink tea or coffee?"
"""Asked to give feedback on the answer."""

WRONG = "s06-08"
"""A turn in which the assistant took something for granted that was wrong."""

PROMPT = "Mira comes to dinner: what does she eat and drink?"
"""Asked on behalf of a language model."""

HITS = 2
"""Most memories that are shown for a question."""

PROMPT_TOKENS = 220
"""Budget of the prompt that is shown; small, so that it can be read."""

UPDATE_TURNS = frozenset({"s01-07", "s06-03"})
CONTRADICTION_TURNS = frozenset({"s03-13", "s09-11"})


@dataclass(slots=True)
class StoryClock:
    """A clock that shows the time of the story."""

    at: datetime

    def now(self) -> datetime:
        """The time of what was said last, or of the night after it."""
        return self.at


def play(
    config: Config | None = None,
    *,
    on_turns: Callable[[int, int], None] | None = None,
) -> Play:
    """Live the life in a home that is thrown away, and ask about it.

    Args:
        config: How the memory behaves; its home isn't touched.
        on_turns: Told after every session how many turns were heard, and how many
            there are.

    Returns:
        What the memory answered.

    Raises:
        EncoderError: The encoder's weights can't be found.
    """
    began = time.perf_counter()
    turns = list(read(LIFE).turns)
    settings = config or Config.load()
    clock = StoryClock(_said(turns[0]))
    with tempfile.TemporaryDirectory(prefix="psm-demo-") as folder:
        home = replace(settings, home=Path(folder))
        with psm_core.Memory(USER, config=home, clock=clock) as memory:
            stage = _Stage(memory, clock, turns)
            stage.live(on_turns)
            return stage.ask(settings.encoder, began)


class _Stage:
    """One memory, the clock it goes by, and what it was told."""

    def __init__(
        self, memory: Memory, clock: StoryClock, turns: Sequence[Turn]
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._turns = {turn.id: turn for turn in turns}
        self._judged: list[Judged] = []
        self._sleeps: list[SleepReport] = []
        self._asked: list[Recall] = []

    def live(self, on_turns: Callable[[int, int], None] | None) -> None:
        """Hear session after session, each in its own time, and sleep after each."""
        turns = self._turns.values()
        for name, session in itertools.groupby(turns, key=lambda turn: turn.session):
            self._hear(list(session))
            self._night(asked=name == NIGHT_OF)
            if on_turns is not None:
                on_turns(len(self._judged), len(turns))

    def _hear(self, session: Sequence[Turn]) -> None:
        self._clock.at = _said(session[-1])
        decisions = self._memory.remember_many(session)
        self._judged += map(Judged, session, decisions)

    def _night(self, *, asked: bool) -> None:
        self._clock.at += NIGHT
        if asked:
            self._asked.append(self._memory.recall(CUE, limit=HITS))
        self._sleeps.append(self._memory.consolidate())
        if asked:
            self._asked.append(self._memory.recall(CUE, limit=HITS))

    def ask(self, encoder: str, began: float) -> Play:
        """Every question of the demo, in the order in which it is told."""
        memory = self._memory
        turns = [judged.turn for judged in self._judged]
        evening, morning = self._asked
        facts = memory.entries(Tier.SEMANTIC)
        conflicts = memory.conflicts(status=None)
        fading = tuple(self._fading())
        tiers = memory.counts()
        question, lessons = self._learn()
        return Play(
            user=memory.user,
            first=_said(turns[0]),
            last=_said(turns[-1]),
            turns=len(turns),
            sessions=len(self._sleeps),
            encoder=encoder,
            gate=_tallied(self._judged),
            judged=tuple(_chosen(self._judged)),
            sleeps=tuple(self._sleeps),
            tiers=tiers,
            evening=evening,
            morning=morning,
            fact=self._fact(facts),
            update=self._sides(conflicts, ConflictKind.UPDATE, UPDATE_TURNS),
            contradiction=self._sides(
                conflicts, ConflictKind.CONTRADICTION, CONTRADICTION_TURNS
            ),
            fading=fading,
            question=question,
            lessons=lessons,
            prompt=memory.recall(PROMPT, budget=PROMPT_TOKENS),
            seconds=time.perf_counter() - began,
        )

    def _fact(self, facts: Iterable[Entry]) -> Proven | None:
        """The fact that rests on most turns."""
        current = [fact for fact in facts if fact.valid_until is None]
        if not current:
            return None
        return self._proven(max(current, key=lambda fact: len(fact.sources)))

    def _proven(self, entry: Entry) -> Proven:
        sources = (self._turns[i] for i in entry.sources)
        return Proven(entry, tuple(sorted(sources, key=_said)))

    def _sides(
        self, conflicts: Iterable[Conflict], kind: ConflictKind, turns: frozenset[str]
    ) -> Sides | None:
        """The conflict of this kind that rests on most of *turns*."""
        found = [
            Sides(c, self._entry(c.new), self._entry(c.old))
            for c in conflicts
            if c.kind is kind
        ]
        return max(found, key=lambda sides: _resting(sides, turns), default=None)

    def _entry(self, memory_id: str) -> Proven:
        return self._proven(self._memory.entry(memory_id))

    def _fading(self) -> Iterable[Fading]:
        """A memory for each of `FADING`, and what will be left of it."""
        now = self._clock.now()
        entries = self._memory.entries()
        for what, turn_id in FADING.items():
            rest_on = [entry for entry in entries if turn_id in entry.sources]
            if rest_on:
                # The fact, where a sleep has made one of it.
                entry = max(rest_on, key=lambda e: (e.tier is Tier.SEMANTIC, -e.seq))
                left = tuple(retained(entry, now + later) for later in LATER)
                yield Fading(what, entry, left)

    def _learn(self) -> tuple[Recall, tuple[Lesson, ...]]:
        """Say of the best hit that it was used, and of a wrong one that it is wrong."""
        memory = self._memory
        question = memory.recall(QUESTION, limit=5)
        if not question.hits:
            return question, ()
        used, *others = (hit.id for hit in question.hits)
        wrong = [hit.id for hit in question.hits[1:] if WRONG in hit.sources]
        wrong = wrong or others[-1:]
        told = {"used": [used], "corrected": wrong}
        before = {i: memory.strength(memory.entry(i)) for i in [used, *wrong]}
        memory.learn(Feedback(question.id, **told))
        memory.consolidate()
        return question, tuple(
            Lesson(outcome, entry := memory.entry(i), before[i], memory.strength(entry))
            for outcome, ids in told.items()
            for i in ids
        )


def _tallied(judged: Iterable[Judged]) -> dict[Action, int]:
    taken = Counter(decision.action for _, decision in judged)
    return {action: taken[action] for action in Action}


def _chosen(judged: Sequence[Judged]) -> Iterable[Judged]:
    """Some of each sort: those of `LOOKED_AT` first, then as they were said."""
    order = {turn_id: place for place, turn_id in enumerate(LOOKED_AT)}
    ranked = sorted(judged, key=lambda j: order.get(j.turn.id, len(order)))
    for action, count in GATE.items():
        of_sort = (j for j in ranked if j.decision.action is action)
        yield from sorted(itertools.islice(of_sort, count), key=lambda j: _said(j.turn))


def _resting(sides: Sides, turns: frozenset[str]) -> tuple[int, float]:
    rests_on = {*sides.new.entry.sources, *sides.old.entry.sources}
    return len(rests_on & turns), sides.conflict.confidence


def _said(turn: Turn) -> datetime:
    assert turn.at is not None
    return turn.at
