"""Commands that look and change nothing, except to settle a conflict."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from psm_core.acts.resolve import KEEP
from psm_core.cli import tables
from psm_core.cli.options import DEFAULT, Home, Id, Json, User, found
from psm_core.cli.screen import ask, emit, line, plain, show
from psm_core.plugins import Plugins
from psm_core.types import Tier

if TYPE_CHECKING:
    from psm_core.memory import Memory
    from psm_core.types import Conflict


class Stored(StrEnum):
    """The tiers that are on the disk."""

    EPISODIC = "episodic"
    SEMANTIC = "semantic"
    ARCHIVAL = "archival"


def inspect(
    *,
    tier: Annotated[
        Stored | None, typer.Option(help="Only memories of this tier.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most memories.")] = 20,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """How many memories there are, and the strongest of them."""
    with found(user, home) as memory:
        counts = memory.counts()
        entries = memory.entries(*([Tier(tier)] if tier else []))
        weighed = [(memory.strength(entry), entry) for entry in entries]
    strongest = sorted(weighed, key=lambda pair: -pair[0])[:limit]
    shown = [plain(entry) | {"strength": strength} for strength, entry in strongest]
    emit(
        as_json,
        {"counts": counts, "entries": shown},
        tables.counts(counts),
        tables.inspected(strongest, len(entries)),
    )


def conflicts(
    *,
    resolve: Annotated[
        str | None, typer.Option(metavar="ID", help="Settle this conflict.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="new|old|both|TEXT",
            help="Which side of it holds, or a sentence that is true instead.",
        ),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Ask about each; needs a terminal.")
    ] = False,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Memories that may not both hold, with both sides; settle them one by one."""
    if (resolve is None) != (keep is None):
        raise typer.BadParameter("--resolve ID and --keep go together")
    if resolve is not None and not (resolve.strip() and (keep or "").strip()):
        raise typer.BadParameter(
            "--resolve needs the id of a conflict, and --keep new, old, both, or a "
            "sentence that is true instead"
        )
    if interactive and not sys.stdin.isatty():
        raise typer.BadParameter("--interactive needs a terminal on standard input")
    with found(user, home) as memory:
        if resolve is not None and keep is not None:
            settled = memory.resolve(resolve, keep=keep)
            emit(as_json, settled, line(f"{settled.id}: kept {settled.status}"))
            return
        pairs = [_pair(memory, conflict) for conflict in memory.conflicts()]
        if not interactive:
            emit(as_json, [tables.sides(p) for p in pairs], tables.conflicts(pairs))
            return
        for pair in pairs:
            show(tables.conflicts([pair]))
            if answer := _asked():
                settled = memory.resolve(pair[0].id, keep=answer)
                show(line(f"kept {settled.status}\n"))


def _pair(memory: Memory, conflict: Conflict) -> tables.Pair:
    new, old = memory.entry(conflict.new), memory.entry(conflict.old)
    return conflict, (new, memory.strength(new)), (old, memory.strength(old))


def _asked() -> str:
    """What a person wants to keep; "" to decide another time."""
    answer = ask("keep new, old, both, say what is true, or skip?").strip()
    # One word that is none of the three is no sentence: it skips.
    return answer if answer in KEEP or len(answer.split()) > 1 else ""


def history(
    memory_id: Id,
    *,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """All that happened to one memory, oldest first."""
    with found(user, home) as memory:
        changes = memory.history(memory_id)
    emit(as_json, changes, tables.history(changes))


def explain(
    memory_id: Id,
    *,
    user: User = DEFAULT,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Why one memory is here, how strong it is, and how fast it fades."""
    with found(user, home) as memory:
        entry, said = memory.entry(memory_id), memory.explain(memory_id)
        value = plain(entry) | {"strength": memory.strength(entry)}
    emit(as_json, value | {"explanation": said}, line(entry.text, "bold"), said)


def doctor(*, user: User = DEFAULT, home: Home = None, as_json: Json = False) -> None:
    """What is missing, stale or corrupt, and what mends it; exit code 1 if so."""
    with found(user, home) as memory:
        faults = memory.check()
        counts = memory.counts()
    emit(as_json, {"faults": faults, "counts": counts}, tables.doctor(faults, counts))
    if faults:
        raise typer.Exit(1)


def plugins(*, as_json: Json = False) -> None:
    """What is installed, from where, and what is missing: plugins and their offers."""
    known = Plugins()
    listing, offers = known.listing(), known.offers.all()
    value = {"plugins": listing, "offers": [tables.offer(each) for each in offers]}
    emit(as_json, value, tables.plugins(listing), "", tables.offers(offers))
