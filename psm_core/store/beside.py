"""What stands beside the ledger in a person's folder, and travels with it.

An integration may keep a file of its own there: an SQLite database, named with small
letters, digits, "-" and "_", and ``.sqlite`` at its end.  Whoever exports the person
takes it along, and whoever erases them erases it.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from psm_core.store.faults import translated
from psm_core.store.ledger import FILE

MOST = 16
"""Files beside a ledger that a parcel may hold; an integration needs one."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}\.sqlite")
_PLAIN = {"table", "index"}


def travels(name: str) -> bool:
    """Whether a file of this name goes into a parcel, beside the ledger.

    >>> travels("items.sqlite"), travels("ledger.sqlite"), travels("../x.sqlite")
    (True, False, False)
    """
    return name != FILE and _NAME.fullmatch(name) is not None


def names(folder: Path) -> list[str]:
    """The files of *folder* that travel, sorted."""
    return sorted(p.name for p in folder.glob("*.sqlite") if travels(p.name))


@contextlib.contextmanager
def held(folder: Path, user: str, busy_seconds: float) -> Iterator[list[str]]:
    """Let nobody write the files that travel, while the ledger is read beside them.

    Enter it before the ledger is locked: who writes such a file may hold it and wait
    for the ledger.

    Args:
        folder: The person's.
        user: Who, for messages.
        busy_seconds: How long it waits for whoever is writing.

    Yields:
        Their names.

    Raises:
        StoreError: One of them is being written, or is no SQLite file.
    """
    found = names(folder)
    with contextlib.ExitStack() as stack:
        for name in found:
            driver = stack.enter_context(_opened(folder / name, user, busy_seconds))
            with _translating(user, name):
                driver.execute("BEGIN IMMEDIATE")
        yield found


def copy(file: Path, to: Path, user: str) -> None:
    """Write what *file* holds into a new file, its log included.

    Raises:
        StoreError: It can't be read or written, or is no SQLite file.
    """
    with _opened(file, user) as driver, _translating(user, file.name):
        driver.execute("VACUUM INTO ?", (str(to),))


def is_sound(file: Path, user: str) -> bool:
    """Whether a file from elsewhere is whole, and holds tables and indexes alone.

    A trigger or a view would run with the rights of whoever opens it.

    Raises:
        StoreError: It can't be read, or is no SQLite file.
    """
    with _opened(file, user) as driver, _translating(user, file.name):
        made = driver.execute("SELECT type, sql FROM sqlite_master").fetchall()
        whole = driver.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    virtual = any(str(sql).upper().startswith("CREATE VIRTUAL") for _, sql in made)
    return whole and not virtual and {kind for kind, _ in made} <= _PLAIN


@contextlib.contextmanager
def _opened(
    file: Path, user: str, busy_seconds: float = 0.0
) -> Iterator[sqlite3.Connection]:
    with _translating(user, file.name):
        # Not made by us, so neither its journal nor its rights are changed.
        driver = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
        )
        driver.execute("PRAGMA trusted_schema = OFF")
    try:
        yield driver
    finally:
        driver.close()


@contextlib.contextmanager
def _translating(user: str, name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as fault:
        raise translated(fault, f"{user} ({name})") from fault
