"""Learning from what was shown and what became of it, and from nothing else."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.logged import Logged
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import PSMPolicy
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.train import ranking as training
from psm_core.train import reinforce
from psm_core.train.corpus import lives
from psm_core.train.material import Material, Remembered
from psm_core.train.pools import Asking
from psm_core.train.ranking import points_of, questions, train_ranking
from psm_core.train.reinforce import (
    CLIP,
    Lists,
    learn_utility,
    side_by_side,
    steps_for,
    train_utility,
    utility_loss,
)

WORTH = LEARNED_NAMES.index("worth")


def fresh():
    """A ranking that gives no points to anything."""
    torch.manual_seed(0)
    ranking = Ranking(len(LEARNED_NAMES), 16).eval()
    with torch.no_grad():
        ranking.linear.weight.zero_()
    return ranking


def logs(count=80, shown=6, seed=0, of_use=1.0):
    """Recalls by a policy without a clue; what is worth 1 is used, the rest ignored."""
    draw = np.random.default_rng(seed)
    found = []
    for n in range(count):
        features = (draw.random((shown - n % 2, len(LEARNED_NAMES))) / 10).astype("f")
        used = np.arange(len(features)) == draw.integers(len(features))
        features[used, WORTH] = of_use
        chances = np.full(len(features), 0.02, np.float32)
        rewards = np.where(used, 1.0, -1.0).astype("f")
        found.append(Logged(features, chances, rewards))
    return found


def first(ranking, logged):
    """The share of the recalls in which what earned most has most points."""
    return np.mean(
        [
            points_of(ranking, one.features).argmax() == one.rewards.argmax()
            for one in logged
        ]
    )


def lists(points, propensities, rewards):
    """One recall's points, and how it was logged."""
    shown = Lists(
        torch.zeros(1, len(points), 1),
        torch.tensor([propensities]),
        torch.tensor([rewards]),
        torch.ones(1, len(points), dtype=torch.bool),
    )
    return torch.tensor([points]), shown


# --------------------------------------------------------------------- the gradient


@pytest.mark.parametrize(
    ("propensities", "rewards", "usual", "loss"),
    [
        # As likely as it was, used and ignored alike: nothing pulls.
        ([0.5, 0.5], [1.0, -1.0], 0.0, 0.0),
        # What earned 2 more than usual: half of 2 log 2.
        ([0.5, 0.5], [1.0, -1.0], -1.0, math.log(2)),
        # Chances over the whole pool: those among the shown count.
        ([0.05, 0.05], [1.0, -1.0], -1.0, math.log(2)),
        # Five times as likely by now, five times the weight.
        ([0.1, 0.9], [1.0, -1.0], -1.0, 5 * math.log(2)),
        # Fifty times as likely: it counts ten times.
        ([0.01, 0.99], [1.0, -1.0], -1.0, CLIP * math.log(2)),
        # A correction pulls down three times as hard as an ignored one.
        ([0.5, 0.5], [0.0, -3.0], 0.0, -1.5 * math.log(2)),
    ],
)
def test_each_memory_counts_by_what_it_earned_and_how_likely_it_was(
    propensities, rewards, usual, loss
):
    """Reward over the usual, times the clipped ratio of the chances among the shown."""
    points, shown = lists([0.0, 0.0], propensities, rewards)

    found = utility_loss(points, shown, torch.tensor(usual))

    assert float(found) == pytest.approx(loss)


def test_what_is_not_there_counts_for_nothing():
    """A recall that showed fewer memories isn't changed by standing beside a longer."""
    short, long = logs(2)[1], logs(2)[0]
    both, alone = side_by_side([long, short]), side_by_side([short])
    ranking, usual = fresh(), torch.tensor(-0.7)

    together = utility_loss(ranking(both.features), both, usual)
    apart = [
        utility_loss(ranking(each.features), each, usual)
        for each in (alone, side_by_side([long]))
    ]

    assert both.there.sum(1).tolist() == [6, 5]
    assert together.item() == pytest.approx(sum(apart).item() / 2)


def test_the_ratio_is_a_weight_and_no_way_to_learn():
    """The gradient goes through the chance alone, as a policy gradient's does."""
    points, shown = lists([0.0, 0.0], [0.5, 0.5], [1.0, -1.0])
    points.requires_grad_()

    utility_loss(points, shown, torch.tensor(-1.0)).backward()

    # d(-log p1)/d(points) = (p1 - 1, p2).
    assert points.grad.tolist() == [[-0.5, 0.5]]


# --------------------------------------------------------------------- the learning


def test_what_was_of_use_comes_first_afterwards():
    """From 80 recalls of a policy without a clue, on recalls never seen."""
    ranking, others = fresh(), logs(seed=9)
    before = first(ranking, others)

    learn_utility(ranking, logs(), seed=0)

    assert before < 0.4
    assert first(ranking, others) > 0.95


