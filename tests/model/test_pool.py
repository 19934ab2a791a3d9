"""What a trained policy sees of a candidate: each signal, its unit, and its limits."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_core.model.features import NAMES, RECALL, recall_features
from psm_core.model.pool import (
    LEARNED,
    LEARNED_HASH,
    LEARNED_NAMES,
    POOL,
    learned_features,
)
from psm_core.types import Kind, Tier

RAW = {feature.name: feature.raw for feature in LEARNED}


def seen(name, asked, pool):
    """One signal of each candidate, in its own unit."""
    return [round(float(x), 6) for x in RAW[name](asked, pool)]


@pytest.fixture
def pool(candidate):
    """Make candidates that differ in one signal: `pool(cosine=[0.9, 0.5])`."""

    def make(**columns):
        count = len(next(iter(columns.values())))
        rows = ({k: v[n] for k, v in columns.items()} for n in range(count))
        return [
            candidate(
                row.pop("said", "I live in Lyon."), **{"id": f"c{n}", "seq": n} | row
            )
            for n, row in enumerate(rows)
        ]

    return make


# ------------------------------------------------------------------------ the list


def test_the_rules_signals_come_first():
    """What the rules see stands in its own order, then what only training uses."""
    assert (*RECALL, *POOL) == LEARNED
    assert LEARNED_NAMES[: len(NAMES)] == NAMES
    assert len(set(LEARNED_NAMES)) == len(LEARNED)
    assert len(LEARNED_HASH) == 16


def test_columns_stand_in_the_order_of_their_names(pool, cue):
    """(K, F) float32; the rules' columns are what the rules see."""
    asked, three = cue("Where is home?"), pool(cosine=[0.9, 0.5, 0.1], bm25=[3, 0, 1])

    table = learned_features(asked, three)

    assert (table.shape, table.dtype) == ((3, len(LEARNED)), np.float32)
    np.testing.assert_array_equal(table[:, : len(NAMES)], recall_features(asked, three))
    for name in ("cosine_rank", "pool_size", "cue_where"):
        column = table[:, LEARNED_NAMES.index(name)]
        np.testing.assert_allclose(column, seen(name, asked, three), atol=1e-6)


def test_a_feature_with_a_background_is_centred_and_scaled(pool, cue):
    """Around its mean within pool and background, in deviations: 0.15 is the middle."""
    feature = next(f for f in POOL if f.name == "cosine_around")
    assert feature.background == (0.05, 0.15, 0.25)
    alike = {"cosine_before": [0.15], "cosine_after": [0.15]}

    table = learned_features(cue("Lyon"), pool(cosine=[0.15], **alike))

    assert table[0, LEARNED_NAMES.index("cosine_around")] == pytest.approx(0, abs=1e-5)


# ----------------------------------------------------------------- among the others


def test_nearness_of_the_neighbours(pool, cue):
    """The mean of the three, and the better of the two beside."""
    two = pool(cosine=[0.3, 0.9], cosine_before=[0.6, 0.0], cosine_after=[0.0, -0.3])

    assert seen("cosine_around", cue("x"), two) == [0.3, 0.2]
    assert seen("cosine_beside", cue("x"), two) == [0.6, 0.0]


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("cosine_rank", "cosine"),
        ("bm25_rank", "bm25"),
        ("window_rank", "bm25_window"),
    ],
)
def test_a_rank_is_halved_three_places_on(pool, cue, name, signal):
    """1 for the first, 1/2 for the fourth, and 0 for what doesn't fit at all."""
    five = pool(**{signal: [0.9, 0.5, 0.7, 0.1, 0.0]})

    assert seen(name, cue("x"), five) == [1.0, 0.6, 0.75, 0.5, 0.0]


def test_the_rank_with_its_neighbours(pool, cue):
    """A memory between two that fit stands before one that fits alone."""
    two = pool(cosine=[0.2, 0.5], cosine_before=[0.5, 0], cosine_after=[0.5, 0])

    assert seen("around_rank", cue("x"), two) == [1.0, 0.75]


@pytest.mark.parametrize("name", ["cosine_rank", "bm25_rank", "window_rank"])
def test_equals_share_a_rank(pool, cue, name):
    """Of two that fit alike, neither stands before the other for being named first."""
    alike = pool(cosine=[0.5, 0.5, 0.1], bm25=[2, 2, 1], bm25_window=[2, 2, 1])

    first, second, third = seen(name, cue("x"), alike)

    assert first == second > third


