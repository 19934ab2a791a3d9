"""What most commands are told: whose memory, in which home, and for whose eyes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import psm_core
from psm_core.config import Config
from psm_core.errors import StoreError
from psm_core.plugins import Plugins

if TYPE_CHECKING:
    from psm_core.memory import Memory
    from psm_core.store.home import Home as People
    from psm_core.types import Erasure

User = Annotated[str, typer.Option("--user", help="Whose memory it is.")]
Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="The folder that holds the people's folders.",
        show_default="~/.psm",
        file_okay=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")]
Id = Annotated[
    str, typer.Argument(metavar="ID", help="As psm recall and psm inspect name it.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask; I am sure.")]

DEFAULT = "default"
"""Whose memory it is where nobody is named; what `PSMMemory()` uses too."""

NAMED_AT_MOST = 8
"""How many people an error names."""


def opened(user: str, home: Path | None) -> Memory:
    """The memory that the options name; begins one where nobody is."""
    return psm_core.Memory(user, home=home)


def found(user: str, home: Path | None) -> Memory:
    """The memory that the options name, of somebody who is there.

    Whoever only asks shouldn't leave a folder behind for a name that was misspelt.

    Raises:
        StoreError: Nobody of this name is in the home; who is there is named.
    """
    _require(user, home)
    return opened(user, home)


def erased(user: str, home: Path | None) -> Erasure:
    """The proof that somebody was erased, even one whose memory can't be opened.

    Raises:
        StoreError: Nobody of this name is in the home; who is there is named.
    """
    _require(user, home)
    return _people(Config.load(home=home)).erase(user, datetime.now(UTC))


def people(home: Path | None) -> list[str]:
    """Everybody in the home, by name."""
    config = Config.load(home=home)
    return _people(config).people() if config.home.is_dir() else []


def _require(user: str, home: Path | None) -> None:
    config = Config.load(home=home)
    if config.home.is_dir() and _people(config).has(user):
        return
    names = people(home)
    here = ", ".join(names[:NAMED_AT_MOST]) + ", …" * (len(names) > NAMED_AT_MOST)
    raise StoreError(
        f"{config.home} holds no memory of {user}; it holds {here or 'nobody'}; "
        f"psm ingest FILE --user {user} begins one"
    )


def imported(file: Path, user: str | None, home: Path | None, *, replace: bool) -> str:
    """Who came in from *file*, which `psm export` wrote."""
    people = _people(Config.load(home=home))
    return people.import_person(file, user, replace=replace)


def _people(config: Config) -> People:
    # Loads SQLAlchemy, which `psm --help` can do without.
    from psm_core.store.home import Home as People  # noqa: PLC0415

    encoder = Plugins().encoder(config.encoder)
    return People(config, encoder.name, encoder.width)
