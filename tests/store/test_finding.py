"""What is there is found: by number, by session, by meaning, by word."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psm_core.errors import EncoderMismatchError, UnknownMemoryError
from psm_core.store import exact
from psm_core.store.exact import Rows, best
from psm_core.types import Tier

from .conftest import T0, brute, units

LIVE = (Tier.EPISODIC, Tier.SEMANTIC)


def ids(entries):
    return [e.id for e in entries]


def test_a_listing_is_in_order_and_can_be_narrowed(shard, make):
    """By tier, session, number and count; forwards or backwards."""
    shard.add(make.many(3))
    shard.add([make(tier=Tier.SEMANTIC), make(tier=Tier.ARCHIVAL), make(session="s2")])

    assert ids(shard.listing()) == ["t1", "t2", "t3", "t4", "t5", "t6"]
    assert ids(shard.listing(tiers=[Tier.EPISODIC])) == ["t1", "t2", "t3", "t6"]
    assert ids(shard.listing(tiers=[Tier.ARCHIVAL, Tier.SEMANTIC])) == ["t4", "t5"]
    assert ids(shard.listing(tiers=[])) == []
    assert ids(shard.listing(session="s1", limit=2, newest_first=True)) == ["t5", "t4"]
    assert ids(shard.listing(session="s1", tiers=LIVE, after=1)) == ["t2", "t3", "t4"]
    assert ids(shard.listing(after=4, limit=1)) == ["t5"]
    assert ids(shard.listing(session="s9")) == []
    assert shard.listing()[0].vector is None
    assert shard.listing(vectors=True)[4].vector.shape == (32,)


def test_find_names_what_it_does_not_have(shard):
    """The error names person and id, and what may have happened."""
    with pytest.raises(UnknownMemoryError, match="ada has no memory t9; it was never"):
        shard.find("t9")


def test_speakers_and_the_present_follow_what_is_remembered(shard, make):
    """Who was ever heard and when last; what is forgotten counts no more."""
    assert shard.speakers() == frozenset()
    assert shard.present() is None
    shard.add([make(speaker="Ada"), make(speaker="Juno"), make(speaker="")])
    shard.change("t1", T0, "merged", "said again", last_said_at=T0 + timedelta(days=9))

    assert shard.speakers() == {"Ada", "Juno", ""}
    assert shard.present() == T0 + timedelta(days=9)
    shard.forget("t1", T0)
    assert shard.speakers() == {"Juno", ""}
    assert shard.present() == T0 + timedelta(minutes=3)


# ----------------------------------------------------------------------- nearest


def test_nearest_is_the_nearest_first(shard, make):
    """The vector itself has cosine 1; archived ones are found where they are asked for."""
    entries = shard.add([*make.many(20), make(tier=Tier.ARCHIVAL)])
    cue = entries[20].vector

    for (seq, cosine), expected in zip(
        shard.nearest(cue, 3), brute(entries[:20], cue, 3), strict=True
    ):
        assert (seq, cosine) == (expected[0], pytest.approx(expected[1], abs=1e-6))
    (seq, cosine), *_ = shard.nearest(cue, 3, [*LIVE, Tier.ARCHIVAL])
    assert (seq, cosine) == (21, pytest.approx(1, abs=1e-4))
    assert shard.nearest(cue, 0) == []
    assert shard.nearest(cue, 99, [Tier.SEMANTIC]) == []
    assert len(shard.nearest(cue, 99, [Tier.EPISODIC, Tier.EPISODIC])) == 20


def test_vectors_come_by_number(shard, make):
    """In the order of the numbers, archived ones too, strangers left out."""
    entries = shard.add([*make.many(3), make(tier=Tier.ARCHIVAL)])

    numbers, vectors = shard.vectors([4, 2, 99])

    assert numbers.tolist() == [2, 4]
    assert vectors[0] == pytest.approx(entries[1].vector, abs=1e-3)
    assert vectors[1] == pytest.approx(entries[3].vector, abs=0.02)
    assert shard.vectors([])[1].shape == (0, 32)


def test_a_cue_of_another_width_is_refused(shard):
    """Vectors of two encoders are never compared."""
    with pytest.raises(EncoderMismatchError, match="32 numbers"):
        shard.nearest(units(1, width=8)[0], 3)


def test_what_is_beyond_the_memory_bound_is_found_too(home, make, monkeypatch):
    """With room for ten vectors, all fifty are searched."""
    monkeypatch.setattr(exact, "KEPT_BYTES", 10 * 4 * 32)
    with home.open("bob") as shard:
        entries = shard.add(make.many(20))
        shard.nearest(entries[0].vector, 1)
        entries += shard.add(make.many(30))

        for cue in units(5, seed=99):
            found = shard.nearest(cue, 50)
            assert [s for s, _ in found] == [s for s, _ in brute(entries, cue, 50)]


@given(
    cosines=st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0]), max_size=30),
    k=st.integers(1, 12),
)
def test_of_equal_cosines_the_older_memory_wins(cosines, k):
    """The best k are those of a full sort, ties by number."""
    seqs = np.arange(1, len(cosines) + 1)
    pairs = sorted(
        zip(seqs.tolist(), cosines, strict=True), key=lambda p: (-p[1], p[0])
    )

    assert best(seqs, np.array(cosines, np.float32), k) == pairs[:k]


@given(blocks=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_rows_that_grow_in_blocks_keep_every_row(blocks):
    """However they come, all rows are there, in order."""
    rows, start = Rows(4), 1
    for size in blocks:
        matrix = np.full((size, 4), start, np.float32)
        rows.extend(np.arange(start, start + size), matrix)
        start += size

    seqs, scores = rows.scores(np.ones(4, np.float32))
    assert seqs.tolist() == list(range(1, start))
    assert rows.last == start - 1
    firsts = [1, *(np.cumsum(blocks)[:-1] + 1)]
    assert scores.tolist() == np.repeat(np.multiply(firsts, 4.0), blocks).tolist()


acts = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["archive", "learn", "forget"]), st.integers(0, 40)),
        st.tuples(st.just("look"), st.integers(1, 12)),
    ),
    max_size=30,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=acts)
def test_nearest_is_brute_force_whatever_happened_before(home, make, acts):
    """Added, archived, made facts and forgotten in any order: the answer is that of
    comparing all."""
    with home.open("carol") as shard:
        for entry in shard.listing():
            shard.forget(entry.id, T0)
        for act, n in acts:
            here = shard.listing()
            if act == "add":
                shard.add(make.many(n))
            elif act == "look":
                cue = units(1, seed=n)[0]
                live = shard.listing(tiers=LIVE, vectors=True)
                expected = brute(live, cue, n) if live else []
                found = shard.nearest(cue, n)
                assert [s for s, _ in found] == [s for s, _ in expected]
            elif here and act == "forget":
                shard.forget(here[n % len(here)].id, T0)
            elif here:
                tier = Tier.ARCHIVAL if act == "archive" else Tier.SEMANTIC
                shard.change(here[n % len(here)].id, T0, act, "a test", tier=tier)


# ------------------------------------------------------------------------- words


def test_terms_are_stems_of_what_a_text_is_about(shard):
    """Question words, filler and single letters go; numbers stay; each stem once."""
    terms = shard.terms("When did I move to Lyon? Moving costs 1640 euros, and 7 days!")

    assert terms == ["move", "lyon", "cost", "1640", "euro", "7", "dai"]
    assert shard.terms("") == []
    assert shard.terms("Who was it that I am with?") == []
    assert shard.terms("Éclair éclairs ECLAIRS") == ["eclair"]
    assert shard.terms("a\0b \ud800 茶") == ["茶"]


def test_postings_say_where_each_word_stands(shard, make):
    """Exact rows: term, memory, how often, how long, which session, which place."""
    shard.add(
        [
            make("Basalt is grey."),
            make("I like basalt, basalt and granite."),
            make("Granite and more granite is heavy.", session="s2"),
            make("Basalt!", tier=Tier.ARCHIVAL),
        ]
    )

    found = shard.postings(["basalt", "granit", "nothing", "basalt"], 100)

    assert found.terms == ("basalt", "granit", "nothing")
    assert found.df.tolist() == [2, 2, 0]
    rows = zip(
        found.term,
        found.seq,
        found.frequency,
        found.length,
        found.session,
        found.place,
        strict=True,
    )
    assert sorted(tuple(map(int, row)) for row in rows) == [
        (0, 1, 1, 3, 1, 0),
        (0, 2, 2, 6, 1, 1),
        (1, 2, 1, 6, 1, 1),
        (1, 3, 2, 6, 2, 0),
    ]
    assert (found.memories, found.words) == (3, 5.0)


def test_the_rarest_words_are_read_first_and_the_commonest_not_at_all(shard, make):
    """Within the bound the rare ones have rows; what would exceed it has its count."""
    shard.add(make.many(30, "common {n}"))
    shard.add(make.many(5, "common rare {n}"))
    shard.add([make("common rare unique")])

    found = shard.postings(["common", "rare", "uniqu"], 10)

    assert found.df.tolist() == [36, 6, 1]
    assert set(found.term.tolist()) == {1, 2}
    assert len(found.seq) == 7


def test_a_word_that_stands_everywhere_is_read_where_it_stood_last(shard, make):
    """The rarest word is always read, its newest places if it has too many."""
    shard.add(make.many(30, "common {n}"))

    assert shard.postings(["common"], 10).seq.tolist() == list(range(21, 31))
    assert shard.postings(["common"], 10).df.tolist() == [30]


def test_postings_of_an_empty_store_are_empty(shard):
    """No words, no rows, no division by nought."""
    found = shard.postings(["basalt"], 10)

    assert (found.memories, found.words, found.df.tolist()) == (0, 0.0, [0])
    assert len(found.seq) == len(found.session) == len(found.length) == 0
    assert shard.postings([], 10).terms == ()


def test_a_word_is_not_taken_for_the_empty_one_of_its_stem(shard):
    """To quit is worth finding, though "quite" has the same stem and is not."""
    assert shard.terms("I quit the bank, quite happily.") == ["quit", "bank", "happili"]
    assert shard.terms("quite") == []
