"""What is logged: whom it is of, what was shown together, what each memory earned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from psm_core import Feedback, Memory, Turn
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.logged import Logged, of_list, together
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import PSMPolicy
from psm_core.model.pool import LEARNED_HASH, LEARNED_NAMES
from psm_core.model.rules import RulePolicy
from psm_core.train.corpus import Correction, Pair, lives
from psm_core.train.logs import (
    SHOWN,
    journalled,
    outdated,
    simulated,
)
from psm_core.train.pools import Asked
from psm_core.types import Lesson, Outcome

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def candidate(*turns):
    return SimpleNamespace(entry=SimpleNamespace(sources=turns))


def question(count=30, needed=("t0",), person="ada"):
    """One of so many candidates, t0 first; the first feature numbers them."""
    features = np.zeros((count, len(LEARNED_NAMES)), np.float32)
    features[:, 0] = np.arange(count)
    pool = [candidate(f"t{n}") for n in range(count)]
    relevant = np.array([f"t{n}" in needed for n in range(count)])
    return Asked(
        person, "single-hop", None, pool, features, relevant, frozenset(needed)
    )


def steep(features):
    """Points that fall from the first to the last."""
    return -features[:, 0] / 5


def skilled():
    """A policy by a network that knows nothing yet."""
    torch.manual_seed(0)
    thresholds = {"defer": 0.0, "answer": 0.0}
    card = Card("toy", HashEncoder(64).name, thresholds=thresholds)
    return PSMPolicy(network=(PSM(Shape(64)), card), encoder=HashEncoder(64))


def row(number, recall, rank=0, *, policy=f"toy/{LEARNED_HASH}", reward=1.0):
    seen = np.full(3, number, np.float32)
    used = Outcome.USED if reward > 0 else Outcome.IGNORED
    return Lesson(number, recall, T0, policy, rank, 0.5, 0.1, seen, used, reward)


# ------------------------------------------------------------------ simulated people


def test_a_simulated_recall_shows_ten_with_their_chances():
    """The chance of each is the one with which the policy draws it first."""
    logged = simulated([question()], steep, 50, seed=0)

    likely = np.exp(-np.arange(30) / 5)
    likely /= likely.sum()
    assert len(logged) == 50
    for one in logged:
        numbers = one.features[:, 0].astype(int)
        assert len(set(numbers)) == SHOWN == 10
        np.testing.assert_allclose(one.propensities, likely[numbers], rtol=1e-4)


def test_what_is_likely_is_shown_more_often():
    """First places are taken as often as the chances say."""
    logged = simulated([question()], steep, 4_000, seed=0)

    first = np.mean([one.features[0, 0] == 0 for one in logged])

    assert first == pytest.approx(1 - np.exp(-0.2), abs=0.02)


def test_evidence_is_used_and_the_rest_ignored():
    """+1 and -1, where nobody errs."""
    logged = simulated([question(needed=("t0", "t3"))], steep, 20, seed=0, flipped=0)

    for one in logged:
        needed = np.isin(one.features[:, 0], (0, 3))
        assert one.rewards.tolist() == np.where(needed, 1.0, -1.0).tolist()


def test_what_tells_it_as_it_was_before_is_corrected():
    """-3, but only for what the needed turn took the place of."""
    misleading = {"ada": {"t0": {"t1"}, "t9": {"t2"}}, "bob": {"t0": {"t3"}}}

    logged = simulated(
        [question()], steep, 50, seed=0, misleading=misleading, flipped=0
    )

    assert any(-3.0 in one.rewards for one in logged)
    for one in logged:
        corrected = one.features[one.rewards == -3.0, 0].tolist()
        assert set(corrected) <= {1.0}


def test_one_reaction_in_ten_is_the_wrong_way_round():
    """Used for ignored and ignored for used; nobody praises what misleads less."""
    logged = simulated([question()], steep, 2_000, seed=0)

    wrong = np.concatenate(
        [(one.rewards > 0) != (one.features[:, 0] == 0) for one in logged]
    )
    assert wrong.mean() == pytest.approx(0.1, abs=0.01)


def test_the_same_seed_draws_the_same_people():
    """To the bit; another seed draws others."""
    one, same, other = (
        simulated([question(), question(12)], steep, 9, seed=s) for s in (1, 1, 2)
    )

    first, second, third = (
        np.concatenate([recall.features for recall in each])
        for each in (one, same, other)
    )
    assert (first == second).all()
    assert first.tolist() != third.tolist()


def test_a_pool_of_three_shows_three():
    """And a question for which nothing was proposed is never asked."""
    logged = simulated([question(3), question(0)], steep, 5, seed=0)

    assert [len(one.rewards) for one in logged] == [3] * 5


def test_an_update_and_a_correction_say_which_turn_is_out_of_date():
    """Both stand in the lives; look-alikes that can both hold don't count."""
    life = replace(
        lives("train")[0],
        name="ada",
        pairs=(
            Pair("Ada", "old", "new", "update", ("t1", "t5")),
            Pair("Ada", "old", "new", "compatible", ("t2", "t5")),
            Pair("Ada", "old", "new", "update", None),
        ),
        corrections=(Correction("t5", "t3"),),
    )

    assert outdated([life]) == {"ada": {"t5": {"t1", "t3"}}}


