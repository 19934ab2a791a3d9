"""Stage 2 for the gate: what is worth keeping, its kind, its feeling, its factness."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from psm_core.model.heads import Reader, Reading
from psm_core.model.kinds import LASTING_FIRST
from psm_core.model.network import PSM
from psm_core.model.signs import Heard, signs
from psm_core.train.calibrate import logistic, platt
from psm_core.train.corpus import Life, Said
from psm_core.train.feelings import Felt, felt_elsewhere
from psm_core.train.material import Material, Remembered, Say
from psm_core.types import Kind, Turn

RECENT = 8
"""Turns of a session that the gate sees as context; as `Config.sensory_turns`."""

EPOCHS = 20
"""Passes over the turns at most; the best on the validation people are kept."""

BATCH = 128
"""Turns in one step."""

RATE = 0.002
"""Step of AdamW at the beginning; it falls to nothing."""

RIDGE = 0.02
"""Pull of the weights of worth towards nothing, on their squares, no unit."""

ALONE = 0.3
"""Share of turns that are read without the turn before, as facts are."""

FELT = 0.4
"""What a text felt elsewhere counts beside one of the lives, no unit."""

LOST = 0.01
"""Share of the evidence that may lie below the threshold of what is turned away."""

DOUBTED = 0.05
"""Share of the evidence that may lie below the threshold of what is deferred."""

LASTING = (Kind.STATE, Kind.PREFERENCE)
"""Kinds of what is written down as a fact."""


class Labelled(NamedTuple):
    """Turns of some people, as tensors, and what a careful reader says of them.

    ``vectors`` (N, D); ``signs`` (N, S) as heard, ``alone`` (N, S) without the turn
    before; ``keep``, ``needed``, ``fact`` (N,) 0 or 1; ``kind`` (N,) places in
    `LASTING_FIRST`; ``feeling`` (N, 2); ``evidence`` (N,) bool.
    """

    vectors: Tensor
    signs: Tensor
    alone: Tensor
    keep: Tensor
    needed: Tensor
    fact: Tensor
    kind: Tensor
    feeling: Tensor
    evidence: Tensor


def train_reading(network: PSM, material: Material, say: Say) -> dict[str, float]:
    """Teach the reader what turns are worth, of which kind they are, and how they feel.

    Args:
        network: Whose reader is trained, in place, with the calibration of "keep"
            (of `Reading.worth`) and "fact".
        material: Train people are learned from; the epoch, the calibration and the
            thresholds are those of the validation people.
        say: Is told the loss on the validation people, now and then.

    Returns:
        Calibrated probabilities: below "archive" a turn is turned away, below "defer"
        it is kept weakly, from "fact" on it is written down as a fact.
    """
    torch.manual_seed(material.seed)
    train = labelled(material.train, material.encoder)
    validation = labelled(material.validation, material.encoder)
    felt = felt_elsewhere(material)
    _fit_worth(network.reader, train)
    _fit(network.reader, train, felt, validation, say)
    with torch.no_grad():
        reading: Reading = network.reader.eval()(validation.vectors, validation.signs)
        for head, logit, true in (
            ("keep", reading.worth, validation.keep),
            ("fact", reading.fact, validation.fact),
        ):
            scale = platt(logit.numpy(), true.bool().numpy())
            network.calibration[head].copy_(torch.tensor(scale))
        worth = network.calibrated("keep", reading.worth)[validation.evidence]
        fact = network.calibrated("fact", reading.fact)
    return {
        "archive": float(worth.quantile(LOST, interpolation="lower")),
        "defer": float(worth.quantile(DOUBTED, interpolation="lower")),
        "fact": _best_split(fact, validation.fact.bool()),
    }


def heard(life: Life) -> list[Heard]:
    """The turns of *life* as the gate hears them, each with its session's past."""
    said: dict[str, list[Turn]] = {}
    found = []
    for turn in life.turns:
        past = said.setdefault(turn.session, [])
        found.append(Heard.turn(turn, past[-RECENT:]))
        past.append(turn)
    return found


def evidence(life: Life) -> set[str]:
    """The ids of the turns that some question about *life* needs."""
    return {turn for question in life.questions for turn in question.evidence}


def labelled(lives: Sequence[Life], encoder: Remembered) -> Labelled:
    """The turns of *lives*, encoded, with their labels."""
    said = [s for life in lives for s in life.said]
    past = [h for life in lives for h in heard(life)]
    # Ids are unique within a life alone.
    asked = [
        s.turn.id in ids
        for life, ids in zip(lives, map(evidence, lives), strict=True)
        for s in life.said
    ]
    changed = [
        s.turn.id in ids
        for life, ids in zip(lives, map(_changed, lives), strict=True)
        for s in life.said
    ]
    return Labelled(
        vectors=torch.tensor(encoder.encode([s.turn.text for s in said])),
        signs=_stacked(past),
        alone=_stacked(h._replace(before=None) for h in past),
        keep=torch.tensor([float(s.keep) for s in said]),
        needed=torch.tensor(
            [float(a or b) for a, b in zip(asked, changed, strict=True)]
        ),
        fact=torch.tensor([float(_lasting(s)) for s in said]),
        kind=torch.tensor([LASTING_FIRST.index(s.kind) for s in said]),
        feeling=torch.tensor([[s.valence, s.arousal] for s in said]),
        evidence=torch.tensor(asked),
    )


