"""The everyday pairs: each once, of two texts, and in no life."""

from __future__ import annotations

from collections import Counter

import pytest

from psm_core.model.relation import RELATIONS
from psm_core.train.corpus import lives
from psm_core.train.everyday import everyday


@pytest.fixture(scope="module")
def pairs():
    return everyday()


def test_each_pair_stands_once(pairs):
    """No pair twice, in either order, and no statement beside itself."""
    seen = Counter(frozenset((pair.old, pair.new)) for pair in pairs)

    assert len(pairs) == 1514
    assert max(seen.values()) == 1
    assert all(len(both) == 2 for both in seen)


def test_every_relation_is_told_often(pairs):
    """Each of what the head tells apart, and hedges, which are compatible to it."""
    told = Counter(pair.relation for pair in pairs)

    assert set(told) == {*RELATIONS, "hedge"}
    assert min(told.values()) >= 149


def test_look_alikes_outnumber_updates(pairs):
    """A head that flags whatever is about one thing would be wrong more often."""
    told = Counter(pair.relation for pair in pairs)

    assert told["compatible"] + told["hedge"] > 1.4 * told["update"]


def test_nobody_s_life_is_quoted(pairs):
    """They are beside the lives: no statement is a turn of a person who is tested."""
    said = {turn.text for life in lives() for turn in life.turns}

    assert said.isdisjoint(text for pair in pairs for text in (pair.old, pair.new))
