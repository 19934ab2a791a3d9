"""What holds now: of two memories that answer alike, the later said comes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from psm_core.protocols import Candidate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float32]

FIRST = 5
"""So many of the best may change places; no share of evidence among them changes."""

CLOSE = 1.0
"""Points apart below which two memories fit a cue about equally well."""

ALIKE = 0.4
"""Cosine above which two memories may be about one thing."""

LIKELY = 0.5
"""Calibrated chance that both can't hold, above which the later one goes first."""


def latest_first(
    points: Column,
    pool: Sequence[Candidate],
    conflict: Callable[[Candidate, Candidate], float],
) -> Column:
    """The points, with what was said later before what it may have replaced.

    A change of mind is seldom told as one ("I drive a minivan now"), and what was so
    before often has more of the question's words.  Nothing is flagged or weakened for
    it: even odds are too little for that, and the two stay side by side.

    Args:
        points: (K,) as `Ranking` gives them.
        pool: K candidates; one without a vector stays where it is.
        conflict: The chance in [0, 1] that a later and an earlier one can't both hold.

    Returns:
        (K,) the same points.  Among the `FIRST` best each memory, the best one first,
        goes behind those of the same person that fit about as well (`CLOSE`), are
        about the same (`ALIKE`), and have likely replaced it (`LIKELY`).
    """
    best = np.argsort(-points, kind="stable")[:FIRST].tolist()
    order = list(best)
    for row in best:
        after = order[order.index(row) + 1 :]
        fits = [r for r in after if points[row] - points[r] < CLOSE]
        # From behind, so that no more pairs are judged than need be.
        for other in reversed(fits):
            new, old = pool[other], pool[row]
            if _about_the_same(new, old) and conflict(new, old) > LIKELY:
                order.remove(row)
                order.insert(order.index(other) + 1, row)
                break
    moved = points.copy()
    moved[order] = points[best]
    return moved


def _about_the_same(new: Candidate, old: Candidate) -> bool:
    """Whether one person said both of one thing, the new one later."""
    one, other = new.entry, old.entry
    if one.speaker != other.speaker or new.vector is None or old.vector is None:
        return False
    told, before = (e.last_said_at or e.said_at for e in (one, other))
    return told > before and float(new.vector @ old.vector) > ALIKE
