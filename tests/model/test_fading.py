"""How long a memory lasts, and what makes it last longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model.fading import BASE, half_life
from psm_core.strength import HALF_LIFE_MAX, HALF_LIFE_MIN
from psm_core.types import Kind, Tier


@pytest.mark.parametrize(
    ("fields", "days"),
    [
        ({"kind": Kind.TALK}, 3),
        ({"kind": Kind.QUESTION}, 5),
        ({"kind": Kind.PLAN}, 45),
        ({"kind": Kind.EVENT}, 120),
        ({"kind": Kind.PREFERENCE}, 365),
        ({"kind": Kind.STATE}, 540),
        ({"kind": Kind.EVENT, "emotion": 1.0}, 240),
        ({"kind": Kind.EVENT, "used": 1, "recalled": 1}, 181),
        ({"kind": Kind.EVENT, "used": 7, "recalled": 7}, 417),
        ({"kind": Kind.EVENT, "recalled": 2}, 97),
        ({"kind": Kind.EVENT, "corrected": 1, "recalled": 1}, 60),
        ({"kind": Kind.EVENT, "mentions": 3}, 166),
        ({"kind": Kind.EVENT, "tier": Tier.SEMANTIC}, 240),
    ],
)
def test_kind_and_history_decide_the_half_life(fields, days, entry):
    """States outlast talk; use, emotion and repetition lengthen, corrections halve."""
    assert half_life(entry("plain words", **fields)).days == days


def test_what_was_only_possible_fades_twice_as_fast(entry):
    """A maybe lasts half as long as a plan."""
    sure = entry("I'm going to get a dog", kind=Kind.PLAN)
    maybe = entry("I might get a dog", kind=Kind.PLAN)

    assert half_life(maybe) == half_life(sure) / 2


def test_what_is_pinned_lasts(entry):
    """A pinned memory has the longest half-life there is."""
    assert half_life(entry("ok", pinned=True, corrected=9)) == HALF_LIFE_MAX


@given(
    kind=st.sampled_from(list(BASE)),
    counts=st.tuples(*[st.integers(0, 10**9)] * 4),
    emotion=st.floats(0, 1),
)
def test_any_history_gives_a_half_life_in_range(kind, counts, emotion, entry):
    """However often something was shown or used, its half-life stays a half-life."""
    recalled, used, corrected, mentions = counts
    found = half_life(
        entry(
            "words",
            kind=kind,
            recalled=recalled,
            used=used,
            corrected=corrected,
            mentions=mentions,
            emotion=emotion,
        )
    )

    assert HALF_LIFE_MIN <= found <= HALF_LIFE_MAX


@given(used=st.integers(0, 50), emotion=st.floats(0, 0.9))
def test_use_and_emotion_never_shorten(used, emotion, entry):
    """One more use, or more feeling, never makes a memory fade faster."""
    before = half_life(entry("words", used=used, recalled=used, emotion=emotion))

    more = half_life(entry("words", used=used + 1, recalled=used + 1, emotion=emotion))
    moved = half_life(entry("words", used=used, recalled=used, emotion=emotion + 0.1))

    assert more >= before - timedelta(seconds=1)
    assert moved >= before - timedelta(seconds=1)
