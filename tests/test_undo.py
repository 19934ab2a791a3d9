"""What a sleep did to a memory can be taken back, and no sleep does it to it again."""

from datetime import timedelta

import pytest
from typer.testing import CliRunner

from psm_core import Feedback, Tier
from psm_core.acts.resolve import resolve
from psm_core.cli import app
from psm_core.errors import FeedbackError, UnknownMemoryError

from .canonical import dump
from .conftest import T0

DAY = timedelta(days=1)
LONG = (
    "Hi there! The harbour of Piran smelled of tar and fennel, and the ferry from "
    "Trieste brought salt, lanterns, copper kettles and eleven sleepy goats. How are "
    "you? It was so nice of you all to come along."
)


@pytest.fixture
def tell(memory, say):
    """Lets Ada say something at noon of a day, and sleep on it unless told otherwise."""

    def one(text, day=0, *, sleep=True):
        memory.remember(say(text, at=T0 + day * DAY, session=f"s{day}"))
        return memory.consolidate() if sleep else None

    return one


def fact(memory, part):
    (found,) = (e for e in memory.entries(Tier.SEMANTIC) if part in e.text)
    return found


def changes(memory, memory_id, what):
    return [c.number for c in memory.history(memory_id) if c.what == what]


def told(memory, memory_id):
    """All that is known of a memory, but for its history and how often it was shown."""
    found = dump(memory)["memories"][memory_id]
    return {k: v for k, v in found.items() if k not in {"history", "recalled"}}


def decided(memory):
    """All of a store but which old turns a sleep has looked at."""
    found = dump(memory)
    del found["condensed"]
    return found


def undone_for_good(memory, memory_id, what):
    """Undo the last change of this sort, and sleep; the memory as it is then."""
    number = changes(memory, memory_id, what)[-1]
    undone = memory.undo(number)
    after = decided(memory)
    report = memory.consolidate()
    assert (report.changes, decided(memory)) == ((), after)
    assert [c.what for c in memory.history(memory_id)][-1] == "undone"
    with pytest.raises(FeedbackError, match=rf"{number} \({what}\) was taken back"):
        memory.undo(number)
    return undone


def test_an_archived_memory_comes_back_and_stays(memory, tell):
    """The question that faded surfaces again, and keeps its place in the index."""
    tell("What time does the ferry leave?")
    tell("I bought a bicycle.", 400)
    assert memory.entry("t1").tier is Tier.ARCHIVAL

    assert undone_for_good(memory, "t1", "archived").tier is Tier.EPISODIC

    assert memory.recall("the ferry").hits[0].id == "t1"
    tell("I sold the bicycle.", 800)
    assert memory.entry("t1").tier is Tier.EPISODIC


def test_a_condensed_turn_gets_its_words_back_and_keeps_them(open_memory, say):
    """All of it is found again, by the words that had been spared too."""
    memory = open_memory(index_share=0.9, fact_confidence=1)
    weak = [f"What time does ferry number {n} leave?" for n in range(9)]
    memory.remember_many([say(text) for text in (LONG, *weak)])
    memory.remember(say("I bought a boat.", at=T0 + 20 * DAY))
    before = told(memory, "t1")
    memory.consolidate()
    assert "nice of you" not in memory.entry("t1").text
    (number,) = changes(memory, "t1", "condensed")

    assert memory.undo(number).text == LONG

    assert memory.recall("so nice of you to come along").hits[0].id == "t1"
    assert told(memory, "t1") == before
    assert memory.check() == []
    memory.consolidate()
    assert told(memory, "t1") == before
    with pytest.raises(FeedbackError, match=r"\(condensed\) was taken back already"):
        memory.undo(number)


def test_a_merged_fact_forgets_that_it_was_said_again(memory, tell):
    """It rests on what it rested on before, and has been said once."""
    tell("I'm vegetarian.")
    before = fact(memory, "vegetarian")
    tell("As I said, I'm vegetarian.", 3)
    assert fact(memory, "vegetarian").mentions == 2

    after = undone_for_good(memory, before.id, "merged")

    assert (after.sources, after.mentions, after.last_said_at) == (
        before.sources,
        before.mentions,
        before.last_said_at,
    )


def test_a_superseded_fact_holds_again_and_its_conflict_is_none(memory, tell):
    """Both places are current, and nobody has to decide between them."""
    tell("I live in Berlin.")
    tell("I live in Lyon now.", 30)
    berlin = fact(memory, "Berlin")
    assert berlin.superseded_by == fact(memory, "Lyon").id

    after = undone_for_good(memory, berlin.id, "superseded")

    assert (after.superseded_by, after.valid_until) == (None, None)
    assert memory.conflicts() == []
    assert [c.status for c in memory.conflicts(status=None)] == ["undone"]
    assert fact(memory, "Lyon").valid_until is None


