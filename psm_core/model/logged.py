"""A recall as it was logged, in numbers: what it showed, how likely, what it earned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psm_core.types import Lesson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float32]
    Table = NDArray[np.float32]
    Numbers = NDArray[np.floating[Any]]


class Logged(NamedTuple):
    """One recall as it was logged: the S memories that were shown and judged.

    ``features`` (S, F) float32, columns as in `LEARNED`; ``propensities`` (S,) float32
    the probability in (0, 1] with which the policy would have put each first;
    ``rewards`` (S,) float32, see `REWARD`.
    """

    features: Table
    propensities: Column
    rewards: Column

    @property
    def teaches(self) -> bool:
        """Whether one memory earned more than another; else there is no order."""
        return bool(np.ptp(self.rewards) > 0)


def of_list(row: Lesson, digest: str) -> bool:
    """Whether the features of *row* are of the list with this digest."""
    return row.policy.endswith(f"/{digest}")


def together(rows: Iterable[Lesson]) -> list[Logged]:
    """The recalls that *rows* are of, oldest first; those of one row are left out.

    Rows come in the order in which they were shown: that of the outcomes would tell.
    """
    found: dict[int, list[Lesson]] = {}
    for row in sorted(rows, key=lambda row: row.rank):
        if row.recall is not None:
            found.setdefault(row.recall, []).append(row)
    return [
        Logged(
            np.stack([row.features for row in own]),
            np.array([row.propensity for row in own], np.float32),
            np.array([row.reward for row in own], np.float32),
        )
        for _, own in sorted(found.items())
        if len(own) > 1
    ]


def early(points: Numbers, rewards: Numbers) -> float:
    """How early what earns most comes: 1 in the best order, 0 in the worst.

    Another policy chose what was shown.  Of the shown all rewards are known, so their
    order can be judged without weighing by chances: rewards are discounted by the log
    of the rank, as nDCG does.  Where the reward of a softmax is estimated instead, a
    ranking gains by being bolder; here it can't.

    Args:
        points: (S,) of the memories that were shown.
        rewards: (S,) what they earned, not all the same.

    Source:
        Järvelin and Kekäläinen (2002).

    >>> early(np.array([3.0, 2.0, 1.0]), np.array([-1.0, -1.0, 1.0]))
    0.0
    """
    discount = 1 / np.log2(np.arange(len(points)) + 2)
    order = np.argsort(-points, kind="stable")
    worst = float((discount * np.sort(rewards)).sum())
    best = float((discount * np.sort(rewards)[::-1]).sum())
    return (float((discount * rewards[order]).sum()) - worst) / (best - worst)