# ---------------------------------------------------------------------- the fitting


def _fit_worth(reader: Reader, train: Labelled) -> None:
    """Two logistic regressions, to the end; they have no epochs."""
    heard = [reader.seen(train.vectors, s) for s in (train.signs, train.alone)]
    seen = torch.cat(heard)  # (2N, D + S)
    for head, label in ((reader.keep, train.keep), (reader.needed, train.needed)):
        logistic(head, seen, label.repeat(2), RIDGE)


def _fit(
    reader: Reader,
    train: Labelled,
    felt: Sequence[Felt],
    validation: Labelled,
    say: Say,
) -> None:
    """Keep of each head the weights of its best epoch on the validation people."""
    # Other corpora mean other things by one number; their scale is fitted along.
    scales = nn.ParameterList(torch.tensor([[1.0, 1.0], [0.0, 0.0]]) for _ in felt)
    layers = (reader.trunk, reader.fact, reader.kind, reader.mood, reader.feeling)
    learned = [p for layer in layers for p in layer.parameters()]
    optimizer = torch.optim.AdamW([*learned, *scales], lr=RATE)
    steps = -(-len(train.keep) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
    best: dict[str, _Best] = {}
    for epoch in range(1, EPOCHS + 1):
        reader.train()
        for rows in _batches(len(train.keep)):
            batch = _with_some_alone(Labelled(*(column[rows] for column in train)))
            loss = torch.stack([*_losses(reader, batch).values()]).sum()
            for scale, texts in zip(scales, felt, strict=True):
                loss = loss + FELT * _loss_elsewhere(reader, texts, scale)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        _note_best(reader, validation, best)
        if epoch % 5 == 0:
            least = ", ".join(
                f"{part} {found.loss:.3f}" for part, found in best.items()
            )
            say(f"reading, epoch {epoch} of {EPOCHS}: least loss of {least}")
    for found in best.values():
        reader.load_state_dict(found.weights, strict=False)


PARTS = {
    "kind": ("trunk.", "fact.", "kind."),
    "feeling": ("mood.", "feeling."),
}
"""Layers that are learned together; each part has a best epoch of its own."""


class _Best(NamedTuple):
    """The weights of one part at its best epoch."""

    loss: float
    weights: dict[str, Tensor]


def _batches(turns: int) -> Iterable[Tensor]:
    """The numbers of all turns by chance, `BATCH` at a time."""
    order = torch.randperm(turns)
    return (order[n : n + BATCH] for n in range(0, turns, BATCH))


def _note_best(reader: Reader, validation: Labelled, best: dict[str, _Best]) -> None:
    with torch.no_grad():
        losses = _losses(reader.eval(), validation)
    for part, loss in losses.items():
        if part not in best or float(loss) < best[part].loss:
            weights = reader.state_dict()
            own = {k: v for k, v in weights.items() if k.startswith(PARTS[part])}
            best[part] = _Best(float(loss), copy.deepcopy(own))


def _losses(reader: Reader, turns: Labelled) -> dict[str, Tensor]:
    reading: Reading = reader(turns.vectors, turns.signs)
    yes_or_no = functional.binary_cross_entropy_with_logits
    return {
        "kind": functional.cross_entropy(reading.kind, turns.kind)
        + yes_or_no(reading.fact, turns.fact),
        "feeling": _distance(reading.feeling, turns.feeling),
    }


def _with_some_alone(turns: Labelled) -> Labelled:
    alone = torch.rand(len(turns.signs), 1) < ALONE
    return turns._replace(signs=torch.where(alone, turns.alone, turns.signs))


def _loss_elsewhere(reader: Reader, texts: Felt, scale: Tensor) -> Tensor:
    rows = torch.randint(len(texts.feeling), (BATCH,))
    reading: Reading = reader(texts.vectors[rows], texts.signs[rows])
    return _distance(reading.feeling * scale[0] + scale[1], texts.feeling[rows])


def _distance(said: Tensor, true: Tensor) -> Tensor:
    """Mean squared distance over the variance, so that all corpora count alike."""
    return ((said - true).square().mean(0) / (true.var(0, correction=0) + 1e-3)).mean()


def _best_split(said: Tensor, true: Tensor) -> float:
    """The probability from which on precision and recall are best together (F1)."""
    order = said.argsort(descending=True)
    hits = true[order].cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(said) + 1) + true.sum())
    return float(said[order][f1.argmax()])


# --------------------------------------------------------------------- the material


def _lasting(said: Said) -> bool:
    return said.keep and said.kind in LASTING


def _changed(life: Life) -> set[str]:
    """The ids of turns that change or are changed: whoever asks needs both."""
    pairs = [p.ids for p in life.pairs if p.ids and p.relation == "update"]
    mended = [(c.turn, c.of) for c in life.corrections]
    return {turn for both in (*pairs, *mended) for turn in both}


def _stacked(rows: Iterable[Heard]) -> Tensor:
    return torch.tensor(np.stack([signs(row) for row in rows]))
