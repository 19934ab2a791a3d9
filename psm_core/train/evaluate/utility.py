"""What is learned from logged reactions alone, beside what careful labels teach."""

from __future__ import annotations

import copy
import functools
import statistics
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch

from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.model.rules import RulePolicy
from psm_core.train.corpus import Life
from psm_core.train.evaluate.asking import AFTER
from psm_core.train.evaluate.leaning import evaluate_leaning
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.logs import outdated, simulated
from psm_core.train.material import Remembered
from psm_core.train.pools import Asked, Asking, asked
from psm_core.train.ranking import imitate, learn_lists, points_of, ranked
from psm_core.train.reinforce import learn_utility

OPERATION = "utility"

LEARNER = "psm"
LOGGING = "logging policy"
SUPERVISED = "full supervision"

WORDS_ALONE = {"bm25": 1.0}
"""Points for each unit of a feature by the policy that is logged: a weak one."""

POINTS = (100, 300, 1_000, 3_000, 10_000)
"""Logged episodes that are learned from."""

SEEDS = 3
"""Logs that are drawn of each size; a question's figure is its mean over them."""

TAUGHT_IN = (Asking(), Asking(crowd=3, seed=1))
"""How the stores are filled whose recalls are logged."""

ASKED_IN = Asking(crowd=3, seed=1, after=AFTER)
"""How those are filled that are measured: fuller ones, where order matters more."""

LEANT_IN = Asking(crowd=3, seed=1)
"""How those are filled in which people lean: asked a month after, for a year after the
last word all that was said is about as faded."""

HIDDEN = 16
"""Numbers in the hidden layer of the rankings."""

Shares: TypeAlias = Mapping[str, Sequence[float]]
"""R@10 of each question, by person."""


def evaluate_utility(
    train: Sequence[Life],
    test: Sequence[Life],
    encoder: Remembered,
    *,
    points: Sequence[int] = POINTS,
) -> list[Measured]:
    """How far reactions to what was shown lead, from a policy that knows words alone.

    Train people are shown what a policy draws that goes by BM25; one reaction in ten
    is the wrong way round.  The learner starts from that policy and sees what was
    logged, nothing else.  Full supervision starts there too and sees every candidate
    with a careful label.

    Args:
        train: People who react.
        test: People whose questions are asked afterwards.
        encoder: Of the stores.
        points: Episodes that are learned from, ascending.

    Returns:
        R@10 of the learner, of the logging policy and of full supervision after 0 and
        each of *points*, and the share of the supervised gain that the learner makes;
        then what people gain by a leaning of their own, over full supervision.
    """
    rules = RulePolicy()
    taught = [a for how in TAUGHT_IN for a in asked(train, encoder, rules, how)]
    questions = [a for a in asked(test, encoder, rules, ASKED_IN) if a.sources]
    logging = weak(taught)
    supervised = copy.deepcopy(logging)
    learn_lists(supervised, taught, 0)
    low, high = _shares(logging, questions), _shares(supervised, questions)
    found = []
    for episodes in (0, *points):
        own = _learned(logging, taught, train, episodes, questions) if episodes else low
        for system, shares in ((LEARNER, own), (LOGGING, low), (SUPERVISED, high)):
            measure = f"R@10 after {episodes:,} episodes"
            found.append(measured(OPERATION, measure, system, shares))
        if episodes:
            cases = {
                name: list(zip(own[name], low[name], high[name], strict=True))
                for name in own
            }
            measure = f"share of the supervised gain, {episodes:,} episodes"
            found.append(measured(OPERATION, measure, LEARNER, cases, gained))
    lately = asked(test, encoder, rules, LEANT_IN)
    return found + evaluate_leaning(supervised, lately)


def weak(questions: Sequence[Asked]) -> Ranking:
    """A ranking that goes by the words of the cue alone."""
    torch.manual_seed(0)
    ranking = Ranking(len(LEARNED_NAMES), HIDDEN)
    imitate(ranking, questions)
    weights = [WORDS_ALONE.get(name, 0.0) for name in LEARNED_NAMES]
    with torch.no_grad():
        ranking.linear.weight.copy_(torch.tensor([weights]))
    return ranking.eval()


def gained(cases: Sequence[tuple[float, float, float]]) -> float:
    """The share of a gain that was made; 0 where there was none to make.

    Args:
        cases: Of each question what the learner reached, where it started, and what
            full supervision reached.

    >>> gained([(0.75, 0.5, 1.0), (1.0, 0.5, 1.0)])
    0.75
    """
    own, low, high = (statistics.fmean(column) for column in zip(*cases, strict=True))
    return (own - low) / (high - low) if high > low else 0.0


def _learned(
    logging: Ranking,
    taught: Sequence[Asked],
    train: Sequence[Life],
    episodes: int,
    questions: Sequence[Asked],
) -> Shares:
    """What the learner reaches after so many episodes, mean over `SEEDS` logs."""
    points, misleading = functools.partial(points_of, logging), outdated(train)
    each = []
    for seed in range(SEEDS):
        logged = simulated(taught, points, episodes, seed, misleading=misleading)
        learner = copy.deepcopy(logging)
        learn_utility(learner, logged, seed)
        each.append(_shares(learner, questions))
    return {
        name: [statistics.fmean(q) for q in zip(*(e[name] for e in each), strict=True)]
        for name in each[0]
    }


def _shares(ranking: Ranking, questions: Sequence[Asked]) -> Shares:
    found: dict[str, list[float]] = {}
    for one, own in zip(questions, ranked(ranking, questions), strict=True):
        found.setdefault(one.person, []).append(own.recall_10)
    return found
