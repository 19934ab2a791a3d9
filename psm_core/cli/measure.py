"""Commands that measure: psm bench speed, psm bench recall."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from psm_core.cli.options import Json
from psm_core.cli.screen import columns, emit, plain, say

app = typer.Typer(
    help="What the walks cost, and what a recall finds.", no_args_is_help=True
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


@app.command(epilog="Example: psm bench recall --data locomo10.json")
def recall(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Conversations in LoCoMo's format."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Do the turns that answer a question come back?  Beside cosine, BM25 and RRF."""
    bench = importlib.import_module("psm_core.bench.recall")
    scores = bench.recall(data, on_step=say)
    table = columns("system", "R@5", "R@10", "95 % interval", "nDCG@10", "best in")
    for score in scores:
        table.add_row(
            score.system,
            f"{score.recall_5:.3f}",
            f"{score.recall_10:.3f}",
            f"{score.low:.3f} to {score.high:.3f}",
            f"{score.ndcg_10:.3f}",
            str(score.won),
        )
    emit(as_json, [plain(score) for score in scores], table)
