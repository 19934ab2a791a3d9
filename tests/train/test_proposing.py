"""How new weights prove themselves on what was logged, before anybody gets them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from psm_core.model.logged import Logged, early
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.train.proposing import (
    FOLDS,
    PEOPLE,
    earned,
    folds,
    interval,
    learned,
    rescale,
    tried,
)
from psm_core.train.ranking import points_of

WORTH = LEARNED_NAMES.index("worth")


def fresh(worth=0.0):
    """A ranking that gives points for worth, or none."""
    torch.manual_seed(0)
    ranking = Ranking(len(LEARNED_NAMES), 16).eval()
    with torch.no_grad():
        ranking.linear.weight.zero_()
        ranking.linear.weight[0, WORTH] = worth
    return ranking


def recall(draw, *, worth=True):
    """Five memories of which one is used: the one that is worth 1, or any."""
    features = (draw.random((5, len(LEARNED_NAMES))) / 10).astype("f")
    used = np.arange(5) == draw.integers(5)
    if worth:
        features[used, WORTH] = 1.0
    return Logged(features, np.full(5, 0.2, "f"), np.where(used, 1.0, -1.0).astype("f"))


def person(count=20, seed=0, *, worth=True):
    draw = np.random.default_rng(seed)
    return [recall(draw, worth=worth) for _ in range(count)]


# ------------------------------------------------------------------------ the figure


@pytest.mark.parametrize(
    ("points", "value"),
    [
        ([3, 2, 1], 1.0),  # used, ignored, corrected
        ([1, 2, 3], 0.0),  # the other way round
        ([2, 3, 1], 0.6309),  # the used one second
        ([30, 20, 10], 1.0),  # bolder, and no better
    ],
)
def test_the_earlier_what_earns_most_the_better(points, value):
    """From 0 for the worst order to 1 for the best; how bold it is doesn't count."""
    found = early(np.array(points, float), np.array([1.0, -1.0, -3.0]))

    assert found == pytest.approx(value, abs=1e-4)


def test_the_interval_of_a_gain_is_drawn_from_its_cases():
    """Alike they leave no doubt; few that differ leave much; a seed draws the same."""
    mixed = np.array([0.5, -0.5] * 8)

    assert interval(np.full(9, 0.25), 0) == (0.25, 0.25)
    assert interval(mixed, 0) == interval(mixed, 0)
    low, high = interval(mixed, 0)
    assert low < 0 < high


# ----------------------------------------------------------------- what is held out


def test_every_recall_is_held_out_once_and_never_learned_from_then():
    """In five turns, whoever it is of."""
    people = [person(20, seed) for seed in range(3)]

    turns = folds(people, seed=0)

    held = [id(one) for _, own in turns for one in own]
    assert len(turns) == FOLDS
    assert sorted(held) == sorted(id(one) for own in people for one in own)
    for taught, own in turns:
        assert {id(one) for one in taught}.isdisjoint(id(one) for one in own)
        assert len(taught) + len(own) == 60


def test_of_few_people_stretches_of_time_are_held_out():
    """Each turn holds out four recalls in a row of each person's twenty."""
    people = [person(20, seed) for seed in range(2)]

    _, held = folds(people, seed=0)[1]

    rows = [{id(x): n for n, x in enumerate(own)} for own in people]
    found = [[row[id(one)] for one in held if id(one) in row] for row in rows]
    assert found == [[4, 5, 6, 7], [4, 5, 6, 7]]


def test_of_many_people_whole_people_are_held_out():
    """Nobody is learned from and held out in one turn: they prove it on strangers."""
    people = [person(4, seed) for seed in range(PEOPLE)]
    whose = {id(one): n for n, own in enumerate(people) for one in own}

    for taught, held in folds(people, seed=0):
        assert len({whose[id(one)] for one in held}) == PEOPLE // FOLDS
        assert {whose[id(one)] for one in taught}.isdisjoint(
            whose[id(one)] for one in held
        )


def test_recalls_without_an_order_are_in_no_turn():
    """They prove nothing."""
    alike = [one._replace(rewards=np.full(5, -1.0, "f")) for one in person(10)]

    assert all(turn == ([], []) for turn in folds([alike], seed=0))


# ------------------------------------------------------------------------- the proof


def test_weights_that_learned_earn_more_on_what_they_never_saw():
    """The whole interval of the gain lies above 0."""
    turns = folds([person(30, seed) for seed in range(3)], seed=0)

    proof = tried(fresh(), turns, 0, lambda _: None)

    assert proof.new > 0.95 > proof.old
    assert 0 < proof.low <= proof.new - proof.old <= proof.high


def test_where_chance_decides_what_is_used_nothing_is_proven():
    """Used at random, no order is better than another."""
    turns = folds([person(30, seed, worth=False) for seed in range(3)], seed=0)

    proof = tried(fresh(worth=2.0), turns, 0, lambda _: None)

    assert proof.low < 0


def test_new_points_lie_on_the_scale_of_the_old():
    """Mean and deviation are taken on, and no order is changed."""
    logged, old, new = person(20), fresh(worth=3.0), fresh(worth=-0.5)
    rows = np.concatenate([one.features for one in logged])
    before = earned(new, logged)

    rescale(new, old, logged)

    points, wanted = points_of(new, rows), points_of(old, rows)
    assert points.mean() == pytest.approx(wanted.mean(), abs=1e-4)
    assert points.std() == pytest.approx(wanted.std(), abs=1e-4)
    assert earned(new, logged).tolist() == before.tolist()


def test_learning_leaves_the_old_weights_alone():
    """What is proposed is a copy."""
    old = fresh(worth=1.0)
    before = old.linear.weight.clone()

    new = learned(old, person(), seed=0)

    assert torch.equal(old.linear.weight, before)
    assert not torch.equal(new.linear.weight, before)
