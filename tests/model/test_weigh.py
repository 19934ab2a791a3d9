"""What surfaces for a cue, in which order, and when nothing does."""

from __future__ import annotations

import time
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_core.model.features import FEATURES_HASH, NAMES, RECALL
from psm_core.model.weigh import FIT_ALONE, WEIGHTS, weigh
from psm_core.types import Kind, Tier


def order(weighting, candidates):
    """Ids of what surfaces, best first."""
    ranked = sorted(
        zip(weighting.scores, candidates, strict=True), key=lambda pair: -pair[0]
    )
    return [c.entry.id for score, c in ranked if score > 0]


@pytest.fixture
def pool(candidate):
    """Twenty memories that have little to do with the cue."""
    return [
        candidate(f"memory number {i}", id=f"n{i}", cosine=0.1 + i / 200, words=8)
        for i in range(20)
    ]


def test_the_list_of_features_is_pinned():
    """Who changes the list must know it: weights and journals rest on its order."""
    assert NAMES[:5] == (
        "cosine",
        "cosine_before",
        "cosine_after",
        "bm25",
        "bm25_window",
    )
    assert len(NAMES) == len(set(NAMES)) == len(RECALL) == 20
    assert FEATURES_HASH == "7040dcf1e202aeb1"
    assert set(WEIGHTS) <= set(NAMES)


def test_what_shares_rare_words_and_meaning_comes_first(pool, candidate, cue):
    """The one memory that fits stands far above twenty that don't."""
    fits = candidate("I moved to Lyon", id="fits", cosine=0.6, bm25=5, covered=1.0)

    weighting = weigh(cue("Lyon?"), [*pool, fits])

    assert order(weighting, [*pool, fits])[0] == "fits"
    assert weighting.scores[-1] > 0.5
    assert weighting.scores[:-1].max() < 0.1


def test_nothing_fits_nothing_surfaces(pool, cue):
    """An empty answer is better than a wrong one: all scores are exactly 0."""
    weighting = weigh(cue("the wifi password"), pool)

    assert not weighting.scores.any()


@pytest.mark.parametrize(
    ("cosine", "covered", "surfaces"),
    [(FIT_ALONE + 0.01, 0.0, True), (FIT_ALONE - 0.01, 0.0, False), (0.1, 0.5, True)],
)
def test_a_single_memory_surfaces_if_it_fits(cosine, covered, surfaces, candidate, cue):
    """On the first day there is one memory, and it is found or not on its own merit."""
    one = candidate("I live in Lyon", cosine=cosine, covered=covered)

    assert bool(weigh(cue("Lyon"), [one]).scores[0] > 0) is surfaces


def test_of_two_memories_the_fitting_one_is_clearly_ahead(candidate, cue):
    """Two candidates are enough to rank."""
    good = candidate("I live in Lyon", id="a", cosine=0.6, bm25=4, covered=1.0)
    poor = candidate("I like tea", id="b", cosine=0.15)

    scores = weigh(cue("Lyon"), [good, poor]).scores

    assert scores[0] > 5 * scores[1]


def test_no_candidates_no_scores(cue):
    """An empty pool is answered with empty arrays of the right shape."""
    weighting = weigh(cue("Lyon"), [])

    assert weighting.scores.shape == (0,)
    assert weighting.features.shape == (0, len(NAMES))


@pytest.mark.parametrize(
    ("better", "worse", "text"),
    [
        ({"speaker": "Mira"}, {"speaker": "Juno"}, "where does mira live"),
        ({"said": "I moved in May 2026"}, {"said": "I moved to a flat"}, "When?"),
        ({"said": "I live in Lyon"}, {"said": "Do you live in Lyon?"}, "Lyon"),
        ({"kind": Kind.STATE}, {"kind": Kind.TALK}, "Lyon"),
        ({"pinned": True}, {}, "Lyon"),
        ({}, {"corrected": 1}, "Lyon"),
        ({"retention": 0.9}, {"retention": 0.1}, "Lyon"),
        ({"days": 50}, {"days": 1}, "Where does she live now?"),
        ({"tier": Tier.SEMANTIC}, {}, "Lyon"),
    ],
)
def test_each_signal_pulls_its_way(better, worse, text, candidate, cue):
    """Of two memories that are alike but for one thing, the right one is ahead."""
    alike = {"cosine": 0.5, "bm25": 3.0, "covered": 0.6, "words": 6}
    first, second = (
        candidate(one.pop("said", "I live in Lyon"), id=name, **alike, **one)
        for name, one in (("first", dict(better)), ("second", dict(worse)))
    )

    ranked = order(weigh(cue(text, named={"mira"}), [second, first]), [second, first])

    assert ranked == ["first", "second"]