@pytest.mark.parametrize(
    ("name", "signal", "values", "expected"),
    [
        ("cosine_share", "cosine", [0.8, 0.4, -0.4], [1.0, 0.5, -0.5]),
        ("cosine_share", "cosine", [-0.1, -0.2], [0.0, 0.0]),
        ("bm25_share", "bm25", [2.0, 8.0, 0.0], [0.25, 1.0, 0.0]),
        ("bm25_share", "bm25", [0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_a_share_is_of_the_best(pool, cue, name, signal, values, expected):
    """Half as near as the nearest is a half; where nothing fits, all are 0."""
    assert seen(name, cue("x"), pool(**{signal: values})) == expected


def test_a_session_is_as_near_as_its_best_three(pool, cue):
    """A third of the sum of the three best, for each candidate of the session."""
    five = pool(cosine=[0.9, 0.6, 0.3, 0.1, 0.3], session=["a", "a", "a", "a", "b"])

    assert seen("session_cosine", cue("x"), five) == [0.6, 0.6, 0.6, 0.6, 0.1]
    assert seen("session_share", cue("x"), five) == [0.8, 0.8, 0.8, 0.8, 0.2]


def test_a_session_s_words_are_counted_in_the_cue_s_rarity(pool, cue):
    """BM25 6 over a rarity of 4, shared by three places, is a half."""
    two = pool(bm25=[6.0, 0.0], session=["a", "b"])

    asked = cue("x", terms={"lyon": 3.0, "rain": 1.0})

    assert seen("session_bm25", asked, two) == [0.5, 0.0]


def test_what_stands_beside_is_a_candidate_of_the_same_session(pool, cue):
    """Up to three numbers away, in one session, never itself: cosine and words."""
    four = pool(
        cosine=[0.1, 0.4, 0.2, 0.8],
        covered=[0.0, 0.5, 0.0, 0.0],
        seq=[10, 13, 14, 12],
        session=["a", "a", "a", "b"],
    )

    assert seen("beside", cue("x"), four) == [0.9, 0.2, 0.9, 0.0]


# --------------------------------------------------------- what is asked, what it tells


@pytest.mark.parametrize(
    ("name", "asked", "tells", "tells_not"),
    [
        ("number_told", "How many cats has she?", "I have 3 cats.", "I have cats."),
        ("number_told", "How old is he?", "He turned forty.", "It's his birthday."),
        ("name_told", "Who came along?", "I went with Ines.", "I went alone."),
        ("place_told", "Where does she live?", "I live in Lyon.", "I live alone."),
        ("place_told", "Which city is it?", "It's near Łódź, in Ónod.", "in a city"),
        ("reason_told", "Why did he quit?", "I quit because of noise.", "I quit."),
        ("denied", "What can't she eat?", "I don't eat nuts.", "I eat nuts."),
    ],
)
def test_what_is_asked_for_and_told(pool, cue, name, asked, tells, tells_not):
    """1 where the sort of thing that the cue asks for is told, and only there."""
    two = pool(said=[tells, tells_not])

    assert seen(name, cue(asked), two) == [1.0, 0.0]
    assert seen(name, cue("Tell me about it."), two) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ("What happened in March?", [1.0, 0.5, 0.0]),
        ("What happened in February?", [0.5, 0.0, 0.0]),
        ("What happened in April 2026?", [0.0, 1.0, 0.0]),
        ("What happened in March 2025?", [0.0, 0.0, 0.0]),
        ("What happened in 2026?", [1.0, 1.0, 0.0]),
        ("What happened in 2027?", [0.0, 0.0, 1.0]),
        ("What happened in December or March?", [1.0, 0.5, 0.5]),
        ("What may she have said?", [0.0, 0.0, 0.0]),
        ("What happened?", [0.0, 0.0, 0.0]),
    ],
)
def test_a_date_in_the_cue_fits_when_it_was_said(pool, cue, asked, fits):
    """1 in its month, 1/2 in the month after, 0 elsewhere; the verb "may" is no month."""
    three = pool(days=[0, 31, 310])  # 1 March 2026, 1 April 2026, 5 January 2027

    assert seen("date_fits", cue(asked), three) == fits


def test_what_sort_of_thing_it_is(pool, cue):
    """One column for each kind that lasts or happens, 1 where it is of that kind."""
    kinds = [Kind.STATE, Kind.PREFERENCE, Kind.EVENT, Kind.PLAN, Kind.TALK]
    five = pool(kind=kinds)

    for row, name in enumerate(("state", "preference", "event", "plan")):
        assert seen(name, cue("x"), five) == [float(n == row) for n in range(5)]


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("first_person", "I moved.", "She moved."),
        ("second_person", "How are you?", "How is she?"),
        ("asks", "Why? Because.", "Because."),
    ],
)
def test_what_it_says_of_whom(pool, cue, name, yes, no):
    """1 where the speaker, the listener or a question stands in it."""
    assert seen(name, cue("x"), pool(said=[yes, no])) == [1.0, 0.0]


