"""One conversation: what is shown, what is kept, and what is learned by itself."""

import pytest

from psm_core import Tier, Turn, hookimpl
from psm_core.conversation import Conversation
from psm_core.types import Outcome

LYON = "I moved to Lyon last week."
CAT = "My cat is called Tom."


def told(memory, *facts, session="earlier"):
    """A memory that was told *facts* in an earlier conversation."""
    talk = Conversation(memory, session)
    for fact in facts:
        talk.answered(fact, "Noted.")
    return memory


def entry_of(memory, text):
    return next(e for e in memory.entries() if e.text == text)


def outcomes(memory, text):
    """What became of one memory so far, as the next sleep will apply it."""
    memory.consolidate()
    kinds = {str(o) for o in Outcome}
    return [
        c.what for c in memory.history(entry_of(memory, text).id) if c.what in kinds
    ]


def test_an_earlier_conversation_comes_back(memory):
    """What was told in one conversation is shown in the next, fenced as data."""
    view = Conversation(told(memory, LYON), "now").hear("Where did I move to?")

    assert LYON in view.context
    assert view.context.startswith("<memories")
    assert view.recent == []


def test_what_is_in_view_is_not_recalled_too(memory):
    """A turn of this conversation stands in the prompt once, as a recent turn."""
    talk = Conversation(told(memory, CAT), "now")
    talk.answered(LYON, "A fine city.")

    view = talk.hear("Where did I move to, and who is Tom my cat?")

    assert [t.text for t in view.recent] == [LYON, "A fine city."]
    assert LYON not in view.context
    assert CAT in view.context


def test_hearing_twice_counts_once(memory):
    """The same words heard again before the answer are one recall, not two."""
    talk = Conversation(told(memory, LYON), "now")

    first, again = (talk.hear("Where did I move to?") for _ in range(2))

    assert first == again
    assert entry_of(memory, LYON).recalled == 1


def test_what_was_forgotten_meanwhile_is_shown_no_more(memory):
    """Forgetting acts at once, also between two looks at one turn."""
    talk = Conversation(told(memory, LYON), "now")
    assert LYON in talk.hear("Where did I move to?").context

    memory.forget(entry_of(memory, LYON).id)

    assert LYON not in talk.hear("Where did I move to?").context
    talk.answered("Where did I move to?", "To Lyon.")


def test_blank_words_bring_the_recent_turns_alone(memory):
    """Nothing is recalled for nothing."""
    view = Conversation(told(memory, LYON), "earlier").hear(" \n")

    assert view.context == ""
    assert [t.text for t in view.recent] == [LYON, "Noted."]


def test_an_answer_that_leans_on_a_memory_strengthens_it(memory):
    """The memory that the answer said is used, the other one ignored."""
    talk = Conversation(told(memory, LYON, "I moved my desk to the window."), "now")
    talk.hear("Where did I move to?")

    talk.answered("Where did I move to?", "To Lyon, last week.")

    assert outcomes(memory, LYON) == ["used"]
    assert outcomes(memory, "I moved my desk to the window.") == ["ignored"]


def test_a_correction_takes_the_place_of_the_use(memory):
    """What was used and then taken back was corrected, and only that."""
    talk = Conversation(told(memory, LYON, CAT), "now")
    talk.hear("Where did I move to, and how is my cat?")
    talk.answered("Where did I move to, and how is my cat?", "To Lyon; Tom is fine.")
    strong = entry_of(memory, LYON).trace.strength

    talk.hear("No, I moved to Paris.")

    assert entry_of(memory, LYON).trace.strength < strong
    assert outcomes(memory, LYON) == ["corrected"]
    assert outcomes(memory, CAT) == ["used"]


def test_a_correction_works_before_the_recall_it_comes_with(memory):
    """What was just taken back isn't shown again in this conversation."""
    talk = Conversation(told(memory, LYON), "now")
    talk.hear("Where did I move to?")
    talk.answered("Where did I move to?", "To Lyon.")

    assert LYON not in talk.hear("No, I moved to Paris last week.").context
    talk.answered("No, I moved to Paris last week.", "Sorry!")
    assert LYON not in talk.hear("So where did I move to last week?").context


@pytest.mark.parametrize(
    "words",
    ["Actually yes, and I love Lyon.", "Actually, I meant to see Lyon tonight."],
)
def test_who_agrees_weakens_nothing(memory, words):
    """After "actually yes" the memory is as strong as before, and shown again."""
    talk = Conversation(told(memory, LYON), "now")
    talk.hear("Where did I move to?")
    talk.answered("Where did I move to?", "To Lyon.")
    strong = entry_of(memory, LYON).trace.strength

    assert LYON in talk.hear(words).context

    assert entry_of(memory, LYON).trace.strength == strong
    assert outcomes(memory, LYON) == ["used"]


