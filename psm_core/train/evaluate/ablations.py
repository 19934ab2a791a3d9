"""What a trained ranking owes to each sort of feature, and to its hidden layer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch

from psm_core.model.personal import GROUPS
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.train.evaluate.found import found
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.pools import Asked
from psm_core.train.ranking import imitate, learn_lists, points_of

if TYPE_CHECKING:
    from psm_core.train.pools import Table

OPERATION = "recall"

WHOLE = "psm"
"""The ranking with all its features."""


def evaluate_ablations(
    ranking: Ranking,
    questions: Sequence[Asked],
    *,
    train: Sequence[Asked] = (),
    seed: int = 0,
) -> list[Measured]:
    """R@10 with each group of features at 0, and with the linear part alone.

    Args:
        ranking: The trained one; it isn't changed.
        questions: Those without evidence are passed over.
        train: Questions to train each amputated ranking anew on; with none, the
            features are taken away from the trained one.
        seed: Of that training.

    Returns:
        One row for the whole, one for each of `GROUPS`, one for the hidden layer.
    """
    asked = [one for one in questions if one.sources]
    found = [_row(WHOLE, ranking, asked)]
    how = ", trained anew" if train else ""
    for group, names in GROUPS.items():
        cut = [one._replace(features=_without(one.features, names)) for one in asked]
        own = _anew(ranking, train, names, seed) if train else ranking
        found.append(_row(f"{WHOLE} without {group}{how}", own, cut))
    return [*found, _row(f"{WHOLE}, linear part alone", _linear(ranking), asked)]


def _without(features: Table, names: Iterable[str]) -> Table:
    cut = features.copy()
    cut[:, [LEARNED_NAMES.index(name) for name in names]] = 0.0
    return cut


def _anew(
    ranking: Ranking, train: Sequence[Asked], names: Iterable[str], seed: int
) -> Ranking:
    cut = [one._replace(features=_without(one.features, names)) for one in train]
    torch.manual_seed(seed)
    fresh = Ranking(len(LEARNED_NAMES), ranking.hidden.out_features)
    imitate(fresh, cut)
    learn_lists(fresh, cut, seed)
    return fresh


def _linear(ranking: Ranking) -> Ranking:
    bare = copy.deepcopy(ranking)
    with torch.no_grad():
        bare.out.weight.zero_()
    return bare


def _row(system: str, ranking: Ranking, asked: Sequence[Asked]) -> Measured:
    cases: dict[str, list[float]] = {}
    for one in asked:
        value = found(points_of(ranking, one.features), one).recall_10
        cases.setdefault(one.person, []).append(value)
    return measured(OPERATION, "R@10 of the ranking alone", system, cases)
