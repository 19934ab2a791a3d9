"""psm eval: the report card of the trained memory, on a screen."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from psm_core.cli.options import Json
from psm_core.cli.screen import columns, emit, heading, line, say

if TYPE_CHECKING:
    from psm_core.train.evaluate.measured import Measured
    from psm_core.train.evaluate.report import Report
    from psm_core.train.evaluate.targets import Verdict

COLOURS = {
    "aim met": "green",
    "floor met": "green",
    "aim missed": "yellow",
    "missed": "red",
    "not measured": "dim",
}
"""Of what is said of a target."""


class People(StrEnum):
    """Whose lives may be asked about."""

    TEST = "test"
    VALIDATION = "validation"


class Operation(StrEnum):
    """What may be measured."""

    RECALL = "recall"
    GATE = "gate"
    INTERFERENCE = "interference"
    DECAY = "decay"
    CONSOLIDATION = "consolidation"
    UTILITY = "utility"
    CEILING = "ceiling"


def evaluate(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Conversations in LoCoMo's format."
        ),
    ] = None,
    lives: Annotated[
        People, typer.Option(help="Which of the written people are asked.")
    ] = People.TEST,
    operation: Annotated[
        list[Operation] | None,
        typer.Option(help="Only this operation; may be given several times."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="CARD",
            help="The card (.json) of other weights than those that ship.",
        ),
    ] = None,
    backbone: Annotated[
        Path | None,
        typer.Option(exists=True, help="The model that those weights stand on."),
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train each ablated ranking anew.")
    ] = False,
    plots: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write SVG pictures into it.")
    ] = None,
    on_card: Annotated[
        bool, typer.Option("--on-card", help="Write the figures on the card too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """How good the trained memory is at each operation, beside its baselines."""
    if operation == [Operation.CEILING] and data is None:
        raise typer.BadParameter("--operation ceiling needs --data FILE")
    # Brings torch, which `psm --help` can do without.
    card = importlib.import_module("psm_core.train.evaluate.report")
    found: Report = card.report(
        **({"weights": weights} if weights else {}),
        say=say,
        split=lives,
        data=data,
        operations=list(dict.fromkeys(operation or Operation)),
        retrain=retrain,
        backbone=backbone,
    )
    if plots is not None:
        drawn = importlib.import_module("psm_core.train.evaluate.plots")
        for path in drawn.write_plots(found, plots):
            say(f"drawn: {path}")
    if on_card:
        noted = importlib.import_module("psm_core.train.evaluate.noted")
        shipped = importlib.import_module("psm_core.model.policy").SHIPPED
        noted.note(found, weights or shipped)
    emit(as_json, found, *shown(found))


# ------------------------------------------------------------------- how it looks


def shown(report: Report) -> Iterable[RenderableType]:
    """The card as tables: one for each place and operation, the targets last."""
    yield line(f"{report.weights}, on the encoder {report.encoder}", "bold")
    for where, rows in report.rows.items():
        for operation in dict.fromkeys(row.operation for row in rows):
            yield heading(f"{operation}, {where}")
            yield measured([row for row in rows if row.operation == operation])
    yield heading("what it has to reach")
    yield judged(report.verdicts)


def measured(rows: Sequence[Measured]) -> Table:
    """Each figure with its systems under it; the last numbers span the people."""
    table = columns("value", "95 % of resamples", "n", "people from, to", "")
    above = ""
    for row in rows:
        if row.measure != above:
            table.add_row("", "", "", "", Text(row.measure, "bold"))
        above = row.measure
        table.add_row(
            number(row.value),
            f"{number(row.low)} to {number(row.high)}",
            f"{row.n:,}",
            spread(row.people),
            line(f"  {row.system}", "cyan" if row.system == "psm" else ""),
        )
    return table


def number(value: float) -> str:
    """Three digits that tell, whatever the unit.

    >>> number(0.1234), number(12.345), number(-0.04)
    ('.123', '12.3', '-.040')
    """
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def spread(people: Mapping[str, float]) -> str:
    """The lowest and the highest of the people; nothing where there is one.

    >>> spread({"ada": 0.5, "bob": 0.25})
    '.250, .500'
    """
    if len(people) < 2:
        return ""
    return f"{number(min(people.values()))}, {number(max(people.values()))}"


def judged(verdicts: Sequence[Verdict]) -> Table:
    """Each target, what was found, and what to say of it."""
    table = columns("target", "on", "found", "floor", "aim", "")
    for each in verdicts:
        table.add_row(
            each.what,
            each.where,
            *(
                "" if value is None else number(value)
                for value in (each.value, each.floor, each.aim)
            ),
            Text(each.verdict, COLOURS[each.verdict]),
        )
    return table
