"""What a leaning of one's own is worth, with a marked preference and without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model import personal
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.train.evaluate.found import DEPTH
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.logs import FLIPPED, SHOWN
from psm_core.train.pools import Asked
from psm_core.train.ranking import points_of

if TYPE_CHECKING:
    from psm_core.model.personal import Column
    from psm_core.train.pools import Mask, Table

OPERATION = "utility"

OWN = "psm, own leaning"
SHARED = "psm, shared weights"

DRAWS = 8
"""People who are drawn for each preference."""

LOGGED = 100
"""Recalls that each has judged before they lean."""

RETENTION = LEARNED_NAMES.index("retention")
EMOTION = LEARNED_NAMES.index("emotion")


def _fresh(one: Asked) -> Mask:
    """Of the evidence what is fresher than half of the pool."""
    retained = one.features[:, RETENTION]
    return one.relevant & (retained > np.median(retained))


def _felt(one: Asked) -> Mask:
    """Of the evidence what is felt more strongly than most of the pool."""
    felt = one.features[:, EMOTION]
    return one.relevant & (felt > np.quantile(felt, 0.6))


PREFERENCES: Mapping[str, Callable[[Asked], Mask]] = {
    "who asks for the fresh": _fresh,
    "who asks for the felt": _felt,
    "without a preference": lambda one: one.relevant,
}
"""What people use of the evidence; questions with none of it they don't ask."""


def evaluate_leaning(
    ranking: Ranking, questions: Sequence[Asked], logged: int = LOGGED
) -> list[Measured]:
    """R@10 of simulated people with and without what their own log taught.

    Each judges what the shared weights show for some of the questions, one reaction in
    ten the wrong way round, and then asks the others.

    Args:
        ranking: The shared weights.
        questions: What is asked, in the order of chance.
        logged: Recalls that are judged first.

    Returns:
        For each of `PREFERENCES` R@10 by both, the gain of the one over the other, and
        the share of people who lean at all.
    """
    found = []
    for who, wants in PREFERENCES.items():
        asked = [(o, w) for o, w in ((one, wants(one)) for one in questions) if w.any()]
        if len(asked) < 2:
            continue
        people = {
            f"person {seed + 1}": _person(ranking, asked, logged, seed)
            for seed in range(DRAWS)
        }
        own = {name: each.own for name, each in people.items()}
        shared = {name: each.shared for name, each in people.items()}
        gain = {n: [a - b for a, b in zip(own[n], shared[n], strict=True)] for n in own}
        leans = {name: [float(each.leans)] for name, each in people.items()}
        for measure, system, cases in (
            (f"R@10 {who}", OWN, own),
            (f"R@10 {who}", SHARED, shared),
            (f"R@10 {who}, gain by leaning", OWN, gain),
            (f"share leaning, {who}", OWN, leans),
        ):
            found.append(measured(OPERATION, measure, system, cases))
    return found


class _Person(NamedTuple):
    """R@10 of each question asked afterwards, by both; and whether they lean."""

    own: list[float]
    shared: list[float]
    leans: bool


def _person(
    ranking: Ranking, asked: Sequence[tuple[Asked, Mask]], logged: int, seed: int
) -> _Person:
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(asked))
    first = min(logged, len(asked) // 2)
    seen = []
    for row in order[:first]:
        one, wanted = asked[row]
        seen.append(_seen(ranking, one, wanted, draw))
    leaning = personal.leaning(seen)
    tilted = personal.tilt(_linear(ranking), leaning)
    own, shared = [], []
    for row in order[first:]:
        one, wanted = asked[row]
        points = points_of(ranking, one.features)
        own.append(_found(points + one.features @ tilted, wanted))
        shared.append(_found(points, wanted))
    return _Person(own, shared, bool(leaning))


def _seen(
    ranking: Ranking, one: Asked, wanted: Mask, draw: np.random.Generator
) -> personal.Seen:
    """What one recall showed, and what the person made of it."""
    points = points_of(ranking, one.features)
    shown = np.argsort(-points, kind="stable")[:SHOWN]
    used = wanted[shown] ^ (draw.random(len(shown)) < FLIPPED)
    along = one.features[shown] @ personal.directions(_linear(ranking))
    return personal.Seen(points[shown], along, np.where(used, 1.0, -1.0))


def _found(points: Column, wanted: Mask) -> float:
    """The share of what is wanted among the first ten."""
    first = np.argsort(-points, kind="stable")[:DEPTH]
    return float(wanted[first].sum() / min(wanted.sum(), DEPTH))


def _linear(ranking: Ranking) -> Table:
    linear: Table = ranking.linear.weight.detach().numpy()[0]
    return linear
