"""Fewer words in the index, all of them in the ledger; and what there is room for."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psm_core.content import Weight
from psm_core.errors import UnknownMemoryError
from psm_core.strength import retention
from psm_core.types import Tier, Trace

from .conftest import T0, same

DAY = timedelta(days=1)
WHOLE = "Hello you. I like basalt. How are you?"
LESS = "I like basalt."


def live(shard, *terms):
    return shard.postings(terms, 99).df.tolist()


# ------------------------------------------------------------------------ fewer words


def test_fewer_words_stand_in_the_index_and_all_are_kept_aside(shard, make):
    """The spared words aren't found any more; vector, length and counts are right."""
    (before,) = shard.add([make(WHOLE)])
    vector = shard.find("t1").vector

    shard.condense("t1", LESS, T0, "it is old")

    after = shard.find("t1")
    assert same(after, replace(before, text=LESS))
    assert after.vector == pytest.approx(vector)
    assert live(shard, "basalt", "hello") == [1, 0]
    assert shard.places([1])[1].words == 3
    assert shard.as_heard([after])[0].text == WHOLE
    assert [(c.what, c.reason) for c in shard.history("t1")] == [
        ("condensed", "it is old")
    ]
    assert shard.check() == []


def test_the_vector_stays_where_it_is(shard, make):
    """Chroma has nothing to take in anew, and what was spared can be found by it."""
    (before,) = shard.add([make(WHOLE)])
    moved = shard.rows("SELECT moved FROM tally ORDER BY tier")
    shard.condense("t1", LESS, T0)

    assert shard.rows("SELECT moved FROM tally ORDER BY tier") == moved
    assert shard.rows("SELECT count(*) FROM stale") == [(0,)]
    assert shard.nearest(before.vector, 1)[0][0] == 1


def test_what_was_said_last_is_told_by_all_the_words(shard, make):
    """Whoever says the whole again repeats it; who says the gist says something new."""
    shard.add([make(WHOLE)])
    shard.condense("t1", LESS, T0)

    assert shard.said_last("Ada", WHOLE, T0) == "t1"
    assert shard.said_last("Ada", LESS, T0) is None


def test_what_can_t_be_shortened_is_only_looked_at(shard, make):
    """No change in its history, and it isn't ripe a second time."""
    shard.add([make(LESS)])
    shard.condense("t1", LESS, T0)

    assert shard.history("t1") == []
    assert shard.ripe(T0 + DAY, 9) == []
    assert shard.as_heard([shard.find("t1")])[0].text == LESS


def test_what_was_heard_outlives_a_second_condensing(shard, make):
    """Whatever is spared later, all that was heard is what was heard first."""
    shard.add([make(WHOLE)])
    shard.condense("t1", f"{LESS} How are you?", T0)
    shard.condense("t1", LESS, T0)

    assert shard.as_heard([shard.find("t1")])[0].text == WHOLE
    assert shard.find("t1").text == LESS
    assert shard.heard(T0 + DAY) == 8
    assert shard.check() == []


def test_archived_and_back_it_is_as_it_was(shard, make):
    """Fewer words go into the archive and come out of it, and the whole stays."""
    shard.add([make(WHOLE)])
    shard.condense("t1", LESS, T0)
    shard.change("t1", T0, "archived", "", tier=Tier.ARCHIVAL)
    assert shard.as_heard([shard.find("t1")])[0].text == WHOLE
    shard.change("t1", T0, "reinstated", "", tier=Tier.EPISODIC)

    assert shard.find("t1").text == LESS
    assert live(shard, "basalt", "hello") == [1, 0]
    assert shard.as_heard([shard.find("t1")])[0].text == WHOLE
    assert shard.check() == []


def test_a_forgotten_turn_takes_its_spared_words_with_it(shard, make):
    """No row is left, and its number means nobody."""
    shard.add([make(WHOLE), make(LESS)])
    shard.condense("t1", LESS, T0)
    shard.forget("t1", T0)

    assert shard.rows("SELECT count(*) FROM gist") == [(0,)]
    assert shard.as_heard([]) == []
    assert shard.check() == []


