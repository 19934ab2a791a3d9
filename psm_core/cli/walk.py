"""Commands that walk through a memory: demo, ingest, recall, sleep."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from psm_core.cli import stage, tables
from psm_core.cli.options import DEFAULT, Home, Json, User, found, opened, people
from psm_core.cli.screen import advance, emit, plain, progress, say
from psm_core.config import Config
from psm_core.demo.play import play
from psm_core.ingest import Step, rehearse
from psm_core.ingest import ingest as feed
from psm_core.types import SleepReport


def demo(
    *,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Compare words, not meanings; needs no weights."),
    ] = False,
    as_json: Json = False,
) -> None:
    """See a memory at work: three months of a life, told in a minute.

    Nothing of yours is touched: the memory lives in a home that is thrown away.
    """
    config = Config.load(encoder="hash" if fast else None)
    with progress("living three months") as bars:
        shown = play(config, on_turns=lambda done, total: advance(bars, done, total))
    emit(as_json, shown, stage.shown(shown))


def ingest(
    file: Annotated[
        Path,
        typer.Argument(help="A chat history; - reads JSON lines from a pipe."),
    ],
    *,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Read only this conversation.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the gate would do, and why.")
    ] = False,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Let a memory hear a chat history; hearing it twice stores nothing twice.

    Reads ChatGPT and Claude exports, LangChain messages, LoCoMo, LongMemEval, and JSON
    lines with text, speaker, role, at, session, id.  Stop it and run it again at will.
    """
    source = sys.stdin.buffer if str(file) == "-" else file
    steps: list[Step] = []
    with progress("hearing") as bars:

        def on_step(step: Step) -> None:
            advance(bars, step.so_far.turns, step.so_far.total)
            if dry_run:
                steps.append(step)

        if dry_run:
            config = Config.load(home=home)
            done = rehearse(
                user, source, config, conversation=conversation, on_step=on_step
            )
        else:
            with opened(user, home) as memory:
                done = feed(memory, source, conversation=conversation, on_step=on_step)
    judged = [pair for s in steps for pair in zip(s.turns, s.decisions, strict=True)]
    emit(
        as_json,
        plain(done) | ({"decisions": judged} if dry_run else {}),
        *([tables.judged(judged)] if dry_run else []),
        tables.ingested(done, user, dry_run=dry_run),
    )


def recall(
    cue: Annotated[str, typer.Argument(help="A question, or what was just said.")],
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most memories; 10 by default.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of the context; 1,000.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Search the archive too.")
    ] = False,
    context: Annotated[
        bool, typer.Option("--context", help="Print what goes into a prompt.")
    ] = False,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What surfaces for a cue, best first, and why."""
    asked = {"limit": limit, "budget": budget, "deep": deep}
    given: dict[str, Any] = {k: v for k, v in asked.items() if v is not None}
    with found(user, home) as memory:
        shown = memory.recall(cue, **given)
    emit(as_json, shown, tables.context(shown) if context else tables.recall(shown))


def sleep(
    *,
    everybody: Annotated[
        bool, typer.Option("--all", help="Everybody in the home.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, help="With --all: how many sleep at a time.")
    ] = 1,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Stay, and let each sleep when they are silent."),
    ] = False,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Sleep once: facts from episodes, conflicts flagged, what has faded put away."""
    if watch:
        _watch(home, as_json=as_json)
    elif everybody:
        _everybody(home, workers, as_json=as_json)
    else:
        with found(user, home) as memory:
            report = memory.consolidate()
        emit(as_json, report, tables.slept(report))


def _everybody(home: Path | None, workers: int, *, as_json: bool) -> None:
    # Loads SQLAlchemy, which `psm --help` can do without.
    from psm_core.sleep import sleep_all  # noqa: PLC0415

    names = people(home)
    slept: list[SleepReport] = []
    with progress("sleeping") as bars:

        def on_slept(report: SleepReport) -> None:
            slept.append(report)
            advance(bars, len(slept), len(names))

        reports, failed = sleep_all(
            Config.load(home=home), names, workers=workers, on_slept=on_slept
        )
    emit(as_json, reports, *map(tables.slept, reports))
    for due in failed:
        say(f"psm: the sleep of {due.user} failed ({due.fault}); it is tried again")
    if failed:
        raise typer.Exit(1)


def _watch(home: Path | None, *, as_json: bool) -> None:
    from psm_core.people import People  # noqa: PLC0415 - see above
    from psm_core.sleep import Sleeper  # noqa: PLC0415

    def on_slept(report: SleepReport) -> None:
        emit(as_json, report, tables.slept(report))

    with (
        People(config=Config.load(home=home)) as everybody,
        Sleeper(everybody, on_slept=on_slept),
    ):
        say("psm: watching; Ctrl-C ends it, and what is due then is slept later")
        threading.Event().wait()
