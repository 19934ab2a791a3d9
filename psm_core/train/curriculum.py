"""The curriculum: from written lives to weights, stage by stage, resumable."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from psm_core.errors import WeightsError
from psm_core.model import lookup
from psm_core.model.adapter import SUFFIX
from psm_core.model.card import LISTS, Card
from psm_core.model.encoder import SentenceEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import MINI, PSMPolicy
from psm_core.protocols import Encoder
from psm_core.train.adapt import train_adapter
from psm_core.train.backbone import Backbone
from psm_core.train.fading import train_fading
from psm_core.train.material import Material, Remembered, Say
from psm_core.train.ranking import train_ranking
from psm_core.train.reading import train_reading
from psm_core.train.reinforce import train_utility
from psm_core.train.relating import train_relating
from psm_core.train.unseen import encoders

LIVES = "66 lives, written for this project (CC0)"
FEELINGS = {
    "emobank": "EmoBank, Buechel and Hahn (2017), CC BY-SA 4.0",
    "goemotions": "GoEmotions, Demszky et al. (2020), Apache-2.0 and CC BY 4.0",
}
"""What the feelings are learned from where a folder with them is given."""

LICENCES = {
    "lives": "CC0-1.0",
    "emobank": "CC-BY-SA-4.0",
    "goemotions": "Apache-2.0 AND CC-BY-4.0",
    lookup.MINILM: "Apache-2.0",
}
"""By source, as SPDX writes them."""

STAGES = ("encoder", "gate", "interference", "decay", "recall", "utility")
"""In the order in which they are trained; each stands on those before it."""


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, from what, and where it is put.

    Args:
        out: The folder of the weights, and of what a stage leaves for the next.
        name: Of the weights.
        seed: Of all chance.
        feelings: A folder with EmoBank and GoEmotions; None leaves them out.
        backbone: A folder with a model instead of all-MiniLM-L6-v2.
        fresh: Begin anew, though stages were finished before.
        adapted: Whether the encoder learns too; without it, it stays frozen.
        until: The last stage that is trained; one of `STAGES`.
    """

    out: Path
    name: str = MINI
    seed: int = 0
    feelings: Path | None = None
    backbone: Path | None = None
    fresh: bool = False
    adapted: bool = True
    until: str = STAGES[-1]

    @property
    def adapter(self) -> Path:
        """Where what the encoder learned is put."""
        return self.out / f"{self.name}{SUFFIX}"

    def left(self, stage: str) -> Path:
        """Where *stage* leaves the network for the next one."""
        return self.out / "stages" / f"{stage}.safetensors"


def train(
    training: Training, say: Say, material: Material | None = None
) -> tuple[PSM, Card]:
    """Train all stages that aren't finished, and write weights and card.

    Cut off at any moment, it goes on at the stage that it was in.

    Args:
        training: What, from what, and where to.
        say: Told what is going on, a line at a time.
        material: Instead of the written lives and the encoder; for tests.

    Returns:
        The network, ready to answer, and its card; both lie in ``training.out``.

    Raises:
        WeightsError: What an earlier run left can't be read.
    """
    training.out.mkdir(parents=True, exist_ok=True)
    if training.fresh:
        # Cut off, it must not go on with what an earlier training left.
        for stage in STAGES:
            training.left(stage).with_suffix(".json").unlink(missing_ok=True)
        for adapter in training.left("").parent.glob(f"*{SUFFIX}"):
            adapter.unlink()
    digests: dict[str, str] = {}
    if material is None:
        material = Material(
            encoder=Remembered(_encoder(training, say)),
            seed=training.seed,
            feelings=training.feelings,
        )
        if training.adapted:
            material = replace(material, unseen=_unseen(training, material, say))
        digests = _digests(training)
    torch.manual_seed(training.seed)
    network = PSM(Shape(material.encoder.width)).eval()
    card = _blank(training, material.encoder.name, digests)
    for stage in STAGES[1 : STAGES.index(training.until) + 1]:
        card = _stage(stage, network, card, material, training, say)
    if training.until == STAGES[-1]:
        network.save(training.out, card)
        say(f"weights and card written to {training.out}")
    return network, card


def _encoder(training: Training, say: Say) -> Encoder:
    """The encoder with what it learned from the lives; learned now where need be."""
    if not training.adapted:
        return _base(training)
    if training.fresh or not training.adapter.is_file():
        say("encoder: learning which turn answers which question")
        backbone = Backbone(_folder(training))
        material = Material(Remembered(backbone), training.seed)
        train_adapter(backbone, material, say).write(training.adapter)
    if training.backbone:
        return Backbone(training.backbone, adapter=training.adapter)
    return SentenceEncoder(adapter=training.adapter)


