"""The ledger: one SQLite file, one connection, and who may write when."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from psm_core.config import Config
from psm_core.errors import ClosedError, StoreCorruptError, StoreError, TurnError
from psm_core.store import schema
from psm_core.store.connection import connect, inode
from psm_core.store.faults import translated

logger = logging.getLogger(__name__)

FILE = "ledger.sqlite"
"""The name of the ledger in a person's folder."""

_OPTIMISE = "INSERT INTO words(words) VALUES ('optimize')"


class Ledger:
    """One person's ledger, open.  Base of the chapters that make up a `Shard`.

    Every statement goes through `rows` or `run`, which is where SQLite's faults
    become ours.

    Args:
        folder: The person's folder; it must exist.
        user: Whose it is.
        encoder: The encoder's name, for a ledger that is new.
        width: Numbers in one vector, likewise.
        config: For ``busy_seconds`` and ``index_batch``.

    Raises:
        StoreError: The ledger can't be opened, is damaged, newer, or another's.
    """

    def __init__(
        self, folder: Path, user: str, encoder: str, width: int, config: Config
    ) -> None:
        self.folder = folder
        self.config = config
        self._user = user
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._depth = 0
        self._closed = False
        self._shred = False
        self._log_is_due = False
        self._driver = connect(folder / FILE, user, config.busy_seconds)
        self._ready = False
        try:
            self._prepare(encoder, width)
        except BaseException:
            self._disconnect()
            raise
        self._inode = inode(folder / FILE)

    def _prepare(self, encoder: str, width: int) -> None:
        # Most openings find a ledger that is ready, and need no write lock.
        with self._translating():
            version = schema.version(self._driver, self._user)
        if version != schema.SCHEMA:
            self._require_person(version)
            with self.transaction():
                with self._translating():
                    schema.prepare(self._driver, self._user)
                for key, value in (
                    ("user", self._user),
                    ("encoder", encoder),
                    ("width", str(width)),
                ):
                    if self.meta(key) is None:
                        self.set_meta(key, value)
        self._ready = True
        self.encoder = self.meta("encoder") or ""
        self.width = int(self.meta("width") or 0)
        if (found := self.meta("user")) != self._user:
            raise StoreCorruptError(
                f"the folder of {self._user} holds the memory of {found}; somebody "
                "copied it there by hand, so move it away and use 'psm import'"
            )

    @property
    def user(self) -> str:
        """Whose content it is."""
        return self._user

    @property
    def closed(self) -> bool:
        """Whether the ledger was closed or erased, or belongs to a forked parent."""
        return self._closed or self._pid != os.getpid()

    def intact(self) -> bool:
        """Whether this is open, and its file still the one at its path."""
        return not self.closed and inode(self.folder / FILE) == self._inode

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are one; nested ones join the outer.

        A nested one that fails is undone alone, so that who catches its error
        commits nothing half.

        Raises:
            ClosedError: The memory was closed, or erased by another process.
            StoreError: The ledger can't be written.
        """
        with self._lock:
            self._require_open()
            nested = self._depth > 0
            if nested is not self._driver.in_transaction:
                raise StoreError(
                    f"the ledger of {self._user} undid the whole transaction after a "
                    "fault; begin it again"
                    if nested
                    else "nothing can be written inside of reading(); leave it first"
                )
            self.run("SAVEPOINT inner" if nested else "BEGIN IMMEDIATE")
            self._depth += 1
            try:
                if self._ready and not nested:
                    self._require_person(int(self.meta("schema") or schema.ERASED))
                yield
                self._commit(nested)
            except BaseException:
                self._undo(nested)
                raise
            finally:
                self._depth -= 1
            if not nested:
                self.tidy()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """All reads inside see the store at one moment."""
        with self._lock:
            self._require_open()
            if self._driver.in_transaction:
                yield
                return
            self.run("BEGIN")
            try:
                yield
            finally:
                if self._driver.in_transaction:
                    self.run("COMMIT")

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """What a statement returns, all of it."""
        with self._translating():
            return self._driver.execute(statement, values).fetchall()

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """How many rows a statement changed."""
        with self._translating():
            return self._driver.execute(statement, values).rowcount

    def run_each(self, statement: str, values: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of *values*."""
        with self._translating():
            self._driver.executemany(statement, values)

    def pragma(self, name: str, value: int | None = None) -> Any:
        """Ask SQLite for one of its settings, or set it."""
        found = self.rows(f"PRAGMA {name}" + ("" if value is None else f" = {value}"))
        return found[0][0] if found else None

    def meta(self, key: str) -> str | None:
        """One line of the ledger about itself."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def set_meta(self, key: str, value: str) -> None:
        """Write one line of the ledger about itself."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def checkpoint(self) -> bool:
        """Empty the write-ahead log; False where another process is reading it."""
        busy = self.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
        if busy:
            logger.warning("the log of a ledger is in use; it is emptied later")
        return not busy

    def tidy(self) -> None:
        """Empty the log of what was deleted, now or as soon as nobody reads it."""
        with self._lock:
            if self._log_is_due and not self._driver.in_transaction:
                self._log_is_due = not self.checkpoint()

    def shred(self) -> None:
        """Leave no trace of what this transaction deletes, once it is committed."""
        self._shred = True

    def _rolled_back(self) -> None:
        """Called after something was undone; chapters with a cache drop it."""

    def _commit(self, nested: bool) -> None:
        if nested:
            self.run("RELEASE inner")
            return
        if self._shred:
            self.run(_OPTIMISE)
        self.run("COMMIT")
        self._log_is_due |= self._shred
        self._shred = False

    def _undo(self, nested: bool) -> None:
        # A full disk makes SQLite undo everything by itself.
        if self._driver.in_transaction:
            if nested:
                self.run("ROLLBACK TO inner")
            self.run("RELEASE inner" if nested else "ROLLBACK")
        if not nested:
            self._shred = False
        self._rolled_back()

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            raise translated(fault, self._user) from fault
        except UnicodeEncodeError as fault:
            raise TurnError(
                "an id, a speaker or a session holds half of a character (a lone "
                "surrogate); write it with text.encode('utf-8', 'replace').decode()"
            ) from fault
        except OverflowError as fault:
            raise StoreError(
                "a number is larger than a ledger can hold; give one below 2**63"
            ) from fault

    def _require_open(self) -> None:
        if self.closed:
            raise ClosedError(f"the memory of {self._user} is closed; open it again")

    def _require_no_transaction(self, what: str) -> None:
        if self._driver.in_transaction:
            raise StoreError(
                f"{what} can't be inside of transaction() or reading(); leave it first"
            )

    def _require_person(self, version: int) -> None:
        if version == schema.ERASED:
            raise ClosedError(
                f"the memory of {self._user} was erased or replaced by another "
                "process; open it again"
            )

    def _disconnect(self) -> None:
        self._closed = True
        with contextlib.suppress(sqlite3.Error):
            self._driver.close()
