"""The values of one person's store, exactly as they were put; beside their ledger.

A memory holds words.  What a program put under a key has to come back bit by bit, so it
stands in a file of its own in the person's folder, and names the turn with its words.
Whoever erases the person erases it too.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from psm_core.errors import StoreError
from psm_core.store.connection import connect
from psm_core.store.faults import translated
from psm_core.store.rows import micros, moment

FILE = "items.sqlite"
"""The name of the file in a person's folder."""

_TABLES = """
CREATE TABLE IF NOT EXISTS item (
    number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, key TEXT NOT NULL,
    value TEXT NOT NULL, made INTEGER NOT NULL, written INTEGER NOT NULL,
    minutes REAL, ends INTEGER, turn TEXT, UNIQUE (namespace, key));
CREATE INDEX IF NOT EXISTS ending ON item (ends) WHERE ends IS NOT NULL;
CREATE TABLE IF NOT EXISTS doomed (turn TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_FIELDS = "SELECT namespace, key, value, made, written, minutes, ends, turn FROM item"
_PUT = """
INSERT INTO item (namespace, key, value, made, written, minutes, ends, turn)
VALUES (:namespace, :key, :value, :made, :written, :minutes, :ends, :turn)
ON CONFLICT (namespace, key) DO UPDATE SET value = :value, written = :written,
    minutes = :minutes, ends = :ends, turn = :turn
