"""A person may lean, once their own log says that it helps; nobody else is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from psm_core import Feedback
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.personal import (
    BOUNDS,
    DIRECTIONS,
    GROUPS,
    LEAST,
    Seen,
    directions,
    fitted,
    leaning,
    replayed,
    tilt,
)
from psm_core.model.policy import PSMPolicy
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.rules import RulePolicy
from psm_core.model.weigh import WEIGHTS
from psm_core.protocols import Leaning

FRESH = DIRECTIONS.index("the fresh")
LINEAR = np.array([WEIGHTS.get(name, 0.0) for name in LEARNED_NAMES])


def recalls(count, taste=None, seed=0, shown=8):
    """Recalls of somebody who uses what the points say, or what *taste* adds to them."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        points = draw.normal(size=shown)
        along = draw.normal(size=(shown, len(DIRECTIONS)))
        liked = points + (0 if taste is None else 3 * along[:, taste])
        # What is of use isn't sure: chance decides with it.
        liked = liked + draw.logistic(size=shown)
        used = liked >= np.sort(liked)[-2]
        found.append(Seen(points, along, np.where(used, 1.0, -1.0)))
    return found


# -------------------------------------------------------------------- the directions


def test_every_feature_stands_in_one_group():
    """None is counted twice, none is forgotten."""
    named = [name for names in GROUPS.values() for name in names]

    assert sorted(named) == sorted(LEARNED_NAMES)
    assert len(DIRECTIONS) == len(set(DIRECTIONS)) == 13


def test_a_leaning_of_one_doubles_what_a_group_adds():
    """Of names it doubles the shared weight of names, and nothing else."""
    tilted = tilt(LINEAR, {"names": 1.0})

    assert dict(zip(LEARNED_NAMES, tilted, strict=True))["speaker_named"] == 2.0
    assert np.count_nonzero(tilted) == 1


def test_a_taste_gives_points_whatever_the_shared_weights_are():
    """Who likes the fresh gets four points for all that a memory has retained."""
    found = directions(np.zeros(len(LEARNED_NAMES)))[:, FRESH]

    assert dict(zip(LEARNED_NAMES, found, strict=True))["retention"] == 4.0
    assert np.count_nonzero(found) == 1


def test_no_leaning_tilts_nothing():
    """And a direction of another release is passed over."""
    assert not tilt(LINEAR, {}).any()
    assert not tilt(LINEAR, {"what a later release knows": 1.0}).any()


# ---------------------------------------------------------------------- the learning


@pytest.mark.parametrize("taste", range(len(DIRECTIONS)))
def test_a_marked_preference_is_found(taste):
    """In a hundred recalls, whichever it is, and more of it than of any other."""
    found = fitted(recalls(100, taste))

    assert found.argmax() == taste
    assert found[taste] > 0.5


def test_nobody_leans_further_than_the_bounds():
    """However much there is to learn from, a group counts three times at most."""
    found = fitted(recalls(2_000, FRESH))

    assert found[FRESH] == BOUNDS[1] == 2.0
    assert (found >= BOUNDS[0]).all()


def test_a_log_that_is_steeper_or_flatter_is_no_leaning():
    """Points that tell half as much among the shown pull no group down."""
    flat = [one._replace(points=one.points / 2) for one in recalls(300)]

    assert np.abs(fitted(flat)).max() < 0.3


def test_off_until_there_are_thirty_recalls():
    """29 are too few, whatever they say; those without an order don't count."""
    few = recalls(LEAST - 1, FRESH)
    alike = [one._replace(rewards=np.full(8, -1.0)) for one in recalls(50, FRESH)]

    assert leaning([*few, *alike]) == {}
    assert leaning(recalls(LEAST + 10, FRESH))["the fresh"] > 0.3


def test_who_leans_towards_nothing_is_seldom_taken_for_one_who_does():
    """Of forty people without a preference no more than four are found to lean."""
    found = [leaning(recalls(60, seed=seed)) for seed in range(40)]

    assert sum(map(bool, found)) <= 4


def test_off_where_the_later_half_does_not_confirm_the_earlier():
    """Who liked the fresh once, and likes the old since, is served as everybody."""
    changed = [one._replace(rewards=-one.rewards) for one in recalls(40, FRESH, seed=1)]
    both = [*recalls(40, FRESH), *changed]

    assert replayed(both).mean() < 0
    assert leaning(both) == {}


def test_who_is_like_everybody_is_off_more_often_than_not():
    """The replay finds nothing to gain, or next to nothing to lean by."""
    found = [leaning(recalls(60, seed=seed)) for seed in range(12)]

    leant = [abs(x) for one in found for x in one.values()]
    assert sum(not one for one in found) >= 6
    assert np.mean([*leant, 0.0]) < 0.2


def test_the_same_log_gives_the_same_leaning():
    """It is a function of the log alone: slept twice, it is the same."""
    assert leaning(recalls(60, FRESH)) == leaning(recalls(60, FRESH))


# -------------------------------------------------------------------------- the seam


