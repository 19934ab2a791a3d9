"""PSM: the network. A frozen encoder's vectors go in, a head for each skill answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from psm_core.errors import WeightsError
from psm_core.model.card import Card, mismatches
from psm_core.model.heads import Fading, Reader
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import FIT, Ranking
from psm_core.model.relation import Relation

CALIBRATED = ("recall", "keep", "fact", "fit", "relation")
"""Heads whose logits become probabilities that are right as often as they say."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How wide each part is; stands on the card, so that weights find their network."""

    width: int
    state: int = 96
    recall: int = 64
    project: int = 16
    pair: int = 48


class PSM(nn.Module):
    """The skill of memory as a network: it holds how to, and nobody's content.

    Args:
        shape: How wide each part is.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.reader = Reader(shape.width, shape.state)
        self.fading = Fading(shape.state)
        self.recall = Ranking(len(LEARNED_NAMES), shape.recall)
        self.fit = nn.Linear(len(FIT), 1)
        self.relation = Relation(shape.width, shape.project, shape.pair)
        self.calibration = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor([1.0, 0.0]), requires_grad=False)
                for name in CALIBRATED
            }
        )

    def calibrated(self, head: str, logit: Tensor) -> Tensor:
        """A probability in [0, 1] that is right as often as it says.

        Args:
            head: One of `CALIBRATED`.
            logit: What that head says, any shape.

        Source:
            Platt scaling: Platt (1999), fitted on validation people.
        """
        slope, offset = self.calibration[head]
        return torch.sigmoid(slope * logit + offset)

    def set_calibration(self, head: str, found: tuple[float, float]) -> None:
        """Note slope and offset of a head, as `calibrated` uses them."""
        with torch.no_grad():
            self.calibration[head].copy_(torch.tensor(found))

    def save(self, folder: Path, card: Card) -> None:
        """Write the weights as safetensors in half precision, and the card beside them.

        Args:
            folder: Where; made if need be.
            card: What they are; its name is the files' name.

        Raises:
            WeightsError: A weight is no number, or too large for half precision.
        """
        half = {k: v.half().contiguous() for k, v in self.state_dict().items()}
        if odd := _infinite(half):
            raise WeightsError(
                f"the weights {card.name} can't be saved: {odd} holds what is no "
                "number in half precision; train them anew with psm train --fresh"
            )
        folder.mkdir(parents=True, exist_ok=True)
        save_file(half, folder / f"{card.name}.safetensors")
        card.write(folder, asdict(self.shape))

    @classmethod
    def load(cls, folder: Path, name: str) -> tuple[PSM, Card]:
        """The network, ready to answer, and its card.

        Raises:
            WeightsError: They are missing or broken, or were trained on other
                features than this release computes.
        """
        card = Card.read(folder, name)
        if found := mismatches(card):
            raise WeightsError(
                f"the weights {name} don't fit this release: {'; '.join(found)}; train "
                "them anew with psm train, or install the release that they came with"
            )
        path = folder / f"{name}.safetensors"
        try:
            network = cls(Shape(**card.shape))
            state = {k: v.float() for k, v in load_file(path).items()}
            network.load_state_dict(state)
            if odd := _infinite(state):
                raise ValueError(f"{odd} holds what is no number")
        except (OSError, RuntimeError, ValueError, TypeError, SafetensorError) as fault:
            raise WeightsError(
                f"the weights in {path} can't be loaded ({type(fault).__name__}: "
                f"{fault}); install the package anew, or train weights with psm train"
            ) from fault
        return network.eval(), card


def _infinite(state: Mapping[str, Tensor]) -> str:
    """The first tensor that holds what is no finite number; empty where none does."""
    return next((k for k, v in state.items() if not bool(v.isfinite().all())), "")
