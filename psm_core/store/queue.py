"""Who is to sleep, and when: one durable row for each person, in the home."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from psm_core.errors import StoreError
from psm_core.store.connection import connect
from psm_core.store.faults import translated
from psm_core.store.folder import make, proper, reaching
from psm_core.store.rows import micros, moment

logger = logging.getLogger(__name__)

FILE = "sleep.sqlite"
"""The name of the queue in a home."""

_TABLE = """
CREATE TABLE IF NOT EXISTS due (
    user TEXT PRIMARY KEY, first INTEGER NOT NULL, at INTEGER NOT NULL,
    asked INTEGER NOT NULL, episodes INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, fault TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID
"""
_ASK = """
INSERT INTO due (user, first, at, asked, episodes)
VALUES (:user, :now, CASE WHEN :heard >= :most THEN :now ELSE :quiet END, 1, :heard)
ON CONFLICT (user) DO UPDATE SET
    asked = asked + 1,
    episodes = episodes + :heard,
    at = CASE WHEN :at_once THEN min(at, :now)
              WHEN tries > 0 THEN at
              WHEN episodes + :heard >= :most THEN min(at, :now)
              ELSE min(:quiet, first + :ceiling) END
"""
_FIELDS = "SELECT user, first, at, asked, episodes, tries, fault FROM due"


class Due(NamedTuple):
    """One person who is to sleep.

    ``first`` is when that was first asked for and ``at`` from when on it is due,
    ``asked`` how often it was asked for, ``episodes`` what was heard since.  ``tries``
    counts the sleeps that failed, ``fault`` names what the last of them raised.
    """

    user: str
    first: datetime
    at: datetime
    asked: int
    episodes: int
    tries: int
    fault: str


class Queue:
    """The people of one home who are to sleep; any thread and process may ask.

    Whatever it acknowledged outlives a kill of the process.

    Args:
        home: The folder that holds the people's folders.
        busy_seconds: How long a write waits for another process.

    Raises:
        StoreError: The queue can't be made, opened or read.
    """

    def __init__(self, home: Path, busy_seconds: float = 30.0) -> None:
        self.path = home / FILE
        self._lock = threading.Lock()
        with reaching(f"making the home {home}"):
            make(home)
        self._driver = connect(self.path, "the queue of sleeps", busy_seconds)
        self._run(_TABLE)

    def ask(
        self,
        user: str,
        now: datetime,
        *,
        idle: timedelta,
        ceiling: timedelta,
        heard: int = 0,
        most: int,
    ) -> None:
        """Let *user* sleep once nothing was heard for *idle*; one upsert.

        Args:
            user: Who.
            now: Aware datetime.
            idle: Each asking puts the sleep off to this long from now, ...
            ceiling: ... but never further than this from the first asking.
            heard: Episodes that were heard since the last asking.
            most: From so many episodes on, the sleep is due at once.
        """
        values = {
            "user": user,
            "now": micros(now),
            "quiet": micros(now + min(idle, ceiling)),
            "ceiling": ceiling // timedelta(microseconds=1),
            "heard": heard,
            "most": most,
            # Somebody who means now isn't put off because the last sleep failed.
            "at_once": idle <= timedelta(0),
        }
        self._run(_ASK, values)

    def due(self, now: datetime) -> list[Due]:
        """Who is due by now, who has waited longest first."""
        return self._read(f"{_FIELDS} WHERE at <= ? ORDER BY at, user", (micros(now),))

    def waiting(self) -> list[Due]:
        """Everybody who is to sleep, the next one first."""
        return self._read(f"{_FIELDS} ORDER BY at, user")

    def find(self, user: str) -> Due | None:
        """The row of one person; None where they needn't sleep."""
        found = self._read(f"{_FIELDS} WHERE user = ?", (user,))
        return found[0] if found else None

    def slept(self, due: Due, again: datetime) -> None:
        """*due* has slept; who was heard meanwhile sleeps *again*.

        Args:
            due: As it was read before the sleep.
            again: When, for what was asked during the sleep.
        """
        with self._writing():
            self._driver.execute(
                "DELETE FROM due WHERE user = ? AND asked = ?", (due.user, due.asked)
            )
            self._driver.execute(
                "UPDATE due SET first = ?, at = ?, asked = asked - ?,"
                " episodes = max(episodes - ?, 0), tries = 0, fault = ''"
                " WHERE user = ?",
                (micros(again), micros(again), due.asked, due.episodes, due.user),
            )

    def failed(self, due: Due, fault: str, again: datetime) -> None:
        """The sleep of *due* raised *fault*; it is tried *again*, never dropped."""
        self._run(
            "UPDATE due SET tries = tries + 1, fault = ?, at = ? WHERE user = ?",
            (fault, micros(again), due.user),
        )

    def drop(self, user: str) -> None:
        """Let no trace of *user* stay, who was erased."""
        self._run("DELETE FROM due WHERE user = ?", (user,))
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._driver.close()

    def _read(self, statement: str, values: Any = ()) -> list[Due]:
        return [
            Due(user, moment(first), moment(at), *rest)
            for user, first, at, *rest in self._run(statement, values)
        ]

    def _run(self, statement: str, values: Any = ()) -> list[Any]:
        with self._lock, _translating():
            return self._driver.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, _translating():
            self._driver.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._driver.execute("COMMIT")
            except BaseException:
                self._driver.execute("ROLLBACK")
                raise


def drop(home: Path, user: str, busy_seconds: float = 30.0) -> tuple[str, ...]:
    """Take somebody who was erased out of the queue of *home*, if there is one.

    Returns:
        The path of a queue that may name them still, because it is damaged or can't
        be written; else nothing.
    """
    path = home / FILE
    if not path.exists():
        return ()
    try:
        with contextlib.closing(Queue(home, busy_seconds)) as queue:
            queue.drop(proper(user))
    except StoreError as fault:
        # Whoever has erased somebody is told what is left, and not stopped.
        logger.warning("the queue of sleeps stays as it is (%s)", type(fault).__name__)
        return (str(path),)
    return ()


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as fault:
        raise translated(fault, "the queue of sleeps") from fault
