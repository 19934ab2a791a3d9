"""What one sleep does to a memory: facts written, words kept, tokens saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from psm_core.acts.context import count_tokens
from psm_core.acts.forget import COVERED
from psm_core.memory import Memory
from psm_core.protocols import Policy
from psm_core.store.words import stems
from psm_core.train.corpus import Life, Said
from psm_core.train.evaluate.asking import Answer, System, answers, heard, readable
from psm_core.train.evaluate.found import judged
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.evaluate.patterns import (
    OPERATION,
    Found,
    evaluate_patterns,
    patterns_in,
)
from psm_core.train.material import Say
from psm_core.types import Entry, Kind, Tier, Turn

LASTING = frozenset({Kind.STATE, Kind.PREFERENCE, Kind.PLAN})
"""Kinds of turns that a fact may rest on."""

BUDGET = 1_000
"""Tokens of context within which all evidence should be readable."""

INDEXED = (Tier.EPISODIC, Tier.SEMANTIC)
"""Tiers that an ordinary recall searches."""


class Night(NamedTuple):
    """One life before and after its sleep.

    ``facts`` and ``entries``, which are what a recall searches, are as of after it,
    and so is ``heard``: everything, the archive too, in the words that were heard.

    ``covered`` are the episodes that left the index because a fact says all of them.
    """

    life: Life
    patterns: Found
    covered: Sequence[Entry]
    facts: Sequence[Entry]
    entries: Sequence[Entry]
    heard: Sequence[Entry]
    tokens: tuple[int, int]
    asked: tuple[Sequence[Answer], Sequence[Answer]]


def evaluate_consolidation(
    systems: Sequence[System], lives: Sequence[Life], say: Say, *, labelled: bool = True
) -> list[Measured]:
    """What one sleep after each life writes, keeps and saves.

    Args:
        systems: Policies, each with its encoder; the trained one first.
        lives: What is heard, then slept on, then asked about.
        say: Told whose turn it is.
        labelled: Whether the turns carry labels, against which facts are held.

    Returns:
        For each system: facts in 100 turns; the share of facts whose sources are all
        labelled as worth keeping and lasting; the share of evidence whose own words
        can still be read in what a recall searches, and in that and the archive; of
        what facts cover, the share whose own words they hold; the tokens that a
        recall searches, after over before; R@10 and questions with all evidence
        within 1,000 tokens, before and after, and what the sleep changed.  With
        labels the rows of `evaluate_patterns` follow.
    """
    rows: list[Measured] = []
    told: dict[str, dict[str, Found]] = {}
    for system in systems:
        nights = {}
        for life in lives:
            say(f"{life.name} sleeps, as {system.name} decides")
            with heard(life, system) as memory:
                nights[life.name] = _night(memory, life, system.policy)
        if labelled:
            rows += _written(system.name, nights)
        rows += _kept(system.name, nights)
        rows += _asked(system.name, nights)
        told[system.name] = {name: night.patterns for name, night in nights.items()}
    return rows + (evaluate_patterns(told) if labelled else [])


def _night(memory: Memory, life: Life, policy: Policy) -> Night:
    before = answers(memory, life, budgets=[BUDGET])
    tokens = _tokens(memory)
    episodes = memory.entries(Tier.EPISODIC)
    patterns = patterns_in(policy, episodes, life.said)
    changes = memory.consolidate().changes
    covered = {change.memory for change in changes if change.reason == COVERED}
    return Night(
        life=life,
        patterns=patterns,
        covered=[episode for episode in episodes if episode.id in covered],
        facts=memory.entries(Tier.SEMANTIC),
        entries=memory.entries(*INDEXED),
        heard=memory.entries(*INDEXED, Tier.ARCHIVAL, as_heard=True),
        tokens=(tokens, _tokens(memory)),
        asked=(before, answers(memory, life, budgets=[BUDGET])),
    )


def _tokens(memory: Memory) -> int:
    return sum(count_tokens(entry.text) for entry in memory.entries(*INDEXED))


def _row(
    measure: str,
    system: str,
    nights: Mapping[str, Night],
    cases: Callable[[Night], Sequence[float]],
) -> list[Measured]:
    """One row, or none where there is nothing to count."""
    found = {name: cases(night) for name, night in nights.items()}
    if not any(found.values()):
        return []
    return [measured(OPERATION, measure, system, found)]


# ------------------------------------------------------------------- the figures


def _written(system: str, nights: Mapping[str, Night]) -> list[Measured]:
    return [
        *_row(
            "facts on lasting turns",
            system,
            nights,
            lambda night: rests_on_lasting(night.facts, night.life.said),
        )
    ]


def rests_on_lasting(facts: Sequence[Entry], said: Sequence[Said]) -> list[float]:
    """For each fact 1 where all its sources are worth keeping and of a lasting kind."""
    lasting = {s.turn.id for s in said if s.keep and s.kind in LASTING}
    return [float(lasting.issuperset(fact.sources)) for fact in facts]


def _kept(system: str, nights: Mapping[str, Night]) -> list[Measured]:
    return [
        *_row("facts in 100 turns", system, nights, _facts_in_100),
        *_row(
            "evidence readable in the index",
            system,
            nights,
            lambda night: still_readable(night.entries, _evidence(night.life)),
        ),
        *_row(
            "evidence readable in index or archive",
            system,
            nights,
            lambda night: still_readable(night.heard, _evidence(night.life)),
        ),
        *_row("own words of what facts cover", system, nights, _covered),
        *_row(
            "tokens in the index, after / before",
            system,
            nights,
            lambda night: [night.tokens[1] / max(night.tokens[0], 1)],
        ),
    ]


def _facts_in_100(night: Night) -> list[float]:
    return [100 * len(night.facts) / len(night.life.turns)]


def _covered(night: Night) -> list[float]:
    """For each covered episode 1 where its own words can be read in its facts."""
    own = [Turn(e.text, e.speaker, id=e.sources[0]) for e in night.covered]
    return still_readable(night.facts, own)


def _evidence(life: Life) -> list[Turn]:
    needed = {i for question in life.questions for i in question.evidence}
    return [turn for turn in life.turns if turn.id in needed]


def still_readable(entries: Sequence[Entry], needed: Sequence[Turn]) -> list[float]:
    """For each turn 1 where what rests on it still holds its own words.

    Args:
        entries: Memories in which they may stand.
        needed: The turns; each may be spread over several memories.
    """
    there: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for source in entry.sources:
            there[source].update(stems(entry.text))
    return [
        float(turn.id in there and readable(turn, there[turn.id])) for turn in needed
    ]


FIGURES: dict[str, Callable[[Answer], float]] = {
    "R@10": lambda a: judged(a.ranking, a.question.evidence).recall_10,
    f"all evidence in {BUDGET:,} tokens": lambda a: float(a.read[BUDGET]),
}
"""What is asked before the sleep and after it."""


def _asked(system: str, nights: Mapping[str, Night]) -> list[Measured]:
    rows: list[Measured] = []
    for measure, of in FIGURES.items():
        before, after = (
            {n: [of(a) for a in night.asked[late]] for n, night in nights.items()}
            for late in (0, 1)
        )
        change = {
            name: [b - a for a, b in zip(before[name], after[name], strict=True)]
            for name in nights
        }
        rows += [
            measured(OPERATION, f"{measure}, before", system, before),
            measured(OPERATION, f"{measure}, after", system, after),
            measured(OPERATION, f"{measure}, change by the sleep", system, change),
        ]
    return rows