def test_a_correction_heard_twice_counts_once(memory):
    """A model that fails, and is asked again, makes no correction double."""
    talk = Conversation(told(memory, LYON), "now")
    talk.hear("Where did I move to?")
    talk.answered("Where did I move to?", "To Lyon.")

    for _ in range(3):
        talk.hear("No, I moved to Paris.")

    assert entry_of(memory, LYON).corrected == 1


def test_a_correction_is_heard_by_another_process_too(open_memory):
    """A web worker that never saw the answer still learns what was taken back."""
    talk = Conversation(told(open_memory(), LYON), "now")
    talk.hear("Where did I move to?")
    talk.answered("Where did I move to?", "To Lyon.")

    other = open_memory()
    for _ in range(2):
        Conversation(other, "now").hear("No, that's wrong.")

    assert entry_of(other, LYON).corrected == 1


def test_a_correction_out_of_the_blue_is_only_heard(memory):
    """Without an answer before it, "no" takes nothing back."""
    told(memory, LYON)

    Conversation(memory, "now").hear("No, I moved to Paris.")

    assert entry_of(memory, LYON).corrected == 0


def test_outcomes_survive_a_process_that_ends_at_once(open_memory):
    """Used is learned with the answer, not with the next turn: a kill loses nothing."""
    talk = Conversation(told(open_memory(), LYON), "now")
    talk.hear("Where did I move to?")
    talk.answered("Where did I move to?", "To Lyon.")

    assert outcomes(open_memory(), LYON) == ["used"]


def test_words_without_a_hearing_are_remembered(memory):
    """An exchange can be told without asking first; there is nothing to learn then."""
    told(memory, LYON)

    assert {e.text for e in memory.entries()} == {LYON, "Noted."}


def test_blank_halves_are_left_out(memory):
    """A model that says nothing leaves the person's half alone."""
    Conversation(memory, "now").answered(LYON, " \0")
    Conversation(memory, "now").answered("", "")

    assert [e.text for e in memory.entries()] == [LYON]


def test_recalled_text_is_neither_asked_nor_stored_nor_evidence(memory):
    """A model that echoes its prompt makes no memory, and uses none."""
    talk = Conversation(told(memory, LYON), "now")
    view = talk.hear("Where did I move to?")

    talk.answered("Where did I move to?", f"{view.context} Hm.")

    assert [e.text for e in memory.entries() if "Lyon" in e.text] == [LYON]
    assert outcomes(memory, LYON) == ["ignored"]


def test_limit_and_budget_bound_what_is_shown(memory):
    """At most *limit* memories, and no more tokens than *budget*."""
    talk = Conversation(told(memory, *(f"I own lamp {n}." for n in range(9))), "now")

    assert talk.hear("Which lamp do I own?", limit=2).context.count("lamp") == 2
    assert talk.hear("Which lamps do I own?", budget=1).context == ""


def test_small_talk_stays_in_view_though_it_is_archived(memory):
    """The gate may turn a turn away; the conversation goes on with it."""
    talk = Conversation(memory, "now")
    talk.answered("hi!", "Hello!")

    assert [t.text for t in talk.hear("How are you?").recent] == ["hi!", "Hello!"]
    assert memory.counts().get(Tier.EPISODIC, 0) <= 2


# ------------------------------------------- words that don't wait for their answer


def turns(memory, session="now"):
    return [(turn.role, turn.text) for turn in memory.working(session)]


def test_what_is_said_is_kept_before_it_is_answered(memory):
    """An answer that never comes loses nothing; one that does adds its half alone."""
    talk = Conversation(memory, "now")

    talk.said(LYON)
    talk.said(LYON)
    assert turns(memory) == [("user", LYON)]

    talk.answered(LYON, "Noted.")
    assert turns(memory) == [("user", LYON), ("assistant", "Noted.")]


def test_blank_words_are_not_said(memory):
    """Nothing is stored of nothing, nor of a fence alone."""
    talk = Conversation(memory, "now")

    talk.said(" \n")
    talk.said("<memories of='x'>old</memories>")

    assert turns(memory) == []


def test_what_waits_for_its_answer_is_no_memory_yet(memory):
    """The words that are being answered aren't recalled for themselves."""
    talk = Conversation(told(memory, LYON), "now")
    talk.said("Where did I move to?")

    view = talk.hear("Where did I move to?")

    assert view.recent == []
    assert LYON in view.context
    assert "Where did I move to?" not in view.context