def test_what_the_gate_thought_of_it(pool, cue, entry):
    """Its strength and emotional weight as they were when it was heard."""
    assert entry("x").trace.strength == 0.7

    assert seen("worth", cue("x"), pool(cosine=[0.1, 0.2])) == [0.7, 0.7]
    assert seen("emotion", cue("x"), pool(emotion=[0.25, 0.0])) == [0.25, 0.0]


def test_who_said_it(pool, cue):
    """1 where no person said it: an assistant, a tool or a system."""
    three = pool(role=["assistant", "user", "tool"])

    assert seen("assistant", cue("x"), three) == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("When did she move?", {"cue_when"}),
        ("How long ago was that?", {"cue_when", "cue_many"}),
        ("Who is Ines?", {"cue_who"}),
        ("Whose cat is it?", {"cue_who"}),
        ("Which town does she live in?", {"cue_where"}),
        ("How many cats are there?", {"cue_many"}),
        ("What made her quit?", {"cue_why"}),
        ("Does she like tea?", set()),
        ("whenever somewhere wholly manyfold", set()),
    ],
)
def test_what_a_cue_asks_for(pool, cue, text, asks):
    """A question asks for a time, a name, a place, a number or a reason, or for none."""
    names = ("cue_when", "cue_who", "cue_where", "cue_many", "cue_why")
    two = pool(cosine=[0.1, 0.2])

    for name in names:
        assert seen(name, cue(text), two) == [float(name in asks)] * 2, name


@pytest.mark.parametrize(
    ("terms", "expected"), [(0, 0.0), (4, 0.5), (8, 1.0), (20, 1.0)]
)
def test_a_cue_s_words_are_counted_up_to_eight(pool, cue, terms, expected):
    """A cue of four content words is half of a long one."""
    asked = cue("x", terms={f"w{n}": 1.0 for n in range(terms)})

    assert seen("cue_terms", asked, pool(cosine=[0.1])) == [expected]


def test_the_pool_as_a_whole(pool, cue):
    """How well the best fits, and how full it is, are the same for each candidate."""
    two = pool(cosine=[0.3, 0.8], covered=[0.5, 0.25])
    full = pool(cosine=[0.1] * 60)

    assert seen("pool_covered", cue("x"), two) == [0.5, 0.5]
    assert seen("pool_cosine", cue("x"), two) == [0.8, 0.8]
    assert seen("pool_size", cue("x"), full) == [1.0] * 60
    assert seen("pool_size", cue("x"), two[:1]) == [0.0]


# ------------------------------------------------------------------ names and nothing


def test_a_question_without_names_has_no_signal_of_names(pool, cue):
    """Chats with an assistant name nobody: both columns of names are 0."""
    two = pool(speaker=["Mira", ""])

    assert seen("speaker_named", cue("home?"), two) == [0.0, 0.0]
    assert seen("cue_names", cue("home?"), two) == [0.0, 0.0]
    assert seen("speaker_named", cue("mira's home?", named={"mira"}), two) == [1.0, 0.0]
    assert seen("cue_names", cue("mira's home?", named={"mira"}), two) == [1.0, 1.0]


def test_names_change_no_other_signal(pool, cue):
    """Who is named tells who said it, and nothing about what was said."""
    two = pool(cosine=[0.9, 0.1], speaker=["Mira", "Juno"])

    named = learned_features(cue("Where is home?", named={"mira"}), two)
    nameless = learned_features(cue("Where is home?"), two)

    differ = (named != nameless).any(axis=0)
    assert {LEARNED_NAMES[n] for n in np.flatnonzero(differ)} == {
        "speaker_named",
        "cue_names",
    }


