"""What SQLite says when it fails, said in our words. Never a word of a memory."""

from __future__ import annotations

import errno
import sqlite3

from psm_core.errors import StoreCorruptError, StoreError, StoreFullError

_REMEDIES: tuple[tuple[str, type[StoreError], str, str], ...] = (
    (
        "SQLITE_FULL",
        StoreFullError,
        "is on a full disk",
        "free some space; what was acknowledged before is safe",
    ),
    (
        "SQLITE_CORRUPT",
        StoreCorruptError,
        "is damaged",
        "run 'psm doctor', or import the last export",
    ),
    (
        "SQLITE_NOTADB",
        StoreCorruptError,
        "isn't an SQLite file",
        "run 'psm doctor', or move it away and import the last export",
    ),
    (
        "SQLITE_BUSY",
        StoreError,
        "is being written by another process",
        "try again, or raise busy_seconds",
    ),
    (
        "SQLITE_READONLY",
        StoreError,
        "can't be written",
        "check the rights of the folder and of its disk",
    ),
    (
        "SQLITE_CANTOPEN",
        StoreError,
        "can't be opened",
        "check that the folder exists and is yours",
    ),
    (
        "SQLITE_IOERR",
        StoreError,
        "can't be read or written",
        "check the disk, then run 'psm doctor'",
    ),
)


def translated(fault: sqlite3.Error, whose: str) -> StoreError:
    """The error of ours that says what *fault* means for a person's ledger.

    Args:
        fault: What SQLite raised.
        whose: The person, for the message.

    Returns:
        What was found and the way out.  SQLite's own message may quote a statement,
        so only its name for the fault gets into ours.
    """
    name = getattr(fault, "sqlite_errorname", None) or type(fault).__name__
    for prefix, kind, found, remedy in _REMEDIES:
        if name.startswith(prefix):
            return kind(f"the ledger of {whose} {found} ({name}); {remedy}")
    return StoreError(
        f"the ledger of {whose} refused a statement ({name}); run 'psm doctor'"
    )


def unreachable(fault: OSError, what: str) -> StoreError:
    """The error of ours for a file or folder that the system won't give us.

    Args:
        fault: What the system raised.
        what: What was tried, with the path.
    """
    full = fault.errno in {errno.ENOSPC, errno.EDQUOT}
    kind = StoreFullError if full else StoreError
    return kind(
        f"{what} failed: {fault.strerror or fault}; check the path, its rights and "
        "the space left, or choose another home"
    )
