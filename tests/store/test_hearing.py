"""What is added is there, once, as it was."""

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psm_core.content import Place, SessionSize
from psm_core.errors import EncoderError, EncoderMismatchError, StoreError, TurnError
from psm_core.types import Kind, Tier, Trace

from .conftest import T0, same, units


def test_what_is_added_comes_back_as_it_was(shard, make):
    """Every field of an entry survives, to the microsecond and the last digit."""
    full = make(
        "I moved to Lyon. Ça va? 🦊",
        id="turn/1~2",
        kind=Kind.STATE,
        speaker="Ada Lovelace",
        role="assistant",
        session="a session",
        said_at=T0 + timedelta(microseconds=1),
        sources=("turn/1", "turn/2"),
        trace=Trace(0.123456789, timedelta(days=3, microseconds=7), T0, 0.1),
        emotion=0.7,
        confidence=0.9,
        mentions=3,
        last_said_at=T0 + timedelta(days=1),
        about_at=T0 - timedelta(days=9999),
        valid_until=T0 + timedelta(days=2),
        superseded_by="t9",
        recalled=4,
        used=2,
        corrected=1,
        pinned=True,
        expires_at=T0 + timedelta(days=400),
        reason="somebody said so",
    )

    (added,) = shard.add([full])

    assert added.seq == 1
    found = shard.find("turn/1~2")
    assert same(found, full)
    assert found.seq == 1
    assert found.vector == pytest.approx(full.vector, abs=1e-3)
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-6)
    assert same(shard.entries([1])[1], full)
    assert shard.entries([1])[1].vector is None


def test_times_of_any_zone_are_one_time(shard, make):
    """Noon in Tokyo comes back as the same moment."""
    tokyo = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    shard.add([make(id="t1", said_at=tokyo)])

    assert shard.find("t1").said_at == tokyo


def test_adding_twice_is_adding_once(shard, make):
    """What is known is left out, whether it comes again later or in one batch."""
    one, other = make("I like tea."), make("I like tar.")

    assert [e.seq for e in shard.add([one, other, replace(one, text="!")])] == [1, 2]
    assert shard.add([replace(one, text="Other words.")]) == []

    assert shard.find("t1").text == "I like tea."
    assert shard.counts() == {Tier.EPISODIC: 2, Tier.SEMANTIC: 0, Tier.ARCHIVAL: 0}
    assert shard.add([]) == []
    assert shard.check() == []


def test_numbers_are_never_given_twice(shard, make):
    """A forgotten memory's number stays free, so that no old reference finds another."""
    shard.add([make(), make()])
    shard.forget("t2", T0)
    shard.add([make()])

    assert shard.find("t3").seq == 3


def test_known_names_those_that_are_there_in_any_tier(shard, make):
    """Live, a fact or archived: all are known, and strangers aren't."""
    tiers = (Tier.EPISODIC, Tier.SEMANTIC, Tier.ARCHIVAL)
    shard.add([make(f"It is {tier}.", tier=tier) for tier in tiers])

    found = shard.known(["t1", "t2", "t3", "t4", "t1"])

    assert {i: (e.tier, e.text) for i, e in found.items()} == {
        f"t{n}": (tier, f"It is {tier}.") for n, tier in enumerate(tiers, 1)
    }
    assert shard.known(f"x{n}" for n in range(2000)) == {}


@pytest.mark.parametrize("tier", [Tier.SENSORY, Tier.WORKING])
def test_a_tier_that_lives_in_the_process_is_refused(shard, make, tier):
    """A ledger holds three tiers, and says which."""
    with pytest.raises(
        StoreError, match="t1 is of tier .*; a store holds episodic, sem"
    ):
        shard.add([make(tier=tier)])


def test_a_vector_that_can_not_be_compared_is_refused(shard, make):
    """Missing, of another width or not finite: an error, and nothing is stored."""
    whole = make()
    with pytest.raises(EncoderMismatchError, match=r"'random' \(32 numbers.*\(8,\)"):
        shard.add([whole, make(vector=units(1, width=8)[0])])
    with pytest.raises(EncoderError, match="without its vector"):
        shard.add([whole, make(vector=None)])
    with pytest.raises(EncoderError, match="aren't finite"):
        shard.add([whole, make(vector=np.full(32, np.nan, np.float32))])

    assert shard.counts()[Tier.EPISODIC] == 0


