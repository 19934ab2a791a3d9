"""The figures that a card carries: what the trained system and the rules reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from psm_core.model.card import Card
from psm_core.train.evaluate.report import Report
from psm_core.train.evaluate.targets import PSM, RULES

DIGITS = 4
"""Of a figure on the card."""


def noted(report: Report) -> dict[str, dict[str, dict[str, Any]]]:
    """What of *report* goes on a card: by place, operation and measure.

    Returns:
        For each measure of the trained system its value, what 95 % of the resamples
        give, how many cases it rests on, and the rules' value where they were
        measured too.  Reliability is among them: "… where 0.81 was said".
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for where, rows in report.rows.items():
        ruled = {r[:2]: round(r.value, DIGITS) for r in rows if r.system == RULES}
        for row in rows:
            if row.system != PSM:
                continue
            said: dict[str, Any] = {
                "value": round(row.value, DIGITS),
                "from": round(row.low, DIGITS),
                "to": round(row.high, DIGITS),
                "n": row.n,
            }
            if row[:2] in ruled:
                said[RULES] = ruled[row[:2]]
            found.setdefault(where, {}).setdefault(row.operation, {})[row.measure] = (
                said
            )
    return found


def note(report: Report, weights: Path) -> None:
    """Write the figures of *report* on the card of the weights that it measured.

    Operations that were not measured this time keep the figures that they have.

    Args:
        report: What was measured.
        weights: The card (.json).

    Raises:
        WeightsError: The card can't be read.
    """
    card = Card.read(weights.parent, weights.stem)
    metrics: dict[str, Mapping[str, Any]] = dict(card.metrics)
    for where, operations in noted(report).items():
        metrics[where] = {**metrics.get(where, {}), **operations}
    replace(card, metrics=metrics).write(weights.parent, card.shape)