"""


class Row(NamedTuple):
    """One value with all that is known of it; ``turn`` is None where it has no words.

    ``minutes`` is how long it lives after it was last touched, ``ends`` until when.
    """

    namespace: tuple[str, ...]
    key: str
    value: dict[str, Any]
    made: datetime
    written: datetime
    minutes: float | None
    ends: datetime | None
    turn: str | None


class Items:
    """One person's values.  Opened for a few statements, and closed again.

    Args:
        folder: The person's.
        busy_seconds: How long a write waits for another process.

    Raises:
        StoreError: The file can't be made, opened or read.
    """

    def __init__(self, folder: Path, busy_seconds: float) -> None:
        self._driver = connect(folder / FILE, "a store of items", busy_seconds)
        try:
            self._driver.executescript(_TABLES)
        except sqlite3.Error as fault:
            self._driver.close()
            raise translated(fault, "a store of items") from fault

    def find(self, namespace: Sequence[str], key: str, now: datetime) -> Row | None:
        """The value under *key*, unless it has expired."""
        found = self._read(
            f"{_FIELDS} WHERE namespace = ? AND key = ? AND (ends IS NULL OR ends > ?)",
            (_text(namespace), key, micros(now)),
        )
        return found[0] if found else None

    def below(self, prefix: Sequence[str], now: datetime) -> list[Row]:
        """All that lives in *prefix* and below, what was written last first."""
        # The text of a namespace begins with that of its prefix, up to the bracket.
        start = _text(prefix)[:-1]
        rest = f"{start}," if prefix else start
        return self._read(
            f"{_FIELDS} WHERE (namespace = ? OR substr(namespace, 1, ?) = ?)"
            " AND (ends IS NULL OR ends > ?) ORDER BY written DESC, number DESC",
            (f"{start}]", len(rest), rest, micros(now)),
        )

    def namespaces(self, now: datetime) -> list[tuple[str, ...]]:
        """Each namespace that holds something, in order."""
        found = self._run(
            "SELECT DISTINCT namespace FROM item WHERE ends IS NULL OR ends > ?",
            (micros(now),),
        )
        return sorted(tuple(json.loads(text)) for (text,) in found)

    def put(self, row: Row) -> None:
        """Write *row* over what was there, whose words are doomed by that."""
        place = (_text(row.namespace), row.key)
        self._doom("namespace = ? AND key = ?", place)
        self._run(
            _PUT,
            {
                "namespace": place[0],
                "key": row.key,
                "value": json.dumps(row.value),
                "made": micros(row.made),
                "written": micros(row.written),
                "minutes": row.minutes,
                "ends": None if row.ends is None else micros(row.ends),
                "turn": row.turn,
            },
        )

    def delete(self, namespace: Sequence[str], key: str) -> None:
        """Delete one value, and doom its words."""
        place = (_text(namespace), key)
        self._doom("namespace = ? AND key = ?", place)
        self._run("DELETE FROM item WHERE namespace = ? AND key = ?", place)

    def expire(self, now: datetime) -> int:
        """Delete what has expired, and doom its words; how many there were."""
        self._doom("ends <= ?", (micros(now),))
        gone = self._run(
            "DELETE FROM item WHERE ends <= ? RETURNING number", (micros(now),)
        )
        return len(gone)

    def turns(self) -> list[str]:
        """The turns with the words of all values."""
        found = self._run("SELECT turn FROM item WHERE turn IS NOT NULL")
        return [turn for (turn,) in found]

    def drop(self, turns: Iterable[str]) -> None:
        """Delete the values that have these words, which are forgotten by now."""
        for turn in turns:
            self._run("DELETE FROM item WHERE turn = ?", (turn,))

    def touch(self, row: Row, ends: datetime) -> None:
        """Let *row* live until *ends*."""
        self._run(
            "UPDATE item SET ends = ? WHERE namespace = ? AND key = ?",
            (micros(ends), _text(row.namespace), row.key),
        )

    # --------------------------------------------------- turns that no value has

    def doom(self, turns: Sequence[str]) -> None:
        """The memory is to forget these, should it hold them."""
        for turn in turns:
            self._run("INSERT OR IGNORE INTO doomed VALUES (?)", (turn,))

    def unsettled(self, now: datetime) -> bool:
        """Whether something has expired, or is to be forgotten."""
        found = self._run(
            "SELECT EXISTS (SELECT 1 FROM doomed)"
            " OR EXISTS (SELECT 1 FROM item WHERE ends <= ?)",
            (micros(now),),
        )
        return bool(found[0][0])

    def doomed(self) -> list[str]:
        """The turns that the memory is to forget."""
        return [turn for (turn,) in self._run("SELECT turn FROM doomed ORDER BY turn")]

    def spare(self, turns: Sequence[str]) -> None:
        """These belong to a value, or are forgotten by now."""
        for turn in turns:
            self._run("DELETE FROM doomed WHERE turn = ?", (turn,))

    def _doom(self, which: str, values: Sequence[Any]) -> None:
        chosen = f"SELECT turn FROM item WHERE {which} AND turn IS NOT NULL"  # noqa: S608
        self._run(f"INSERT OR IGNORE INTO doomed {chosen}", values)

    # ------------------------------------------------------------------- the file

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """All writes inside are one."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            self._run("ROLLBACK")
            raise
        # What was deleted is to be gone from the log, too.
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file."""
        self._driver.close()

    def __enter__(self) -> Items:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def _read(self, statement: str, values: Sequence[Any]) -> list[Row]:
        return [_row(*fields) for fields in self._run(statement, values)]

    def _run(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[Any]:
        try:
            return self._driver.execute(statement, values).fetchall()
        except sqlite3.Error as fault:
            raise translated(fault, "a store of items") from fault
        except UnicodeEncodeError as fault:
            raise StoreError(
                "a key holds half of a character (a lone surrogate); write it with "
                "key.encode('utf-8', 'replace').decode()"
            ) from fault


def _text(namespace: Sequence[str]) -> str:
    return json.dumps([*namespace], separators=(",", ":"))


def _row(
    namespace: str,
    key: str,
    value: str,
    made: int,
    written: int,
    minutes: float | None,
    ends: int | None,
    turn: str | None,
) -> Row:
    return Row(
        tuple(json.loads(namespace)),
        key,
        json.loads(value),
        moment(made),
        moment(written),
        minutes,
        None if ends is None else moment(ends),
        turn,
    )
