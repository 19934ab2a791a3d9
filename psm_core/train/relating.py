"""Stage 2 for interference: which of two statements takes back the other."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from psm_core.model.network import PSM
from psm_core.model.pairs import PAIR_NAMES, Statement, pair_signs
from psm_core.model.relation import RELATIONS, Relation, conflict
from psm_core.train.apart import unlabelled
from psm_core.train.calibrate import platt
from psm_core.train.corpus import Life, Pair
from psm_core.train.everyday import everyday
from psm_core.train.material import Material, Remembered, Say

EPOCHS = 40
"""Passes over the pairs at most; the best on the validation people is kept."""

BATCH = 128
"""Pairs in one step."""

RATE = 0.003
"""Step of AdamW at the beginning; it falls to nothing."""

DECAY = 0.3
"""Pull of AdamW on the weights towards nothing."""

SMOOTHED = 0.05
"""Share of the label that is spread over all relations: readers disagree."""

WEIGHTS = {"labelled": 1.0, "swapped": 0.5, "everyday": 0.5, "unlabelled": 0.1}
"""What a pair counts by where it is from."""

SAFE_CONFLICT = 0.9
"""Precision on the validation people from which on a conflict is flagged."""

FLAGGED = 0.02
"""Share of the compatible pairs of the validation people that may be flagged."""

SAFE_DUPLICATE = 0.95
"""The same for duplicates: merging them destroys text."""

ALARMED = 0.002
"""Share of the pairs that nobody put together that may be flagged: of a fact's many
neighbours hardly one conflicts with it.  None of them may be merged."""


class Judged(NamedTuple):
    """Pairs as tensors, and how they stand to each other.

    ``new`` and ``old`` (N, D); ``signs`` (N, P); ``relation`` (N,) places in
    `RELATIONS`; ``weight`` (N,) what a pair counts.
    """

    new: Tensor
    old: Tensor
    signs: Tensor
    relation: Tensor
    weight: Tensor

    @property
    def conflicts(self) -> Tensor:
        """(N,) bool: updates and contradictions."""
        return self.relation >= RELATIONS.index("update")


def train_relating(network: PSM, material: Material, say: Say) -> dict[str, float]:
    """Teach the head which statements conflict, which repeat, and which only seem to.

    Args:
        network: Whose relation head is trained, in place, with its calibration.
        material: Train people are learned from; the epoch, the calibration and the
            thresholds are those of the validation people.
        say: Is told the loss on the validation people, now and then.

    Returns:
        From "conflict" on, calibrated, a pair is flagged: of those flagged among the
        validation people nine of ten conflict, and of their compatible pairs at most
        2 % are flagged.  From "duplicate" on, as the head says it, two are merged.
    """
    torch.manual_seed(material.seed)
    encoder, seed = material.encoder, material.seed
    train = lessons(material.train, encoder, seed)
    validation = labelled(material.validation, encoder)
    others = [p for x in material.validation for p in unlabelled(x, encoder, seed)]
    learn(network.relation, train, validation, say)
    with torch.no_grad():
        said = network.relation.eval()(*validation[:3])
        apart = network.relation(*judged(others, encoder)[:3])
        scale = platt(conflict(said).numpy(), validation.conflicts.numpy())
        network.set_calibration("relation", scale)
    return {
        "conflict": _from_conflict(network, validation, said, apart),
        "duplicate": _from_duplicate(validation, said, apart),
    }


# --------------------------------------------------------------------- the material


def labelled(lives: Sequence[Life], encoder: Remembered) -> Judged:
    """The pairs of *lives* as a careful reader judged them."""
    return judged([p for life in lives for p in life.pairs], encoder)


def lessons(lives: Sequence[Life], encoder: Remembered, seed: int) -> Judged:
    """All that is learned from: pairs that were labelled, and more out of them.

    What repeats or fits does so in either order, and what was said once can't be
    otherwise in either.  Two statements of one speaker that nobody put together nearly
    always fit.  Plain sentences are learned too, for lives are full of allusions.
    """
    written = [p for life in lives for p in life.pairs]
    turned = [
        p._replace(old=p.new, new=p.old)
        for p in written
        if p.relation in ("compatible", "duplicate", "contradiction") and not p.ids
    ]
    drawn = [p for life in lives for p in unlabelled(life, encoder, seed)]
    parts = [
        judged(pairs, encoder, WEIGHTS[origin])
        for origin, pairs in (
            ("labelled", written),
            ("swapped", turned),
            ("everyday", everyday()),
            ("unlabelled", drawn),
        )
    ]
    return Judged(*(torch.cat(column) for column in zip(*parts, strict=True)))


def judged(pairs: Sequence[Pair], encoder: Remembered, weight: float = 1.0) -> Judged:
    """Pairs as tensors; a hedge is compatible, for what may be conflicts with nothing.

    Args:
        pairs: N pairs.
        encoder: Gives their vectors.
        weight: What each of them counts.
    """
    new = encoder.encode([p.new for p in pairs])
    old = encoder.encode([p.old for p in pairs])
    rows = [
        pair_signs(Statement(p.new, p.speaker, n), Statement(p.old, p.speaker, o))
        for p, n, o in zip(pairs, new, old, strict=True)
    ]
    stands = ["compatible" if p.relation == "hedge" else p.relation for p in pairs]
    return Judged(
        torch.tensor(new),
        torch.tensor(old),
        torch.tensor(np.array(rows, np.float32).reshape(len(rows), len(PAIR_NAMES))),
        torch.tensor([RELATIONS.index(name) for name in stands], dtype=torch.long),
        torch.full((len(pairs),), weight),
    )


# ---------------------------------------------------------------------- the fitting


def learn(relation: Relation, train: Judged, validation: Judged, say: Say) -> None:
    """Fit the head; keep the weights of its best epoch on the validation people."""
    relation.look(train.new, train.old, train.signs)
    learned = [p for p in relation.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=DECAY)
    steps = -(-len(train.relation) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
    least, best = float("inf"), copy.deepcopy(relation.state_dict())
    for epoch in range(1, EPOCHS + 1):
        relation.train()
        for rows in _batches(len(train.relation)):
            loss = _loss(relation, Judged(*(column[rows] for column in train)))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            logits = relation.eval()(*validation[:3])
            missed = float(functional.cross_entropy(logits, validation.relation))
        if missed < least:
            least, best = missed, copy.deepcopy(relation.state_dict())
        if epoch % 10 == 0:
            say(f"relating, epoch {epoch} of {EPOCHS}: least loss {least:.3f}")
    relation.load_state_dict(best)


def _loss(relation: Relation, pairs: Judged) -> Tensor:
    """Each member learns on its own; what they say together is only read."""
    logits = relation.members(*pairs[:3])  # (M, N, 4)
    members = len(logits)
    losses = functional.cross_entropy(
        logits.flatten(0, 1),
        pairs.relation.repeat(members),
        reduction="none",
        label_smoothing=SMOOTHED,
    )
    return (losses * pairs.weight.repeat(members)).mean()


def _batches(pairs: int) -> Iterable[Tensor]:
    """The numbers of all pairs by chance, `BATCH` at a time."""
    order = torch.randperm(pairs)
    return (order[n : n + BATCH] for n in range(0, pairs, BATCH))


# ------------------------------------------------------------------- the thresholds


def _from_conflict(
    network: PSM, validation: Judged, said: Tensor, apart: Tensor
) -> float:
    """The calibrated chance from which on a pair is flagged."""
    sure, alarm = (network.calibrated("relation", conflict(x)) for x in (said, apart))
    fits = validation.relation == RELATIONS.index("compatible")
    return max(
        _safe(sure, validation.conflicts, SAFE_CONFLICT),
        _above(sure[fits], FLAGGED),
        _above(alarm, ALARMED),
    )


def _from_duplicate(validation: Judged, said: Tensor, apart: Tensor) -> float:
    """What the head gives for a duplicate from which on two are merged."""
    place = RELATIONS.index("duplicate")
    chance, elsewhere = (x.exp()[:, place] for x in (said, apart))
    return max(
        _safe(chance, validation.relation == place, SAFE_DUPLICATE),
        _above(elsewhere, 0.0),
    )


def _safe(said: Tensor, true: Tensor, precision: float) -> float:
    """The least number from which on *precision* holds; above all of them if none."""
    order = said.argsort(descending=True)
    held = true[order].cumsum(0) / torch.arange(1, len(said) + 1) >= precision
    if not held.any():
        return float(said.max()) + 1e-6
    return float(said[order][held.nonzero().max()])


def _above(said: Tensor, share: float) -> float:
    """The number that at most *share* of *said* lie above; 0 where nothing was said."""
    if not len(said):
        return 0.0
    return float(said.quantile(1 - share, interpolation="higher")) + 1e-6