@pytest.fixture
def policy():
    """A policy by the rules' weights, as a network, over hashed words."""
    torch.manual_seed(0)
    network = PSM(Shape(64)).eval()
    with torch.no_grad():
        network.recall.linear.weight.copy_(torch.tensor(LINEAR[None]).float())
    thresholds = {"archive": 0.0, "defer": 0.0, "fact": 0.5, "answer": 0.0}
    encoder = HashEncoder(64)
    card = Card("toy", encoder.name, thresholds=thresholds)
    return PSMPolicy(network=(network, card), encoder=encoder)


@pytest.fixture
def memory(open_memory, policy):
    """A store that is weighed by that policy."""
    return open_memory(encoder=HashEncoder(64), policy=policy)


@pytest.fixture
def pool(candidate):
    """A felt memory that fits less, and a cool one that fits more."""
    return [
        candidate("I live in Lyon.", cosine=0.7, covered=1.0, emotion=0.0),
        candidate("Lyon broke my heart!", cosine=0.6, covered=1.0, emotion=0.9),
    ]


def test_without_a_leaning_no_bit_of_a_weighing_changes(policy, cue, pool):
    """Empty is off; and what leans names what it adds."""
    plain = cue("Lyon?")
    off, on = replace(plain, leaning={}), replace(plain, leaning={"the felt": 1.0})

    one, same, other = (policy.weigh(c, pool) for c in (plain, off, on))

    for part in ("scores", "features", "propensities", "shares"):
        assert (getattr(one, part) == getattr(same, part)).all()
    emotion = LEARNED_NAMES.index("emotion")
    assert (other.features == one.features).all()
    added = other.shares - one.shares
    assert added[1, emotion] == pytest.approx(3.6)
    assert np.count_nonzero(added) == 1


def test_a_leaning_changes_the_order_and_what_is_logged_of_it(policy, cue, pool):
    """Who likes the felt gets it first, with the propensity that it has by now."""
    shared = policy.weigh(cue("Lyon?"), pool)
    own = policy.weigh(replace(cue("Lyon?"), leaning={"the felt": 1.0}), pool)

    assert shared.scores.argmax() == shared.propensities.argmax() == 0
    assert own.scores.argmax() == own.propensities.argmax() == 1
    assert own.propensities.sum() == pytest.approx(1.0)


def test_a_leaning_never_breaks_a_silence(policy, cue, pool):
    """Whether anything fits is no matter of taste."""
    # Of a small pool less is demanded; this is beyond any.
    policy.card.thresholds["answer"] = 100.0

    own = policy.weigh(replace(cue("Lyon?"), leaning={"the felt": 2.0}), pool)

    assert not own.scores.any()


def told(memory, clock, say):
    """Six things about a dog, one every twenty days."""
    for n in range(6):
        at = clock.now()
        memory.remember(say(f"The dog ate thing number {n}.", at=at))
        clock.move(days=20)


def likes_the_fresh(memory, times):
    """Somebody who always uses the latest of what is shown."""
    for _ in range(times):
        recall = memory.recall("What did the dog eat?")
        latest, *rest = sorted((hit.id for hit in recall.hits), reverse=True)
        memory.learn(Feedback(recall.id, used=[latest], ignored=rest))


def scores(memory):
    return [(h.id, h.score) for h in memory.recall("What did the dog eat?").hits]


def test_who_gives_feedback_is_served_by_their_own_leaning_after_a_sleep(
    memory, clock, say
):
    """Off before the sleep and to the bit the same, on afterwards."""
    told(memory, clock, say)
    before = scores(memory)
    likes_the_fresh(memory, LEAST + 10)
    with memory._open() as store:
        assert store.leaning("toy-in-training") == {}

    memory.consolidate()

    with memory._open() as store:
        noted = store.leaning("toy-in-training")
        assert set(noted) == set(DIRECTIONS)
        assert noted["the fresh"] > 0.1
        # Nobody else's weights are changed, and no other policy leans by it.
        assert store.leaning("other") == {}
    order = [name for name, _ in scores(memory)]
    assert order.index("t6") < [name for name, _ in before].index("t6")


def test_too_little_feedback_changes_no_bit(memory, clock, say, policy):
    """Nothing is noted, and a weighing without a leaning is the shared one."""
    told(memory, clock, say)
    likes_the_fresh(memory, LEAST - 1)

    memory.consolidate()

    with memory._open() as store:
        assert store.leaning(policy.name) == {}
        assert store.meta("leaning") is None


def test_a_leaning_goes_with_the_person(
    memory, clock, say, tmp_path, open_memory, policy
):
    """An export holds it, an erasure leaves nothing of it."""
    told(memory, clock, say)
    likes_the_fresh(memory, LEAST + 10)
    memory.consolidate()
    with memory._open() as store:
        noted = store.leaning(policy.name)

    file = memory.export(tmp_path / "ada.psm")
    memory.erase()
    again = open_memory(encoder=HashEncoder(64), policy=policy)
    with again._open() as store:
        assert store.leaning(policy.name) == {}
    again.close()
    memory._home.import_person(file, replace=True)

    third = open_memory(encoder=HashEncoder(64), policy=policy)
    with third._open() as store:
        assert store.leaning(policy.name) == noted != {}


def test_the_rules_lean_towards_nobody():
    """Only a policy that was trained can tell what sets a person apart."""
    assert not isinstance(RulePolicy(), Leaning)
    assert isinstance(PSMPolicy(), Leaning)
