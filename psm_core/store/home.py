"""A folder of people: who is there, and opening one of them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from psm_core.config import Config
from psm_core.content import IndexKind
from psm_core.errors import ClosedError, EncoderMismatchError, StoreError
from psm_core.store import index, parcel, queue, schema
from psm_core.store.folder import (
    GONE,
    contents,
    make,
    named,
    proper,
    reaching,
    remove,
)
from psm_core.store.ledger import FILE
from psm_core.store.pool import POOL
from psm_core.store.shard import Shard
from psm_core.types import Erasure

logger = logging.getLogger(__name__)

ERASING_SECONDS, ERASING_TRIES = 1.0, 20
"""How long an opening waits for an erasure to end, and how often it looks."""


class Home:
    """The people whose folders lie in ``config.home``.

    Homes of one path share their open shards, in the whole process.

    Args:
        config: Where, and how many stay open.
        encoder_name: The encoder of this process; a store refuses another than its
            own.
        width: Numbers in one of its vectors.
        kind: What proposes which vectors are near.  A folder that is open in this
            process keeps the index that it was opened with.

    Raises:
        StoreError: The folder can't be made.
    """

    def __init__(
        self,
        config: Config,
        encoder_name: str,
        width: int,
        kind: IndexKind = index.KIND,
    ) -> None:
        self._config = config
        self._encoder = encoder_name
        self._width = width
        self._kind = kind
        self._met: set[str] = set()
        with reaching(f"making the home {config.home}"):
            make(config.home)
            self._people = config.home.resolve() / "people"
            make(self._people)

    def folder(self, user: str) -> Path:
        """The folder of one person, whether it is there or not.

        Raises:
            UserError: *user* can't name a person.
        """
        return self._people / named(proper(user))

    def has(self, user: str) -> bool:
        """Whether this person has a ledger here."""
        return (self.folder(user) / FILE).exists()

    @contextlib.contextmanager
    def open(self, user: str) -> Iterator[Shard]:
        """One person's shard, for as long as the ``with`` block lasts.

        It stays open afterwards, up to ``config.open_people``; a person who isn't
        there yet is made, but not one who was erased after this home opened them.

        Raises:
            ClosedError: They were erased since.
            UserError: *user* can't name a person.
            EncoderMismatchError: The store was written with another encoder.
            SchemaError: It was written by a newer release.
            StoreCorruptError: It is damaged.
            StoreError: It can't be read or written.
        """
        with self._taken(user) as shard:
            shard.bind(self._encoder, self._width)
            yield shard

    def people(self) -> list[str]:
        """The true names of all who have a ledger here, sorted.

        A ledger that can't be read is left out, with a warning.
        """
        found = []
        for ledger in self._people.glob(f"??/*/{FILE}"):
            if GONE not in ledger.parent.name:
                try:
                    found += _whose(ledger)
                except sqlite3.Error as fault:
                    name = type(fault).__name__
                    logger.warning("%s can't be read (%s)", ledger.parent, name)
        return sorted(found)

    def release(self, user: str) -> bool:
        """Close this person's shard, and so let go of the index's lock.

        Returns:
            False where somebody in this process is using it.
        """
        return POOL.release(self.folder(user))

    def close(self) -> None:
        """Close all shards of this home that nobody uses."""
        self._met.clear()
        POOL.release_below(self._people)

    def erase(self, user: str, at: datetime) -> Erasure:
        """Delete a person everywhere, even one whose ledger can't be opened.

        Args:
            user: Whom.
            at: When, for the proof.
        """
        proof = self._erased(user, at)
        self._met.discard(proof.user)
        left = queue.drop(self._config.home, user, self._config.busy_seconds)
        return dataclasses.replace(proof, left=(*proof.left, *left))

    def import_person(
        self, path: Path, user: str | None = None, *, replace: bool = False
    ) -> str:
        """Take in a person that `Shard.export` wrote.

        Args:
            path: The file.
            user: Under which name; None means the one in the file.
            replace: Whether somebody of that name who is here may be deleted for it.

        Returns:
            The name.

        Raises:
            StoreCorruptError: The file isn't a whole export.
            SchemaError: It was written by a newer release.
            EncoderMismatchError: It was written with another encoder.
            StoreError: The person is here already, or is being used.
        """
        with (
            reaching(f"importing {path}"),
            tempfile.TemporaryDirectory(
                dir=self._people, prefix=".incoming-"
            ) as scratch,
        ):
            incoming = Path(scratch) / "person"
            make(incoming)
            manifest = parcel.unpack(Path(path), incoming)
            name = proper(manifest.user if user is None else user)
            self._require_encoder(manifest)
            self._require_room(name, replace=replace)
            self._adopt(incoming, manifest.user, name)
            self._move_in(incoming, name)
        return name

    def _erased(self, user: str, at: datetime) -> Erasure:
        try:
            with self._taken(user) as shard:
                return shard.erase(at)
        except (StoreError, ClosedError) as fault:
            logger.warning("erasing files alone (%s)", type(fault).__name__)
        folder = self.folder(user)
        files, size = contents(folder)
        return Erasure(proper(user), at, 0, files, size, remove(folder))

    @contextlib.contextmanager
    def _taken(self, user: str) -> Iterator[Shard]:
        folder, name = self.folder(user), proper(user)
        slot, shard = POOL.take(
            folder, lambda: self._opened(folder, name), self._config.open_people
        )
        self._met.add(name)
        try:
            yield shard
        finally:
            POOL.give(slot)

    def _opened(self, folder: Path, user: str) -> Shard:
        for _ in range(ERASING_TRIES):
            if user in self._met and not (folder / FILE).exists():
                break
            with reaching(f"opening the folder of {user}"):
                make(folder.parent)
                make(folder)
            try:
                return self._shard(folder, user)
            except ClosedError:
                # Somebody is erasing it just now; the files go next.
                time.sleep(ERASING_SECONDS / ERASING_TRIES)
            except StoreError:
                if folder.exists():
                    raise
        if user in self._met:
            raise ClosedError(
                f"the memory of {user} was erased; begin a new one with "
                f"Memory({user!r}, home=...)"
            )
        # Whoever erased it was cut off before the files were gone.
        remove(folder)
        make(folder)
        return self._shard(folder, user)

    def _shard(self, folder: Path, user: str) -> Shard:
        return Shard(folder, user, self._encoder, self._width, self._config, self._kind)

    def _require_encoder(self, manifest: parcel.Manifest) -> None:
        theirs = (manifest.encoder, manifest.width)
        if manifest.memories and theirs != (self._encoder, self._width):
            raise EncoderMismatchError(
                f"the export of {manifest.user} was written by {theirs[0]!r} "
                f"({theirs[1]} numbers a text), this process uses {self._encoder!r} "
                f"({self._width}); import it with the first"
            )

    def _require_room(self, user: str, *, replace: bool) -> None:
        if self.has(user) and not replace:
            raise StoreError(
                f"{user} is here already; import under another name, or replace them "
                "on purpose (replace=True)"
            )
        if not self.release(user):
            raise StoreError(
                f"the memory of {user} is in use in this process; close it first"
            )

    def _adopt(self, folder: Path, written_for: str, user: str) -> None:
        incoming = self._shard(folder, written_for)
        try:
            parcel.adopt(incoming, user)
        finally:
            incoming.close()

    def _move_in(self, incoming: Path, user: str) -> None:
        folder = self.folder(user)
        make(folder.parent)
        old = folder.with_name(f"{folder.name}{GONE}old")
        remove(old)
        # Who writes into the old ledger waits until it says that it is replaced.
        with self._emptied(folder, user):
            if folder.exists():
                folder.rename(old)
            try:
                incoming.rename(folder)
            except OSError:
                if old.exists():
                    old.rename(folder)
                raise
        remove(old)

    @contextlib.contextmanager
    def _emptied(self, folder: Path, user: str) -> Iterator[None]:
        """Delete the rows of a ledger that is there, unless the block fails."""
        try:
            before = self._shard(folder, user) if (folder / FILE).exists() else None
        except (StoreError, ClosedError):
            # It can't be opened, which may be why it is being replaced.
            before = None
        if before is None:
            yield
            return
        try:
            with before.transaction():
                before.delete_all()
                yield
        finally:
            before.close()


def _whose(ledger: Path) -> list[str]:
    driver = sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)
    try:
        if not driver.execute("PRAGMA application_id").fetchone()[0]:
            return []
        if driver.execute(schema.VERSION).fetchone() == (str(schema.ERASED),):
            return []
        found = driver.execute("SELECT value FROM meta WHERE key = 'user'").fetchall()
        return [str(name) for (name,) in found]
    finally:
        driver.close()
