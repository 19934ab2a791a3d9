"""Which memories an answer leaned on, and which of them the person then took back."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.attribution import attribute, leaned_on, takes_back
from psm_core.types import Hit, Kind, Recall, Tier

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASES = json.loads(Path(__file__).with_name("attribution.json").read_text("utf-8"))
"""Our own exchanges, labelled by hand before the rules were written."""

LYON = "I moved to Lyon last week."
CAT = "I have a cat called Tom."
TEA = "I drink black tea."


def recalled(cue, *texts):
    """A recall that showed *texts*, with ids "0", "1", …"""
    hits = tuple(
        Hit(
            id=str(n),
            text=text,
            score=1.0,
            tier=Tier.EPISODIC,
            strength=1.0,
            sources=(f"t{n}",),
            explanation="",
            kind=Kind.STATE,
            speaker="Ada",
            session="s1",
            said_at=NOON,
        )
        for n, text in enumerate(texts)
    )
    return Recall("r1", cue, NOON, hits)


def counts(found_and_meant):
    """True positives, false positives, false negatives."""
    pairs = [({int(i) for i in found}, set(meant)) for found, meant in found_and_meant]
    return (
        sum(len(found & meant) for found, meant in pairs),
        sum(len(found - meant) for found, meant in pairs),
        sum(len(meant - found) for found, meant in pairs),
    )


# ---------------------------------------------------------------------- leaning


def test_an_answer_leans_on_the_memory_whose_words_it_says():
    """An answer "you live in Lyon" leans on the move to Lyon, not on the cat."""
    recall = recalled("Where do I live?", LYON, CAT)

    assert leaned_on(recall.hits, recall.cue, "You live in Lyon.") == {"0"}


def test_words_of_the_question_are_no_evidence():
    """An answer that only repeats the question's words leans on nothing it can show."""
    recall = recalled("Do I have a cat called Tom?", CAT)

    assert leaned_on(recall.hits, recall.cue, "Tom the cat? Yes!") is None


def test_a_word_speaks_for_the_memory_that_explains_most():
    """An answer "the 7:42 to Basel" leans on the train, not on the work in Basel."""
    recall = recalled("Which train?", "I take the 7:42 to Basel.", "I work in Basel.")

    assert leaned_on(recall.hits, recall.cue, "The 7:42 to Basel.") == {"0"}


def test_a_memory_told_twice_is_used_twice():
    """Two memories that say the same don't take the credit from each other."""
    recall = recalled("Where do I live?", "I live in Lyon.", "I live in Lyon!")

    assert leaned_on(recall.hits, recall.cue, "In Lyon.") == {"0", "1"}


def test_one_chance_word_of_a_long_answer_is_not_leaning():
    """A word in common among many that could be is chance."""
    memory = "My aunt sells hand-made candles at the winter market in Graz every year."
    answer = "Plants take up light, split water, store energy in sugar all year round."
    recall = recalled("How do plants live?", memory)

    assert leaned_on(recall.hits, recall.cue, answer) == frozenset()


def test_the_hand_labelled_exchanges_are_told_apart():
    """Of 43 memories that our own answers lean on, one is missed; no other is found."""
    found = []
    for case in CASES["used"]:
        recall = recalled(case["cue"], *case["hits"])
        found.append((attribute(recall, case["answer"]).used, case["used"]))

    _, wrong, missed = counts(found)
    assert wrong == 0
    assert missed <= 1


# ------------------------------------------------------------------- correcting


@pytest.mark.parametrize(
    "words",
    [
        "No, I live in Paris now.",
        "no, no, Paris!",
        "That's wrong.",
        "That isn\u2019t true at all.",
        "Actually, I moved back to Paris.",
        "I told you I moved to Paris!",
        "You're mistaken.",
        "Not anymore.",
        "I don't live there any more.",
        "We no longer live there.",
        "Nope, Paris.",
        "It's Paris, not Lyon.",
        "I don't live there any more, remember?",
        "Actually, that's wrong.",
    ],
)
def test_phrases_that_take_back(words):
    """A refusal, "actually", "I told you" and "no longer" take an answer back."""
    assert takes_back(words, "You live in Lyon.")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Thanks!",
        "No, thanks.",
        "no worries",
        "No idea. Why?",
        "No problem, I found it.",
        "No way, I totally forgot!",
        "No, please go on.",
        "No, that's all for today.",
        "Actually, can you tell me the time?",
        "Is that wrong?",
        "What was it that I told you about Ben?",
        "I have no dog.",
        "No progress, I'm afraid.",
        "Nobody told me.",
        "Actually yes, and I love Lyon.",
        "Well, actually you're right.",
        "Actually, could you tell me more about Lyon",
        "Actually, I have another question about Lyon.",
        "No, find me a hotel in Lyon.",
        "I don't want any more tips about Lyon.",
        "I don't drink tea any more after six.",
    ],
)
def test_phrases_that_take_nothing_back(words):
    """Politeness, questions and statements with a "no" in them are no corrections."""
    assert not takes_back(words, "You live in Lyon.")


