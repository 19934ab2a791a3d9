"""recall(without=): what stands in view anyway is left out, and speaks for nothing."""

import pytest

from psm_core import Turn

KNOWN = [
    "I live in Lyon.",
    "Nice to meet you, Ada.",
    "I'm allergic to peanuts.",
    "I'll keep peanuts out of every recipe.",
]


@pytest.fixture
def ada(memory):
    memory.remember_many([Turn(text, session="earlier") for text in KNOWN])
    return memory


@pytest.mark.parametrize(
    ("cue", "surfaces"),
    [
        ("I have a dog named Bruno.", set()),
        ("Hm, zeppelins!", set()),
        ("What am I allergic to?", {"I'm allergic to peanuts."}),
        ("Lyon?", {"I live in Lyon."}),
    ],
)
def test_a_cue_that_was_just_heard_brings_back_what_it_would_have_before(
    ada, cue, surfaces
):
    """Whether a program remembers the words first or asks first, the answer is one."""
    before = {hit.text for hit in ada.recall(cue).hits}
    ada.remember(Turn(cue, session="now", id="now"))

    after = {hit.text for hit in ada.recall(cue, without={"now"}).hits}

    assert after == before
    assert surfaces <= before
    assert surfaces or not before


def test_all_in_view_is_nothing(ada):
    """Then nothing comes back, and nothing is logged as shown."""
    everything = {entry.id for entry in ada.entries()}

    assert ada.recall("Where do I live?", without=everything).hits == ()
    assert sum(entry.recalled for entry in ada.entries()) == 0
