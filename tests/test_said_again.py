"""The same words again, and the same id: what is news, and what was sent twice."""

from datetime import timedelta

import pytest

from psm_core import Action, Feedback, Tier
from psm_core.errors import TurnError

from .conftest import T0

LONG = " ".join(f"Line {n} says something of its own." for n in range(40))
"""Several passages where a passage has 20 words."""


def held(memory):
    """The facts that hold now."""
    return {e.text for e in memory.entries(Tier.SEMANTIC) if e.valid_until is None}


def test_what_is_sent_twice_is_kept_once(memory, say):
    """The second is turned away and names the first, in one batch as one by one."""
    memory.remember(say("I live in Lyon.", id="a"))

    again = memory.remember(say("i live in  Lyon.", id="b"))
    third = memory.remember_many([say("I own a kayak.", id="c"), say("I own a kayak.")])

    assert (again.action, again.kept) == (Action.ARCHIVE, False)
    assert again.reason == "word for word what was said before (a)"
    assert [d.kept for d in third] == [True, False]


@pytest.mark.parametrize("nightly", [True, False], ids=["slept between", "at once"])
def test_who_moves_back_lives_there_again(nightly, memory, say):
    """Lyon, Oslo, and Lyon in the same words as at first: Lyon it is."""
    for n, place in enumerate(("Lyon", "Oslo", "Lyon")):
        at = T0 + timedelta(days=30 * n)
        assert memory.remember(say(f"I live in {place}.", at=at)).kept
        if nightly:
            memory.consolidate()
    memory.consolidate()

    assert held(memory) == {"Ada lives in Lyon."}


def test_what_happens_every_week_is_counted_in_whatever_words(memory, say, clock):
    """The same sentence on six Fridays is six Fridays."""
    for _ in range(6):
        assert memory.remember(say("I went to yoga today.", at=clock.now())).kept
        clock.move(days=7)

    memory.consolidate()

    (fact,) = held(memory)
    assert "6 times" in fact


def test_what_was_forgotten_can_be_taught_again(memory, say):
    """Whoever has a fact forgotten may say it anew, in the same words."""
    memory.remember(say("I live in Lyon with two cats."))
    memory.consolidate()
    (fact,) = memory.entries(Tier.SEMANTIC)
    memory.forget(fact.id)

    memory.remember(say("I live in Lyon with two cats."))

    assert [hit.text for hit in memory.recall("Lyon cats").hits] == [
        "I live in Lyon with two cats."
    ]


@pytest.mark.parametrize("more", [" But I'd rather live in Oslo.", " Or do I?"])
def test_an_id_stands_for_the_same_words_to_the_end(more, open_memory, say):
    """A message that was edited isn't dropped without a word, however it begins."""
    memory = open_memory(passage_words=20)
    memory.remember_many([say("I live in Lyon.", id="a"), say(LONG, id="b")])

    for text, named in (("I live in Lyon.", "a"), (LONG, "b")):
        assert not memory.remember(say(f"  {text}\n", id=named)).new
        with pytest.raises(TurnError, match="other words"):
            memory.remember(say(text + more, id=named))


def test_no_passage_goes_by_the_name_of_another_turn(open_memory, say):
    """It would be lost, and forgetting the one would forget the other."""
    memory = open_memory(passage_words=20)
    memory.remember(say("My cat is Biscuit.", id="a~2"))

    with pytest.raises(TurnError, match="'a~2'"):
        memory.remember(say(LONG, id="a"))
    with pytest.raises(TurnError, match="'b~3'"):
        memory.remember_many([say(LONG, id="b"), say("My dog is Rex.", id="b~3")])

    assert [e.text for e in memory.entries()] == ["My cat is Biscuit."]


def test_the_last_turns_stay_in_view_whole_and_after_a_sleep(open_memory, say):
    """Neither facts nor the passages of a long turn take the place of a turn."""
    memory = open_memory(passage_words=20)
    told = ["I live in Lyon.", "I own two cats.", LONG, "My sister is Ines."]
    memory.remember_many([say(text) for text in told])
    before = memory.working("s1", 3)
    memory.consolidate()

    assert [turn.text for turn in memory.working("s1", 3)] == told[1:]
    assert before == memory.working("s1", 3)
    assert [turn.text for turn in memory.working("s1", 1)] == told[-1:]


def test_a_fact_that_went_is_no_reason_to_lose_what_was_used(memory, say):
    """Feedback on what was forgotten since is passed over, and the rest is heard."""
    memory.remember(say("I live in Lyon with two cats.", id="a"))
    memory.consolidate()
    memory.remember(say("In Lyon the cats sleep on the balcony.", id="b"))
    recall = memory.recall("Lyon cats")
    shown = {hit.id for hit in recall.hits}
    (fact,) = memory.entries(Tier.SEMANTIC)
    assert shown >= {fact.id, "b"}
    memory.forget("a")

    memory.learn(Feedback(recall.id, used=["b", fact.id]))
    memory.consolidate()

    assert memory.entry("b").used == 1
