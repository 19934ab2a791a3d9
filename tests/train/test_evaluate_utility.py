"""Utility on the report card: where the learner starts, and how far logs lead it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from psm_core.model.encoder import HashEncoder
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.train.corpus import lives
from psm_core.train.evaluate import utility
from psm_core.train.evaluate.leaning import (
    OWN,
    PREFERENCES,
    RETENTION,
    SHARED,
    evaluate_leaning,
)
from psm_core.train.evaluate.plots import CURVES, points
from psm_core.train.evaluate.targets import PEOPLE, TARGETS
from psm_core.train.evaluate.utility import (
    LEARNER,
    LOGGING,
    POINTS,
    SUPERVISED,
    evaluate_utility,
    gained,
    weak,
)
from psm_core.train.material import Remembered
from psm_core.train.pools import Asked, Asking, asked
from psm_core.train.ranking import points_of

COSINE = LEARNED_NAMES.index("cosine")


@pytest.fixture(scope="module")
def encoder():
    return Remembered(HashEncoder(64))


@pytest.fixture(scope="module")
def people(shortened):
    pairs = [life for life in lives("train") if life.chat == "two people"][:3]
    return [shortened(life, sessions=9, questions=40) for life in pairs]


@pytest.fixture(scope="module")
def rows(people, encoder):
    """Two people react 1,000 and 100 times; a third is asked afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utility, "SEEDS", 1)
        patch.setattr(utility, "TAUGHT_IN", (Asking(),))
        patch.setattr(utility, "ASKED_IN", Asking())
        patch.setattr(utility, "LEANT_IN", Asking())
        return evaluate_utility(people[:2], people[2:], encoder, points=(100, 1_000))


def value(rows, measure, system=LEARNER):
    (found,) = [r.value for r in rows if (r.measure, r.system) == (measure, system)]
    return found


def test_every_point_of_the_curve_stands_beside_start_and_end(rows, people):
    """R@10 after 0, 100 and 1,000 episodes, of learner, logging policy, supervision."""
    measures = [f"R@10 after {n} episodes" for n in ("0", "100", "1,000")]

    curve = [r for r in rows if "episodes" in r.measure]
    assert [(r.measure, r.system) for r in curve if "R@10" in r.measure] == [
        (m, s) for m in measures for s in (LEARNER, LOGGING, SUPERVISED)
    ]
    asked_of = sum(bool(q.evidence) for q in people[2].questions)
    assert {r.n for r in curve} == {asked_of}
    assert {tuple(r.people) for r in curve} == {(people[2].name,)}


def test_the_learner_starts_as_the_policy_that_is_logged(rows):
    """With no episodes the two are one; the others don't move."""
    start = value(rows, "R@10 after 0 episodes")

    assert start == value(rows, "R@10 after 0 episodes", LOGGING)
    for system in (LOGGING, SUPERVISED):
        assert len({r.value for r in rows if r.system == system}) == 1


def test_reactions_alone_lead_towards_what_labels_teach(rows):
    """More is found than by words alone, and the share says how much of it."""
    low, high = (
        value(rows, "R@10 after 0 episodes", system) for system in (LOGGING, SUPERVISED)
    )
    own = value(rows, "R@10 after 1,000 episodes")

    assert low < own
    share = value(rows, "share of the supervised gain, 1,000 episodes")
    assert share == pytest.approx((own - low) / (high - low))


def test_the_logging_policy_goes_by_words_alone(people, encoder):
    """Its points are BM25, whatever the meaning."""
    questions = asked(people[:1], encoder, utility.RulePolicy(), Asking())

    ranking = weak(questions)

    for one in questions:
        bm25 = [candidate.bm25 for candidate in one.candidates]
        given = points_of(ranking, one.features)
        assert given[max(range(len(bm25)), key=bm25.__getitem__)] == given.max()


@pytest.mark.parametrize(
    ("cases", "share"),
    [
        ([(0.5, 0.0, 1.0)], 0.5),
        ([(1.0, 0.5, 1.0), (0.0, 0.5, 0.5)], 0.0),
        ([(0.2, 0.4, 0.8)], -0.5),
        ([(0.9, 0.5, 0.5)], 0.0),
    ],
)
def test_a_share_of_a_gain_is_of_the_means(cases, share):
    """Below 0 where ground was lost; 0 where there was nothing to gain."""
    assert gained(cases) == pytest.approx(share)


def test_leaning_stands_on_the_card_too(rows):
    """For who has a preference and who hasn't: with it, without it, and the gain."""
    for who in PREFERENCES:
        own = value(rows, f"R@10 {who}", OWN)
        shared = value(rows, f"R@10 {who}", SHARED)

        gain = value(rows, f"R@10 {who}, gain by leaning", OWN)
        assert gain == pytest.approx(own - shared)
        assert 0 <= value(rows, f"share leaning, {who}", OWN) <= 1


def fresh_or_not(count=200, seed=0):
    """Questions with four sorts of evidence that cosine finds, half of it fresh."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        features = np.zeros((30, len(LEARNED_NAMES)), np.float32)
        features[:, COSINE] = draw.normal(size=30)
        features[:, RETENTION] = draw.random(30)
        relevant = np.arange(30) < 12
        features[relevant, COSINE] += 1.0
        found.append(Asked("ada", "single-hop", None, (), features, relevant, {"t"}))
    return found


def test_who_asks_for_the_fresh_gains_and_who_does_not_loses_nothing():
    """From a hundred recalls of their own, over the very same weights."""
    ranking = Ranking(len(LEARNED_NAMES), 4).eval()
    with torch.no_grad():
        ranking.linear.weight.zero_()
        ranking.linear.weight[0, COSINE] = 1.0

    rows = evaluate_leaning(ranking, fresh_or_not())

    gain = "R@10 {}, gain by leaning"
    assert value(rows, gain.format("who asks for the fresh"), OWN) > 0.05
    assert value(rows, "share leaning, who asks for the fresh", OWN) == 1.0
    assert value(rows, gain.format("without a preference"), OWN) > -0.01


def test_the_targets_and_the_picture_find_their_rows(rows):
    """Both read the measures by name."""
    names = [f"supervised gain from {n} logged episodes" for n in ("1,000", "10,000")]
    wanted = [t for t in TARGETS if t.what in names and t.where == PEOPLE]
    (curve,) = [c for c in CURVES if c.name == "utility"]

    assert [t.of(rows) is not None for t in wanted] == [True, False]
    assert [x for x, _ in points(rows, curve)[LEARNER]] == [0, 100, 1_000]
    assert {1_000, 10_000} < set(POINTS)