def test_what_was_corrected_goes_last():
    """The strongest negative: below what was merely ignored."""
    corrected = [
        one._replace(rewards=np.where(one.rewards > 0, -3.0, -1.0).astype("f"))
        for one in logs()
    ]
    ranking = fresh()

    learn_utility(ranking, corrected, seed=0)

    last = [
        points_of(ranking, one.features).argmin() == one.rewards.argmin()
        for one in corrected
    ]
    assert np.mean(last) > 0.95


def test_some_wrong_reactions_do_not_mislead():
    """One in ten the wrong way round, and it is learned all the same."""
    draw = np.random.default_rng(3)
    noisy = [
        one._replace(
            rewards=np.where(
                draw.random(len(one.rewards)) < 0.1, -one.rewards, one.rewards
            )
        )
        for one in logs(300)
    ]
    ranking = fresh()

    learn_utility(ranking, noisy, seed=0)

    assert first(ranking, logs(seed=9)) > 0.9


def test_recalls_without_an_order_teach_nothing():
    """Where all was ignored, or all used, the ranking stays as it is."""
    alike = [
        one._replace(rewards=np.full_like(one.rewards, reward))
        for one, reward in zip(logs(20), [1.0, -1.0] * 10, strict=True)
    ]
    ranking = fresh()
    before = copy.deepcopy(ranking.state_dict())

    learn_utility(ranking, alike, seed=0)
    learn_utility(ranking, [], seed=0)

    assert all(torch.equal(w, before[name]) for name, w in ranking.state_dict().items())


def test_the_same_seed_learns_the_same():
    """And another one learns something else."""
    one, same, other = (fresh() for _ in range(3))

    learn_utility(one, logs(), seed=1)
    learn_utility(same, logs(), seed=1)
    learn_utility(other, logs(), seed=2)

    assert torch.equal(one.linear.weight, same.linear.weight)
    assert not torch.equal(one.linear.weight, other.linear.weight)


def test_steps_grow_with_the_recalls():
    """Between 150 and 1,500 steps, six for ten recalls."""
    assert [steps_for(n) for n in (1, 250, 1_000, 2_500, 90_000)] == [
        150,
        150,
        600,
        1_500,
        1_500,
    ]


# ------------------------------------------------------------------------- the stage


@pytest.fixture
def material(shortened, monkeypatch):
    """Two people to learn from and one to choose on, cut short, in one kind of store."""
    monkeypatch.setattr(training, "STORES", (Asking(),))
    monkeypatch.setattr(reinforce, "EPISODES", 200)
    pairs = [life for life in lives("train") if life.chat == "two people"][:2]
    held = [life for life in lives("validation") if life.chat == "two people"][:1]
    return Material(
        Remembered(HashEncoder(64)),
        train=[shortened(life, sessions=2, questions=6) for life in pairs],
        validation=[shortened(life, sessions=2, questions=6) for life in held],
        test=[],
    )


@pytest.fixture
def trained(material):
    """A network after stage 2, and the policy that it makes."""
    torch.manual_seed(0)
    network = PSM(Shape(64)).eval()
    card = Card("toy", "hash-64", thresholds={"archive": 0.0, "defer": 0.0})
    policy = PSMPolicy(network=(network, card))
    train_ranking(network, material, policy, lambda _: None)
    return network, policy


@pytest.mark.parametrize("better", [True, False])
def test_new_weights_stay_only_if_validation_people_lose_nothing(
    material, trained, monkeypatch, better
):
    """Where they do, weights, confidence and threshold stay to the bit."""
    network, policy = trained
    before = copy.deepcopy(network.state_dict())
    worth = iter([0.5, 0.5 if better else 0.49])
    monkeypatch.setattr(reinforce, "_worth", lambda *_: next(worth))
    said = []

    thresholds = train_utility(network, material, policy, said.append)

    moved = not torch.equal(
        network.recall.linear.weight, before["recall.linear.weight"]
    )
    assert moved == better
    assert ("answer" in thresholds) == better
    assert any(("new weights stay" in line) == better for line in said[:1])
    if not better:
        after = network.state_dict()
        assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_both_figures_are_said(material, trained):
    """Whoever trains sees what utility made of evidence."""
    network, policy = trained
    said = []

    train_utility(network, material, policy, said.append)

    assert said[0].startswith("utility, learned from 200 recalls: 0.")
    assert ", was 0." in said[0]


def test_a_material_is_asked_once(material, trained):
    """The stage after recall finds the questions that recall put."""
    _, policy = trained
    first_time = questions(material, policy)

    assert questions(material, policy)[0] is first_time[0]
    assert {one.person for one in first_time[1]} == {material.validation[0].name}