def test_what_was_superseded_stands_behind_its_successor(candidate, cue):
    """An old home comes after the new one, however well its words fit."""
    old = candidate(
        "I live in Berlin",
        id="old",
        cosine=0.8,
        bm25=6,
        covered=1.0,
        superseded_by="new",
    )
    new = candidate("I moved to Lyon", id="new", cosine=0.4)

    assert order(weigh(cue("Where is home?"), [old, new]), [old, new]) == ["new", "old"]
    past = weigh(cue("Where did she live before?"), [old, new])
    assert order(past, [old, new]) == ["old", "new"]


def test_what_holds_no_longer_is_weaker_unless_the_past_is_asked(candidate, cue):
    """A lapsed memory loses points for the present and none for the past."""
    until = candidate("x").entry.said_at + timedelta(days=1)
    lapsed = candidate("I live in Berlin", cosine=0.6, covered=1.0, valid_until=until)

    now = weigh(cue("Where is home?"), [lapsed]).scores[0]
    then = weigh(cue("Where was home before?"), [lapsed]).scores[0]

    assert 0 < now < then


def test_what_was_is_found_where_it_is_asked_for(candidate, cue):
    """The old home comes first where the home before is asked for."""
    until = candidate("x").entry.said_at + timedelta(days=1)
    alike = {"cosine": 0.5, "bm25": 3.0, "covered": 0.6}
    old = candidate("I live in Berlin", id="old", valid_until=until, **alike)
    new = candidate("I live in Lyon", id="new", **alike)

    asked = weigh(cue("Where did she live before?"), [new, old])

    assert order(asked, [new, old]) == ["old", "new"]


def test_the_turn_before_lends_its_meaning(candidate, cue):
    """An answer that says "it" is found through the question before it."""
    pool = [
        candidate("I love it", id="after tea", cosine=0.4, cosine_before=0.7),
        candidate("I love it", id="after x", cosine=0.4, cosine_before=0.1),
    ]

    assert order(weigh(cue("tea"), pool), pool)[0] == "after tea"


candidates_drawn = st.lists(
    st.fixed_dictionaries(
        {
            "cosine": st.floats(-1, 1),
            "bm25": st.floats(0, 30),
            "bm25_window": st.floats(0, 30),
            "bm25_session": st.floats(0, 30),
            "covered": st.floats(0, 1),
            "covered_window": st.floats(0, 1),
            "retention": st.floats(0, 1),
            "words": st.integers(0, 200),
            "corrected": st.integers(0, 9),
            "pinned": st.booleans(),
            "tier": st.sampled_from([Tier.EPISODIC, Tier.SEMANTIC]),
            "speaker": st.sampled_from(["Mira", "Juno", ""]),
        }
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(drawn=candidates_drawn, data=st.data())
def test_the_order_of_candidates_changes_no_score(drawn, data, candidate, cue):
    """Scores lie in [0, 1], are finite, and go with the memory, not with its row."""
    pool = [candidate("I live in Lyon", id=f"c{i}", **d) for i, d in enumerate(drawn)]
    shuffled = data.draw(st.permutations(range(len(pool))))
    asked = cue("When did mira move?", named={"mira"}, terms={})

    straight = weigh(asked, pool)
    mixed = weigh(asked, [pool[i] for i in shuffled])

    assert np.isfinite(straight.features).all()
    assert ((straight.scores >= 0) & (straight.scores <= 1)).all()
    assert (straight.propensities == 1).all()
    np.testing.assert_allclose(mixed.scores, straight.scores[shuffled], atol=1e-5)


def test_scores_rise_with_every_match(candidate, cue):
    """More shared words never score lower, all else alike."""
    pool = [
        candidate("I live in Lyon", id=f"c{i}", cosine=0.5, bm25=float(i), covered=0.5)
        for i in range(10)
    ]

    scores = weigh(cue("Lyon"), pool).scores

    assert (np.diff(scores) > 0).all()


def test_weighing_is_fast(candidate, cue):
    """150 candidates take a few milliseconds on any machine."""
    pool = [candidate(f"turn {i}", id=f"t{i}", cosine=0.3) for i in range(150)]
    asked = cue("When did we live there?")
    weigh(asked, pool)

    began = time.perf_counter()
    for _ in range(10):
        weigh(asked, pool)

    assert (time.perf_counter() - began) / 10 < 0.02


@pytest.mark.parametrize("encoder", ["minilm", "hashed"])
def test_the_demo_life_is_asked(encoder, request, life, candidate, cue):
    """With vectors alone, the allergy is found, and what was never said isn't."""
    model = request.getfixturevalue(encoder)
    said = [e for e in life if e.role == "user"]
    rows = model.encode([e.text for e in said])

    def best(text):
        vector = model.encode([text])[0]
        pool = [
            candidate(e.text, id=e.id, kind=e.kind, cosine=float(row @ vector), words=6)
            for e, row in zip(said, rows, strict=True)
        ]
        return order(weigh(cue(text, vector=vector), pool), pool)[:3]

    assert "s03-13" in best("allergic to peanuts")
    assert best("kubernetes ingress configuration") == []
