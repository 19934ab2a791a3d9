"""psm train: the curriculum, from written lives to weights."""

from __future__ import annotations

import importlib
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from psm_core.cli.options import Json
from psm_core.cli.screen import emit, line, say


class Stage(StrEnum):
    """What is trained one after the other; each stands on those before it."""

    ENCODER = "encoder"
    GATE = "gate"
    INTERFERENCE = "interference"
    DECAY = "decay"
    RECALL = "recall"
    UTILITY = "utility"


def train(
    until: Annotated[
        Stage, typer.Argument(help="The last stage that is trained; all by default.")
    ] = Stage.UTILITY,
    *,
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Where weights and card are put.")
    ] = Path("psm-weights"),
    name: Annotated[str, typer.Option(help="Of the weights.")] = "psm-mini",
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 0,
    feelings: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="A folder with emobank/emobank.csv and goemotions/*.tsv.",
        ),
    ] = None,
    backbone: Annotated[
        Path | None,
        typer.Option(
            exists=True, help="A folder with a model to stand on; a GGUF file too."
        ),
    ] = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Leave the encoder as it is.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train finished stages again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train the skill from the written lives; goes on where it was cut off."""
    # Brings torch, which `psm --help` can do without.
    curriculum = importlib.import_module("psm_core.train.curriculum")
    began = time.perf_counter()

    def told(message: str) -> None:
        say(f"{time.perf_counter() - began:6.0f} s  {message}")

    _, card = curriculum.train(
        curriculum.Training(
            out=out,
            name=name,
            seed=seed,
            feelings=feelings,
            backbone=backbone,
            fresh=fresh,
            adapted=not frozen,
            until=until.value,
        ),
        told,
    )
    emit(as_json, card, line(f"{out / name}.json: the card of the new weights."))
