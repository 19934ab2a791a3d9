"""What a trained policy owes to each of its heads: one verb at a time by the rules."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, cast

from psm_core.model.rules import RulePolicy
from psm_core.protocols import Policy
from psm_core.train.corpus import Life
from psm_core.train.evaluate.asking import Answer, System, answers, heard
from psm_core.train.evaluate.found import judged
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.material import Say

OPERATION = "recall"

BUDGET = 1_000
"""Tokens of context within which all evidence should be readable."""

HEADS = {
    "gate": "gate",
    "weigh": "recall weighting",
    "abstract": "consolidation",
    "interferes": "interference",
    "half_life": "half-lives",
}
"""The verbs of a policy, and what the head behind each decides."""


class Without:
    """A policy that asks the rules for one of its verbs.

    Args:
        policy: Decides all else.
        verb: One of `HEADS`.
    """

    def __init__(self, policy: Policy, verb: str) -> None:
        self._policy = policy
        self._rules = RulePolicy()
        self._verb = verb

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rules if name == self._verb else self._policy, name)


def evaluate_heads(
    system: System, lives: Sequence[Life], say: Say
) -> Iterable[Measured]:
    """How well evidence is found after a sleep, with all heads and with each one off.

    Args:
        system: The trained policy.
        lives: Whose questions are asked; each life is heard, and slept on once.
        say: Told which head is off.

    Returns:
        R@10 and questions with all evidence readable within `BUDGET`, for the whole
        and without each of `HEADS`.
    """
    cut = {system.name: system.policy} | {
        f"{system.name}, {head} by the rules": cast(
            "Policy", Without(system.policy, verb)
        )
        for verb, head in HEADS.items()
    }
    found: dict[str, dict[str, list[Answer]]] = {}
    for name, policy in cut.items():
        say(f"after a sleep: {name}")
        found[name] = {
            life.name: _slept(system._replace(policy=policy), life) for life in lives
        }
    for name, given in found.items():
        cases = {
            person: [judged(a.ranking, a.question.evidence).recall_10 for a in own]
            for person, own in given.items()
        }
        yield measured(OPERATION, "R@10 after a sleep", name, cases, statistics.fmean)
    for name, given in found.items():
        cases = {
            person: [float(a.read[BUDGET]) for a in own]
            for person, own in given.items()
        }
        measure = f"all evidence in {BUDGET:,} tokens after a sleep"
        yield measured(OPERATION, measure, name, cases, statistics.fmean)


def _slept(system: System, life: Life) -> list[Answer]:
    with heard(life, system) as memory:
        memory.consolidate()
        return answers(memory, life, budgets=[BUDGET])
