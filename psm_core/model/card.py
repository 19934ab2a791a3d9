"""The card of a set of weights: what they are and need, and how good they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from psm_core.errors import WeightsError
from psm_core.model.pairs import PAIRS_HASH
from psm_core.model.pool import LEARNED_HASH
from psm_core.model.signs import SIGNS_HASH

FORMAT = 1
"""Of the card itself; a newer one isn't read."""

LISTS = {"features": LEARNED_HASH, "signs": SIGNS_HASH, "pairs": PAIRS_HASH}
"""Digests of the lists that this release computes."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a set of weights is.

    Args:
        name: Which weights; the files' name.
        encoder: The name of the encoder whose vectors they were trained on.
        shape: How wide each part of the network is.
        lists: Digests of the lists of features, signs and pair signs.
        thresholds: From which probability on each head acts, by what it does.
        data: What they were trained on, by source.
        metrics: How good they are, by operation; see `psm eval`.
        seed: Of the training.
        digests: The sha256 in hexadecimal of the weights that the encoder is made of,
            by name; empty where it has none.
        licences: What may be done with each source in *data* and in *digests*.
    """

    name: str
    encoder: str
    shape: Mapping[str, int] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=lambda: dict(LISTS))
    thresholds: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path, shape: Mapping[str, int]) -> None:
        """Write the card into *folder*, under its name."""
        written = {"format": FORMAT, **asdict(replace(self, shape=dict(shape)))}
        text = json.dumps(written, indent=1, sort_keys=True)
        (folder / f"{self.name}.json").write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path, name: str) -> Card:
        """The card of this name in *folder*.

        Raises:
            WeightsError: It is missing, broken, of a newer format, or the card of
                other weights.
        """
        path = folder / f"{name}.json"
        try:
            written = json.loads(path.read_text(encoding="utf-8"))
            found = written.pop("format")
            if found != FORMAT:
                raise WeightsError(
                    f"the card {path} is of format {found}, and this release reads "
                    f"{FORMAT}; install the release that it came with"
                )
            card = cls(**written)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise WeightsError(
                f"the card {path} can't be read ({type(fault).__name__}: {fault}); "
                "install the package anew, or train weights with psm train"
            ) from fault
        if card.name != name:
            # Whoever renamed it would get the answers of the weights that it names.
            raise WeightsError(
                f"the card {path} is that of the weights {card.name}; give card and "
                "weights their name back, or train under the new one"
            )
        return card


def mismatches(card: Card) -> list[str]:
    """What of *card* doesn't fit this release, each in a few words."""
    return [
        f"they were trained on the {what} {card.lists.get(what, 'of nobody')}, and "
        f"this release computes {digest}"
        for what, digest in LISTS.items()
        if card.lists.get(what) != digest
    ]