def _unseen(
    training: Training, material: Material, say: Say
) -> Callable[[], Mapping[str, Remembered]]:
    """Encoders for the train people that did not learn from them; made when asked."""

    def opened(adapter: Path) -> Encoder:
        if training.backbone:
            return Backbone(training.backbone, adapter=adapter)
        return SentenceEncoder(adapter=adapter)

    folder = training.left("encoder").parent
    return lambda: encoders(material, _folder(training), opened, folder, say)


def _base(training: Training) -> Encoder:
    return Backbone(training.backbone) if training.backbone else SentenceEncoder()


def _folder(training: Training) -> Path:
    return training.backbone or lookup.weights_folder(lookup.MINILM)


def _digests(training: Training) -> dict[str, str]:
    """The sha256 of what the encoder is made of, by name."""
    base = Backbone(_folder(training))
    found = {base.base: base.digest}
    if training.adapted:
        found[training.adapter.name] = lookup.sha256(training.adapter)
    return found


def _blank(training: Training, encoder: str, digests: Mapping[str, str]) -> Card:
    """The card before anything is trained: from what, and what that allows."""
    data = {"lives": LIVES, **(FEELINGS if training.feelings else {})}
    # What the encoder learned beyond its base, it learned from the lives.
    sources = [*data, *(name for name in digests if not name.endswith(SUFFIX))]
    return Card(
        training.name,
        encoder,
        seed=training.seed,
        data=data,
        digests=digests,
        licences={n: LICENCES.get(n, "see the model's own card") for n in sources},
    )


def _stage(
    stage: str,
    network: PSM,
    card: Card,
    material: Material,
    training: Training,
    say: Say,
) -> Card:
    """Train one stage, or take over what it left when it was finished before."""
    left = training.left(stage)
    notes = left.with_suffix(".json")
    of = {"encoder": material.encoder.name, "seed": training.seed, "lists": LISTS}
    if notes.is_file():
        found = _left(left, notes, of, network)
        if found is not None:
            say(f"{stage}: finished before")
            return replace(card, thresholds={**card.thresholds, **found})
    began = time.perf_counter()
    thresholds = _TRAINED[stage](network, card, material, say)
    network.eval()
    left.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, left)
    # The note goes last: a stage without one is trained again.
    written = {**of, "thresholds": thresholds}
    notes.write_text(json.dumps(written), encoding="utf-8")
    say(f"{stage}: trained in {time.perf_counter() - began:.0f} s")
    return replace(card, thresholds={**card.thresholds, **thresholds})


_UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    SafetensorError,
)


def _left(
    left: Path, notes: Path, of: Mapping[str, object], network: PSM
) -> Mapping[str, float] | None:
    """A finished stage's thresholds, its weights loaded; None where it is of others.

    *of* says of which encoder, seed and lists of features it must be.
    """
    try:
        written = json.loads(notes.read_text(encoding="utf-8"))
        if any(written[what] != own for what, own in of.items()):
            return None
        network.load_state_dict(load_file(left))
        thresholds: Mapping[str, float] = written["thresholds"]
    except _UNREADABLE as fault:
        raise WeightsError(
            f"what an earlier training left in {left} can't be read "
            f"({type(fault).__name__}: {fault}); train with --fresh"
        ) from fault
    return thresholds


def _gate(network: PSM, card: Card, material: Material, say: Say) -> dict[str, float]:
    return train_reading(network, material, say)


def _interference(
    network: PSM, card: Card, material: Material, say: Say
) -> dict[str, float]:
    return train_relating(network, material, say)


def _decay(network: PSM, card: Card, material: Material, say: Say) -> dict[str, float]:
    return train_fading(network, material, say)


def _recall(network: PSM, card: Card, material: Material, say: Say) -> dict[str, float]:
    return train_ranking(network, material, _policy(network, card, material), say)


def _utility(
    network: PSM, card: Card, material: Material, say: Say
) -> dict[str, float]:
    return train_utility(network, material, _policy(network, card, material), say)


def _policy(network: PSM, card: Card, material: Material) -> PSMPolicy:
    """The network as far as it is trained, gating what the stores hear."""
    return PSMPolicy(network=(network, card), encoder=material.encoder)


_TRAINED: Mapping[str, Callable[[PSM, Card, Material, Say], dict[str, float]]] = {
    "gate": _gate,
    "interference": _interference,
    "decay": _decay,
    "recall": _recall,
    "utility": _utility,
}
