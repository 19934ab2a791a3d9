"""More lives out of the written ones: seeded, and true to what was written."""

from datetime import timedelta

import pytest

from psm_core.train.corpus import lives
from psm_core.train.lives import changed, crowded, long, without


@pytest.fixture(scope="module")
def people():
    return [life for life in lives("train") if life.chat == "two people"][:3]


def test_a_crowd_is_the_same_for_the_same_seed(people):
    """One seed gives one store, another seed another order."""
    life, *others = people

    assert crowded(life, others, 1) == crowded(life, others, 1)
    assert crowded(life, others, 1).turns != crowded(life, others, 2).turns


def test_a_crowd_keeps_the_life_s_own_turns(people):
    """Every own turn keeps its id, words and time; the questions stay the same."""
    life, *others = people

    full = crowded(life, others, 1)

    own = [turn for turn in full.turns if "/" not in turn.id]
    assert own == life.turns
    assert full.questions == life.questions
    assert len(full.turns) == sum(len(p.turns) for p in people)
    assert len({turn.id for turn in full.turns}) == len(full.turns)


def test_a_crowd_speaks_with_the_life_s_names(people):
    """Others' words come out of this life's mouths; their names are nowhere."""
    life, *others = people

    full = crowded(life, others, 1)

    assert {turn.speaker for turn in full.turns} == set(life.people)
    text = " ".join(turn.text for turn in full.turns)
    strangers = {n for o in others for n in o.people} - set(life.people)
    assert not [name for name in strangers if f" {name} " in text]


def test_a_crowd_lives_in_the_life_s_months_in_order(people):
    """Sessions come in the order of their times, none after the last own one."""
    life, *others = people

    full = crowded(life, others, 1)

    starts = list({turn.session: turn.at for turn in reversed(full.turns)}.values())
    assert starts == sorted(starts, reverse=True)
    assert max(starts) <= life.turns[-1].at


def test_what_was_never_said_can_t_be_asked(people):
    """Without its only evidence a question is unanswerable; with a part of it, gone."""
    life = people[0]
    alone = next(q for q in life.questions if len(q.evidence) == 1)
    (turn,) = alone.evidence

    shorter = without(life, turn)

    assert turn not in {t.id for t in shorter.turns}
    assert len(shorter.turns) == len(life.turns) - 1
    again = next(q for q in shorter.questions if q.text == alone.text)
    assert (again.sort, again.evidence) == ("unanswerable", ())
    assert not [q for q in shorter.questions if turn in q.evidence]
    assert not [p for p in shorter.pairs if p.ids and turn in p.ids]


def test_a_question_that_is_half_answered_is_left_out(people):
    """What other turns answer in part is neither answerable nor unanswerable."""
    life = people[0]
    chain = next(q for q in life.questions if len(q.evidence) > 1)

    shorter = without(life, chain.evidence[0])

    assert chain.text not in {q.text for q in shorter.questions}


def test_a_changed_life_says_the_new_thing_from_the_start(people):
    """The old turn has the new words and keeps its id, time and speaker."""
    life = people[0]
    pair = next(p for p in life.pairs if p.ids)
    turns = {turn.id: turn for turn in life.turns}

    other = changed(life, pair)

    now = {turn.id: turn for turn in other.turns}
    old = pair.ids[0]
    assert now[old].text == pair.new
    assert (now[old].at, now[old].speaker) == (turns[old].at, turns[old].speaker)
    assert {i for i in now if now[i] != turns[i]} == {old}


def test_a_pair_without_turns_changes_nothing(people):
    """Which turn to change must be known."""
    pair = next(p for p in people[0].pairs if p.ids is None)

    with pytest.raises(ValueError, match="take one whose ids are given"):
        changed(people[0], pair)


def test_a_long_life_is_long_and_the_same_each_time(people):
    """At least so many turns over the whole span, with ids of their own, by seed."""
    span = timedelta(days=1000)

    told = long(people, 1000, span, seed=4)

    assert told == long(people, 1000, span, seed=4)
    assert told != long(people, 1000, span, seed=5)
    assert len(told) >= 1000
    assert len({turn.id for turn in told}) == len(told)
    assert {turn.speaker for turn in told} == set(people[0].people)
    starts = [told[0].at, told[-1].at]
    assert span <= starts[1] - starts[0] < span + timedelta(hours=1)
