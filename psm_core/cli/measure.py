"""Commands that measure: psm bench speed, recall, sleep, facts, nights."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from psm_core.cli.options import Json
from psm_core.cli.screen import DIM, columns, emit, line, plain, say

app = typer.Typer(
    help="What the walks cost, what a recall finds, what a sleep saves.",
    no_args_is_help=True,
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


@app.command(epilog="Example: psm bench sleep --data locomo10.json")
def sleep(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Conversations in LoCoMo's format."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """What a sleep saves, and what it costs.  The ten test people by default."""
    bench = importlib.import_module("psm_core.bench.sleep")
    rows, told = bench.sleep(data, on_step=say)
    table = columns(
        "keeps", "tokens", "own words", "kept", "R@10", "in 1,000 tokens", "a second"
    )
    for row in rows:
        table.add_row(
            f"{row.share:.0%}",
            f"{row.tokens:.3f}",
            f"{row.own_words:.3f}",
            f"{row.kept:.3f}",
            " to ".join(f"{value:.3f}" for value in row.recall_10),
            " to ".join(f"{value:.3f}" for value in row.read),
            f"{row.a_second:,.0f}",
        )
    found = columns("what the sleeps found", "share")
    if told is not None:
        for name, value in plain(told).items():
            shown = f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
            found.add_row(name, shown)
    value = {"shares": [plain(row) for row in rows], "told": plain(told)}
    emit(as_json, value, table, *([found] if told is not None else []))


@app.command(epilog="Example: psm bench nights --years 3")
def nights(
    *,
    years: Annotated[float, typer.Option(min=0.1, help="How long the life is.")] = 3.0,
    turns: Annotated[int, typer.Option(min=100, help="Turns of it.")] = 20_000,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, as SVG.")
    ] = None,
    as_json: Json = False,
) -> None:
    """A life of years, slept on every night: what a night costs, month by month."""
    bench = importlib.import_module("psm_core.bench.nights")
    course = bench.nights(turns, years, on_step=say)
    table = columns(
        "month", "turns", "a night, ms", "an episode, ms", "recall, ms",
        "indexed", "archived", "facts", "MiB",
    )  # fmt: skip
    for month in course:
        table.add_row(
            str(month.number),
            f"{month.turns:,}",
            f"{month.night:.0f}",
            f"{month.an_episode:.1f}",
            f"{month.recall:.1f}",
            f"{month.indexed:,}",
            f"{month.archived:,}",
            f"{month.facts:,}",
            f"{month.bytes / 2**20:.1f}",
        )
    if plot is not None:
        bench.plot(course, plot)
    emit(as_json, [plain(month) for month in course], table)


@app.command(epilog="Example: psm bench facts --count 20")
def facts(
    *,
    count: Annotated[int, typer.Option(min=1, help="How many are drawn.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 4,
    as_json: Json = False,
) -> None:
    """Facts that sleeps left, drawn at random, beside the turns they rest on."""
    bench = importlib.import_module("psm_core.bench.facts")
    drawn, of = bench.facts(count, seed, on_step=say)
    table = columns("", "life", "sure", "fact, and what was said")
    for number, fact in enumerate(drawn, 1):
        said = [line(f"“{text}”", DIM) for text in fact.said]
        table.add_row(
            str(number),
            fact.life,
            f"{fact.confidence:.2f}",
            Group(line(fact.text, "bold"), *said),
        )
    emit(as_json, {"of": of, "facts": [plain(fact) for fact in drawn]}, table)
