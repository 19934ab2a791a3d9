"""One person's opened folder: ledger, index and archive as one `Store`."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from psm_core.errors import EncoderMismatchError, StoreError
from psm_core.store import parcel, schema, tables
from psm_core.store.clashing import Clashing
from psm_core.store.condensing import Condensing
from psm_core.store.folder import contents, remove
from psm_core.store.forgetting import Forgetting
from psm_core.store.judging import Judging
from psm_core.store.keeping import Keeping
from psm_core.types import Erasure

logger = logging.getLogger(__name__)


class Shard(Keeping, Forgetting, Condensing, Clashing, Judging):
    """One person's content.  Implements `psm_core.content.Store`.

    Its chapters stand in files of their own, in the order of the protocol: hearing,
    finding, judging, changing, forgetting, clashing, indexing, searching, keeping,
    condensing.
    Each is a class over `Ledger`, which has the connection and the lock.

    Obtained from `Home.open`, which closes it too.
    """

    def bind(self, encoder: str, width: int) -> None:
        """See that this process encodes as the store was written.

        A store that holds nothing yet takes on the new encoder.

        Raises:
            EncoderMismatchError: It holds memories, from another encoder.
        """
        if (encoder, width) == (self.encoder, self.width):
            return
        with self.transaction():
            if any(self.counts().values()):
                raise EncoderMismatchError(
                    f"the store of {self.user} was written by {self.encoder!r} "
                    f"({self.width} numbers a text), this process uses {encoder!r} "
                    f"({width}); open it with the first, or remember its turns anew "
                    "in another home"
                )
            self.set_meta("encoder", encoder)
            self.set_meta("width", str(width))
        self._widen(encoder, width)

    def export(self, path: Path) -> None:
        """Write the whole person into one file that `Home.import_person` reads.

        What integrations keep in SQLite files of the folder comes along.

        Args:
            path: Where to; what is there is replaced, all at once.

        Raises:
            StoreError: The file can't be written.
        """
        parcel.pack(self, Path(path))

    def copy(self, to: Path) -> int:
        """Write the ledger as it is now, its log included, into a new file.

        Returns:
            How many memories it holds.
        """
        with self._lock:
            self._require_open()
            self._require_no_transaction("a person exported")
            self.run("VACUUM INTO ?", (str(to),))
            return sum(self.counts().values())

    def erase(self, at: datetime) -> Erasure:
        """Delete the person everywhere, and prove it.

        First the rows, so that other processes see it at once and can write no
        more, then the files.  The shard is closed afterwards.

        Args:
            at: When, for the proof.

        Returns:
            What was there, and what couldn't be removed.
        """
        with self._lock:
            self._require_open()
            self._require_no_transaction("a person erased")
            memories = sum(self.counts().values())
            files, size = contents(self.folder)
            self.empty()
            self.close()
            return Erasure(
                user=self.user,
                at=at,
                memories=memories,
                files=files,
                bytes=size,
                left=remove(self.folder),
            )

    def empty(self) -> None:
        """Delete all rows, and let no other process write any more."""
        try:
            with self.transaction():
                self.delete_all()
            self.checkpoint()
        except StoreError as fault:
            # A ledger that can't be written can still be deleted.
            logger.warning("rows weren't deleted one by one (%s)", type(fault).__name__)

    def delete_all(self) -> None:
        """Delete all rows inside a transaction; only the mark of that stays."""
        self.run("INSERT INTO words(words) VALUES ('delete-all')")
        for table in reversed(tables.tables.sorted_tables):
            if table is not tables.tally:
                self.run(f"DELETE FROM {table.name}")
        self.run("UPDATE tally SET memories = 0, words = 0, moved = moved + 1")
        self.set_meta("schema", str(schema.ERASED))

    def close(self) -> None:
        """Let go of files and lock; a closed shard stays closed."""
        with self._lock:
            if not self.closed:
                self._let_go()
                self._disconnect()
