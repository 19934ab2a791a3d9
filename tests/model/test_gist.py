"""The gist of a turn is some of its own sentences, and enough of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model import words
from psm_core.model.gist import CARRIED, LIGHT, gist

STORY = (
    "The harbour of Piran smelled of tar and fennel, and the ferry from Trieste "
    "brought salt, lanterns, copper kettles and sleepy goats."
)
NICE = "It was so nice of you all to come along."


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"Hey Mel! {STORY}", STORY),
        (f"{STORY} How are you?", STORY),
        (f"{STORY} Thank you so much!", STORY),
        (f"Hi there! {STORY} How are you? {NICE}", STORY),
        (f"{STORY} {NICE}", STORY),
    ],
)
def test_greetings_thanks_and_what_says_little_can_be_spared(said, kept):
    """What carries the turn is left, word for word."""
    assert gist(said, frozenset({"mel"})) == kept


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Hi there!",
        STORY,
        "Kim stayed. Mel left.",
        "茶が好きです。今日は雨です。",
    ],
)
def test_where_nothing_can_be_spared_the_turn_stays_as_it_is(said):
    """One sentence, or several that each carry something."""
    assert gist(said) == said


@pytest.mark.parametrize("kept", ["I didn't go.", "It was 4 of us.", "Never again."])
def test_a_denial_and_a_number_are_never_spared(kept):
    """Without them the rest may say the contrary, or not how much."""
    assert gist(f"{STORY} {kept}") == f"{STORY} {kept}"
    assert gist(f"{kept} {STORY} How are you?") == f"{kept} {STORY}"


@pytest.mark.parametrize(
    "pasted",
    [
        f"> {STORY}\n> How are you?\n> {NICE}",
        f"```\nprint('hi')\n```\n{STORY} How are you? {NICE}",
        f"Subject: Piran\nHi there! {STORY} How are you?",
    ],
)
def test_what_somebody_else_wrote_stays_whole(pasted):
    """A mail, a quote, code: its sentences aren't the speaker's to weigh."""
    assert gist(pasted) == pasted


def test_quotation_marks_stay_as_they_were_written():
    """What is kept is verbatim to the last mark, curly or straight."""
    story = STORY.replace("sleepy goats", "Ines\u2019s \u201csleepy\u201d goats")

    assert gist(f"Hi there! {story} How are you?") == story


def test_a_text_too_long_to_be_read_whole_stays_whole():
    """What lies beyond the reach of the rules is never spared unread."""
    long = f"Hi there! How are you? {STORY} " * (words.TEXT_MAX // 150)
    assert len(long) > words.TEXT_MAX

    assert gist(long) == long


pieces = st.sampled_from(
    [
        "Hi there!",
        "How are you?",
        "haha ok thanks.",
        STORY,
        NICE,
        "I don't eat fish.",
        "We were 12, I think.",
        "My sister\u2019s cat is called \u201cBasalt\u201d.",
        "I went to yoga on Sunday.",
        "Really?",
        "Wow, that is so good to hear!",
        "...",
        "e.g. this one",
        "Dr. Weiss said no.",
    ]
)


@given(
    st.lists(pieces, max_size=9),
    st.sampled_from([" ", "\n", "  ", "\n\n"]),
    st.booleans(),
)
def test_a_gist_is_some_of_the_sentences_in_their_order(said, between, trail):
    """Each as it was said, with enough of the words, every denial and every number."""
    text = between.join(said) + " " * trail
    left = gist(text)
    sentences, kept = words.sentences(text), words.sentences(left)

    rest = iter(sentences)
    assert all(sentence in rest for sentence in kept)
    told, carried = (
        {w for s in some for w in words.words(s)} - LIGHT for some in (sentences, kept)
    )
    assert carried <= told
    assert len(carried) >= CARRIED * len(told)
    for sentence in sentences:
        if words.negated(sentence) or words.numbers(sentence):
            assert sentence in kept


@given(st.text(max_size=200))
def test_whatever_is_said_has_a_gist(text):
    """Any characters: a text that isn't longer, and the same each time."""
    assert len(gist(text)) <= len(text)
    assert gist(text) == gist(text)