def test_a_contradicted_fact_is_as_strong_as_before(memory, tell):
    """The side that is given back its strength has the trace that it had."""
    tell("I'm allergic to peanuts.")
    before = fact(memory, "allergic").trace
    tell("I'm not allergic to peanuts.", 3)
    yes = next(e for e in memory.entries(Tier.SEMANTIC) if "not" not in e.text)
    assert yes.trace.strength < before.strength

    assert undone_for_good(memory, yes.id, "contradicted").trace == before

    assert memory.conflicts() == []


def test_only_the_conflict_of_the_undone_change_is_settled(memory, tell):
    """Another one that the same memory is part of waits for a person still."""
    tell("I live in Berlin.")
    tell("I don't live in Berlin.", 3)
    tell("I live in Lyon now.", 30)
    berlin = next(
        e for e in memory.entries(Tier.SEMANTIC) if e.text == "Ada lives in Berlin."
    )
    kinds = {c.kind.value for c in memory.conflicts() if berlin.id in (c.new, c.old)}
    assert kinds == {"contradiction", "update"}

    memory.undo(changes(memory, berlin.id, "superseded")[-1])

    left = [c for c in memory.conflicts() if berlin.id in (c.new, c.old)]
    assert [c.kind.value for c in left] == ["contradiction"]


def test_a_habit_that_was_counted_on_says_again_what_it_said(memory, tell):
    """Words, vector, sources and count are those of the night before."""
    for week in range(3):
        tell(f"I went to yoga. Then I had {week + 4} soups.", week)
    habit = fact(memory, "yoga: 3 times")
    before = told(memory, habit.id)
    tell("I went to yoga. Then I slept.", 3)
    assert memory.entry(habit.id).text == "Ada went to yoga: 4 times since March 2026."

    after = undone_for_good(memory, habit.id, "counted on")

    assert after.text == "Ada went to yoga: 3 times since March 2026."
    assert told(memory, habit.id) == before
    tell("I went to yoga. Then I read.", 4)
    assert told(memory, habit.id) == before


@pytest.mark.parametrize("outcome", ["used", "ignored"])
def test_a_reinforced_memory_is_as_strong_as_before(memory, tell, outcome):
    """Strength, half-life and counts; the outcome isn't applied a second time."""
    tell("I bought a boat.", sleep=False)
    before = memory.entry("t1")
    recall = memory.recall("which boat?")
    memory.learn(Feedback(recall.id, **{outcome: ["t1"]}))
    memory.consolidate()
    assert memory.entry("t1").trace != before.trace

    after = undone_for_good(memory, "t1", outcome)

    assert (after.trace, after.used) == (before.trace, before.used)


def test_a_use_that_was_taken_back_says_nothing_of_the_next(memory, tell, clock):
    """Whoever takes one use back didn't forbid the memory to be of use."""
    tell("I might buy a boat.", sleep=False)
    for used in (1, 1, 2):
        clock.move(days=1)
        recall = memory.recall("which boat?")
        memory.learn(Feedback(recall.id, used=["t1"]))
        report = memory.consolidate()
        assert (report.reinforced, memory.entry("t1").used) == (1, used)
        if clock.now() == T0 + DAY:
            memory.undo(changes(memory, "t1", "used")[0])


def test_who_moves_after_a_move_that_was_none_has_moved(memory, tell):
    """Lyon was taken back; Porto puts an end to Berlin as it would have anyway."""
    tell("I live in Berlin.")
    tell("I live in Lyon now.", 30)
    berlin = fact(memory, "Berlin").id
    memory.undo(changes(memory, berlin, "superseded")[0])
    tell("I live in Porto now.", 60)

    assert memory.entry(berlin).superseded_by == fact(memory, "Porto").id


def test_undoing_a_life_of_changes_ends_where_it_began(memory, tell, clock):
    """The last first, down to the first: the memory is as it was heard."""
    tell("I might buy a boat.", sleep=False)
    before = told(memory, "t1")
    for outcome in ("used", "ignored", "corrected", "used"):
        clock.move(days=1)
        recall = memory.recall("which boat?")
        memory.learn(Feedback(recall.id, **{outcome: ["t1"]}))
        memory.consolidate()
    memory.pin("t1")
    memory.pin("t1", pinned=False)
    done = [c.number for c in memory.history("t1") if c.number]

    with pytest.raises(FeedbackError, match=f"undo {done[-1]}, {done[-2]}"):
        memory.undo(done[0])
    for number in reversed(done):
        memory.undo(number)

    assert told(memory, "t1") == before


