"""The report card: each operation of a trained policy, beside its baselines."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from psm_core.errors import EncoderMismatchError
from psm_core.model.adapter import SUFFIX
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder, SentenceEncoder
from psm_core.model.network import PSM
from psm_core.model.policy import SHIPPED, PSMPolicy
from psm_core.model.rules import RulePolicy
from psm_core.protocols import Encoder
from psm_core.train.backbone import Backbone
from psm_core.train.corpus import Life, lives
from psm_core.train.evaluate import targets
from psm_core.train.evaluate.ablations import evaluate_ablations
from psm_core.train.evaluate.asking import AFTER, System
from psm_core.train.evaluate.ceiling import evaluate_ceiling
from psm_core.train.evaluate.consolidation import evaluate_consolidation
from psm_core.train.evaluate.locomo import conversations
from psm_core.train.evaluate.measured import Measured
from psm_core.train.evaluate.pooled import evaluate_pools
from psm_core.train.evaluate.recall import evaluate_recall
from psm_core.train.evaluate.targets import Verdict
from psm_core.train.evaluate.without import evaluate_heads
from psm_core.train.material import Remembered, Say
from psm_core.train.pools import Asked, Asking, asked
from psm_core.train.ranking import STORES

HASHED = "hash-"
"""What the name of an encoder begins with that hashes words; its width follows."""


@dataclass(frozen=True)
class Subject:
    """Who is measured, on whom.

    Args:
        where: "people" or "LoCoMo".
        lives: On whom.
        trained: The policy that was trained, with its network and thresholds.
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
    if subject.labelled:
        yield from evaluate_heads(subject.trained, subject.lives, subject.say)


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
    told = {life.name: (life.turns, gate.needed(life)) for life in subject.lives}
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


def _ceiling(subject: Subject) -> Iterable[Measured]:
    if not subject.labelled:
        yield from evaluate_ceiling(subject.trained, subject.lives, subject.say)


def _module(name: str) -> Any:
    return importlib.import_module(f"psm_core.train.evaluate.{name}")


OPERATIONS: dict[str, Callable[[Subject], Iterable[Measured]]] = {
    "recall": _recall,
    "gate": _gate,
    "interference": _interference,
    "decay": _decay,
    "consolidation": _consolidation,
    "utility": _utility,
    "ceiling": _ceiling,
}
"""What can be measured, by name, and by what."""


# ------------------------------------------------------------------- the report


def report(
    weights: Path = SHIPPED,
    *,
    say: Say,
    split: str = "test",
    data: Path | None = None,
    operations: Sequence[str] = tuple(OPERATIONS),
    retrain: bool = False,
    backbone: Path | None = None,
) -> Report:
    """The report card of trained weights.

    Args:
        weights: Their card; weights and adapter lie beside it.
        say: Told how far it is.
        split: Which people: "test" or "validation".
        data: A file in LoCoMo's format, measured beside them.
        operations: Names out of `OPERATIONS`.
        retrain: Whether each ablated ranking is trained anew; takes many minutes.
        backbone: The model that they stand on, where it isn't all-MiniLM-L6-v2.

    Raises:
        WeightsError: The weights are missing, broken or of another release.
        EncoderMismatchError: The encoder that they need isn't here.
        TranscriptError: *data* can't be read.
    """
    folder, name = weights.parent, weights.stem
    network, card = PSM.load(folder, name)
    encoder = Remembered(encoder_of(card, folder, backbone))
    policy = PSMPolicy(name, folder, encoder=encoder)
    plain = Remembered(SentenceEncoder())
    measured_on = {targets.PEOPLE: lives(split)}
    if data is not None:
        measured_on[targets.LOCOMO] = conversations(data)
    rules = RulePolicy()
    subjects = [
        Subject(
            where=where,
            lives=people,
            trained=System(targets.PSM, policy, encoder, network),
            beside=[
                System(targets.RULES, rules, plain),
                System("rules, trained encoder", rules, encoder),
            ],
            plain=plain,
            say=say,
            labelled=where == targets.PEOPLE,
            learned={split: lives(split) for split in ("train", "validation")},
            retrain=retrain,
        )
        for where, people in measured_on.items()
    ]
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


def encoder_of(card: Card, folder: Path, backbone: Path | None = None) -> Encoder:
    """The encoder that weights were trained on.

    Args:
        card: What the weights say of themselves.
        folder: Where they lie, and what their encoder learned.
        backbone: The model that learned, where it isn't all-MiniLM-L6-v2.

    Raises:
        EncoderMismatchError: What is here is another one.
    """
    name = card.encoder
    beside = folder / f"{card.name}{SUFFIX}"
    adapter = beside if beside.is_file() else None
    encoder: Encoder
    if name.startswith(HASHED):
        encoder = HashEncoder(int(name.removeprefix(HASHED)))
    elif backbone is not None:
        encoder = Backbone(backbone, adapter=adapter)
    else:
        encoder = SentenceEncoder(adapter=adapter)
    if encoder.name != name:
        raise EncoderMismatchError(
            f"the weights were trained on the encoder {name}, and here is "
            f"{encoder.name}; install the release that they came with, or train anew"
        )
    return encoder
