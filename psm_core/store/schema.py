"""Which schema a ledger has, and how an older one becomes a newer one."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Sequence

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from psm_core.errors import SchemaError, StoreCorruptError
from psm_core.store.rows import STORED
from psm_core.store.tables import WORDS, gist, history, tables

SCHEMA = 2
"""The schema that this release writes; stands in ``meta``."""

ERASED = -1
"""The schema of a ledger whose person was erased; other processes see it."""

VERSION = "SELECT value FROM meta WHERE key = 'schema'"

APPLICATION = 0x50534D31
""""PSM1" in ``PRAGMA application_id``: tells our ledgers from other SQLite files."""


def prepare(driver: sqlite3.Connection, whose: str) -> None:
    """Bring a ledger to this release's schema.

    Runs inside the caller's transaction, so that a ledger is of one schema or of the
    next, and two processes that open a new person don't both make the tables.

    Args:
        driver: Inside a write transaction.
        whose: The person, for messages.

    Raises:
        SchemaError: The ledger was written by a newer release.
        StoreCorruptError: The file is an SQLite file, but not one of ours.
    """
    found = version(driver, whose)
    if found > SCHEMA:
        raise SchemaError(
            f"the store of {whose} has schema {found}, this release knows up to "
            f"{SCHEMA}; upgrade psm-memory"
        )
    steps = creation() if found == 0 else ()
    for older in range(found or SCHEMA, SCHEMA):
        steps += MIGRATIONS[older]
    for statement in steps:
        driver.execute(statement)
    driver.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (SCHEMA,))


def version(driver: sqlite3.Connection, whose: str) -> int:
    """The schema of a ledger; 0 for a file that is empty, `ERASED` for one of nobody.

    Raises:
        StoreCorruptError: The file is an SQLite file, but not one of ours.
    """
    # In this order: another process may make the tables and sign them in between.
    empty = driver.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    if driver.execute("PRAGMA application_id").fetchone()[0] == APPLICATION:
        found = driver.execute(VERSION).fetchone()
        return int(found[0]) if found else ERASED
    if not empty:
        raise StoreCorruptError(
            f"the ledger of {whose} is an SQLite file that PSM didn't write; move it "
            "away, and import an export or start anew"
        )
    return 0


def _made(table: Table, indices: Sequence[str]) -> Iterator[str]:
    """The statements that make *table* anew, or only some of its indices."""
    dialect = sqlite.dialect()
    if not indices:
        yield str(CreateTable(table).compile(dialect=dialect))
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if not indices or index.name in indices:
            yield str(CreateIndex(index).compile(dialect=dialect))


MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (*_made(gist, ()), *_made(history, ("history_undone",)))
}
"""The statements that lead from each older schema to the next, by the older number."""


@functools.cache
def creation() -> tuple[str, ...]:
    """The statements that make an empty ledger."""
    made = [line for table in tables.sorted_tables for line in _made(table, ())]
    counts = (f"INSERT INTO tally VALUES ('{tier}', 0, 0, 0)" for tier in STORED)
    return (*made, *WORDS, *counts, f"PRAGMA application_id = {APPLICATION}")


def insertion(table: Table, names: Sequence[str] | None = None) -> str:
    """The statement that adds one row, with a mark for each of *names*, or for all."""
    columns = [column.name for column in table.columns] if names is None else names
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"