def test_a_change_on_which_another_rests_is_undone_after_it(memory, tell):
    """The error names what stands in the way, and then nothing does."""
    tell("I'm vegetarian.")
    tell("As I said, I'm vegetarian.", 3)
    tell("Like I said, I'm vegetarian.", 6)
    name = fact(memory, "vegetarian").id
    first, second = changes(memory, name, "merged")

    with pytest.raises(
        FeedbackError, match=rf"change {first} \(merged\).*: undo {second}"
    ):
        memory.undo(first)
    memory.undo(second)
    memory.undo(first)

    assert memory.entry(name).sources == ("t1",)


def test_an_undoing_can_t_be_undone_and_what_isn_t_there_neither(memory, tell):
    """Each is an error that says so, and changes nothing."""
    tell("What time does the ferry leave?")
    tell("I bought a bicycle.", 400)
    memory.undo(changes(memory, "t1", "archived")[0])
    before = dump(memory)

    with pytest.raises(FeedbackError, match="an undoing can't be undone"):
        memory.undo(changes(memory, "t1", "undone")[0])
    with pytest.raises(UnknownMemoryError, match="ada has no change 999"):
        memory.undo(999)
    assert dump(memory) == before


def test_what_one_turn_was_spared_of_says_nothing_of_another(memory, tell):
    """Only the memory whose change was taken back is left alone from then on."""
    tell("What time does the ferry leave?", sleep=False)
    tell("What time does the tram leave?", sleep=False)
    tell("I bought a bicycle.", 400)
    memory.undo(changes(memory, "t1", "archived")[0])
    memory.consolidate()

    assert memory.entry("t1").tier is Tier.EPISODIC
    assert memory.entry("t2").tier is Tier.ARCHIVAL


# --------------------------------------------------------------------------- retracting


def test_a_retracted_fact_is_gone_and_what_it_stood_for_is_back(memory, tell):
    """The turn surfaces again, and no sleep writes the fact from it a second time."""
    tell("I'm vegetarian.")
    name = fact(memory, "vegetarian").id
    assert memory.entry("t1").tier is Tier.ARCHIVAL

    memory.retract(name)

    assert memory.entries(Tier.SEMANTIC) == []
    assert memory.recall("vegetarian?").hits[0].id == "t1"
    assert memory.consolidate().changes == ()
    assert memory.check() == []
    with pytest.raises(UnknownMemoryError):
        memory.retract(name)


def test_retracting_a_fact_lets_what_it_ended_hold_again(memory, tell):
    """Lyon was a misunderstanding; who moves to Porto later has still left Berlin."""
    tell("I live in Berlin.")
    tell("I live in Lyon now.", 30)
    memory.retract(fact(memory, "Lyon").id)

    berlin = fact(memory, "Berlin")
    assert (berlin.superseded_by, berlin.valid_until) == (None, None)
    assert memory.conflicts(status=None) == []
    tell("I live in Porto now.", 60)
    assert fact(memory, "Berlin").superseded_by == fact(memory, "Porto").id


def test_only_a_fact_can_be_retracted(memory, tell):
    """A turn was said; that can be forgotten, and not retracted."""
    tell("I bought a boat.", sleep=False)

    with pytest.raises(FeedbackError, match="t1 is no fact"):
        memory.retract("t1")


def test_a_retracted_fact_is_told_to_the_observers(open_memory, say):
    """As something that was forgotten, for that is what it is."""
    from psm_core import hookimpl

    heard = []

    class Ear:
        @hookimpl
        def psm_forgot(self, user, memory_id):
            heard.append((user, memory_id))

    memory = open_memory(plugins=[Ear()])
    memory.remember(say("I'm vegetarian."))
    memory.consolidate()
    name = fact(memory, "vegetarian").id
    memory.retract(name)

    assert heard == [("ada", name)]


# ---------------------------------------------------------------------------- resolving


@pytest.fixture
def conflict(memory, tell):
    """Ada is allergic to peanuts, and isn't."""
    tell("I'm allergic to peanuts.")
    tell("I'm not allergic to peanuts.", 3)
    (found,) = memory.conflicts()
    return found


