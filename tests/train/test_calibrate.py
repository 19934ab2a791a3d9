"""Confidence that means what it says: a slope, an offset, and how often it was right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_core.train.calibrate import BINS, Bin, calibration_error, platt, reliability


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def cross_entropy(slope, offset, logits, true):
    """What `platt` makes least: with targets a little inside of 0 and 1."""
    yes, no = true.sum(), (~true).sum()
    target = np.where(true, (yes + 1) / (yes + 2), 1 / (no + 2))
    said = sigmoid(slope * logits + offset)
    return -(target * np.log(said) + (1 - target) * np.log(1 - said)).mean()


# ------------------------------------------------------------------------- platt


def test_a_head_that_says_nothing_is_given_the_share_of_what_is_so():
    """3 of 4 are so and the logit is always 0: the mean of the smoothed targets is said."""
    _, offset = platt(np.zeros(4, np.float32), np.array([True, True, True, False]))

    assert sigmoid(offset) == pytest.approx((3 * 4 / 5 + 1 / 3) / 4, abs=1e-5)


def test_two_values_are_matched_exactly():
    """With one logit for each of two groups, both groups' shares are said."""
    logits = np.array([-1.0] * 10 + [1.0] * 10, np.float32)
    true = np.array([True] * 2 + [False] * 8 + [True] * 7 + [False] * 3)

    slope, offset = platt(logits, true)

    low = (2 * 10 / 11 + 8 * 1 / 13) / 10
    high = (7 * 10 / 11 + 3 * 1 / 13) / 10
    assert sigmoid(offset - slope) == pytest.approx(low, abs=1e-4)
    assert sigmoid(offset + slope) == pytest.approx(high, abs=1e-4)


def test_a_head_that_is_calibrated_is_left_alone():
    """Logits whose sigmoids are the true chances keep slope 1 and offset 0, about."""
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, 20_000)
    true = draw.random(20_000) < sigmoid(logits)

    assert platt(logits, true) == pytest.approx((1.0, 0.0), abs=0.05)


def test_a_head_that_says_double_is_halved():
    """Logits twice too large, and 1 too high, are brought back."""
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, 20_000)
    true = draw.random(20_000) < sigmoid(logits)

    assert platt(2 * logits + 1, true) == pytest.approx((0.5, -0.5), abs=0.05)


def test_no_other_slope_and_offset_fit_better():
    """A step in any direction raises the cross entropy."""
    draw = np.random.default_rng(1)
    logits, true = draw.normal(0, 3, 400), draw.random(400) < 0.3

    slope, offset = platt(logits, true)

    least = cross_entropy(slope, offset, logits, true)
    for step in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        moved = cross_entropy(slope + step[0], offset + step[1], logits, true)
        assert moved > least


@pytest.mark.parametrize("true", [[True] * 5, [False] * 5])
def test_where_all_are_so_or_none_is_nobody_is_certain(true):
    """Five of five are said as 6/7 about, never as 1: a sixth may be otherwise."""
    logits = np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32)

    slope, offset = platt(logits, np.array(true))

    said = sigmoid(slope * logits + offset).mean()
    assert said == pytest.approx(6 / 7 if true[0] else 1 / 7, abs=0.01)


def test_what_is_told_apart_without_fault_stays_a_number():
    """Separable cases give finite slope and offset, with probabilities inside (0, 1)."""
    logits = np.array([-5.0, -4.0, 4.0, 5.0], np.float32)

    slope, offset = platt(logits, logits > 0)

    assert math.isfinite(slope)
    assert math.isfinite(offset)
    assert all(0 < p < 1 for p in sigmoid(slope * logits + offset))


