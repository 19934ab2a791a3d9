"""How far the same heads come where they may learn from like conversations.

Each conversation is left out once, and the heads learn from the others of the same
file.  What stands between that and the shipped weights is a matter of what was learned
from; what stands above it needs other features or another encoder.  Nothing of it is
kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from psm_core.model.network import Shape
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.train.calibrate import logistic
from psm_core.train.corpus import Life
from psm_core.train.evaluate.asking import AFTER, System
from psm_core.train.evaluate.found import FIGURES, Found
from psm_core.train.evaluate.gate import ASKED, AWAY, needed, stays
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.material import Remembered, Say
from psm_core.train.pools import Asked, Asking, asked
from psm_core.train.ranking import imitate, learn_lists, ranked
from psm_core.train.reading import labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float64]

OPERATION = "ceiling"

TAUGHT = "psm, taught by the others"
"""A head that learned from the other conversations of the file."""

EPOCHS = 20
"""Passes over the questions: they are few, so there are more passes."""

RIDGE = {"signs": 2e-3, "signs and meaning": 0.1}
"""Pull on the gate's weights towards nothing, by what it sees; the best of three."""


def evaluate_ceiling(system: System, lives: Sequence[Life], say: Say) -> list[Measured]:
    """What recall and gate reach where they learn from all others of *lives*.

    Args:
        system: The trained policy, whose encoder, features and gate are kept.
        lives: Two conversations or more, each left out once.
        say: Told what is going on.

    Returns:
        R@5, R@10, nDCG@10, also by sort of question, and the evidence kept at each
        share of `AWAY`; none where there are fewer than two conversations.
    """
    if len(lives) < 2:
        return []
    say("what the same heads reach, taught by the other conversations")
    questions = asked(lives, system.encoder, system.policy, Asking(after=AFTER))
    return [*_recall(questions), *_gate(lives, system.encoder)]


def _recall(questions: Sequence[Asked]) -> Iterable[Measured]:
    answerable = [a for a in questions if a.sources]
    people = dict.fromkeys(a.person for a in answerable)
    found: dict[str, list[tuple[str, Found]]] = {}
    for person in people:
        ranking = Ranking(len(LEARNED_NAMES), Shape(1).recall)
        others = [a for a in answerable if a.person != person]
        imitate(ranking, others)
        learn_lists(ranking, others, seed=0, epochs=EPOCHS)
        own = [a for a in answerable if a.person == person]
        rows = ranked(ranking, own)
        found[person] = [(a.sort, row) for a, row in zip(own, rows, strict=True)]
    for measure, of in FIGURES.items():
        cases = {n: [of(row) for _, row in rows] for n, rows in found.items()}
        yield measured(OPERATION, measure, TAUGHT, cases)
    for sort in dict.fromkeys(a.sort for a in answerable):
        cases = {
            n: [row.recall_10 for s, row in rows if s == sort]
            for n, rows in found.items()
        }
        yield measured(OPERATION, f"R@10, {sort}", TAUGHT, cases)


def _gate(lives: Sequence[Life], encoder: Remembered) -> Iterable[Measured]:
    read = {life.name: labelled([life], encoder) for life in lives}
    asked_for = {life.name: _asked(life) for life in lives}
    for seeing, ridge in RIDGE.items():
        seen = {
            name: x.signs if seeing == "signs" else torch.cat([x.signs, x.vectors], 1)
            for name, x in read.items()
        }
        worth = {
            name: _worth(seen, {n: x.evidence for n, x in read.items()}, name, ridge)
            for name in read
        }
        for share in AWAY:
            kept = {name: stays(own, share) for name, own in worth.items()}
            measure = f"evidence kept, {share:.0%} turned away"
            name = f"{TAUGHT}, {seeing}"
            cases = {n: row[asked_for[n] > 0].tolist() for n, row in kept.items()}
            yield measured(OPERATION, measure, name, cases)
            cases = {n: row.repeat(asked_for[n]).tolist() for n, row in kept.items()}
            yield measured(OPERATION, f"{measure}, {ASKED}", name, cases)


def _worth(
    seen: Mapping[str, Tensor], true: Mapping[str, Tensor], held: str, ridge: float
) -> Column:
    """(N,) what a logistic regression on all others makes of the turns of *held*."""
    others = torch.cat([x for name, x in seen.items() if name != held])
    needed_there = torch.cat([x for name, x in true.items() if name != held])
    head = nn.Linear(others.shape[1], 1)
    logistic(head, others, needed_there.float(), ridge)
    with torch.no_grad():
        said: Tensor = head(seen[held]).squeeze(1)
    return said.double().numpy()


def _asked(life: Life) -> NDArray[np.int64]:
    counted = needed(life)
    return np.array([counted.get(turn.id, 0) for turn in life.turns])
