"""The report card: each operation of a trained policy, beside its baselines."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from psm_core.errors import EncoderMismatchError
from psm_core.model.network import PSM
from psm_core.model.policy import PSMPolicy
from psm_core.model.rules import RulePolicy
from psm_core.plugins import Plugins
from psm_core.protocols import Encoder
from psm_core.train.corpus import Life, lives
from psm_core.train.evaluate import targets
from psm_core.train.evaluate.ablations import evaluate_ablations
from psm_core.train.evaluate.asking import AFTER, System
from psm_core.train.evaluate.consolidation import evaluate_consolidation
from psm_core.train.evaluate.locomo import conversations
from psm_core.train.evaluate.measured import Measured
from psm_core.train.evaluate.pooled import evaluate_pools
from psm_core.train.evaluate.recall import evaluate_recall
from psm_core.train.evaluate.targets import Verdict
from psm_core.train.material import Remembered, Say
from psm_core.train.pools import Asked, Asking, asked
from psm_core.train.ranking import STORES

PLAIN = "all-MiniLM-L6-v2"
"""The encoder that others take off the shelf; the baselines and the rules use it."""

ENCODERS = {"psm-mini-": "psm-mini", "hash-": "hash"}
"""Registered names of encoders whose own names tell more: a digest, a width."""


@dataclass(frozen=True)
class Subject:
    """Who is measured, on whom.

    Args:
        where: "people" or "LoCoMo".
        lives: On whom.
        trained: The policy that was trained, with its network.
        beside: Policies that it must beat; the rules first.
        plain: The encoder of the baselines.
        say: Told how far it is.
        labelled: Whether the lives carry labels and pairs.
        learned: People that were learned from, and those on whom was chosen.
        retrain: Whether ablations are trained anew.
    """

    where: str
    lives: Sequence[Life]
    trained: System
    beside: Sequence[System]
    plain: Remembered
    say: Say
    labelled: bool = True
    learned: Mapping[str, Sequence[Life]] = field(default_factory=dict)
    retrain: bool = False

    @property
    def systems(self) -> list[System]:
        """The trained one, then the others."""
        return [self.trained, *self.beside]

    @property
    def network(self) -> PSM:
        """The trained network itself."""
        assert self.trained.network is not None
        return self.trained.network

    @property
    def thresholds(self) -> Mapping[str, float]:
        """From which probability on each head acts."""
        policy = self.trained.policy
        return policy.card.thresholds if isinstance(policy, PSMPolicy) else {}


class Report(NamedTuple):
    """The whole card: rows by where they were measured, and the targets."""

    weights: str
    encoder: str
    rows: Mapping[str, Sequence[Measured]]
    verdicts: Sequence[Verdict]


# --------------------------------------------------------------- the operations


def _recall(subject: Subject) -> Iterable[Measured]:
    yield from evaluate_recall(
        subject.systems, subject.lives, subject.plain, subject.say
    )
    subject.say("questions without names, and without an answer")
    yield from evaluate_pools(subject.systems, subject.lives, subject.plain)
    subject.say("the ranking without this and that")
    again = _pools(subject, subject.learned["train"]) if subject.retrain else []
    questions = _pools(subject, subject.lives, [Asking(after=AFTER)])
    yield from evaluate_ablations(subject.network.recall, questions, train=again)


def _pools(
    subject: Subject, people: Sequence[Life], stores: Sequence[Asking] = STORES
) -> list[Asked]:
    encoder, policy = subject.trained.encoder, subject.trained.policy
    return [a for how in stores for a in asked(people, encoder, policy, how)]


def _consolidation(subject: Subject) -> Iterable[Measured]:
    # The rules on the trained encoder sleep as the rules do.
    systems = subject.systems[:2]
    yield from evaluate_consolidation(
        systems, subject.lives, subject.say, labelled=subject.labelled
    )


def _gate(subject: Subject) -> Iterable[Measured]:
    gate = _module("gate")
    network, encoder = subject.network, subject.trained.encoder
    archive = subject.thresholds["archive"]
    if subject.labelled:
        yield from gate.evaluate_gate(network, archive, subject.lives, encoder)
        return
    told = {
        life.name: (life.turns, {i for q in life.questions for i in q.evidence})
        for life in subject.lives
    }
    yield from gate.evaluate_worth(network, archive, told, encoder)


def _interference(subject: Subject) -> Iterable[Measured]:
    if subject.labelled:
        yield from _module("interference").evaluate_interference(
            [system.policy for system in subject.systems[:2]],
            subject.lives,
            subject.trained.encoder,
        )


def _decay(subject: Subject) -> Iterable[Measured]:
    yield from _module("decay").evaluate_decay(
        [system.policy for system in subject.systems[:2]],
        subject.lives,
        subject.trained.encoder,
        chosen_on=subject.learned["validation"],
    )


def _utility(subject: Subject) -> Iterable[Measured]:
    if subject.labelled:
        yield from _module("utility").evaluate_utility(
            subject.learned["train"], subject.lives, subject.trained.encoder
        )


def _module(name: str) -> Any:
    return importlib.import_module(f"psm_core.train.evaluate.{name}")


OPERATIONS: dict[str, Callable[[Subject], Iterable[Measured]]] = {
    "recall": _recall,
    "gate": _gate,
    "interference": _interference,
    "decay": _decay,
    "consolidation": _consolidation,
    "utility": _utility,
}
"""What can be measured, by name, and by what."""


# ------------------------------------------------------------------- the report


def report(
    policy: PSMPolicy,
    *,
    say: Say,
    split: str = "test",
    data: Path | None = None,
    operations: Sequence[str] = tuple(OPERATIONS),
    retrain: bool = False,
) -> Report:
    """The report card of *policy*.

    Args:
        policy: Trained, with its card.
        say: Told how far it is.
        split: Which people: "test" or "validation".
        data: A file in LoCoMo's format, measured beside them.
        operations: Names out of `OPERATIONS`.
        retrain: Whether each ablated ranking is trained anew; takes many minutes.

    Raises:
        TranscriptError: *data* can't be read.
        EncoderMismatchError: The encoder that the weights need isn't here.
    """
    trained = Remembered(encoder_of(policy.encoder))
    plain = Remembered(encoder_of(PLAIN)) if trained.name != PLAIN else trained
    subjects = [
        _subject(policy, trained, plain, targets.PEOPLE, lives(split), say, retrain)
    ]
    if data is not None:
        there = conversations(data)
        subjects.append(
            _subject(policy, trained, plain, targets.LOCOMO, there, say, retrain)
        )
    return reported(policy, subjects, operations)


def reported(
    policy: PSMPolicy, subjects: Sequence[Subject], operations: Sequence[str]
) -> Report:
    """The card of *policy*, from subjects of any making.

    Args:
        policy: Whose name the rows bear as "psm".
        subjects: Who is measured, on whom.
        operations: Names out of `OPERATIONS`.
    """
    rows = {
        subject.where: [
            row._replace(system=row.system.replace(policy.name, targets.PSM))
            for name in operations
            for row in OPERATIONS[name](subject)
        ]
        for subject in subjects
    }
    return Report(policy.name, policy.encoder, rows, targets.judge(rows))


def _subject(
    policy: PSMPolicy,
    encoder: Remembered,
    plain: Remembered,
    where: str,
    people: Sequence[Life],
    say: Say,
    retrain: bool,
) -> Subject:
    rules = RulePolicy()
    beside = [System(targets.RULES, rules, plain)]
    if encoder is not plain:
        beside.append(System("rules, trained encoder", rules, encoder))
    return Subject(
        where=where,
        lives=people,
        trained=System(targets.PSM, policy, encoder, policy._network),
        beside=beside,
        plain=plain,
        say=lambda line: say(f"{where}: {line}"),
        labelled=where == targets.PEOPLE,
        learned={"train": lives("train"), "validation": lives("validation")},
        retrain=retrain,
    )


def encoder_of(name: str) -> Encoder:
    """The encoder that weights were trained on, by the name on their card.

    Raises:
        EncoderMismatchError: What is here under that name is another one.
        PluginError: Nobody offers it.
    """
    start = next((s for s in ENCODERS if name.startswith(s)), None)
    encoder = Plugins().encoder(ENCODERS[start] if start else name)
    if encoder.name != name:
        raise EncoderMismatchError(
            f"the weights were trained on the encoder {name}, and here is "
            f"{encoder.name}; install the release that they came with, or train anew"
        )
    return encoder