# ----------------------------------------------------------------------- real stores


def test_rows_of_one_recall_stand_together():
    """As they were shown; a single row, and one of no recall, tell nothing."""
    rows = [row(1, 7), row(2, 4, 1, reward=-1.0), row(3, 7, 2, reward=-3.0), row(4, 4)]

    found = together([*rows, row(5, 8), row(6, None), row(7, None)])

    assert [one.rewards.tolist() for one in found] == [[1, -1], [1, -3]]
    assert [one.features[:, 0].tolist() for one in found] == [[4, 2], [1, 3]]
    assert [one.teaches for one in found] == [True, True]


def test_a_recall_teaches_where_one_memory_earned_more():
    """Ten that were ignored alike are no reason to change anything."""
    table, chances = np.zeros((2, 3), np.float32), np.ones(2, np.float32)

    assert Logged(table, chances, np.array([-1, -3], np.float32)).teaches
    assert not Logged(table, chances, np.array([-1, -1], np.float32)).teaches


def test_a_row_says_of_which_list_its_features_are():
    """The digest ends the policy's name; one of an older release has none."""
    assert of_list(row(1, 1), LEARNED_HASH)
    assert not of_list(row(1, 1, policy="rules/0123456789abcdef"), LEARNED_HASH)
    assert not of_list(row(1, 1, policy="psm-mini"), LEARNED_HASH)


def test_the_journals_of_all_people_are_read(tmp_path):
    """Rows of other features are counted and left out; nobody is named."""
    for user, policy in (("ada", skilled()), ("bob", RulePolicy())):
        with Memory(
            user, home=tmp_path, encoder=HashEncoder(64), policy=policy
        ) as memory:
            memory.remember_many(
                [Turn(f"I bought a {x} kettle.", "Ada") for x in ("red", "blue")]
            )
            recall = memory.recall("Which kettle did Ada buy?")
            used, ignored = (hit.id for hit in recall.hits)
            memory.learn(Feedback(recall.id, used=[used], ignored=[ignored]))

    found = journalled(tmp_path)

    assert (found.rows, found.foreign, found.alone) == (4, 2, 0)
    ((recall,),) = found.people
    assert recall.rewards.tolist() == [1.0, -1.0]
    assert recall.features.shape == (2, len(LEARNED_NAMES))
    assert (recall.propensities > 0).all()
    assert recall.propensities.sum() == pytest.approx(1.0)


def test_an_empty_home_tells_nothing(tmp_path):
    """Nor does one that isn't there."""
    assert journalled(tmp_path / "nowhere") == ([], 0, 0, 0)
