"""The figures of interference: what they count, and that they tell good from bad."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.pairs import PAIR_NAMES
from psm_core.model.policy import PSMPolicy
from psm_core.model.relation import MEMBERS
from psm_core.model.rules import RulePolicy
from psm_core.train.corpus import Pair, lives
from psm_core.train.evaluate.interference import evaluate_interference, recall_at
from psm_core.train.evaluate.targets import TARGETS
from psm_core.train.material import Remembered

WRITTEN = (
    ("I live in Rome.", "I moved to Oslo.", "update"),
    ("I'm single.", "I sold my home and moved away.", "update"),
    ("I love opera.", "I hate opera.", "contradiction"),
    ("I like tea.", "I like tea and rice.", "compatible"),
    ("I like dogs.", "I might get a dog.", "hedge"),
    ("I'm vegan.", "I'm vegan.", "duplicate"),
)


@pytest.fixture(scope="module")
def encoder():
    """Vectors without weights."""
    return Remembered(HashEncoder(64))


@pytest.fixture(scope="module")
def life():
    """One life without turns, in which six pairs are labelled."""
    pairs = tuple(Pair("Ada", old, new, is_, None) for old, new, is_ in WRITTEN)
    return replace(lives("train")[0], said=(), pairs=pairs)


@pytest.fixture(scope="module")
def policy(encoder):
    """A policy that takes what turns for a conflict, and knows of nothing else."""
    network = PSM(Shape(encoder.width, project=2, pair=2)).eval()
    with torch.no_grad():
        for weight in network.relation.parameters():
            weight.zero_()
        network.relation.scale.fill_(1.0)
        network.relation.linear[:, 4 + PAIR_NAMES.index("new_turning"), 2] = 8.0
        network.relation.outer_bias.copy_(torch.tensor([2.0, 0, -2, -4]))
    assert len(network.relation.linear) == MEMBERS
    thresholds = {"conflict": 0.5, "duplicate": 0.9}
    card = Card("made", encoder.name, thresholds=thresholds)
    return PSMPolicy(network=(network, card), encoder=encoder)


@pytest.fixture(scope="module")
def figures(policy, life, encoder):
    """Rows by (measure, system)."""
    rows = evaluate_interference([policy, RulePolicy()], [life], encoder)
    found = {(row.measure, row.system): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_trained_policy_is_ranked_below_any_threshold(figures, policy):
    """Both updates stand on top, and the contradiction among the rest, undecided."""
    # Of 3 conflicts two are above all 3 others, one is level with them.
    assert figures["AUC", policy.name].value == pytest.approx((2 * 3 + 3 / 2) / 9)
    assert figures["AUC of updates", policy.name].value == 1.0
    assert figures["AUC of contradictions", policy.name].value == 0.5
    assert figures["recall at precision .9", policy.name].value == pytest.approx(2 / 3)


def test_the_rules_are_ranked_by_the_conflicts_that_they_answer(figures):
    """They find the move and the denial, miss the hint, and flag nothing else."""
    assert figures["AUC", "rules"].value == pytest.approx((2 * 3 + 3 / 2) / 9)
    assert figures["updates found", "rules"].value == 0.5
    assert figures["contradictions found", "rules"].value == 1.0
    assert figures["duplicates found", "rules"].value == 1.0
    assert figures["compatible pairs flagged", "rules"].value == 0.0
    assert figures["conflicts among the flagged", "rules"].value == 1.0
    assert figures["accuracy over four kinds", "rules"].value == pytest.approx(5 / 6)


def test_hard_leaves_out_what_repeats(figures, policy):
    """The hard AUC is counted over conflicts, look-alikes and hedges."""
    assert figures["AUC", policy.name].n == 6
    assert figures["hard AUC", policy.name].n == 5
    assert figures["AUC against duplicate", policy.name].n == 4


def test_every_system_stands_beside_its_baselines(figures, policy):
    """Both AUCs and the recall are there for each policy and both baselines."""
    systems = {policy.name, "rules", "cosine", "cosine and markers"}

    for measure in ("AUC", "hard AUC", "recall at precision .9"):
        assert {s for m, s in figures if m == measure} == systems
    for row in figures.values():
        assert row.operation == "interference"
        assert 0 <= row.low <= row.value <= row.high <= 1


def test_the_targets_find_their_rows(figures, policy):
    """What has to be reached is measured under the names that it is looked up by."""
    rows = [
        row._replace(system="psm")
        for row in figures.values()
        if row.system == policy.name
    ]

    asked = [t for t in TARGETS if t.what.startswith("conflicts")]

    assert [target.of(rows) is not None for target in asked] == [True] * 3


def test_every_pair_stands_in_one_bin_of_honesty(figures, policy):
    """The bins hold all labelled pairs, and all of the conflicts among them."""
    bins = [row for (m, s), row in figures.items() if m.startswith("conflicts where")]

    assert sum(row.n for row in bins) == 6
    assert sum(round(row.value * row.n) for row in bins) == 3


def test_pairs_nobody_labelled_are_drawn_from_the_turns(policy, encoder, shortened):
    """A life with turns has rows for pairs that nobody put together."""
    people = [shortened(lives("validation")[0], sessions=1)]

    rows = evaluate_interference([policy], people, encoder)

    found = {row.measure: row for row in rows if row.system == policy.name}
    assert found["pairs nobody labelled flagged"].n > 20
    assert set(found["AUC"].people) == {people[0].name}


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([(0.9, 1), (0.8, 1), (0.7, 0), (0.6, 1)], 2 / 3),
        ([(0.9, 0), (0.8, 1)], 0.0),
        ([(0.9, 1), (0.9, 0)], 0.0),
        ([(0.9, 1), (0.1, 1)], 1.0),
        ([(0.9, 0)], 0.0),
    ],
)
def test_recall_is_read_where_precision_holds(cases, expected):
    """Ties are flagged together, and nothing is found where nothing is so."""
    assert recall_at(cases, 0.9) == pytest.approx(expected)
