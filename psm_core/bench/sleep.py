"""What a sleep saves and costs: the index before it and after, question by question."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psm_core.acts.context import count_tokens
from psm_core.config import Config
from psm_core.memory import Memory
from psm_core.model.encoder import SentenceEncoder
from psm_core.model.policy import PSMPolicy
from psm_core.plugins import Plugins
from psm_core.protocols import Policy
from psm_core.train.corpus import Life, lives
from psm_core.train.evaluate.asking import Answer, Later, answers
from psm_core.train.evaluate.baselines import FUSED, Baselines
from psm_core.train.evaluate.consolidation import INDEXED, still_readable
from psm_core.train.evaluate.found import judged
from psm_core.train.evaluate.locomo import conversations
from psm_core.train.material import Remembered
from psm_core.types import Tier

TOKENS = 1_000
"""Tokens of context within which all evidence should be readable."""

SHARES = (1.0, 0.8, 0.75, 0.7, 0.6)
"""What the index may keep of the words that were said, one row each."""

CALM = ("compatible", "hedge")
"""How two statements stand to each other that both hold."""


class Slept(NamedTuple):
    """What one setting makes of all lives; shares and R@10 in [0, 1].

    ``tokens`` are those of the index after the sleep, over those of all turns;
    ``own_words`` is the share of the evidence of which the index, ``kept`` that of
    which index or archive, hold seven of ten content words under its source.
    ``recall_10`` and ``read`` (all evidence within 1,000 tokens, by its own words)
    stand before and after the sleep; ``a_second`` are episodes slept on in a second
    of one core.
    """

    share: float
    tokens: float
    own_words: float
    kept: float
    recall_10: tuple[float, float]
    read: tuple[float, float]
    facts: int
    a_second: float


class Told(NamedTuple):
    """What the sleeps found of the pairs that are labelled, as shares.

    ``current`` is the share of questions about what has changed that the current
    statement answers first, ``hybrid`` the same for cosine and BM25, fused.
    """

    updates: float
    contradictions: float
    alarms: float
    current: float
    hybrid: float
    pairs: int
    questions: int


def sleep(
    data: Path | None = None,
    shares: Sequence[float] = SHARES,
    on_step: Callable[[str], None] | None = None,
) -> tuple[list[Slept], Told | None]:
    """Let lives be heard, asked, slept on, and asked again.

    Args:
        data: Conversations in LoCoMo's format; None means the ten test people.
        shares: Settings of ``index_share``; one row each.
        on_step: Is told what goes on.

    Returns:
        One row for each share; and what became of the labelled pairs with the
        settings as they ship, None where nothing is labelled.

    Raises:
        TranscriptError: *data* can't be read, or has no questions.
    """
    say = on_step or (lambda _: None)
    told = conversations(data) if data else lives("test")
    encoder = Remembered(Plugins().encoder(Config().encoder))
    bench = _Bench(told, encoder, PSMPolicy(), say)
    rows = [bench.slept(share) for share in shares]
    return rows, None if data else bench.told()


class _Bench:
    def __init__(
        self,
        told: Sequence[Life],
        encoder: Remembered,
        policy: Policy,
        say: Callable[[str], None],
    ) -> None:
        self._lives, self._encoder, self._policy = told, encoder, policy
        self._say = say
        self._before: dict[str, list[Answer]] = {}

    def slept(self, share: float) -> Slept:
        """One row: every life, slept on once with this share."""
        said = kept = spent = 0.0
        episodes = facts = 0
        own: list[float] = []
        whole: list[float] = []
        before: list[Answer] = []
        after: list[Answer] = []
        for life in self._lives:
            self._say(f"{life.name} sleeps, and keeps {share:.0%} of the words")
            with self._heard(life, index_share=share) as memory:
                before += self._asked(life, memory)
                began = time.process_time()
                report = memory.consolidate()
                spent += time.process_time() - began
                episodes, facts = episodes + report.episodes, facts + report.facts
                after += answers(memory, life, budgets=[TOKENS])
                index = memory.entries(*INDEXED)
                everything = memory.entries(*INDEXED, Tier.ARCHIVAL, as_heard=True)
            said += sum(count_tokens(turn.text) for turn in life.turns)
            kept += sum(count_tokens(entry.text) for entry in index)
            needed = {i for q in life.questions for i in q.evidence}
            evidence = [turn for turn in life.turns if turn.id in needed]
            own += still_readable(index, evidence)
            whole += still_readable(everything, evidence)
        return Slept(
            share=share,
            tokens=kept / said,
            own_words=statistics.fmean(own),
            kept=statistics.fmean(whole),
            recall_10=(_recall_10(before), _recall_10(after)),
            read=(_read(before), _read(after)),
            facts=facts,
            a_second=episodes / max(spent, 1e-9),
        )

    def told(self) -> Told:
        """What the sleeps find of the pairs, and of what has changed."""
        found: dict[str, list[bool]] = {}
        current: list[bool] = []
        hybrid: list[bool] = []
        plain = Remembered(SentenceEncoder())
        for life in self._lives:
            self._say(f"{life.name} sleeps, and is asked what holds now")
            with self._heard(life) as memory:
                memory.consolidate()
                clashing = _clashing(memory)
                for pair in life.pairs:
                    if pair.ids is not None:
                        hit = frozenset(pair.ids) in clashing
                        found.setdefault(pair.relation, []).append(hit)
                now = [*_current(memory, life)]
            usual = Baselines(life, plain)
            for question, right, asked in now:
                current.append(right)
                first = usual.rankings(question)[FUSED].ranking[0]
                hybrid.append(first == asked)
        calm = [hit for name in CALM for hit in found.get(name, [])]
        return Told(
            updates=_share(found.get("update", [])),
            contradictions=_share(found.get("contradiction", [])),
            alarms=_share(calm),
            current=_share(current),
            hybrid=_share(hybrid),
            pairs=sum(map(len, found.values())),
            questions=len(current),
        )

    def _heard(self, life: Life, **settings: Any) -> _Open:
        return _Open(life, self._encoder, self._policy, settings)

    def _asked(self, life: Life, memory: Memory) -> list[Answer]:
        if life.name not in self._before:
            self._before[life.name] = answers(memory, life, budgets=[TOKENS])
        return self._before[life.name]


class _Open:
    """A memory that heard a life, in a home that is gone afterwards."""

    def __init__(
        self,
        life: Life,
        encoder: Remembered,
        policy: Policy,
        settings: dict[str, Any],
    ) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="psm-bench-")
        self._memory = Memory(
            life.name,
            home=self._home.name,
            encoder=encoder,
            policy=policy,
            clock=Later(life),
            **settings,
        )
        self._memory.remember_many(life.turns)

    def __enter__(self) -> Memory:
        return self._memory

    def __exit__(self, *_: object) -> None:
        self._memory.close()
        self._home.cleanup()


def _clashing(memory: Memory) -> set[frozenset[str]]:
    """The pairs of turns that stand on the two sides of a conflict."""
    return {
        frozenset((new, old))
        for conflict in memory.conflicts(status=None)
        for new in memory.entry(conflict.new).sources
        for old in memory.entry(conflict.old).sources
    }


def _current(memory: Memory, life: Life) -> Iterable[tuple[str, bool, str]]:
    """Each question about what has changed; whether the latest turn answers first."""
    at = {turn.id: n for n, turn in enumerate(life.turns)}
    for question in life.questions:
        if question.sort == "update" and question.evidence:
            latest = max(question.evidence, key=at.__getitem__)
            hits = memory.recall(question.text).hits
            yield question.text, bool(hits) and latest in hits[0].sources, latest


def _recall_10(found: Sequence[Answer]) -> float:
    return statistics.fmean(
        judged(a.ranking, a.question.evidence).recall_10 for a in found
    )


def _read(found: Sequence[Answer]) -> float:
    return statistics.fmean(a.read[TOKENS] for a in found)


def _share(hits: Sequence[bool]) -> float:
    return statistics.fmean(hits) if hits else 0.0
