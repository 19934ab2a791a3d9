"""Of what answers alike, what was said later comes first."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.memory import Memory
from psm_core.model.latest import ALIKE, CLOSE, FIRST, LIKELY, latest_first
from psm_core.types import Turn
from tests.model.conftest import NOON

EAST = np.array([1.0, 0.0], np.float32)


def towards(cosine):
    """A direction with that cosine to `EAST`."""
    return np.array([cosine, (1 - cosine**2) ** 0.5], np.float32)


@pytest.fixture
def old(candidate):
    """What was said first."""
    return candidate("I drive a pickup", id="old", vector=EAST)


def likely(new, old):
    """Both can't hold, by whatever is asked."""
    return LIKELY + 0.01


def points(*numbers):
    """Points as the ranking gives them."""
    return np.array(numbers, np.float32)


def test_what_was_said_later_changes_places_with_what_was_said_before(old, candidate):
    """Two that fit about as well: the points stay, who has them changes."""
    new = candidate("I drive a minivan", id="new", days=30, vector=towards(0.7))

    assert latest_first(points(3.0, 2.5), [old, new], likely).tolist() == [2.5, 3.0]
    assert latest_first(points(2.5, 3.0), [old, new], likely).tolist() == [2.5, 3.0]


@pytest.mark.parametrize(
    ("given", "behind"),
    [
        ({"speaker": "Ben"}, 0.5),
        ({"vector": towards(ALIKE - 0.01)}, 0.5),
        ({"vector": None}, 0.5),
        ({"days": 0.0}, 0.5),
        ({"days": -1.0}, 0.5),
        ({}, CLOSE),
    ],
    ids=[
        "of another",
        "of another thing",
        "unknown",
        "together",
        "before",
        "fits less",
    ],
)
def test_nothing_else_changes_places(given, behind, old, candidate):
    """Another's words, another thing, what is no later, and what answers less."""
    made = {"id": "new", "days": 30, "vector": towards(0.9), **given}
    seen = points(3.0, 3.0 - behind)

    moved = latest_first(seen, [old, candidate("I drive a minivan", **made)], likely)

    assert moved.tolist() == seen.tolist()


def test_what_can_both_hold_stays_in_order(old, candidate):
    """The head of interference is asked about the later and the earlier one."""
    new = candidate("I rent a minivan", id="new", days=30, vector=towards(0.7))
    asked = []

    def even(one, other):
        asked.append((one.entry.id, other.entry.id))
        return LIKELY

    assert latest_first(points(3.0, 2.5), [old, new], even).tolist() == [3.0, 2.5]
    assert asked == [("new", "old")]


def test_the_latest_of_three_comes_first(candidate):
    """A pickup, a minivan, a bicycle: in the end the bicycle, then the minivan."""
    pool = [
        candidate("I drive", id=f"n{i}", days=i, vector=EAST, speaker="Ada")
        for i in range(3)
    ]

    assert latest_first(points(3, 2.5, 2.2), pool, likely).argsort().tolist() == [
        0,
        1,
        2,
    ]


def test_a_fact_counts_from_when_it_was_last_said(old, candidate):
    """A fact first heard long ago and told again yesterday is the later one."""
    again = candidate(
        "Mira drives a minivan",
        id="fact",
        days=-30,
        last_said_at=NOON + timedelta(days=30),
        vector=EAST,
    )

    assert latest_first(points(3.0, 2.5), [old, again], likely).tolist() == [2.5, 3.0]


@given(
    st.lists(
        st.tuples(st.floats(-8, 8, width=32), st.integers(0, 9), st.sampled_from("ab")),
        max_size=12,
    )
)
def test_the_same_points_for_the_same_best(candidate, rows):
    """Whatever is proposed: no point is lost, and who isn't among the best stays."""
    pool = [
        candidate("x", id=f"n{i}", days=days, speaker=who, vector=EAST)
        for i, (_, days, who) in enumerate(rows)
    ]
    seen = points(*(number for number, _, _ in rows))

    moved = latest_first(seen, pool, likely)

    best = set(np.argsort(-seen, kind="stable")[:FIRST].tolist())
    assert sorted(moved.tolist()) == sorted(seen.tolist())
    rest = [i for i in range(len(rows)) if i not in best]
    assert moved[rest].tolist() == seen[rest].tolist()


def test_what_holds_now_is_recalled_first_and_what_was_stays_beside_it(tmp_path):
    """With the weights that ship, though the pickup has more of the question's words."""
    told = [
        ("I drive my old Ford pickup to work every day.", 0),
        ("We sold it, I drive a used minivan.", 200),
    ]
    with Memory("brent", home=tmp_path) as memory:
        for text, days in told:
            at = NOON + timedelta(days=days)
            memory.remember(Turn(text, speaker="Brent", at=at))

        now = memory.recall("What does Brent drive to work?")

    assert [hit.text for hit in now.hits] == [text for text, _ in reversed(told)]


def test_what_was_before_is_recalled_first_where_it_is_asked_for(tmp_path):
    """With the weights that ship, after a sleep: Lyon before, and Oslo now."""
    with Memory("ada", home=tmp_path) as memory:
        for days, place in ((0, "Lyon"), (90, "Oslo")):
            at = NOON + timedelta(days=days)
            memory.remember(Turn(f"I live in {place}.", speaker="Ada", at=at))
        memory.consolidate()

        now = memory.recall("Where does Ada live?")
        before = memory.recall("Where did Ada live before?")

    assert now.hits[0].text == "Ada lives in Oslo."
    assert before.hits[0].text == "Ada lives in Lyon."
    assert "(until " in before.as_context()
