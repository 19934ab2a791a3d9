"""psm: the command line. Every command is here, with the example its help shows."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import psm_core
from psm_core.cli import evaluate, keep, learning, look, measure, training, walk
from psm_core.cli.screen import say
from psm_core.errors import PSMError

INTERRUPTED = 130
"""Exit code of what was stopped with Ctrl-C; 128 and the number of the signal."""


TERMINATED = 143
"""Exit code of what was ended from outside, likewise."""


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(TERMINATED)


class _OneLine(TyperGroup):
    """Says our own errors in one line; a traceback is for bugs."""

    def invoke(self, ctx: Any) -> Any:
        # Whoever ends us politely leaves no throw-away home behind.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, _terminated)
        # What somebody once said may hold letters that this terminal lacks.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError):
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        try:
            return super().invoke(ctx)
        except PSMError as fault:
            say(f"psm: {fault}")
            raise typer.Exit(1) from fault
        except KeyboardInterrupt as stop:
            say(f"psm: stopped; {stop or 'what was done before is safe'}")
            raise typer.Exit(INTERRUPTED) from stop


app = typer.Typer(
    cls=_OneLine,
    help="A memory for one person: hear, recall, sleep, and look at what it holds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"psm {psm_core.__version__}")
        raise typer.Exit


@app.callback()
def _psm(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("demo", walk.demo, "psm demo"),
    ("ingest", walk.ingest, "psm ingest conversations.json --user ada"),
    ("recall", walk.recall, 'psm recall "Where does Ada live?" --user ada'),
    ("sleep", walk.sleep, "psm sleep --user ada"),
    ("inspect", look.inspect, "psm inspect --tier semantic --user ada"),
    ("conflicts", look.conflicts, "psm conflicts --resolve c-1f0a --keep new"),
    ("history", look.history, "psm history f-1f0a --user ada"),
    ("explain", look.explain, "psm explain f-1f0a --user ada"),
    ("undo", keep.undo, "psm undo 12 --user ada"),
    ("pin", keep.pin, "psm pin f-1f0a --user ada"),
    ("forget", keep.forget, "psm forget f-1f0a --user ada"),
    ("export", keep.export, "psm export ada.psm --user ada"),
    ("import", keep.import_, "psm import ada.psm --user ada"),
    ("erase", keep.erase, "psm erase --user ada"),
    ("doctor", look.doctor, "psm doctor --user ada"),
    ("rebuild", keep.rebuild, "psm rebuild --user ada"),
    ("plugins", look.plugins, "psm plugins"),
    ("train", training.train, "psm train --out weights"),
    ("learn", learning.learn, "psm learn --home ~/.psm --out learned"),
    ("eval", evaluate.evaluate, "psm eval --data locomo10.json"),
)
"""Name, function, and the example that its help shows."""

for _name, _command, _example in COMMANDS:
    app.command(_name, epilog=f"Example: {_example}")(_command)

app.add_typer(measure.app, name="bench")
