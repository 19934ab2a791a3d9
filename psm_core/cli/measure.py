"""Commands that measure: psm bench speed."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer
from rich.text import Text

from psm_core.cli.options import Json
from psm_core.cli.screen import columns, emit, plain, say

app = typer.Typer(
    help="What the walks cost on this machine, as ratios.", no_args_is_help=True
)


@app.command(epilog="Example: psm bench speed --quick")
def speed(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="A tenth of the sizes, to see that it runs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Each walk beside the part of it that can't be avoided."""
    # Brings torch and SQLAlchemy, which `psm --help` can do without.
    bench = importlib.import_module("psm_core.bench.speed")
    figures = bench.speed(quick=quick, on_step=say)
    table = columns("figure", "value", "target", "")
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        table.add_row(
            figure.name,
            f"{figure.value:.2f} {figure.unit}",
            f"{sign} {figure.target:g}",
            Text("met", "green") if figure.met else Text("missed", "red"),
        )
    emit(as_json, [plain(each) | {"met": each.met} for each in figures], table)
