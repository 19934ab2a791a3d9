"""psm learn: new weights from the journals of real stores, if they prove themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType

from psm_core.cli.options import Home, Json
from psm_core.cli.screen import columns, emit, line, say
from psm_core.config import Config

if TYPE_CHECKING:
    from psm_core.train.proposing import Proposal


def learn(
    *,
    home: Home = None,
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Where new weights are put.")
    ] = Path("psm-learned"),
    weights: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="CARD",
            help="The card (.json) of other weights than those that ship.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 0,
    as_json: Json = False,
) -> None:
    """Learn from what was used and what wasn't; refuses weights that are no better."""
    # Brings torch, which `psm --help` can do without.
    proposing = importlib.import_module("psm_core.train.proposing")
    found: Proposal = proposing.propose(
        Config.load(home=home).home,
        out,
        **({"weights": weights} if weights else {}),
        seed=seed,
        say=say,
    )
    emit(as_json, found, *shown(found))
    if found.refused:
        say(f"psm: nothing was written: {found.refused}")
        raise typer.Exit(1)


def shown(proposal: Proposal) -> Iterable[RenderableType]:
    """What was read, what both weights earn, and where the new ones lie."""
    counts = columns("", "")
    for count, what in (
        (proposal.rows, "rows in the journals"),
        (proposal.foreign, "left out: they hold other features"),
        (proposal.alone, "left out: nothing stands beside them"),
        (proposal.recalls, "recalls tell of an order"),
        (proposal.people, "people are they of"),
    ):
        counts.add_row(f"{count:,}", what)
    yield counts
    if (proof := proposal.proof) is not None:
        figures = columns("earned on what was held out", "", "95 % of resamples")
        figures.add_row("old weights", f"{proof.old:.3f}", "")
        figures.add_row("new weights", f"{proof.new:.3f}", "")
        spread = f"{proof.low:+.3f} to {proof.high:+.3f}"
        figures.add_row("gain", f"{proof.new - proof.old:+.3f}", spread)
        yield figures
    if proposal.card is not None:
        yield line(f"{proposal.card}: the card of the new weights.")
