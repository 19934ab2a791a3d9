"""Putting the questions of a life to a memory that heard it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from psm_core.acts.context import Context, count_tokens
from psm_core.memory import Memory
from psm_core.protocols import Policy
from psm_core.store.words import stems
from psm_core.train.corpus import Life, Question
from psm_core.train.material import Remembered
from psm_core.types import Entry, Kind, Tier, Trace, Turn

if TYPE_CHECKING:
    from psm_core.model.network import PSM

AFTER = timedelta(days=365)
"""From the last turn to the questions: they are what somebody asks a year later."""

DEPTH = 50
"""Memories that a recall is asked for, so that ten turns can be told from them."""

BUDGETS = (500, 1_000, 2_000)
"""Tokens of context within which all evidence should be readable."""

READABLE = 0.7
"""Share of a turn's content words that a text must hold to tell what it said."""

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


class System(NamedTuple):
    """A policy under a name, with the encoder that its memories use.

    ``network`` is the policy's own, where it was trained.
    """

    name: str
    policy: Policy
    encoder: Remembered
    network: PSM | None = None


class Answer(NamedTuple):
    """What a memory answered to one question.

    ``ranking`` are turn ids, best first; ``read`` says by budget whether all evidence
    can be read in the context; ``milliseconds`` is the CPU time of one recall as
    agents make it, encoding left out, or None where it wasn't taken.
    """

    question: Question
    ranking: Sequence[str]
    read: Mapping[int, bool]
    milliseconds: float | None = None


class Later:
    """A clock that stands still a year after the last turn of a life.

    Args:
        life: The life.
        after: How long after; `AFTER` by default.
    """

    def __init__(self, life: Life, after: timedelta = AFTER) -> None:
        self._at = (life.turns[-1].at or _NEVER) + after

    def now(self) -> datetime:
        """The present, as an aware datetime."""
        return self._at


@contextmanager
def heard(life: Life, system: System) -> Iterator[Memory]:
    """A memory that heard *life*, in a home that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="psm-eval-") as home,
        Memory(
            life.name,
            home=home,
            encoder=system.encoder,
            policy=system.policy,
            clock=Later(life),
        ) as memory,
    ):
        memory.remember_many(life.turns)
        yield memory


def answers(
    memory: Memory,
    life: Life,
    *,
    budgets: Sequence[int] = BUDGETS,
    timed: bool = False,
) -> list[Answer]:
    """What *memory* answers to each question of *life* that has evidence.

    Args:
        memory: One that heard the life.
        life: Whose questions.
        budgets: Tokens of context that are tried.
        timed: Whether the CPU time of a recall is taken too.
    """
    turns = {turn.id: turn for turn in life.turns}
    return [
        _answer(memory, question, turns, budgets, timed=timed)
        for question in life.questions
        if question.evidence
    ]


def _answer(
    memory: Memory,
    question: Question,
    turns: Mapping[str, Turn],
    budgets: Sequence[int],
    *,
    timed: bool,
) -> Answer:
    hits = memory.recall(question.text, limit=DEPTH, budget=None).hits
    needed = [turns[i] for i in question.evidence]
    read = {}
    for budget in budgets:
        found = memory.recall(question.text, limit=None, budget=budget)
        sources = {i for hit in found.hits for i in hit.sources}
        read[budget] = all_readable(found.context, sources, needed)
    ranking = list(dict.fromkeys(i for hit in hits for i in hit.sources))
    spent = _spent(memory, question.text) if timed else None
    return Answer(question, ranking, read, spent)


def _spent(memory: Memory, cue: str) -> float:
    """CPU milliseconds of one recall; the encoder has the cue's vector by now."""
    began = time.process_time()
    memory.recall(cue)
    return (time.process_time() - began) * 1000


def all_readable(text: str, named: Collection[str], needed: Sequence[Turn]) -> bool:
    """Whether each turn in *needed* is named as a source and can be read in *text*."""
    there = set(stems(text))
    return all(t.id in named and readable(t, there) for t in needed)


def readable(turn: Turn, there: Collection[str]) -> bool:
    """Whether enough of what *turn* said stands among the stems that are *there*."""
    said = stems(turn.text)
    return sum(stem in there for stem in said) >= READABLE * len(said)


def filled(
    ranking: Sequence[str], turns: Mapping[str, Turn], budget: int
) -> tuple[str, set[str]]:
    """The context that a plain ranking fills, as a memory would fill it.

    Args:
        ranking: Turn ids, best first.
        turns: The turns by id.
        budget: Most tokens.

    Returns:
        The text, and the ids of the turns in it.
    """
    context = Context("", budget, count_tokens)
    entries = [_entry(n, turns[i]) for n, i in enumerate(ranking)]
    taken = [entry for entry in entries if context.offer(entry)]
    while taken and not context.fits():
        context.withdraw(taken.pop())
    return context.text(), {entry.id for entry in taken}


def _entry(number: int, turn: Turn) -> Entry:
    at = turn.at or _NEVER
    return Entry(
        id=turn.id,
        tier=Tier.EPISODIC,
        kind=Kind.TALK,
        text=turn.text,
        speaker=turn.speaker,
        role=turn.role,
        session=turn.session,
        said_at=at,
        sources=(turn.id,),
        trace=Trace(1.0, AFTER, at),
        seq=number,
    )
