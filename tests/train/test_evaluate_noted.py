"""The card carries the figures that were measured, beside the rules'."""

import pytest

from psm_core.errors import WeightsError
from psm_core.model.card import Card
from psm_core.train.evaluate.measured import Measured
from psm_core.train.evaluate.noted import note, noted
from psm_core.train.evaluate.report import Report


def row(operation, measure, system, value):
    return Measured(operation, measure, system, value, value - 0.1, value + 0.1, 9, {})


def report(*rows):
    return Report("tiny-1", "hash-64", {"people": list(rows)}, [])


RECALL = report(
    row("recall", "R@10", "psm", 0.8),
    row("recall", "R@10", "rules", 0.7),
    row("recall", "R@10", "cosine", 0.5),
    row("recall", "evidence where 0.81 was said", "psm", 0.79),
)


def test_the_card_says_what_was_reached_and_what_the_rules_reach():
    """Value, interval, cases and the rules' figure; other baselines stay in the report."""
    assert noted(RECALL)["people"]["recall"] == {
        "R@10": {"value": 0.8, "from": 0.7, "to": 0.9, "n": 9, "rules": 0.7},
        "evidence where 0.81 was said": {
            "value": 0.79,
            "from": 0.69,
            "to": 0.89,
            "n": 9,
        },
    }


def test_noting_one_operation_leaves_the_others(tmp_path):
    """Figures of the gate don't take those of recall off the card, nor anything else."""
    Card("tiny", "hash-64", thresholds={"answer": 0.4}).write(tmp_path, {"width": 64})
    note(RECALL, tmp_path / "tiny.json")

    note(report(row("gate", "AUC of keep", "psm", 0.9)), tmp_path / "tiny.json")

    card = Card.read(tmp_path, "tiny")
    assert sorted(card.metrics["people"]) == ["gate", "recall"]
    assert card.metrics["people"]["recall"]["R@10"]["value"] == 0.8
    assert (card.thresholds, card.shape) == ({"answer": 0.4}, {"width": 64})


def test_there_must_be_a_card(tmp_path):
    """Without a card nothing is written, and the error names the file."""
    with pytest.raises(WeightsError, match="tiny.json"):
        note(RECALL, tmp_path / "tiny.json")

    assert not list(tmp_path.iterdir())