def test_only_what_the_correction_concerns_is_corrected():
    """Of three memories that a wrong answer leaned on, the corrected one is the cat."""
    recall = recalled("What do you know of me?", LYON, CAT, TEA)
    answer = "You moved to Lyon, your cat is called Tom, and you drink black tea."

    feedback = attribute(recall, answer, "No, my cat is called Max.")

    assert feedback.corrected == ("1",)
    assert feedback.used == ("0", "2")


def test_a_refusal_that_names_nothing_concerns_what_the_answer_leaned_on():
    """After "that's wrong", the memories behind the answer are corrected, no others."""
    recall = recalled("Where do I live?", LYON, CAT)

    feedback = attribute(recall, "You live in Lyon.", "That's wrong.")

    assert (feedback.corrected, feedback.ignored) == (("0",), ("1",))


def test_what_agrees_with_the_correction_is_not_blamed():
    """Who says "I drink tea, not coffee" blames the coffee, and speaks for the tea."""
    recall = recalled(
        "What can I drink?", "I drink coffee at work.", "I drink tea, never coffee."
    )

    feedback = attribute(
        recall, "A coffee, as at work.", "No, I drink tea, not coffee. I told you."
    )

    assert (feedback.corrected, feedback.used) == (("0",), ("1",))


def test_a_no_that_answers_a_question_corrects_nothing():
    """Where the model asked, "no" refuses its offer and not what it said before."""
    recall = recalled("Where do I live?", LYON)
    answer = "You live in Lyon. Shall I look up the weather?"

    feedback = attribute(recall, answer, "No, tell me a joke instead.")

    assert (feedback.corrected, feedback.used) == ((), ("0",))


def test_going_on_with_actually_takes_nothing_back():
    """Who says more of Lyon after "actually" agrees; who moved to Oslo doesn't."""
    recall = recalled("Where did I move to?", LYON, CAT)

    def after(words):
        return attribute(recall, "You moved to Lyon.", words).corrected

    assert after("Actually, Lyon is lovely, and I moved with my cat.") == ()
    assert after("I said so, Lyon it is, I love the food there.") == ()
    assert after("Actually, I moved to Oslo.") == ("0",)
    assert after("Actually, I didn't move to Lyon.") == ("0",)


def test_a_denial_of_more_than_was_told_takes_nothing_back():
    """Who drinks no tea after six, or can't drink it now, likes tea all the same."""
    recall = recalled("What do I drink?", TEA)

    def after(words):
        return attribute(recall, "You drink black tea.", words).corrected

    assert after("I no longer drink tea after six.") == ()
    assert after("Actually, I can't drink tea now.") == ()
    assert after("I no longer drink tea.") == ("0",)


def test_nothing_is_charged_where_nothing_can_be_told():
    """After "Yes, you do." no memory is used and none is ignored."""
    recall = recalled("Do I drink tea?", TEA, CAT)

    assert attribute(recall, "Yes, you do.").outcomes() == {}


def test_a_denial_finds_its_memory_where_the_answer_said_nothing():
    """After "Yes, you do.", "I don't drink tea any more" still corrects the tea."""
    recall = recalled("Do I drink tea?", TEA, CAT)

    feedback = attribute(recall, "Yes, you do.", "No, I don't drink tea any more.")

    assert feedback.corrected == ("0",)


def test_the_hand_labelled_corrections_are_told_apart():
    """Of 100 memories that were taken back, ten are missed; no other is corrected."""
    found = []
    for case in CASES["corrected"]:
        recall = recalled(case["cue"], *case["hits"])
        feedback = attribute(recall, case["answer"], case["next"])
        found.append((feedback.corrected, case["corrected"]))

    _, wrong, missed = counts(found)
    assert wrong == 0
    assert missed <= 10


texts = st.text(max_size=200) | st.sampled_from([LYON, CAT, TEA, "No, not Lyon."])


@given(hits=st.lists(texts, max_size=5), cue=texts, answer=texts, following=texts)
def test_a_memory_has_at_most_one_outcome_and_only_if_it_was_shown(
    hits, cue, answer, following
):
    """Whatever is said, outcomes are of what was shown, one for each at most."""
    feedback = attribute(recalled(cue, *hits), answer, following)

    named = [*feedback.used, *feedback.ignored, *feedback.corrected]
    assert len(named) == len(set(named))
    assert set(named) <= {str(n) for n in range(len(hits))}


def test_a_correction_is_not_looked_for_beyond_its_first_lines():
    """A page that was pasted takes nothing back, and costs no time."""
    page = "not " * 250_000 + "any more"

    assert not takes_back("Look at this. " + page, "You live in Lyon.")
