"""The folders that are open in this process, one `Shard` each, however many ask."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from psm_core.store.shard import Shard


@dataclass(eq=False)
class Slot:
    """A place for one open shard, and how many are using it."""

    folder: Path
    shard: Shard | None = None
    users: int = 0
    doomed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Pool:
    """Open shards, the least recently used first.

    One in use is never closed; one whose ledger was erased or replaced behind our
    back is closed when its last user is done, and opened anew for the next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: OrderedDict[Path, Slot] = OrderedDict()

    def take(
        self, folder: Path, make: Callable[[], Shard], most: int
    ) -> tuple[Slot, Shard]:
        """The open shard of *folder*; give the slot back with `give`.

        Args:
            folder: The real path of a person's folder.
            make: Opens it.
            most: How many may be open, those in use aside.
        """
        while True:
            slot = self._reserve(folder)
            try:
                with slot.lock:
                    if slot.shard is None and not slot.doomed:
                        slot.shard = make()
                    shard = slot.shard
            except BaseException:
                self._retire(slot)
                raise
            if shard is not None and not slot.doomed and shard.intact():
                self._close_beyond(most)
                return slot, shard
            self._retire(slot)

    def give(self, slot: Slot) -> None:
        """Be done with a slot."""
        with self._lock:
            slot.users -= 1
            over = slot.users == 0 and slot.doomed
        if over and slot.shard is not None:
            slot.shard.close()

    def release(self, folder: Path) -> bool:
        """Close the shard of *folder* if nobody uses it; whether none is open now."""
        with self._lock:
            slot = self._slots.get(folder)
            if slot is None:
                return True
            if slot.users:
                return False
            del self._slots[folder]
        _close(slot)
        return True

    def release_below(self, home: Path) -> None:
        """Close the idle shards of one home."""
        with self._lock:
            below = [f for f in self._slots if f.is_relative_to(home)]
        for folder in below:
            self.release(folder)

    def abandon(self) -> list[Slot]:
        """Drop all without closing: they are a forked parent's, who still uses them."""
        slots = list(self._slots.values())
        self.__init__()  # type: ignore[misc]  # the lock may be held by a thread that is gone
        return slots

    def _reserve(self, folder: Path) -> Slot:
        with self._lock:
            slot = self._slots.setdefault(folder, Slot(folder))
            self._slots.move_to_end(folder)
            slot.users += 1
            return slot

    def _retire(self, slot: Slot) -> None:
        with self._lock:
            slot.doomed = True
            if self._slots.get(slot.folder) is slot:
                del self._slots[slot.folder]
        self.give(slot)

    def _close_beyond(self, most: int) -> None:
        with self._lock:
            idle = [slot for slot in self._slots.values() if not slot.users]
            surplus = idle[: max(len(self._slots) - most, 0)]
            for slot in surplus:
                del self._slots[slot.folder]
        for slot in surplus:
            _close(slot)


def _close(slot: Slot) -> None:
    if slot.shard is not None:
        slot.shard.close()


POOL = Pool()
"""The one of this process: two homes of one path share their shards."""

_parents: list[Slot] = []


def _forked() -> None:
    # Kept, for to collect them would close a parent's files and take back its locks.
    _parents.extend(POOL.abandon())


os.register_at_fork(after_in_child=_forked)
