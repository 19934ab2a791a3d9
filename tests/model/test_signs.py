"""What a trained head sees of a text beside its vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model.signs import (
    SIGN_NAMES,
    SIGNS,
    SIGNS_HASH,
    Heard,
    known_names,
    signs,
)
from psm_core.types import Turn


def sign(name, text, before=None, known=(), role="user"):
    """One sign of one text, said by Ada."""
    heard = Heard(text, "Ada", role, before, frozenset(known))
    return float(signs(heard)[SIGN_NAMES.index(name)])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("first_person", "I moved to Lyon.", 1.0),
        ("first_person", "The bus was late.", 0.0),
        ("first_share", "I moved. The bus was late.", 0.5),
        ("asking", "How are you? I am fine.", 0.5),
        ("only_asks", "I am fine. How are you?", 1.0),
        ("only_asks", "Really? I am fine.", 0.0),
        ("exclaiming", "Great! I won! We ate.", 2 / 3),
        ("hedged", "I might get a dog.", 1.0),
        ("negated", "I don't drink tea.", 1.0),
        ("timed", "It was on Monday.", 1.0),
        ("small_talk", "Thanks! I moved to Lyon.", 0.5),
        ("past", "She left and wrote to us.", 2 / 5),
        ("others", "She told him.", 2 / 3),
        ("assistant", "I am fine.", 0.0),
        ("kind_state", "I work as a nurse.", 1.0),
        ("kind_event", "I work as a nurse.", 0.0),
    ],
)
def test_a_sign_says_what_its_meaning_promises(name, text, expected):
    """Each sign is the number that its line in the list says."""
    assert sign(name, text) == pytest.approx(expected)


def test_an_answer_is_told_from_what_is_said_unasked():
    """A turn is asked for where somebody else has just asked, and nowhere else."""
    asks = Turn("Where do you live?", speaker="Ben")
    tells = Turn("I live in Rome.", speaker="Ben")
    own = Turn("Where do you live?", speaker="Ada")

    found = [sign("asked", "In Lyon.", before) for before in (asks, tells, own, None)]

    assert found == [1.0, 0.0, 0.0, 0.0]


def test_what_the_turn_before_said_brings_nothing_fresh():
    """Repeating the turn before is no news, and calling somebody by name isn't either."""
    before = Turn("The cello cracked in Ghent.", speaker="Ben")

    assert sign("fresh", "The cello cracked in Ghent.", before) == 0.0
    assert sign("fresh", "Ben!", known={"ben"}) == 0.0
    assert sign("fresh", "The cello cracked in Ghent.") > 0.3


def test_the_gate_hears_the_past_of_the_session_alone():
    """Who spoke lately is known by name, and the last of them stands before."""
    recent = [Turn("hi", speaker="Cy"), Turn("hello", speaker="Ben Ode")]

    heard = Heard.turn(Turn("I live in Lyon.", speaker="Ada"), recent, "Ada")

    assert heard.before == recent[-1]
    assert (
        heard.known
        == known_names(["Ada", "Cy", "Ben Ode"])
        == {
            "ada",
            "cy",
            "ben",
            "ode",
        }
    )
    assert Heard.turn(Turn("hi", speaker="Ada"), []).before is None


@given(st.text(min_size=1, max_size=300), st.sampled_from(["user", "assistant"]))
def test_every_text_gives_finite_numbers_near_one(text, role):
    """No text, however odd, gives a number that training couldn't have met."""
    before = Turn("Where do you live?", speaker="Ben")

    row = signs(Heard(text, "Ada", role, before))

    assert row.dtype == np.float32
    assert row.shape == (len(SIGNS),)
    assert np.isfinite(row).all()
    assert (row >= 0).all()
    assert (row <= 2).all()


def test_no_two_signs_share_a_name():
    """A name finds one column, and the digest is that of the list."""
    assert len(set(SIGN_NAMES)) == len(SIGNS)
    assert len(SIGNS_HASH) == 16
