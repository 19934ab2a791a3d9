"""Questions put to real stores: what was proposed, and which of it answers."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from psm_core.model.encoder import HashEncoder
from psm_core.model.pool import LEARNED_NAMES, learned_features
from psm_core.model.rules import RulePolicy
from psm_core.strength import retained
from psm_core.train.corpus import lives
from psm_core.train.material import Remembered
from psm_core.train.pools import Asking, asked
from psm_core.types import Action, Tier


@pytest.fixture(scope="module")
def encoder():
    return Remembered(HashEncoder(64))


@pytest.fixture(scope="module")
def people(shortened):
    """Three pairs of people who chat, cut short."""
    chatting = [life for life in lives("train") if life.chat == "two people"][:3]
    return [shortened(life) for life in chatting]


@pytest.fixture(scope="module")
def found(people, encoder):
    """What the first of them was asked, in a store that holds nothing else."""
    return asked(people[:1], encoder, RulePolicy(), Asking())


def test_every_question_is_asked_once_in_its_order(people, found):
    """Answerable and not, with its sort and whose life it is about."""
    life = people[0]

    assert [one.cue.text for one in found] == [q.text for q in life.questions]
    assert [one.sort for one in found] == [q.sort for q in life.questions]
    assert {one.person for one in found} == {life.name}
    assert [one.sources for one in found] == [
        frozenset(q.evidence) for q in life.questions
    ]


def test_what_rests_on_evidence_is_relevant_and_nothing_else(found):
    """A candidate is relevant where one of its sources answers the question."""
    answerable = [one for one in found if one.sources]
    assert answerable

    for one in found:
        assert one.relevant.dtype == bool
        assert one.relevant.tolist() == [
            bool(one.sources & set(c.entry.sources)) for c in one.candidates
        ]
    assert np.mean([one.relevant.any() for one in answerable]) > 0.5
    assert not any(one.relevant.any() for one in found if not one.sources)


def test_features_are_those_that_a_policy_sees(found):
    """(K, F) float32 of just these candidates, every number finite."""
    for one in found:
        table = learned_features(one.cue, one.candidates)
        assert one.features.shape == (len(one.candidates), len(LEARNED_NAMES))
        assert one.features.dtype == np.float32
        assert np.isfinite(one.features).all()
        np.testing.assert_array_equal(one.features, table)


def test_candidates_are_memories_of_that_life(people, found):
    """Each is a turn that was said, in the words in which it was said."""
    told = {turn.id: turn.text for turn in people[0].turns}

    for one in found:
        for candidate in one.candidates:
            (source,) = candidate.entry.sources
            assert candidate.entry.text == told[source]


def test_what_the_gate_turns_away_is_never_proposed(people, found):
    """The ranking is learned from what it will have to choose from: noise is gone."""
    texts = {c.entry.text for one in found for c in one.candidates}

    away = {t.text for t in people[0].turns} - texts
    assert any(len(text) < 25 for text in away)
    assert not any(c.entry.tier is Tier.ARCHIVAL for o in found for c in o.candidates)
    assert all(c.entry.reason for one in found for c in one.candidates)


def test_a_question_is_asked_after_the_last_turn(people, encoder, found):
    """30 days after by default; asked two years later everything has faded more."""
    life = people[0]
    last = life.turns[-1].at

    later = asked([life], encoder, RulePolicy(), Asking(after=timedelta(days=700)))

    assert {one.cue.at for one in found} == {last + timedelta(days=30)}
    assert {one.cue.at for one in later} == {last + timedelta(days=700)}
    for one in (found[0], later[0]):
        for c in one.candidates:
            assert c.retention == pytest.approx(retained(c.entry, one.cue.at))
    assert max(c.retention for c in later[0].candidates) < max(
        c.retention for c in found[0].candidates
    )


def test_a_crowd_adds_candidates_and_no_evidence(people, encoder, found):
    """Others' turns are proposed too, none of them answers, and the questions stay."""
    full = asked(people, encoder, RulePolicy(), Asking(crowd=2, seed=1))
    own = [one for one in full if one.person == people[0].name]

    assert [one.cue.text for one in own] == [one.cue.text for one in found]
    assert sum(len(o.candidates) for o in own) > sum(len(o.candidates) for o in found)
    strangers = [
        relevant
        for one in own
        for c, relevant in zip(one.candidates, one.relevant, strict=True)
        if "/" in c.entry.sources[0]
    ]
    assert strangers
    assert not any(strangers)


def test_one_seed_is_one_crowd(people, encoder):
    """The same seed fills the same stores, so that a training can be repeated."""
    crowd = Asking(crowd=1, seed=4)

    first = asked(people[:2], encoder, RulePolicy(), crowd)
    again = asked(people[:2], encoder, RulePolicy(), crowd)

    for one, other in zip(first, again, strict=True):
        assert [c.entry.sources for c in one.candidates] == [
            c.entry.sources for c in other.candidates
        ]
        np.testing.assert_array_equal(one.features, other.features)
        np.testing.assert_array_equal(one.relevant, other.relevant)


def test_after_a_sleep_facts_are_candidates_too(people, encoder):
    """A fact rests on the turns that it came from, and is relevant where they are."""
    slept = asked(people, encoder, RulePolicy(), Asking(slept=True))

    facts = [
        (one, c, relevant)
        for one in slept
        for c, relevant in zip(one.candidates, one.relevant, strict=True)
        if c.entry.tier is Tier.SEMANTIC
    ]
    assert facts
    for one, c, relevant in facts:
        assert relevant == bool(one.sources & set(c.entry.sources))
    assert not any(
        c.entry.tier is Tier.SEMANTIC
        for one in asked(people, encoder, RulePolicy(), Asking())
        for c in one.candidates
    )


def test_the_policy_gates_what_is_heard(people, encoder):
    """Who turns everything away is asked nothing: there is nothing to choose from."""

    class Deaf(RulePolicy):
        def gate(self, turn, context):
            decision = super().gate(turn, context)
            return replace(decision, action=Action.ARCHIVE)

    assert asked(people[:1], encoder, Deaf(), Asking()) == []


def test_more_candidates_are_proposed_at_more_depth(people, encoder):
    """Each retriever proposes as many as it is asked for, where there are as many."""
    crowd = {"crowd": 2, "seed": 1}
    few, many = (
        asked(people, encoder, RulePolicy(), Asking(depth=depth, **crowd))
        for depth in (30, 100)
    )

    assert sum(len(o.candidates) for o in few) < sum(len(o.candidates) for o in many)


def test_nothing_of_a_store_is_left_on_the_disk(people, encoder, tmp_path, monkeypatch):
    """The homes of these people are gone when the questions are answered."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    asked(people[:1], encoder, RulePolicy(), Asking())

    assert list(tmp_path.iterdir()) == []