def test_what_was_never_condensed_is_as_it_stands(shard, make):
    """Facts, archived turns and others come back in their order, unchanged."""
    entries = shard.add(
        [make(WHOLE), make(LESS), make("No.", tier=Tier.ARCHIVAL, id="x")]
    )
    shard.condense("t1", LESS, T0)
    shown = shard.as_heard([shard.find(e.id) for e in reversed(entries)])

    assert [e.text for e in shown] == ["No.", LESS, WHOLE]


def test_nobody_is_condensed_who_isn_t_there(shard):
    """An unknown id is an error, and writes nothing."""
    with pytest.raises(UnknownMemoryError, match="ada has no memory t9"):
        shard.condense("t9", LESS, T0)
    assert shard.rows("SELECT count(*) FROM gist") == [(0,)]


def test_half_a_character_outlives_condensing(shard, make):
    """Some chats hold lone surrogates; what was heard comes back to the last of them."""
    shard.add([make(f"\ud800 {WHOLE}")])
    shard.condense("t1", LESS, T0)

    assert shard.as_heard([shard.find("t1")])[0].text == f"\ud800 {WHOLE}"


def test_it_moves_house_with_its_person(home, open_home, shard, make, tmp_path):
    """Export and import carry what was spared, and what was looked at."""
    shard.add([make(WHOLE), make(LESS)])
    shard.condense("t1", LESS, T0)
    shard.condense("t2", LESS, T0)
    shard.export(tmp_path / "ada.psm")
    there = open_home("there")
    there.import_person(tmp_path / "ada.psm")

    with there.open("ada") as moved:
        assert moved.as_heard([moved.find("t1")])[0].text == WHOLE
        assert moved.ripe(T0 + DAY, 9) == []


# -------------------------------------------------------------------- ripe and fading


def test_ripe_is_what_is_old_enough_and_was_never_looked_at(shard, make):
    """Live episodes before the moment, oldest first, so many at most."""
    shard.add(make.many(5))
    shard.add([make(tier=Tier.SEMANTIC), make(tier=Tier.ARCHIVAL)])
    shard.condense("t2", "I own thing number 1.", T0)

    assert [e.id for e in shard.ripe(T0 + DAY, 9)] == ["t1", "t3", "t4", "t5"]
    assert [e.id for e in shard.ripe(T0 + DAY, 2)] == ["t1", "t3"]
    assert [e.id for e in shard.ripe(shard.find("t4").said_at, 9)] == ["t1", "t3"]
    assert shard.ripe(T0, 9) == []


def test_fading_says_what_is_left_of_each_least_first(shard, make):
    """Half is left after a half-life; what is pinned, a fact or archived never fades
    out of the index.  Of equals, who was heard first comes first."""
    trace = Trace(0.8, DAY, T0)
    shard.add([make(trace=trace), make(trace=replace(trace, floor=0.3))])
    shard.add([make(trace=trace, pinned=True), make(trace=trace, tier=Tier.SEMANTIC)])
    shard.add([make(trace=trace, tier=Tier.ARCHIVAL), make(trace=Trace(0.1, DAY, T0))])

    def left(at, below=1.0, most=9, more=0):
        weakest, count = shard.fading(at, below, most, more)
        assert count == 3
        return [(name, round(strength, 6)) for name, strength in weakest]

    assert left(T0 - DAY) == left(T0) == [("t6", 0.1), ("t1", 0.8), ("t2", 0.8)]
    assert left(T0, below=0.1) == []
    assert left(T0, below=0.11) == left(T0, below=0, most=2) == [("t6", 0.1)]
    assert left(T0, below=0.11, more=1) == [("t6", 0.1), ("t1", 0.8)]
    assert left(T0, below=0.11, most=1) == [("t6", 0.1), ("t1", 0.8)]
    assert left(T0 + DAY) == [("t6", 0.05), ("t1", 0.4), ("t2", 0.55)]
    assert left(T0 + 999 * DAY) == [("t1", 0.0), ("t6", 0.0), ("t2", 0.3)]


