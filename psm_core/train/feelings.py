"""Feelings that others wrote down: EmoBank and GoEmotions, on one scale."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from psm_core.model.signs import Heard, signs
from psm_core.train.material import Material, Remembered

EMOBANK = 4_000
"""Sentences of EmoBank that are learned from; more add minutes and little else."""

GOEMOTIONS = 6_000
"""Comments of GoEmotions that are learned from."""

FEELINGS = {
    "admiration": (0.6, 0.45),
    "amusement": (0.7, 0.6),
    "anger": (-0.7, 0.8),
    "annoyance": (-0.4, 0.5),
    "approval": (0.4, 0.3),
    "caring": (0.5, 0.35),
    "confusion": (-0.1, 0.4),
    "curiosity": (0.1, 0.4),
    "desire": (0.4, 0.5),
    "disappointment": (-0.5, 0.4),
    "disapproval": (-0.4, 0.45),
    "disgust": (-0.7, 0.6),
    "embarrassment": (-0.5, 0.5),
    "excitement": (0.7, 0.8),
    "fear": (-0.7, 0.75),
    "gratitude": (0.7, 0.4),
    "grief": (-0.9, 0.6),
    "joy": (0.8, 0.65),
    "love": (0.8, 0.6),
    "nervousness": (-0.4, 0.65),
    "optimism": (0.5, 0.4),
    "pride": (0.7, 0.55),
    "realization": (0.0, 0.3),
    "relief": (0.5, 0.3),
    "remorse": (-0.6, 0.45),
    "sadness": (-0.7, 0.4),
    "surprise": (0.1, 0.7),
    "neutral": (0.0, 0.2),
}
"""Valence in [-1, 1] and arousal in [0, 1] of GoEmotions' labels; ours, by hand, on the
scale of the lives: calm routine is (0.0, 0.2), grief (-0.8, 0.6), joy (0.8, 0.7)."""


class Felt(NamedTuple):
    """Texts whose feeling was judged: vectors (N, D), signs (N, S), feeling (N, 2)."""

    vectors: Tensor
    signs: Tensor
    feeling: Tensor


def felt_elsewhere(material: Material) -> list[Felt]:
    """What others wrote and felt, a seeded sample; none where no folder is given."""
    if material.feelings is None:
        return []
    draw = random.Random(material.seed)  # noqa: S311 - not a secret
    found = []
    for read, most in ((emobank, EMOBANK), (goemotions, GOEMOTIONS)):
        rows = read(material.feelings, "train")
        found.append(felt(draw.sample(rows, min(most, len(rows))), material.encoder))
    return found


def felt(rows: Sequence[tuple[str, float, float]], encoder: Remembered) -> Felt:
    """Texts, each with its valence and arousal, encoded."""
    return Felt(
        vectors=torch.tensor(encoder.encode([text for text, _, _ in rows])),
        signs=torch.tensor(
            np.stack([signs(Heard(text, "", "user")) for text, _, _ in rows])
        ),
        feeling=torch.tensor([[valence, arousal] for _, valence, arousal in rows]),
    )


def emobank(folder: Path, split: str) -> list[tuple[str, float, float]]:
    """Sentences with valence in [-1, 1] and arousal in [0, 1], judged by readers.

    Source:
        EmoBank: Buechel and Hahn (2017), CC BY-SA 4.0.
    """
    with (folder / "emobank/emobank.csv").open(encoding="utf-8", newline="") as file:
        return [
            (row["text"], (float(row["V"]) - 3) / 2, (float(row["A"]) - 1) / 4)
            for row in csv.DictReader(file)
            if row["split"] == split and row["text"].strip()
        ]


def goemotions(folder: Path, split: str) -> list[tuple[str, float, float]]:
    """Comments with the mean valence and arousal of their labels, as in `FEELINGS`.

    Source:
        GoEmotions: Demszky et al. (2020), CC BY 4.0.
    """
    base = folder / "goemotions"
    labels = (base / "labels.txt").read_text(encoding="utf-8").split()
    found = []
    for line in (base / f"{split}.tsv").read_text(encoding="utf-8").splitlines():
        text, marks, _ = line.split("\t")
        felt = np.mean([FEELINGS[labels[int(n)]] for n in marks.split(",")], axis=0)
        found.append((text, float(felt[0]), float(felt[1])))
    return found