def test_a_correction_that_was_said_first_is_learned(memory):
    """said() before hear() changes nothing of what is learned."""
    talk = Conversation(told(memory, LYON), "now")
    talk.hear("Where did I move to?")
    talk.answered("Where did I move to?", "To Lyon.")

    talk.said("No, I moved to Paris.")
    view = talk.hear("No, I moved to Paris.")

    assert LYON not in view.context
    assert outcomes(memory, LYON) == ["corrected"]


def test_the_reader_says_what_is_in_view(memory):
    """What the reader no longer sees is recalled; what they see isn't, long or short."""
    long = f"{LYON}\n\n" + " ".join(f"I moved box {n} there." for n in range(90))
    talk = Conversation(memory, "now")
    for n in range(15):
        talk.answered(f"I moved lamp {n}.", "Hm.")
    talk.answered(long, "Good.")

    view = talk.hear("Which lamp did I move?", limit=99, in_view=[long, "Good."])
    assert "box" not in view.context
    assert "lamp 3." in view.context
    assert [turn.role for turn in view.recent] == ["user", "assistant"]

    talk = Conversation(memory, "now")
    view = talk.hear("What did I move to Lyon?", limit=99, in_view=[])
    assert LYON in view.context
    assert view.recent == []


class NoPhone:
    """A plugin that takes one telephone number out, and can't read another."""

    @hookimpl
    def psm_redact(self, text):
        if "555-0000" in text:
            raise OSError
        return text.replace("555-1234", "[phone] of hers")


def test_what_was_redacted_is_in_view_all_the_same(open_memory):
    """A turn that is stored in other words isn't shown beside the words themselves."""
    phone, cannot = "My phone is 555-1234.", "Call 555-0000."
    Conversation(open_memory(plugins=[NoPhone()]), "now").answered(phone, "Noted.")

    talk = Conversation(open_memory(plugins=[NoPhone()]), "now")
    view = talk.hear("What is my phone?", in_view=[phone, "Noted.", cannot])

    assert view.context == ""
    assert [turn.text for turn in view.recent] == [
        "My phone is [phone] of hers.",
        "Noted.",
    ]


def test_a_no_takes_nothing_back_that_is_out_of_view(memory):
    """Where the reader sees no answer, there is none that could be wrong."""
    talk = Conversation(told(memory, LYON), "now")
    talk.hear("Where did I move to?")
    talk.answered("Where did I move to?", "To Lyon.")

    Conversation(memory, "now").hear("No, I moved to Paris.", in_view=[])

    assert entry_of(memory, LYON).corrected == 0


def words_in(text):
    return len(text.split())


def test_a_second_look_may_have_less_room(memory):
    """The strongest stay; what was left out is neither used nor ignored."""
    memory.remember_many([Turn(LYON), Turn("My cat moved in.")])
    talk = Conversation(memory, "now", count_tokens=words_in)
    whole = talk.hear("Where did I move to last week?").context
    assert "cat" in whole

    less = talk.hear("Where did I move to last week?", budget=words_in(whole) - 1)
    assert (LYON in less.context, "cat" in less.context) == (True, False)
    talk.answered("Where did I move to last week?", "To Lyon.")

    assert outcomes(memory, LYON) == ["used"]
    assert outcomes(memory, "My cat moved in.") == []


def test_a_budget_is_in_the_readers_tokens(memory):
    """count_tokens decides, also where the memory itself counts otherwise."""
    told(memory, *(f"I moved to town {n}." for n in range(30)))

    for budget in (0, 15, 40, 80):
        talk = Conversation(memory, "now", count_tokens=words_in)
        context = talk.hear("Where did I move to?", budget=budget).context
        assert words_in(context) <= budget
    assert words_in(context) > 40


def test_a_look_after_the_answer_shows_what_the_answer_saw(memory):
    """again() recalls nothing, and leaves out what was forgotten meanwhile."""
    talk = Conversation(told(memory, LYON), "now")
    assert talk.again() == ""
    shown = talk.hear("Where did I move to?").context

    assert talk.again() == shown
    assert talk.again(budget=1) == ""


def test_a_look_after_the_answer_holds_what_still_holds(memory):
    """The same memories, in the same words, until one of them is forgotten."""
    talk = Conversation(told(memory, LYON), "now")
    shown = talk.hear("Where did I move to?").context
    talk.answered("Where did I move to?", "To Lyon.")
    assert talk.again() == shown
    assert entry_of(memory, LYON).recalled == 1

    memory.forget(entry_of(memory, LYON).id)

    assert LYON not in talk.again()