traces = st.builds(
    lambda strength, share, hours, minutes: Trace(
        strength,
        timedelta(hours=hours),
        T0 + timedelta(minutes=minutes),
        strength * share,
    ),
    st.floats(0, 1),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.integers(1, 24 * 3650),
    st.integers(-10_000, 10_000),
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kept=st.lists(traces, max_size=8), days=st.integers(-30, 9999))
def test_fading_agrees_with_the_arithmetic_of_forgetting(home, make, kept, days):
    """One by one or all at once: of each memory the same is left."""
    at = T0 + days * DAY
    with home.open("model") as shard:
        for entry in shard.listing():
            shard.forget(entry.id, T0)
        entries = shard.add([make(trace=trace) for trace in kept])

        found, count = shard.fading(at, 2.0, 9)

        left = [strength for _, strength in found]
        assert left == sorted(left)
        assert count == len(kept)
        assert dict(found) == {
            e.id: pytest.approx(retention(shard.find(e.id).trace, at)) for e in entries
        }


# --------------------------------------------------------------------- what there is


def test_what_was_heard_is_counted_whatever_became_of_it(shard, make):
    """Condensed, archived, back: eight words and three were heard; facts weren't."""
    shard.add([make(WHOLE), make(LESS), make(tier=Tier.SEMANTIC)])
    assert shard.heard(T0 + DAY) == 11

    shard.condense("t1", LESS, T0)
    shard.change("t1", T0, "archived", "", tier=Tier.ARCHIVAL)
    assert shard.heard(T0 + DAY) == 11

    assert shard.heard(shard.find("t2").said_at) == 8
    assert shard.heard(T0) == 0
    shard.forget("t1", T0)
    assert shard.heard(T0 + DAY) == 3


def test_the_weakest_come_first_and_what_is_pinned_isn_t_offered(shard, make):
    """Words of facts and pinned ones count, and none of them may leave."""
    shard.add(
        [
            make(WHOLE, trace=Trace(0.5, DAY, T0)),
            make(LESS, trace=Trace(0.2, DAY, T0)),
            make(LESS, trace=Trace(0.1, DAY, T0), pinned=True),
            make(LESS, tier=Tier.SEMANTIC),
            make(LESS, tier=Tier.ARCHIVAL),
            make(LESS, trace=Trace(0.2, DAY, T0)),
        ]
    )

    episodes = shard.weakest(T0 + DAY, 9)

    assert shard.indexed(T0 + DAY) == 8 + 4 * 3
    assert episodes == [
        Weight("t2", 0.2, 3),
        Weight("t6", 0.2, 3),
        Weight("t1", 0.5, 8),
    ]
    shard.condense("t1", LESS, T0)
    assert shard.indexed(T0 + DAY) == 15
    assert shard.weakest(T0 + DAY, 9) == [*episodes[:2], Weight("t1", 0.5, 3)]
    assert shard.weakest(T0 + DAY, 1) == episodes[:1]
    assert (shard.indexed(T0), shard.weakest(T0, 9)) == (0, [])


def test_an_empty_store_has_room_for_everything(shard):
    """Nothing heard, nothing held, nothing ripe, nothing fading."""
    assert (shard.heard(T0), shard.indexed(T0), shard.weakest(T0, 9)) == (0, 0, [])
    assert (shard.ripe(T0, 9), shard.fading(T0, 1.0, 0)) == ([], ([], 0))


# -------------------------------------------------------------- what a draft rests on


def test_deciding_and_forgetting_change_the_revision_and_hearing_doesn_t(shard, make):
    """A draft is thrown away for what it may have missed, and for nothing else."""
    shard.add([make(), make()])
    seen = [shard.revision()]

    shard.add([make()])
    shard.log_recall("r1", T0, "rules", [])
    assert shard.revision() == seen[0]

    shard.change("t1", T0, "pinned", "", pinned=True)
    seen.append(shard.revision())
    shard.set_watermark(2)
    seen.append(shard.revision())
    shard.condense("t2", LESS[:6], T0)
    seen.append(shard.revision())
    shard.forget("t1", T0)
    seen.append(shard.revision())
    shard.forget("t2", T0)
    seen.append(shard.revision())

    assert len(set(seen)) == len(seen)


def test_what_was_undone_is_named_by_what_it_was(shard, make):
    """For each memory by itself; what was only done isn't named."""
    shard.add([make(), make()])
    shard.change("t1", T0, "archived", "it faded", tier=Tier.ARCHIVAL)
    shard.change("t1", T0, "undone", "archived", tier=Tier.EPISODIC)
    shard.change("t2", T0, "archived", "it faded", tier=Tier.ARCHIVAL)

    assert shard.undone("t1") == {"archived"}
    assert shard.undone("t2") == shard.undone("t9") == set()
