"""What sets one person apart, learned from their own log. Pure: no store, no torch.

The shared weights stay as they are.  A person's leaning is a number for each of a
handful of directions: the groups of features, each of which may count more or less than
for everybody, and a few tastes that nobody shares.  It lives in the person's store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psm_core.model.logged import early
from psm_core.model.pool import LEARNED_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.floating[Any]]
    Table = NDArray[np.floating[Any]]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "meaning": ("cosine", "cosine_rank", "cosine_share"),
    "words": ("bm25", "bm25_rank", "bm25_share", "covered", "words"),
    "turns around": (
        *("cosine_before", "cosine_after", "cosine_around", "cosine_beside"),
        *("around_rank", "bm25_window", "window_rank", "covered_window", "beside"),
    ),
    "session": ("bm25_session", "session_cosine", "session_bm25", "session_share"),
    "names": ("speaker_named", "cue_names"),
    "what is asked": (
        *("time_told", "number_told", "name_told", "place_told", "reason_told"),
        *("denied", "date_fits", "cue_terms", "cue_when", "cue_who", "cue_where"),
        *("cue_many", "cue_why", "pool_covered", "pool_cosine", "pool_size"),
    ),
    "worth": ("retention", "worth", "pinned", "corrected", "emotion"),
    "what it says": (
        *("talk", "only_asks", "asks", "state", "preference", "event", "plan"),
        *("first_person", "second_person", "assistant", "fact"),
    ),
    "time": ("lapsed", "former", "recent"),
}
"""The features of a candidate by what they look at; each stands in one group."""

TASTES: Mapping[str, tuple[str, float]] = {
    "the fresh": ("retention", 4.0),
    "the felt": ("emotion", 4.0),
    "the named": ("speaker_named", 2.5),
    "the assistant's": ("assistant", 5.0),
}
"""What some like and others don't: a feature, and the points that a leaning of 1 gives
for each unit of it, about 1 for its usual spread within a pool."""

DIRECTIONS = (*GROUPS, *TASTES)
"""Their names, in the order of the columns of `along`."""

LEAST = 30
"""Recalls with feedback before a person may lean at all."""

DOUBT = 1.645
"""Standard errors that the mean gain of a replay must lie above 0: 1 in 20 who lean
towards nothing would pass."""

SPREAD = 0.2
"""How far people usually lean, no unit: the deviation of the prior."""

SLOPE_SPREAD = 0.5
"""How far the steepness that fits one person's log usually lies from 1, likewise."""

BOUNDS = (-2 / 3, 2.0)
"""Least and most leaning: a group counts a third at least, and three times at most."""

STEEPNESS_LEAST = 0.1
"""Least steepness that a log is believed to have."""

ROUNDS = 40
"""Steps of Newton's method at most; a dozen do."""


class Seen(NamedTuple):
    """One recall: points (S,) of the shared weights, rewards (S,), and along (S, G).

    ``along`` says what a leaning of 1 in each of `DIRECTIONS` would add to the points.
    """

    points: Column
    along: Table
    rewards: Column


def directions(linear: Column) -> Table:
    """(F, G) what a leaning of 1 adds to the weight of each feature.

    Args:
        linear: (F,) the shared linear weights, as `LEARNED` orders them.
    """
    found = np.zeros((len(LEARNED_NAMES), len(DIRECTIONS)))
    for column, names in enumerate(GROUPS.values()):
        rows = [LEARNED_NAMES.index(name) for name in names]
        found[rows, column] = linear[rows]
    for column, (name, unit) in enumerate(TASTES.values(), len(GROUPS)):
        found[LEARNED_NAMES.index(name), column] = unit
    return found


def tilt(linear: Column, leaning: Mapping[str, float]) -> Column:
    """(F,) what a person's leaning adds to the shared linear weights.

    Args:
        linear: (F,) the shared ones.
        leaning: By name of a direction; those that aren't named are 0.
    """
    wanted = np.array([leaning.get(name, 0.0) for name in DIRECTIONS])
    tilted: Column = directions(linear) @ wanted
    return tilted


def leaning(recalls: Sequence[Seen]) -> dict[str, float]:
    """How a person leans, if their own log says that it helps to know.

    Off until there are `LEAST` recalls, and until what is learned from the earlier half
    puts what was used earlier in the later half than the shared weights do, by more
    than chance would.

    Args:
        recalls: Those of one person, in the order of time; recalls whose memories all
            earned the same are passed over.

    Returns:
        A number in `BOUNDS` for each of `DIRECTIONS`; empty means that it is off.
    """
    telling = [one for one in recalls if np.ptp(one.rewards) > 0]
    if len(telling) < LEAST:
        return {}
    gains = replayed(telling)
    if gains.mean() <= DOUBT * gains.std() / len(gains) ** 0.5:
        return {}
    found = fitted(telling)
    return {name: round(float(x), 3) for name, x in zip(DIRECTIONS, found, strict=True)}


def replayed(recalls: Sequence[Seen]) -> Column:
    """What leaning would have gained in the later half, had it known the earlier one.

    Returns:
        (N,) the gain in `early` of each recall of the later half, in [-1, 1].
    """
    half = len(recalls) // 2
    learned = fitted(recalls[:half])
    gains = [
        early(one.points + one.along @ learned, one.rewards)
        - early(one.points, one.rewards)
        for one in recalls[half:]
    ]
    return np.array(gains)


def fitted(recalls: Sequence[Seen]) -> Column:
    """(G,) the likeliest leaning: what earned more should have had more points.

    Each recall counts once, through all of its pairs.  What is shown was chosen by the
    points, so among the shown they tell less than they do in the pool; how much less is
    fitted along, or it would look like a leaning.

    Source:
        Pairwise logistic likelihood, Bradley and Terry (1952), with a normal prior.
    """
    pairs, weights = _pairs(recalls)  # (P, 1 + G), (P,)
    prior = np.array([SLOPE_SPREAD, *[SPREAD] * len(DIRECTIONS)]) ** -2.0
    start = np.zeros(len(prior))
    start[0] = 1.0
    found = start.copy()
    for _ in range(ROUNDS):
        doubt = 1 / (1 + np.exp(pairs @ found))  # (P,) chance of the other order
        slope = pairs.T @ (weights * doubt) - prior * (found - start)
        bend = (pairs * (weights * doubt * (1 - doubt))[:, None]).T @ pairs
        step = np.linalg.solve(bend + np.diag(prior), slope)
        found += step
        if np.abs(step).max() < 1e-6:
            break
    steepness = max(found[0], STEEPNESS_LEAST)
    learned: Column = np.clip(found[1:] / steepness, *BOUNDS)
    return learned


def _pairs(recalls: Sequence[Seen]) -> tuple[Table, Column]:
    """What the better of two has more of: points, and along each direction."""
    rows, weights = [], []
    for points, along, rewards in recalls:
        better, worse = np.nonzero(rewards[:, None] > rewards[None])
        both = np.column_stack([points, along])
        rows.append(both[better] - both[worse])
        weights.append(np.full(len(better), 1 / max(len(better), 1)))
    return np.concatenate(rows), np.concatenate(weights)