def test_half_a_character_in_an_id_is_one_of_our_errors(shard, make):
    """The message says which mistake it is, and nothing of the batch is stored."""
    with pytest.raises(TurnError, match="lone surrogate"):
        shard.add([make(), make(id="\ud800")])

    assert shard.listing() == []


def test_what_was_said_last_is_known_by_its_words(shard, make):
    """Case and space aside; other speakers, other words between, and facts don't count."""
    shard.add([make("Ada likes tea.", tier=Tier.SEMANTIC), make("I like  Tea.")])

    assert shard.said_last("Ada", " i LIKE tea.\n", T0) == "t2"
    assert shard.said_last("Juno", "I like tea.", T0) is None
    assert shard.said_last("Ada", "Ada likes tea.", T0) is None
    assert shard.said_last("Ada", "I like tea.", T0 + timedelta(days=400)) is None
    shard.add([make("I like coffee.", id="t4")])
    assert shard.said_last("Ada", "I like tea.", T0) is None


@pytest.mark.parametrize(
    "became",
    [
        {"tier": Tier.ARCHIVAL},
        {"valid_until": T0},
        {"expires_at": T0},
        {"corrected": 1},
    ],
    ids=str,
)
def test_what_surfaces_no_more_was_not_said_last(became, shard, make):
    """Turned away, ended, expired or taken back: there the same words are news."""
    shard.add([make("I like tea.")])
    shard.change("t1", T0, "changed", "a test did", **became)

    assert shard.said_last("Ada", "I like tea.", T0) is None


def test_each_memory_has_its_place_in_its_session(shard, make):
    """Places count on over several calls, archived turns take theirs, facts stand alone."""
    shard.add(
        [make("one two"), make("hm", tier=Tier.ARCHIVAL), make("x", session="s2")]
    )
    shard.add([make("Ada likes tea.", tier=Tier.SEMANTIC), make("three")])

    places = shard.places([1, 2, 3, 4, 5, 99])

    assert places == {
        1: Place(1, 0, 2),
        2: Place(1, 1, 1),
        3: Place(2, 0, 1),
        4: Place(-4, 0, 3),
        5: Place(1, 2, 1),
    }
    assert shard.at_places([(1, 0), (1, 1), (1, 3), (2, 0), (-4, 0), (-4, 1)]) == {
        (1, 0): 1,
        (1, 1): 2,
        (2, 0): 3,
        (-4, 0): 4,
    }
    assert shard.sessions([1, 2, -4, 77]) == {
        1: SessionSize(3, 4),
        2: SessionSize(1, 1),
        -4: SessionSize(1, 3),
    }
    assert shard.session_count() == 2


def test_a_session_shrinks_when_a_turn_is_forgotten_and_nobody_moves_up(shard, make):
    """The others keep their places; an empty session is gone."""
    shard.add([make("one two"), make("three"), make("four", session="s2")])
    shard.forget("t1", T0)
    shard.forget("t3", T0)
    shard.add([make("five")])

    assert shard.places([2, 4]) == {2: Place(1, 1, 1), 4: Place(1, 2, 1)}
    assert shard.sessions([1, 2]) == {1: SessionSize(2, 2)}
    assert shard.session_count() == 1


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(st.characters(), min_size=1), tier=st.sampled_from(list(Tier)[2:]))
def test_any_text_survives_every_tier(shard, make, text, tier):
    """Whatever the characters, NUL and half ones too: stored, archived, reinstated, and
    still the same; and its words leave the index without a trace."""
    entry = make(text, tier=tier)
    shard.add([entry])

    for turn_to in (Tier.ARCHIVAL, Tier.EPISODIC, Tier.SEMANTIC, Tier.ARCHIVAL):
        shard.change(entry.id, T0, "moved", "a test says so", tier=turn_to)
        assert shard.find(entry.id).text == text

    shard.change(entry.id, T0, "moved", "a test says so", tier=Tier.EPISODIC)
    terms = shard.terms(text)
    assert all(shard.postings(terms, 10).df > 0)
    shard.forget(entry.id, T0)
    assert not any(shard.postings(terms, 10).df)


@pytest.mark.slow
def test_adding_costs_what_it_may(shard, make):
    """600 memories are one transaction of well under a second, one is a millisecond or
    so; the figures to hold are in the report, these bounds only catch a blunder."""
    began = time.perf_counter()
    shard.add(make.many(600))
    batch = time.perf_counter() - began
    singly = []
    for entry in make.many(200):
        began = time.perf_counter()
        shard.add([entry])
        singly.append(time.perf_counter() - began)

    assert batch < 1
    assert sorted(singly)[100] < 0.01