@settings(deadline=None, max_examples=60)
@given(
    cases=st.lists(
        st.tuples(st.floats(-30, 30, width=32), st.booleans()), min_size=1, max_size=40
    )
)
def test_the_order_of_a_head_is_never_turned(cases):
    """Even a head that is wrong more often than right keeps its order: slope > 0."""
    logits = np.array([c[0] for c in cases], np.float32)

    slope, offset = platt(logits, np.array([c[1] for c in cases]))

    assert slope > 0
    assert math.isfinite(slope)
    assert math.isfinite(offset)
    calibrated = slope * np.sort(logits.astype(np.float64)) + offset
    assert (np.diff(calibrated) >= 0).all()


def test_a_head_that_is_turned_round_becomes_unsure():
    """Where every answer is wrong, all that honesty can say is the share that is so."""
    logits = np.array([-2.0, -1.0, 1.0, 2.0] * 25, np.float32)

    slope, offset = platt(logits, logits < 0)

    assert 0 < slope < 0.01
    assert sigmoid(offset) == pytest.approx(0.5, abs=0.01)


# ------------------------------------------------------------------------ reliability


def test_each_bin_says_what_was_said_and_what_was_so():
    """Five cases in three bins of ten, each with its mean, its share and its count."""
    said = np.array([0.05, 0.62, 0.68, 0.92, 0.98], np.float32)
    true = np.array([False, True, False, True, True])

    found = reliability(said, true)

    expected = [Bin(0.05, 0.0, 1), Bin(0.65, 0.5, 2), Bin(0.95, 1.0, 2)]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other)


def test_certainty_falls_into_the_last_bin():
    """A probability of exactly 1 is counted with those above 0.9, and 0 in the first."""
    found = reliability(np.array([0.0, 1.0], np.float32), np.array([False, True]))

    assert found == [Bin(0.0, 0.0, 1), Bin(1.0, 1.0, 1)]


def test_the_number_of_bins_can_be_chosen():
    """With one bin there is one row: the mean of all and the share of all."""
    said = np.array([0.2, 0.4, 0.9], np.float32)

    (only,) = reliability(said, np.array([True, False, True]), bins=1)

    assert only == pytest.approx((0.5, 2 / 3, 3))


@given(
    cases=st.lists(
        st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=60
    )
)
def test_no_case_is_lost(cases):
    """Every case stands in one bin, bins come in order, and no bin is empty."""
    said = np.array([c[0] for c in cases], np.float32)
    true = np.array([c[1] for c in cases])

    found = reliability(said, true)

    assert sum(b.n for b in found) == len(cases)
    assert all(b.n > 0 for b in found)
    assert len(found) <= BINS
    assert [b.said for b in found] == sorted(b.said for b in found)
    assert sum(b.true * b.n for b in found) == pytest.approx(true.sum())
    assert 0 <= calibration_error(said, true) <= 1


# ------------------------------------------------------------------ calibration error


@pytest.mark.parametrize(
    ("said", "true", "expected"),
    [
        ([0.0, 1.0], [False, True], 0.0),
        ([0.0, 1.0], [True, False], 1.0),
        ([0.75] * 4, [True, True, True, False], 0.0),
        ([0.75] * 4, [True, True, False, False], 0.25),
        ([0.25, 0.95], [False, True], (0.25 + 0.05) / 2),
        ([0.15, 0.95, 0.95, 0.95], [True, True, True, True], (0.85 + 3 * 0.05) / 4),
    ],
)
def test_the_error_is_the_mean_distance(said, true, expected):
    """Each bin counts by its cases: what was said less what was so, without sign."""
    error = calibration_error(np.array(said, np.float32), np.array(true))

    assert error == pytest.approx(expected, abs=1e-6)


def test_calibrating_makes_the_error_small():
    """A head that exaggerates is off by a tenth before, and by a fiftieth after."""
    draw = np.random.default_rng(3)
    logits = draw.normal(0, 1, 4000)
    true = draw.random(4000) < sigmoid(logits)
    loud = 4 * logits

    slope, offset = platt(loud, true)

    assert calibration_error(sigmoid(loud), true) > 0.1
    assert calibration_error(sigmoid(slope * loud + offset), true) < 0.02
