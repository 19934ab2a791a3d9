"""The seventh chapter of a `Shard`: who holds the index, and how it is caught up."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from psm_core.config import Config
from psm_core.store import archive, exact, guarded
from psm_core.store.guarded import Guarded, IndexFault, NoIndexError
from psm_core.store.ledger import Ledger
from psm_core.store.rows import LIVE, STORED
from psm_core.store.tables import WAITING
from psm_core.types import Tier

if TYPE_CHECKING:
    from psm_core.content import IndexKind, Matrix, Numbers

logger = logging.getLogger(__name__)

BATCH = 1000
"""Vectors that the index takes in at once, in half a second; other threads wait."""

BLOCK = 4096
"""Vectors that are read from the ledger at once."""


class Indexing(Ledger):
    """One process at a time holds the index; a crashed holder is replaced.

    The lock is one that the system takes back from the dead.  Who doesn't hold it
    searches the ledger's vectors, so nobody ever waits for it.
    """

    def __init__(
        self,
        folder: Path,
        user: str,
        encoder: str,
        width: int,
        config: Config,
        kind: IndexKind,
    ) -> None:
        super().__init__(folder, user, encoder, width, config)
        self._kind = kind
        self._index: Guarded | None = None
        self._failed = ""
        self._doubted = False
        self._absent = False
        self._asked = float("-inf")
        # Not of a thread: whoever closes the shard lets go of what another took.
        self._hold = FileLock(
            folder / "lock", timeout=0, mode=0o600, thread_local=False
        )
        self._rows = {tier: exact.Rows(self.width) for tier in STORED}

    def flush(self) -> int:
        """Bring the index up to date if this process holds it; how many rows went in.

        Costs next to nothing until ``index_batch`` vectors wait, so it may be called
        after each addition.  Inside a transaction it does nothing, for an index can't
        take back what the ledger undoes.
        """
        with self._lock:
            self._require_open()
            self.tidy()
            enough = self._waiting() >= self.config.index_batch
            if self._driver.in_transaction or not (enough or self._doubted):
                return 0
            if not self._take_index(renew=True):
                return 0
        return self._catch_up()

    def _catch_up(self) -> int:
        total = 0
        try:
            # One batch at a time, so that other threads get in between.
            while (count := self._index_some()) is not None:
                total += count
        except IndexFault as fault:
            with self._lock:
                self._distrust(fault)
        return total

    def _index_some(self) -> int | None:
        """Let go of what is stale and take one batch in; None where all is done."""
        with self._lock:
            if self._index is None or self.closed:
                return None
            self._drop_stale(self._index)
            for tier in LIVE:
                with self.reading():
                    version = self._changes(tier)
                    seqs, rows = next(
                        self._unread(tier, 0, waiting=True, block=BATCH), (None, None)
                    )
                if seqs is not None and rows is not None:
                    self._index.put(tier, seqs.tolist(), rows)
                    return self._mark(tier, seqs.tolist(), version)
        return None

    def _mark(self, tier: Tier, seqs: list[int], version: int) -> int:
        """Note that the index has these; how many of them."""
        numbers = json.dumps(seqs)
        with self.transaction():
            self.run(
                "INSERT OR IGNORE INTO stale SELECT value, ? FROM json_each(?) WHERE"
                " NOT EXISTS (SELECT 1 FROM memory WHERE seq = value AND tier = ?)",
                (str(tier), numbers, str(tier)),
            )
            # Another process changed a vector while the index worked: they wait on, and
            # the next round puts the new ones in the place of these.
            if self._changes(tier) != version:
                return 0
            marked = self.run(
                f"UPDATE memory SET indexed = 1 WHERE {WAITING} AND tier = ?"
                " AND seq IN (SELECT value FROM json_each(?))",
                (str(tier), numbers),
            )
        self._rows[tier].clear(version)
        return marked

    def _drop_stale(self, index: Guarded) -> None:
        for tier in LIVE:
            with self.reading():
                found = self.rows("SELECT seq FROM stale WHERE tier = ?", (str(tier),))
            if found:
                seqs = [seq for (seq,) in found]
                index.drop(tier, seqs)
                with self.transaction():
                    self.run(
                        "DELETE FROM stale WHERE tier = ?"
                        " AND seq IN (SELECT value FROM json_each(?))",
                        (str(tier), json.dumps(seqs)),
                    )

    def _unread(
        self, tier: Tier, after: int, *, waiting: bool, block: int = BLOCK
    ) -> Iterator[tuple[Numbers, Matrix]]:
        """Blocks of vectors with numbers above *after*: of all, or those that wait."""
        some = f"{WAITING} AND " if waiting and tier in LIVE else ""
        while True:
            found = self.rows(
                f"SELECT seq, numbers, scale FROM memory JOIN vector USING (seq)"
                f" WHERE {some}tier = ? AND seq > ? ORDER BY seq LIMIT {block}",
                (str(tier), after),
            )
            if not found:
                return
            seqs, stored, scales = zip(*found, strict=True)
            yield np.array(seqs, np.int64), archive.vectors(stored, scales, self.width)
            if len(found) < block:
                return
            after = seqs[-1]

    def _changes(self, tier: Tier) -> int:
        found = self.rows("SELECT moved FROM tally WHERE tier = ?", (str(tier),))
        return int(found[0][0])

    def _waiting(self) -> int:
        """How many vectors the index hasn't taken in, or must let go of."""
        found = self.rows(
            f"SELECT (SELECT count(*) FROM memory WHERE {WAITING})"
            " + (SELECT count(*) FROM stale)"
        )
        return int(found[0][0])

    def _rolled_back(self) -> None:
        # Rows that were undone may be in memory, and their numbers are given again.
        for kept in getattr(self, "_rows", {}).values():
            kept.clear(-1)

    def _take_index(self, *, renew: bool) -> bool:
        """Open the index if no other process has it; whether it may be used now.

        Args:
            renew: Make it anew where it isn't there, or doesn't agree with the ledger.
                Otherwise it stays closed then, until `flush` does so.
        """
        if self._index is not None:
            return True
        self._asked = time.monotonic()
        stays_shut = self._absent or not (renew or self._may_be_sound())
        if stays_shut or not self._locked():
            return False
        try:
            self._index = self._opened(renew=renew)
        except IndexFault as fault:
            logger.warning("the index can't be made (%s)", fault)
        except NoIndexError as fault:
            logger.warning("all is searched in the ledger: %s", fault)
            self._absent = True
        finally:
            if self._index is None:
                self._hold.release()
        self._clear_rows()
        return self._index is not None

    def _may_be_sound(self) -> bool:
        return not self._failed and self.meta("index") is not None

    def _locked(self) -> bool:
        """Take the index's lock, without waiting for it."""
        try:
            self._hold.acquire()
        except Timeout:
            return False
        except OSError as fault:
            logger.warning("the index can't be locked (%s)", type(fault).__name__)
            return False
        return True

    def _opened(self, *, renew: bool) -> Guarded | None:
        why = self._failed
        if not why and self.meta("index"):
            try:
                index = self._as_it_is()
            except IndexFault as fault:
                why = f"it can't be opened ({fault})"
            else:
                if not (why := self._disagreement(index)):
                    return index
                index.close()
        if renew:
            return self._made_anew(why)
        logger.warning("the ledger is searched instead of the index: %s", why)
        self._doubted = True
        return None

    def _as_it_is(self) -> Guarded:
        """The index that is there, opened.

        Raises:
            IndexFault: It isn't this ledger's, or can't be opened.
            NoIndexError: It can't be used by this process.
        """
        if why := self._not_ours():
            raise IndexFault(why)
        return Guarded(self._kind, self.folder, self.width)

    def _not_ours(self) -> str:
        ours = guarded.stamp(self._kind, self.folder) == self.meta("index")
        return "" if ours else "it is another's, or a copy of an older one"

    def _disagreement(self, index: Guarded) -> str:
        """What is wrong with an open index; "" where it may be trusted."""
        if why := self._not_ours():
            return why
        for tier in LIVE:
            due = self._due(tier)
            if (count := index.count(tier)) < due:
                return f"it has {count:,} of {due:,} vectors"
        return ""

    def _due(self, tier: Tier) -> int:
        """How many vectors of this tier the ledger thinks the index has."""
        found = self.rows(
            "SELECT memories - (SELECT count(*) FROM memory"
            f" WHERE {WAITING} AND tier = t.tier) FROM tally t WHERE tier = ?",
            (str(tier),),
        )
        return int(found[0][0])

    def _made_anew(self, why: str) -> Guarded:
        """An empty index; everything waits for it again. Nothing is lost."""
        if why:
            logger.warning("the index is made anew from the ledger: %s", why)
        guarded.wipe(self.folder)
        index = Guarded(self._kind, self.folder, self.width)
        with self.transaction():
            self.run("UPDATE memory SET indexed = 0 WHERE indexed = 1")
            self.run("DELETE FROM stale")
            self.set_meta("index", guarded.renew_stamp(self._kind, self.folder))
        self._failed, self._doubted = "", False
        return index

    def _distrust(self, fault: IndexFault) -> None:
        """Search exactly from now on, until `flush` has made the index anew."""
        logger.warning("the index failed (%s); the ledger is searched instead", fault)
        self._failed, self._doubted = "it failed when it was asked", True
        self._let_go()

    def _let_go(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None
        self._hold.release()
        self._clear_rows()

    def _widen(self, encoder: str, width: int) -> None:
        """Take on another encoder, in a store that holds nothing yet."""
        self.encoder, self.width = encoder, width
        self._rows = {tier: exact.Rows(width) for tier in STORED}

    def _clear_rows(self) -> None:
        for kept in self._rows.values():
            kept.clear(-1)
