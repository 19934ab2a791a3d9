"""What changes is changed everywhere, or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psm_core.errors import StoreError, UnknownMemoryError
from psm_core.types import Change, Kind, Tier, Trace

from .conftest import T0, same, told, units

LATER = T0 + timedelta(days=3)


def test_a_change_sets_its_fields_and_is_noted(shard, make):
    """The new values are there, the rest is as it was, the history says when and why."""
    (before,) = shard.add([make()])
    trace = Trace(0.25, timedelta(days=1), LATER, 0.1)

    shard.change(
        "t1",
        LATER,
        "weakened",
        "it was ignored",
        trace=trace,
        used=3,
        pinned=True,
        valid_until=LATER,
        superseded_by="t9",
        kind=Kind.STATE,
        sources=("t1", "t2"),
    )
    shard.change("t1", LATER, "looked at", "to see")

    assert same(
        shard.find("t1"),
        replace(
            before,
            trace=trace,
            used=3,
            pinned=True,
            valid_until=LATER,
            superseded_by="t9",
            kind=Kind.STATE,
            sources=("t1", "t2"),
        ),
    )
    assert shard.history("t1") == [
        Change(LATER, "t1", "weakened", "it was ignored", 1),
        Change(LATER, "t1", "looked at", "to see", 2),
    ]
    shard.change("t1", LATER, "reopened", "it holds again", valid_until=None)
    assert shard.find("t1").valid_until is None


def test_a_change_of_nobody_or_nothing_is_refused(shard, make):
    """Unknown ids, fields that can't change and tiers that aren't stored."""
    shard.add([make()])
    with pytest.raises(UnknownMemoryError, match="ada has no memory t9"):
        shard.change("t9", LATER, "weakened", "")
    with pytest.raises(UnknownMemoryError):
        shard.history("t9")
    with pytest.raises(TypeError, match="can't set id, strenght; it can set about_at"):
        shard.change("t1", LATER, "weakened", "", strenght=1, id="t2")
    with pytest.raises(StoreError, match="can't be moved to working"):
        shard.change("t1", LATER, "moved", "", tier=Tier.WORKING)

    assert shard.history("t1") == []


def test_an_archived_memory_is_out_of_words_and_vectors_until_it_comes_back(
    shard, make
):
    """Not found by word or meaning, whole in the archive, and found again afterwards."""
    entries = shard.add([make("I like basalt."), make("I like granite.")])
    cue = entries[0].vector

    shard.change("t1", LATER, "archived", "it faded", tier=Tier.ARCHIVAL)

    assert shard.counts() == {Tier.EPISODIC: 1, Tier.SEMANTIC: 0, Tier.ARCHIVAL: 1}
    assert shard.postings(["basalt"], 10).df.tolist() == [0]
    assert shard.postings(["like"], 10).memories == 1
    assert [seq for seq, _ in shard.nearest(cue, 9)] == [2]
    assert [seq for seq, _ in shard.nearest(cue, 9, [Tier.ARCHIVAL])] == [1]
    assert shard.find("t1").text == "I like basalt."
    assert shard.find("t1").vector == pytest.approx(cue, abs=0.01)

    shard.change("t1", LATER, "reinstated", "it was used", tier=Tier.EPISODIC)

    assert shard.postings(["basalt"], 10).seq.tolist() == [1]
    assert shard.nearest(cue, 1)[0] == (1, pytest.approx(1, abs=1e-3))
    assert shard.places([1])[1].place == 0
    assert shard.check() == []


def test_other_words_are_found_by_the_new_words_alone(shard, make):
    """Text, index, length and the hash of what was said change together."""
    shard.add([make("I like basalt.")])
    vector = units(1, seed=77)[0]

    shard.change("t1", LATER, "edited", "a person did", text="Granite!", vector=vector)

    assert shard.postings(["basalt", "granit"], 10).df.tolist() == [0, 1]
    assert shard.said_last("Ada", "granite!", T0) == "t1"
    assert shard.said_last("Ada", "I like basalt.", T0) is None
    assert shard.places([1])[1].words == 1
    assert shard.nearest(vector, 1)[0] == (1, pytest.approx(1, abs=1e-3))
    assert shard.check() == []


def test_a_transaction_is_all_or_nothing(shard, make):
    """What fails halfway leaves nothing behind, and the next one begins afresh."""
    first = shard.add([make()])
    with pytest.raises(ZeroDivisionError), shard.transaction():
        shard.add(make.many(3))
        shard.change("t1", LATER, "archived", "", tier=Tier.ARCHIVAL)
        assert len(shard.nearest(first[0].vector, 9)) == 3
        1 / 0  # noqa: B018

    assert [e.id for e in shard.listing()] == ["t1"]
    assert [s for s, _ in shard.nearest(first[0].vector, 9)] == [1]
    assert [e.seq for e in shard.add([make("Another.")])] == [2]
    assert shard.nearest(shard.find("t5").vector, 1)[0][0] == 2
    assert shard.check() == []


def test_a_nested_failure_that_is_caught_leaves_the_outer_whole(shard, make):
    """Only what failed is undone; the rest is committed with the outer."""
    with shard.transaction():
        shard.add([make()])
        with pytest.raises(ZeroDivisionError), shard.transaction():
            shard.add([make()])
            1 / 0  # noqa: B018
        with pytest.raises(UnknownMemoryError):
            shard.change("t9", LATER, "x", "")
        shard.add([make()])

    assert [e.id for e in shard.listing()] == ["t1", "t3"]


def test_reading_sees_one_moment_and_writes_nothing(home, shard, make):
    """Another connection's write is seen by the next reading, not by this one."""
    other = home._shard(shard.folder, "ada")
    try:
        with shard.reading():
            assert shard.listing() == []
            other.add([make()])
            assert shard.listing() == []
            assert shard.nearest(units(1)[0], 3) == []
            with pytest.raises(StoreError, match="inside of reading"):
                shard.add([make()])
        assert [e.id for e in shard.listing()] == ["t1"]
    finally:
        other.close()


