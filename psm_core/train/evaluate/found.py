"""How well a ranking finds the evidence of one question."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psm_core.train.pools import Asked

DEPTH = 10
"""Ranks that count."""


class Found(NamedTuple):
    """Shares in [0, 1] of a question's evidence, and how early it comes."""

    recall_5: float
    recall_10: float
    ndcg_10: float


FIGURES: Mapping[str, Callable[[Found], float]] = {
    "R@5": lambda f: f.recall_5,
    "R@10": lambda f: f.recall_10,
    "nDCG@10": lambda f: f.ndcg_10,
}
"""The figures of a question by name, in the order in which they are told."""


def found(points: NDArray[np.float32], asked: Asked) -> Found:
    """How well (K,) points for a question's candidates find its evidence."""
    order = np.argsort(-points, kind="stable")
    named = [asked.candidates[row].entry.sources for row in order[: 4 * DEPTH]]
    return judged(
        list(dict.fromkeys(t for turns in named for t in turns)), asked.sources
    )


def judged(ranking: Sequence[str], sources: Collection[str]) -> Found:
    """R@5, R@10 and nDCG@10 of a ranking of turn ids, with gains of 1.

    Source:
        Järvelin and Kekäläinen (2002).

    >>> judged(["a", "b"], {"b"})
    Found(recall_5=1.0, recall_10=1.0, ndcg_10=0.6309297535714575)
    """
    gains = [turn in sources for turn in ranking[:DEPTH]]
    ideal = sum(1 / math.log2(n + 2) for n in range(min(DEPTH, len(sources))))
    gained = sum(gain / math.log2(n + 2) for n, gain in enumerate(gains))
    wanted = len(sources)
    return Found(sum(gains[:5]) / wanted, sum(gains) / wanted, gained / ideal)
