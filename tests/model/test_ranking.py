"""The heads over a pool: points that start as a plain sum, and what doubt is read off."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model.ranking import FIT, Ranking, fit_of


def ranking(features=5, hidden=3):
    torch.manual_seed(0)
    return Ranking(features, hidden)


def test_a_ranking_starts_as_its_linear_part():
    """Before anything is learned the hidden layer adds nothing, whatever comes in."""
    fresh, table = ranking().eval(), torch.randn(4, 7, 5)

    assert torch.equal(fresh(table), fresh.linear(table).squeeze(-1))


def test_dropping_units_changes_nothing_at_the_start():
    """In training mode too: what adds nothing adds nothing with holes in it."""
    fresh, table = ranking().train(), torch.randn(7, 5)

    assert torch.equal(fresh(table), fresh.linear(table).squeeze(-1))


@pytest.mark.parametrize("shape", [(5,), (1, 5), (7, 5), (2, 7, 5)])
def test_there_is_a_point_for_each_candidate(shape):
    """(..., K, F) features give (..., K) points."""
    assert ranking()(torch.zeros(shape)).shape == shape[:-1]


def test_points_are_the_sum_of_both_parts():
    """3 · 2 by the line, and gelu(2 / 4 · 1) · 10 by the correction."""
    one = ranking(1, 1).eval()
    with torch.no_grad():
        one.linear.weight.fill_(3.0)
        one.scale.fill_(4.0)
        one.hidden.weight.fill_(1.0)
        one.hidden.bias.fill_(0.0)
        one.out.weight.fill_(10.0)
        one.out.bias.fill_(0.5)

    points = one(torch.tensor([[2.0]])).detach()

    assert points.item() == pytest.approx(3 * 2 + 10 * 0.345731 + 0.5, abs=1e-4)


def test_a_candidate_s_points_depend_on_no_other():
    """What stands beside it is in its features already."""
    learned, table = ranking().eval(), torch.randn(6, 5)
    with torch.no_grad():
        learned.out.weight.normal_()

    together = learned(table)

    for row in range(6):
        torch.testing.assert_close(learned(table[row : row + 1])[0], together[row])


def test_no_step_moves_the_scale():
    """It is measured, not learned."""
    assert not ranking().scale.requires_grad


# ------------------------------------------------------------------ what doubt reads


def test_what_the_abstention_head_sees(candidate, cue):
    """Each number, by hand: best fits, margins, the first one's own fit, who speaks."""
    pool = [
        candidate("a", cosine=0.2, covered=1.0, speaker="Ada"),
        candidate("b", cosine=0.9, covered=0.0, speaker="Bob"),
        candidate("c", cosine=0.5, covered=0.5, speaker="Bob"),
    ]

    seen = fit_of(cue("q", named=["bob"]), pool, np.array([7.0, 1.0, 2.0], np.float32))

    assert dict(zip(FIT, seen.tolist(), strict=True)) == pytest.approx(
        {
            "cosine": 0.9,
            "covered": 1.0,
            "fit": 0.9,
            "margin": 1.2,  # from 7 down to the last of three, over 5
            "certain": 0.7,  # the first is near by 0.2 and covers all words
            "points": 0.7,  # those of the first, over 10
            "ahead": 1.0,  # from 7 down to 2, over 5
            "named": 1.0,
            "named_first": 0.0,  # Ada says what stands first
            "named_share": 0.666667,
        },
        abs=1e-5,
    )
    assert seen.dtype == np.float32


def test_the_margin_is_to_the_sixth(candidate, cue):
    """Five may answer one question; how far the best stands above the next says more."""
    pool = [candidate("x", cosine=0.1) for _ in range(8)]

    seen = fit_of(cue("q"), pool, np.array([9, 8, 8, 8, 8, 4, 1, 1], np.float32))

    assert seen[FIT.index("margin")] == pytest.approx((9 - 4) / 5)


def test_one_candidate_stands_above_nobody(candidate, cue):
    """On the first day margins are 0."""
    pool = [candidate("a", cosine=0.4, covered=0.2)]

    seen = fit_of(cue("q"), pool, np.array([3.0], np.float32))

    assert seen.tolist() == pytest.approx([0.4, 0.2, 0.5, 0, 0.5, 0.3, 0, 0, 0, 0])


@given(
    points=st.lists(st.integers(-50, 50), min_size=2, max_size=12, unique=True),
    data=st.data(),
)
def test_the_order_of_candidates_changes_no_fit(points, data, candidate, cue):
    """What is read off a pool doesn't depend on its rows, and is finite."""
    fits = data.draw(
        st.lists(
            st.tuples(st.floats(-1, 1), st.floats(0, 1)),
            min_size=len(points),
            max_size=len(points),
        )
    )
    pool = [candidate("x", cosine=near, covered=words) for near, words in fits]
    order = data.draw(st.permutations(range(len(pool))))
    told = np.array(points, np.float32)

    straight = fit_of(cue("q"), pool, told)
    mixed = fit_of(cue("q"), [pool[n] for n in order], told[list(order)])

    assert np.isfinite(straight).all()
    np.testing.assert_allclose(mixed, straight, atol=1e-6)


def test_what_else_was_proposed_changes_no_fit(candidate, cue):
    """A sleep that takes noise out of the index makes the memory no less sure."""
    pool = [candidate("x", cosine=0.1 * n) for n in range(10)]
    noise = [candidate("haha", cosine=-0.1) for _ in range(40)]
    points = np.arange(10, dtype=np.float32)

    among = fit_of(cue("q"), [*pool, *noise], np.append(points, np.full(40, -9)))

    np.testing.assert_array_equal(among, fit_of(cue("q"), pool, points))


@given(shift=st.floats(-100, 100))
def test_points_that_all_rise_move_one_number(shift, candidate, cue):
    """How sure the ranking is of the first shows in its points, and nowhere else."""
    pool = [candidate("x", cosine=0.1 * n) for n in range(4)]
    points = np.array([4.0, 1.0, 0.5, 3.0], np.float32)

    moved = fit_of(cue("q"), pool, points + np.float32(shift))
    moved -= fit_of(cue("q"), pool, points)

    assert moved[FIT.index("points")] == pytest.approx(shift / 10, abs=1e-4)
    moved[FIT.index("points")] = 0.0
    np.testing.assert_allclose(moved, 0, atol=1e-4)
