"""What others do with the same turns: each ranks every turn that was ever heard."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.acts.bm25 import K1, B
from psm_core.acts.candidates import unnamed
from psm_core.protocols import Encoder
from psm_core.store.words import stems
from psm_core.train.corpus import Life

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

COSINE = "cosine"
MASKED = "cosine, names masked"
BM25 = "BM25"
FUSED = "RRF of both"

BASELINES = (COSINE, MASKED, BM25, FUSED)
"""What stands beside every policy."""

FUSION = 60
"""Constant of reciprocal-rank fusion: Cormack et al. (2009)."""

SOMEBODY = "someone"
"""What stands for a name that is masked."""

_WORD = re.compile(r"\w+")


class Ranked(NamedTuple):
    """What one baseline answers: turn ids, best first, and how well the best fits."""

    ranking: list[str]
    best: float


class Baselines:
    """The usual retrievers over one life.

    Args:
        life: Whose turns.
        encoder: Not adapted to anything: what others would take off the shelf.
        nameless: Whether turns and questions go without the speakers' names.
    """

    def __init__(self, life: Life, encoder: Encoder, *, nameless: bool = False) -> None:
        self._ids = [turn.id for turn in life.turns]
        self._speakers = sorted({turn.speaker for turn in life.turns})
        self._encoder = encoder
        self._nameless = nameless
        lines = [
            turn.text if nameless else f"{turn.speaker}: {turn.text}"
            for turn in life.turns
        ]
        self._vectors = encoder.encode(lines)
        self._words = Lexicon(lines)

    def rankings(self, cue: str) -> dict[str, Ranked]:
        """What each of `BASELINES` answers; the masked ones alone where names are out.

        Args:
            cue: The question as it was asked.
        """
        if self._nameless:
            _, bare = unnamed(cue, self._speakers)
            return self._by({MASKED: self._cosine(bare), BM25: self._bm25(bare)})
        return self._by(
            {
                COSINE: self._cosine(cue),
                MASKED: self._cosine(masked(cue, self._speakers)),
                BM25: self._bm25(cue),
            }
        )

    def _by(self, scores: Mapping[str, Scores]) -> dict[str, Ranked]:
        found = {name: self._ranked(each) for name, each in scores.items()}
        meaning = MASKED if self._nameless else COSINE
        both = fused([scores[meaning], scores[BM25]])
        return {**found, FUSED: self._ranked(both)}

    def _ranked(self, scores: Scores) -> Ranked:
        order = np.argsort(-scores, kind="stable")
        return Ranked([self._ids[row] for row in order], float(scores.max()))

    def _cosine(self, cue: str) -> Scores:
        scores: Scores = (self._vectors @ self._encoder.encode([cue])[0]).astype(float)
        return scores

    def _bm25(self, cue: str) -> Scores:
        return self._words.scores(cue)


def masked(cue: str, speakers: Iterable[str]) -> str:
    """*cue* with every known name made "someone", so that it draws nothing.

    >>> masked("What is Tom's dog called?", ["Tom", "Nadia"])
    'What is someone dog called?'
    """
    names = {re.escape(word) for name in speakers for word in name.split()}
    return re.sub(rf"\b(?:{'|'.join(sorted(names))})\b(?:['\u2019]s\b)?", SOMEBODY, cue)


def fused(scores: Sequence[Scores]) -> Scores:
    """(N,) reciprocal ranks, summed over the retrievers' (N,) scores."""
    ranks = [np.argsort(np.argsort(-each, kind="stable")) for each in scores]
    total: Scores = np.sum([1 / (FUSION + rank) for rank in ranks], axis=0)
    return total


class Lexicon:
    """Okapi BM25 over texts that don't change.

    Args:
        texts: N texts.

    Source:
        Robertson and Zaragoza (2009).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [Counter(terms(text)) for text in texts]
        self._size = len(texts)
        length = np.array([sum(counts.values()) for counts in counted], np.float64)
        self._damp = K1 * (1 - B + B * length / max(length.mean(), 1e-9))  # (N,)
        self._places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for row, counts in enumerate(counted):
            for term, count in counts.items():
                self._places[term].append((row, count))

    def scores(self, cue: str) -> Scores:
        """(N,) what each text scores for *cue*, from 0 up."""
        scores: Scores = np.zeros(self._size)
        for term in dict.fromkeys(terms(cue)):
            places = self._places.get(term, ())
            idf = math.log(1 + (self._size - len(places) + 0.5) / (len(places) + 0.5))
            for row, count in places:
                scores[row] += idf * count * (K1 + 1) / (count + self._damp[row])
        return scores


def terms(text: str) -> list[str]:
    """Stems of the content words of *text*, each as often as it stands there.

    >>> terms("Moved, and moved again")
    ['move', 'move']
    """
    return [stem for word in _WORD.findall(text) for stem in _stem(word)]


@functools.lru_cache(maxsize=100_000)
def _stem(word: str) -> list[str]:
    return stems(word)
