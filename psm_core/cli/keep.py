"""Commands that keep memories, carry them about, and delete them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psm_core.cli import tables
from psm_core.cli.options import (
    DEFAULT,
    Home,
    Id,
    Json,
    User,
    Yes,
    erased,
    found,
    imported,
)
from psm_core.cli.screen import ask, emit, line, say


def pin(
    memory_id: Id,
    *,
    off: Annotated[bool, typer.Option("--off", help="Let it fade again.")] = False,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Keep a memory as strong as it is now, for good."""
    with found(user, home) as memory:
        memory.pin(memory_id, pinned=not off)
    done = "fades again" if off else "is pinned"
    emit(as_json, {"id": memory_id, "pinned": not off}, line(f"{memory_id} {done}."))


def undo(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER|FACT",
            help="A change as psm history numbers it, or the id of a fact.",
        ),
    ],
    *,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take back one thing that a sleep did; no other sleep does it again."""
    with found(user, home) as memory:
        if what.isdecimal():
            entry = memory.undo(int(what))
            done = f"change {what} of {entry.id} is taken back."
            emit(as_json, entry, line(done))
        else:
            memory.retract(what)
            emit(as_json, {"retracted": what}, line(f"the fact {what} is taken back."))


def forget(
    memory_id: Id,
    *,
    yes: Yes = False,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Delete one memory everywhere, and what rests on it alone."""
    with found(user, home) as memory:
        entry = memory.entry(memory_id)
        if not yes:
            say(f"{entry.speaker}: {entry.text}")
            if ask("Forget this for good? [y/N]").lower() not in ("y", "yes"):
                raise typer.Exit(1)
        memory.forget(memory_id)
    emit(as_json, {"forgotten": memory_id}, line(f"{memory_id} is forgotten."))


def export(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write.")],
    *,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write one person's whole memory into one file."""
    with found(user, home) as memory:
        written = memory.export(file)
    size = written.stat().st_size
    emit(
        as_json,
        {"user": user, "file": written, "bytes": size},
        line(f"{written}: the memory of {user}, {size:,} bytes."),
    )


def import_(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="From psm export.")
    ],
    *,
    user: Annotated[
        str | None, typer.Option("--user", help="Under this name, not their own.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of the memory that is there.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Bring in a person's memory from a file that psm export wrote."""
    name = imported(file, user, home, replace=replace)
    with found(name, home) as memory:
        counts = memory.counts()
    emit(as_json, {"user": name, "counts": counts}, tables.arrived(name, counts))


def erase(
    *,
    yes: Yes = False,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Delete one person everywhere, and print the proof."""
    if not yes and ask(f"Type {user} to erase everything:") != user:
        say("psm: the name doesn't match; nothing was erased")
        raise typer.Exit(1)
    proof = erased(user, home)
    emit(as_json, proof, tables.erased(proof))


def rebuild(*, user: User = DEFAULT, home: Home = None, as_json: Json = False) -> None:
    """Make the index anew from the ledger; no memory is lost with an index."""
    with found(user, home) as memory:
        indexed = memory.rebuild()
    emit(as_json, {"indexed": indexed}, line(f"{indexed:,} memories are indexed."))
