"""Learning from the journals of a home: new weights, if they prove themselves there."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from psm_core.errors import WeightsError
from psm_core.model.adapter import SUFFIX
from psm_core.model.logged import Logged, early
from psm_core.model.network import PSM
from psm_core.model.policy import SHIPPED
from psm_core.model.ranking import Ranking
from psm_core.train.logs import Journals, journalled
from psm_core.train.material import Say
from psm_core.train.ranking import points_of
from psm_core.train.reinforce import learn_utility

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Gains = NDArray[np.float64]

LEAST = 100
"""Recalls that tell of an order, without which nothing is learned or proven."""

FOLDS = 5
"""Parts that are held out in turn, so that every recall proves something once."""

PEOPLE = 10
"""From so many people on whole people are held out; of fewer stretches of time."""

DRAWS = 2000
"""Resamples behind the interval of a gain."""


class Proof(NamedTuple):
    """What is earned on what was held out; see `early`.

    ``old`` in [0, 1] by the old weights, ``new`` by weights that learned from the rest;
    95 % of the resamples gain from ``low`` to ``high``.
    """

    old: float
    new: float
    low: float
    high: float


class Proposal(NamedTuple):
    """What was read, what old and new weights make of it, and what became of the new.

    Args:
        people: Whose journals tell of an order.
        rows: Rows in the journals of all.
        foreign: Rows left out because they hold other features.
        alone: Rows left out because nothing stands beside them.
        recalls: Recalls in which one memory earned more than another: these teach, and
            each is held out once.
        proof: What both weights earn; None where there was too little to try.
        card: The card of the new weights, where they were written.
        refused: Why they weren't; "" where they were.
    """

    people: int
    rows: int
    foreign: int
    alone: int
    recalls: int
    proof: Proof | None = None
    card: Path | None = None
    refused: str = ""


def propose(
    home: Path,
    out: Path,
    *,
    weights: Path = SHIPPED,
    seed: int = 0,
    say: Say,
) -> Proposal:
    """Learn from the journals of all people in *home*, and prove it on others.

    The recalls are held out part by part, and ordered by weights that learned from the
    rest.  New weights, learned from all, are written only where the whole interval of
    that gain lies above 0.

    Args:
        home: The folder that holds the people's folders; nothing in it is changed.
        out: Where new weights, their card and their adapter go.
        weights: The card of the old ones; weights and adapter lie beside it.
        seed: Of all chance.
        say: Told how far it is.

    Raises:
        WeightsError: The old weights are missing or broken, or lie in *out*.
    """
    folder, name = weights.resolve().parent, weights.stem
    if out.resolve() == folder:
        raise WeightsError(
            f"new weights would take the place of those in {folder}; give another --out"
        )
    network, card = PSM.load(folder, name)
    journals = journalled(home)
    read = _read(journals)
    say(f"{read.recalls:,} recalls of {read.people:,} people tell of an order")
    if read.recalls < LEAST:
        return read._replace(refused=_too_few(read))
    proof = tried(network.recall, folds(journals.people, seed), seed, say)
    read = read._replace(proof=proof)
    if proof.low <= 0:
        return read._replace(refused=_no_better(proof))
    every = [one for own in journals.people for one in own if one.teaches]
    network.recall.load_state_dict(learned(network.recall, every, seed).state_dict())
    told = f"{read.recalls:,} recalls of {read.people:,} people, numbers only"
    figures = {"earned on what was held out": proof._asdict()}
    network.save(
        out,
        replace(card, data={**card.data, "journals": told}, metrics=figures, seed=seed),
    )
    if (adapter := folder / f"{name}{SUFFIX}").is_file():
        shutil.copyfile(adapter, out / adapter.name)
    return read._replace(card=out / f"{name}.json")


# ------------------------------------------------------------------------- the proof


def folds(
    people: Sequence[Sequence[Logged]], seed: int
) -> list[tuple[list[Logged], list[Logged]]]:
    """What is learned from and what is held out, in turn; each recall is held out once.

    Of many people whole people are held out, so that weights prove themselves on
    strangers; of few, in each turn, one stretch of each one's time.

    Args:
        people: By person, their recalls in the order of time.
        seed: Of who is held out together.

    Returns:
        `FOLDS` pairs; recalls without an order are in none.
    """
    draw = np.random.default_rng(seed)
    turns: list[tuple[list[Logged], list[Logged]]] = [([], []) for _ in range(FOLDS)]
    order = draw.permutation(len(people))
    for place, recalls in zip(order, people, strict=True):
        own = [one for one in recalls if one.teaches]
        for n, one in enumerate(own):
            alike = place if len(people) >= PEOPLE else n * FOLDS // len(own)
            for turn, (taught, held) in enumerate(turns):
                (held if alike % FOLDS == turn else taught).append(one)
    return turns


def tried(
    old: Ranking,
    turns: Sequence[tuple[Sequence[Logged], Sequence[Logged]]],
    seed: int,
    say: Say,
) -> Proof:
    """What the old weights earn on what is held out, and what new ones do."""
    before, after = [], []
    for number, (taught, held) in enumerate(turns, 1):
        say(f"learning from {len(taught):,} recalls, proof {number} of {len(turns)}")
        before.append(earned(old, held))
        after.append(earned(learned(old, taught, seed), held))
    was, became = np.concatenate(before), np.concatenate(after)
    low, high = interval(became - was, seed)
    return Proof(float(was.mean()), float(became.mean()), low, high)


def learned(old: Ranking, taught: Sequence[Logged], seed: int) -> Ranking:
    """A ranking that went on from *old*, its points on the same scale."""
    fresh = copy.deepcopy(old)
    learn_utility(fresh, taught, seed)
    rescale(fresh, old, taught)
    return fresh


def earned(ranking: Ranking, held: Sequence[Logged]) -> Gains:
    """(N,) what each recall earns in the order of *ranking*; see `early`."""
    found = [early(points_of(ranking, h.features), h.rewards) for h in held]
    return np.array(found, np.float64)


def interval(gains: Gains, seed: int) -> tuple[float, float]:
    """Between what 95 % of the resamples of *gains* have their mean."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(len(gains), size=(DRAWS, len(gains)))
    low, high = np.quantile(gains[rows].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def rescale(ranking: Ranking, old: Ranking, logged: Sequence[Logged]) -> None:
    """Put the points of *ranking* on the scale of *old*, which changes no order.

    Journals tell nothing of pools that hold no answer, so confidence and silence can't
    be learned anew from them; on the old scale they mean what they meant.

    Args:
        ranking: Changed in place.
        old: Whose mean and deviation the points take on.
        logged: On which both are measured.
    """
    rows = np.concatenate([one.features for one in logged])
    new, was = points_of(ranking, rows), points_of(old, rows)
    # Weights that know nothing give all the same points, and have no scale.
    factor = float((was.std() or new.std()) / max(new.std(), 1e-6))
    with torch.no_grad():
        for weight in (ranking.linear.weight, ranking.out.weight, ranking.out.bias):
            weight.mul_(factor)
        ranking.out.bias.add_(float(was.mean()) - factor * float(new.mean()))


# -------------------------------------------------------------------- what is said


def _read(journals: Journals) -> Proposal:
    return Proposal(
        people=len(journals.people),
        rows=journals.rows,
        foreign=journals.foreign,
        alone=journals.alone,
        recalls=sum(one.teaches for own in journals.people for one in own),
    )


def _too_few(read: Proposal) -> str:
    return (
        f"{read.recalls:,} recalls tell of an order, and {LEAST} are needed; tell more "
        "of them what was used and what wasn't (Memory.learn)"
    )


def _no_better(proof: Proof) -> str:
    return (
        f"on what is held out new weights earn {proof.new:.3f}, the old ones "
        f"{proof.old:.3f}, and the gain may be chance ({proof.low:+.3f} to "
        f"{proof.high:+.3f}); the old ones stay, try again with more recalls"
    )
