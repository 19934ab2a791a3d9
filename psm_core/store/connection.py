"""Opening the file of a ledger: whose rights it has, and how SQLite is set."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from psm_core.store.faults import translated, unreachable

_PRAGMAS = (
    "synchronous = NORMAL",
    "secure_delete = ON",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "trusted_schema = OFF",
    "cache_size = -4000",
)


def connect(path: Path, whose: str, busy_seconds: float) -> sqlite3.Connection:
    """The ledger at *path*, made if it isn't there, for its owner alone.

    Args:
        path: The file.
        whose: The person, for messages.
        busy_seconds: How long a write waits for another process.

    Raises:
        StoreError: It can't be made or opened.
        StoreCorruptError: It isn't an SQLite file.
    """
    try:
        # Made by us, so that no umask decides who may read it; SQLite gives its log
        # and its shared memory the same rights.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            path.chmod(0o600)
    except OSError as fault:
        raise unreachable(fault, f"making the ledger of {whose}") from fault
    try:
        driver = sqlite3.connect(
            path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as fault:
        raise translated(fault, whose) from fault
    try:
        _begin_log(driver, busy_seconds)
        for pragma in _PRAGMAS:
            driver.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as fault:
        driver.close()
        raise translated(fault, whose) from fault
    return driver


def _begin_log(driver: sqlite3.Connection, busy_seconds: float) -> None:
    """Use a write-ahead log, even while another process makes the same new ledger."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as fault:
            # SQLite doesn't wait for this by itself.
            busy = fault.sqlite_errorname.startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def inode(path: Path) -> tuple[int, int] | None:
    """Which file stands at *path*; None where none does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