def test_the_watermark_is_where_it_was_set(shard, home):
    """It begins at 0 and outlives the process's opening."""
    assert shard.watermark() == 0
    shard.set_watermark(7)

    assert shard.watermark() == 7
    again = home._shard(shard.folder, "ada")
    assert again.watermark() == 7
    again.close()


words = st.text("abc ", min_size=1, max_size=8)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), words, st.sampled_from(list(Tier)[2:])),
        st.tuples(st.just("tier"), st.integers(0, 9), st.sampled_from(list(Tier)[2:])),
        st.tuples(st.just("text"), st.integers(0, 9), words),
        st.tuples(st.just("used"), st.integers(0, 9), st.integers(0, 5)),
        st.tuples(st.just("forget"), st.integers(0, 9)),
        st.tuples(st.just("undo"), words),
    ),
    max_size=25,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps)
def test_whatever_happens_the_store_is_what_a_dict_would_be(home, make, steps):
    """Adds, moves, edits, forgettings and undone transactions in any order: entries,
    counts, words and checks agree with a plain dict of entries."""
    with home.open("model") as shard:
        for entry in shard.listing():
            shard.forget(entry.id, T0)
        model = {}
        for act, *rest in steps:
            chosen = (
                list(model)[rest[0] % len(model)]
                if model and act in {"tier", "text", "used", "forget"}
                else None
            )
            if act == "add":
                # Sources of its own, so that no forgetting reaches further.
                entry = make(rest[0], tier=rest[1])
                shard.add([entry])
                model[entry.id] = entry
            elif act == "undo":
                with pytest.raises(KeyError), shard.transaction():
                    shard.add([make(rest[0])])
                    raise KeyError
            elif chosen and act == "forget":
                shard.forget(chosen, T0)
                del model[chosen]
            elif chosen:
                shard.change(chosen, T0, act, "a test", **{act: rest[1]})
                model[chosen] = replace(model[chosen], **{act: rest[1]})

        assert told(shard.listing()) == told(model.values()) or all(
            same(e, model[e.id]) for e in shard.listing()
        )
        assert {e.id for e in shard.listing()} == set(model)
        assert shard.counts() == {
            tier: sum(e.tier is tier for e in model.values()) for tier in list(Tier)[2:]
        }
        assert shard.check() == []