def test_a_sentence_takes_the_place_of_both_sides(memory, conflict, clock):
    """It is a fact that rests on both, is as strong as can be, and is current."""
    clock.move(days=9)
    settled = memory.resolve(conflict.id, keep="Ada is allergic to raw peanuts.")

    said = fact(memory, "raw peanuts")
    assert settled.status == "text"
    assert memory.conflicts() == []
    assert (said.text, said.trace.strength, said.confidence) == (
        "Ada is allergic to raw peanuts.",
        1.0,
        1.0,
    )
    assert set(said.sources) == {"t1", "t2"}
    assert (said.said_at, said.valid_until) == (clock.now(), None)
    for side in (conflict.new, conflict.old):
        entry = memory.entry(side)
        assert (entry.superseded_by, entry.valid_until) == (said.id, clock.now())
        assert entry.corrected == 1
    assert memory.recall("which peanuts is Ada allergic to?").hits[0].id == said.id
    assert memory.consolidate().changes == ()


def test_a_sentence_surfaces_though_a_side_had_expired(memory, conflict, clock):
    """What a person says is true now doesn't end with what it replaces."""
    memory.expire(conflict.new, clock.now() - DAY)
    memory.resolve(conflict.id, keep="Ada is allergic to raw peanuts.")

    hits = memory.recall("which peanuts is Ada allergic to?").hits
    assert "raw" in " ".join(h.text for h in hits)


@pytest.mark.parametrize("keep", ["", " ", "all", "newest", "New"])
def test_one_word_is_a_slip_and_no_sentence(memory, conflict, keep):
    """What may be kept is named, and nothing is settled."""
    before = dump(memory)

    with pytest.raises(FeedbackError, match="keep one of new, old, both, or say in a"):
        memory.resolve(conflict.id, keep=keep)
    assert dump(memory) == before


def test_a_conflict_that_there_is_not_can_t_be_resolved(memory, conflict):
    """By a word or by a sentence: one error, and no fact."""
    before = dump(memory)

    for keep in ("new", "Ada is fine with peanuts."):
        with pytest.raises(UnknownMemoryError, match="ada has no conflict c-nobody"):
            memory.resolve("c-nobody", keep=keep)
    assert dump(memory) == before


SENTENCE = "Ada is allergic to raw peanuts."


def sides(memory, conflict):
    """All that is known of both sides, but for their history."""
    return {name: told(memory, name) for name in (conflict.new, conflict.old)}


@pytest.mark.parametrize("keep", ["new", "old", "both", SENTENCE])
def test_the_same_answer_again_changes_nothing(memory, conflict, clock, keep):
    """However often somebody says it, it is said once."""
    settled = memory.resolve(conflict.id, keep=keep)
    before = dump(memory)
    clock.move(days=1)

    assert memory.resolve(conflict.id, keep=keep) == settled
    assert dump(memory) == before


@pytest.mark.parametrize("first", ["new", "old", "both", "Ada is alergic to peanuts."])
@pytest.mark.parametrize("then", ["new", "old", "both", SENTENCE])
def test_another_answer_takes_the_place_of_the_first(
    open_memory, say, tmp_path, first, then
):
    """Whoever answers twice knows what they would know had they answered once."""
    known = []
    for answers in ((first, then), (then,)):
        memory = open_memory(home=tmp_path / str(len(known)))
        for n, text in enumerate(("allergic to peanuts", "not allergic to peanuts")):
            memory.remember(say(f"I'm {text}.", id=f"t{n}", at=T0 + n * DAY))
            memory.consolidate()
        (conflict,) = memory.conflicts()
        for keep in answers:
            memory.resolve(conflict.id, keep=keep)
        found = dump(memory)
        for one in found["memories"].values():
            del one["history"]
        known.append((found["memories"], found["conflicts"]))

    assert known[0] == known[1]


def test_a_sentence_can_be_corrected(memory, conflict):
    """The slip is gone, the right one is current, and a word still settles it."""
    memory.resolve(conflict.id, keep="Ada is allergic to rav peanuts.")
    memory.resolve(conflict.id, keep=SENTENCE)

    assert current(memory) == [SENTENCE]
    memory.resolve(conflict.id, keep="new")
    assert current(memory) == ["Ada is not allergic to peanuts."]
    memory.resolve(conflict.id, keep=SENTENCE)
    assert current(memory) == [SENTENCE]
    assert memory.check() == []


def current(memory):
    """What holds now, of all facts."""
    return [e.text for e in memory.entries(Tier.SEMANTIC) if e.valid_until is None]