def test_one_candidate_has_every_signal(pool, cue):
    """On the first day there is one memory, without neighbours and without words."""
    for asked in (cue("Where is home?"), cue("", terms={}), cue("?", terms={"a": 0.0})):
        table = learned_features(asked, pool(cosine=[0.0]))

        assert table.shape == (1, len(LEARNED))
        assert np.isfinite(table).all()


@pytest.mark.parametrize(
    "odd",
    [
        {"said": ["", "\0", "?" * 9000]},
        {"said": ["🦊" * 99, "私は京都に住んでいます", "\ud800"]},
        {"cosine": [-1.0, -1.0, -1.0]},
        {"bm25": [1e9, 0.0, 1e-9]},
        {"words": [10**6, 1, 1]},
        {"days": [-300_000, 0, 300_000]},
        {"seq": [0, 10**12, -5]},
        {"corrected": [10**9, 0, 1]},
        {"session": ["", "s" * 9000, "\0"]},
        {"tier": [Tier.SEMANTIC] * 3},
    ],
)
@pytest.mark.parametrize(
    "text", ["", "When in May 2026?", "Who, why, how many? " * 300]
)
def test_odd_memories_have_finite_signals(pool, cue, odd, text):
    """Whatever was said, when, and however it scored, every number is one."""
    table = learned_features(cue(text, named={"mira"}, terms={}), pool(**odd))

    assert np.isfinite(table).all()


SAID = ("I live in Lyon.", "I have 3 cats.", "Who? Because of you.", "no", "")
FIT = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1)
SCORE = st.sampled_from([0.0, 2.0, 5.0]) | st.floats(0, 30)
DRAWN = st.fixed_dictionaries(
    {
        "cosine": st.floats(-1, 1) | FIT,
        "cosine_before": st.floats(-1, 1) | FIT,
        "cosine_after": st.floats(-1, 1) | FIT,
        "bm25": SCORE,
        "bm25_window": SCORE,
        "bm25_session": SCORE,
        "covered": FIT,
        "covered_window": FIT,
        "retention": FIT,
        "words": st.integers(0, 300),
        "corrected": st.integers(0, 9),
        "said": st.sampled_from(SAID),
        "days": st.integers(0, 400),
        "session": st.sampled_from(["a", "b", ""]),
        "seq": st.integers(0, 12),
        "kind": st.sampled_from(list(Kind)),
        "tier": st.sampled_from([Tier.EPISODIC, Tier.SEMANTIC]),
        "role": st.sampled_from(["user", "assistant"]),
        "speaker": st.sampled_from(["Mira", "Juno", ""]),
        "emotion": FIT,
        "pinned": st.booleans(),
    }
)


@settings(deadline=None, max_examples=60)
@given(
    drawn=st.lists(DRAWN, min_size=1, max_size=10),
    text=st.sampled_from(
        ["Where does mira live now?", "Who came in March?", "Why isn't it 3?", ""]
    ),
    terms=st.dictionaries(st.text(max_size=3), st.floats(0, 9), max_size=9),
    named=st.sampled_from([(), ("mira",)]),
    data=st.data(),
)
def test_the_order_of_candidates_changes_no_signal(
    drawn, text, terms, named, data, candidate, cue
):
    """Every number is finite, and goes with the memory and not with its row."""
    rows = [dict(row) for row in drawn]
    pool = [candidate(r.pop("said"), id=f"c{n}", **r) for n, r in enumerate(rows)]
    order = data.draw(st.permutations(range(len(pool))))
    asked = cue(text, named=named, terms=terms)

    straight = learned_features(asked, pool)
    mixed = learned_features(asked, [pool[n] for n in order])

    assert np.isfinite(straight).all()
    for name, one, other in zip(LEARNED_NAMES, straight[order].T, mixed.T, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4, err_msg=name)


def test_seeing_a_pool_is_fast(candidate, cue):
    """150 candidates take a few milliseconds on any machine."""
    pool = [candidate(f"turn {n}", id=f"t{n}", cosine=0.3, seq=n) for n in range(150)]
    asked = cue("When did we live there?")
    learned_features(asked, pool)

    began = time.perf_counter()
    for _ in range(10):
        learned_features(asked, pool)

    assert (time.perf_counter() - began) / 10 < 0.05
