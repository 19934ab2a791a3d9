"""What a training works on: lives, split by person, and the vectors of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psm_core.protocols import Encoder
from psm_core.train.corpus import Life, lives

if TYPE_CHECKING:
    from psm_core.content import Matrix, Vector
    from psm_core.train.pools import Asked

Say = Callable[[str], None]
"""Where progress is said, one line at a time."""


class Remembered:
    """An encoder that encodes no text twice; a training asks for the same often."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vector] = {}

    @property
    def name(self) -> str:
        """The name of the encoder behind it."""
        return self._encoder.name

    @property
    def width(self) -> int:
        """D, the numbers in one vector."""
        return self._encoder.width

    def encode(self, texts: Sequence[str]) -> Matrix:
        """One row for each text: (N, D) float32, each of length 1."""
        fresh = [t for t in dict.fromkeys(texts) if t not in self._known]
        if fresh:
            found = self._encoder.encode(fresh)
            self._known.update(zip(fresh, found, strict=True))
        if not texts:
            return np.zeros((0, self.width), np.float32)
        return np.stack([self._known[t] for t in texts])


@dataclass(frozen=True)
class Material:
    """Lives by split, the encoder, and the seed that all chance comes from.

    Args:
        encoder: Encodes what is said; remembers what it encoded.
        seed: Of all chance in a training.
        feelings: A folder with ``emobank/emobank.csv`` and ``goemotions/*.tsv``;
            without it feelings are learned from the lives alone.
        train: People that are learned from.
        validation: People on whom choices are made.
        test: People whom nothing but the report card reads.
        asked: What they were asked before, by split; see `ranking.questions`.
        unseen: Gives by a train person's name an encoder that did not learn from them;
            None where *encoder* learned from nobody.
    """

    encoder: Remembered
    seed: int = 0
    feelings: Path | None = None
    train: Sequence[Life] = field(default_factory=lambda: lives("train"))
    validation: Sequence[Life] = field(default_factory=lambda: lives("validation"))
    test: Sequence[Life] = field(default_factory=lambda: lives("test"))
    asked: dict[str, list[Asked]] = field(default_factory=dict, repr=False)
    unseen: Callable[[], Mapping[str, Remembered]] | None = None