def test_an_answer_that_is_replaced_leaves_later_changes_as_they_are(
    memory, conflict, clock
):
    """What was of use since stays as strong as that made it; the ends are anew."""
    memory.resolve(conflict.id, keep="new")
    recall = memory.recall("is Ada allergic to peanuts?")
    memory.learn(Feedback(recall.id, used=[conflict.new]))
    clock.move(days=1)
    memory.consolidate()
    strength = memory.entry(conflict.new).trace.strength

    memory.resolve(conflict.id, keep="both")

    new, old = memory.entry(conflict.new), memory.entry(conflict.old)
    assert new.trace.strength > strength
    assert (new.used, old.corrected) == (1, 0)
    assert (new.valid_until, old.valid_until) == (None, None)


def test_one_side_of_two_conflicts_is_given_back_by_each(memory, tell):
    """Taking an answer back takes back what it changed, and not the other's."""
    tell("I live in Berlin.")
    tell("I don't live in Berlin.", 3)
    tell("I live in Lyon now.", 30)
    berlin = next(
        e.id for e in memory.entries(Tier.SEMANTIC) if e.text == "Ada lives in Berlin."
    )
    first, then = (c for c in memory.conflicts() if berlin in (c.new, c.old))
    memory.resolve(first.id, keep="new")
    memory.resolve(then.id, keep="new")
    assert memory.entry(berlin).corrected == 2

    memory.resolve(first.id, keep="both")
    memory.resolve(then.id, keep="both")

    entry = memory.entry(berlin)
    assert (entry.superseded_by, entry.valid_until) == (None, None)
    undone = [c.reason for c in memory.history(berlin) if c.what == "undone"]
    assert undone == [f"a person's answer to {c.id}" for c in (first, then)]


@pytest.mark.parametrize("keep", ["new", "old", "both", SENTENCE])
def test_an_answer_that_is_undone_leaves_the_conflict_open(memory, conflict, keep):
    """Both of its changes taken back, everything is as before it was given."""
    before, facts_before = sides(memory, conflict), current(memory)
    memory.resolve(conflict.id, keep=keep)
    for side in (conflict.new, conflict.old):
        memory.undo(memory.history(side)[-1].number)
        assert memory.conflicts() == [conflict]

    assert sides(memory, conflict) == before
    assert current(memory) == facts_before
    assert memory.consolidate().changes == ()
    assert memory.resolve(conflict.id, keep=keep).status == (
        "text" if keep == SENTENCE else keep
    )


def test_half_of_an_answer_that_is_left_goes_with_the_next(memory, conflict):
    """Whoever undid one side of it and answers anew has answered once."""
    memory.resolve(conflict.id, keep=SENTENCE)
    memory.undo(changes(memory, conflict.new, "refuted")[0])
    assert current(memory) == ["Ada is not allergic to peanuts.", SENTENCE]

    memory.resolve(conflict.id, keep="old")

    assert current(memory) == ["Ada is allergic to peanuts."]
    assert memory.entry(conflict.new).corrected == 1
    assert memory.entry(conflict.old).corrected == 0


def test_a_retracted_sentence_leaves_the_conflict_open(memory, conflict):
    """Both sides hold as before it, and it can be said again."""
    before = sides(memory, conflict)
    memory.resolve(conflict.id, keep=SENTENCE)
    memory.retract(fact(memory, "raw peanuts").id)

    assert memory.conflicts() == [conflict]
    assert sides(memory, conflict) == before
    assert len(current(memory)) == 2
    memory.resolve(conflict.id, keep=SENTENCE)
    assert current(memory) == [SENTENCE]


def test_nothing_is_no_answer(memory, conflict):
    """What may be kept is named, and nothing is settled."""
    before = dump(memory)

    with (
        pytest.raises(FeedbackError, match="keep=None; keep one of new, old, both, or"),
        memory._open() as store,
    ):
        resolve(conflict.id, None, store=store, parts=memory._parts)
    assert dump(memory) == before


@pytest.mark.parametrize(("name", "keep"), [("c-1", ""), ("c-1", " "), ("", "new")])
def test_a_command_without_an_answer_says_what_to_give(memory, home, name, keep):
    """An empty --keep is a slip, and not the list of conflicts."""
    env = {"PSM_HOME": str(home), "PSM_ENCODER": "hash", "TERMINAL_WIDTH": "200"}
    asked = ["conflicts", "--resolve", name, "--keep", keep, "--user", "ada"]

    result = CliRunner().invoke(app, asked, env=env)

    assert result.exit_code == 2
    assert "--keep new, old, both, or a sentence" in result.output
