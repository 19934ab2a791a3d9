"""The arithmetic of forgetting."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.strength import (
    HALF_LIFE_MAX,
    HALF_LIFE_MIN,
    anchored,
    bounded,
    judged,
    retention,
    weakened,
)
from psm_core.types import Outcome, Trace

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

traces = st.builds(
    lambda strength, days, floor: Trace(strength, days * DAY, T0, floor * strength),
    st.floats(0, 1),
    st.floats(0.05, 3650),
    st.floats(0, 1),
)


@pytest.mark.parametrize(
    ("days", "expected"), [(0, 0.8), (7, 0.4), (14, 0.2), (-3, 0.8)]
)
def test_strength_halves_every_half_life(days, expected):
    """A memory of half-life 7 d keeps 1/2 after 7 d, 1/4 after 14; the past is no gain."""
    trace = Trace(strength=0.8, half_life=7 * DAY, anchored_at=T0)

    assert retention(trace, T0 + days * DAY) == pytest.approx(expected)


def test_what_lies_under_the_floor_does_not_fade():
    """With strength 0.9 and floor 0.1, one half-life leaves 0.5 and a century 0.1."""
    trace = Trace(strength=0.9, half_life=7 * DAY, anchored_at=T0, floor=0.1)

    assert retention(trace, T0 + 7 * DAY) == pytest.approx(0.5)
    assert retention(trace, T0 + 36500 * DAY) == pytest.approx(0.1)


@given(trace=traces, nap=st.floats(0, 365), rest=st.floats(0, 365))
def test_two_naps_fade_as_much_as_one_sleep(trace, nap, rest):
    """Re-anchoring on the way never changes where a memory ends up."""
    end = T0 + (nap + rest) * DAY

    on_the_way = anchored(trace, T0 + nap * DAY)

    assert retention(on_the_way, end) == pytest.approx(retention(trace, end), abs=1e-9)


@given(trace=traces, days=st.floats(0, 3650))
def test_anchoring_twice_at_one_instant_changes_nothing(trace, days):
    """Sleeping twice at one time is sleeping once."""
    once = anchored(trace, T0 + days * DAY)

    assert anchored(once, T0 + days * DAY) == once


@given(trace=traces, days=st.floats(-10, 3650), outcome=st.sampled_from(Outcome))
def test_strength_stays_between_nothing_and_one(trace, days, outcome):
    """No outcome at any time moves a strength out of [0, 1]."""
    after = judged(trace, outcome, T0 + days * DAY)

    assert 0 <= retention(after, T0 + days * DAY) <= 1


@given(trace=traces)
def test_a_correction_is_the_strongest_negative(trace):
    """Used strengthens, ignored weakens, corrected weakens more than ignored."""
    used, ignored, corrected = (
        judged(trace, o, T0).strength
        for o in (Outcome.USED, Outcome.IGNORED, Outcome.CORRECTED)
    )

    assert corrected <= ignored <= trace.strength <= used


def test_use_restores_a_share_of_what_is_missing():
    """A used memory of strength 0.5 has 0.65 then, an ignored 0.45, a corrected 0.2."""
    trace = Trace(0.5, 7 * DAY, T0)

    after = {o: judged(trace, o, T0).strength for o in Outcome}

    assert after == pytest.approx(
        {Outcome.USED: 0.65, Outcome.IGNORED: 0.45, Outcome.CORRECTED: 0.2}
    )


def test_a_correction_goes_through_the_floor():
    """What is wrong may fade to nothing, even if it was a lasting fact."""
    trace = Trace(0.5, 7 * DAY, T0, floor=0.4)

    assert judged(trace, Outcome.IGNORED, T0).strength == pytest.approx(0.45)
    assert judged(trace, Outcome.CORRECTED, T0) == Trace(0.2, 7 * DAY, T0, floor=0.0)


def test_weakening_counts_from_what_is_left():
    """A memory of 0.8 that is half gone and loses half has 0.2."""
    trace = Trace(0.8, 7 * DAY, T0)

    after = weakened(trace, 0.5, T0 + 7 * DAY)

    assert after == Trace(pytest.approx(0.2), 7 * DAY, T0 + 7 * DAY)


def test_half_lives_are_bounded():
    """No memory fades within the hour, and none is kept over ten years' half-life."""
    assert bounded(timedelta(0)) == HALF_LIFE_MIN == timedelta(hours=1)
    assert bounded(99999 * DAY) == HALF_LIFE_MAX == 3650 * DAY
    assert bounded(30 * DAY) == 30 * DAY
