"""Exact search: vectors of one tier as a matrix that grows as the tier does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from psm_core.content import Matrix, Numbers, Vector

KEPT_BYTES = 64 * 2**20
"""Most memory for one tier; what is beyond is read anew for each search."""


class Rows:
    """Vectors in memory, in the order of their numbers.

    ``last`` is the number up to which all are here, ``version`` what the ledger said
    of their changes when the first was read.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._most = max(KEPT_BYTES // (4 * width), 1)
        self.clear(-1)

    def clear(self, version: int) -> None:
        """Forget all; *version* is what will be read from now on."""
        self.version = version
        self.last = 0
        self._count = 0
        self._seqs = np.empty(0, np.int64)
        self._matrix = np.empty((0, self._width), np.float32)

    @property
    def full(self) -> bool:
        """Whether no more is kept."""
        return self._count >= self._most

    def extend(self, seqs: Numbers, matrix: Matrix) -> None:
        """Append rows whose numbers are above ``last``, ascending."""
        count = self._count + len(seqs)
        if count > len(self._seqs):
            self._grow(max(count, 2 * len(self._seqs), 64))
        self._seqs[self._count : count] = seqs
        self._matrix[self._count : count] = matrix
        self._count, self.last = count, int(seqs[-1])

    def scores(self, vector: Vector) -> tuple[Numbers, Vector]:
        """All numbers, and the cosine of each with *vector*."""
        rows = self._matrix[: self._count]
        return self._seqs[: self._count], rows @ vector

    def _grow(self, room: int) -> None:
        seqs = np.empty(room, np.int64)
        matrix = np.empty((room, self._width), np.float32)
        seqs[: self._count] = self._seqs[: self._count]
        matrix[: self._count] = self._matrix[: self._count]
        self._seqs, self._matrix = seqs, matrix


def best(seqs: Numbers, cosines: Vector, k: int) -> list[tuple[int, float]]:
    """The *k* highest cosines, best first; of equal ones the older memory."""
    if len(seqs) > k:
        chosen = np.argpartition(-cosines, k - 1)[:k]
        # All that tie with the last, so that the choice doesn't hang on the layout.
        chosen = np.flatnonzero(cosines >= cosines[chosen].min())
        seqs, cosines = seqs[chosen], cosines[chosen]
    order = np.lexsort((seqs, -cosines))[:k]
    return [(int(seqs[n]), float(cosines[n])) for n in order]
