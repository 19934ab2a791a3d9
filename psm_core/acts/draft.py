"""A sleep's work before it is written: the memory as it will be, and what leads there.

A sleep takes seconds and a transaction should take none, so everything is decided here
first and written at once: whoever reads sees the memory before the sleep, or after it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from psm_core.content import Access, Store
from psm_core.types import Change, Conflict, Entry, Outcome, Tier

if TYPE_CHECKING:
    from psm_core.content import Vector

UNDONE = "undone"
"""What the history of a memory says where somebody took a change back."""

ANEW = frozenset({*map(str, Outcome), "superseded", "contradicted"})
"""Changes that something new brings about each time: a use, another fact.  Who took
one of them back has said nothing about the next."""

_WORD = re.compile(r"\w+")


class Draft:
    """What a sleep means to change, and the memory as if it had.

    It reads like the store, with everything that was drafted in place.

    Args:
        store: Whose memory; nothing is written to it before `write`.
        at: When the changes count as made.

    ``spared`` tells by id when a memory was said of which fewer words are in the index,
    and how many fewer.
    """

    def __init__(self, store: Store, at: datetime) -> None:
        self.store = store
        self.at = at
        self.changes: list[Change] = []
        self.conflicts = 0
        self.spared: dict[str, tuple[datetime, int]] = {}
        self._writes: list[Callable[[], object]] = []
        self._now: dict[str, Entry] = {}
        self._new: list[str] = []
        self._refused: dict[str, frozenset[str]] = {}
        self._back: set[str] = set()
        self._left: set[str] = set()

    # ------------------------------------------------------------------- reading

    def find(self, memory_id: str) -> Entry:
        """The memory of this id as it will be, with its vector.

        Raises:
            UnknownMemoryError: There is none.
        """
        found = self._now.get(memory_id)
        return self.store.find(memory_id) if found is None else found

    def holds(self, memory_id: str) -> bool:
        """Whether there will be a memory of this id."""
        return memory_id in self._now or bool(self.store.known([memory_id]))

    def entries(
        self, seqs: Iterable[int], *, vectors: bool = False
    ) -> Mapping[int, Entry]:
        """Those of *seqs* that exist, as they will be; see `Store.entries`."""
        found = self.store.entries(seqs, vectors=vectors)
        return {seq: self._now.get(e.id, e) for seq, e in found.items()}

    def new(self) -> list[Entry]:
        """What the store doesn't have yet."""
        return [self._now[i] for i in self._new]

    def touched(self) -> list[Entry]:
        """What the store has and the draft changes, as it will be."""
        new = set(self._new)
        return [e for e in self._now.values() if e.id not in new]

    def back(self) -> list[Entry]:
        """What comes back from the archive and stays, as it will be."""
        now = (self._now[i] for i in sorted(self._back))
        return [e for e in now if e.tier is Tier.EPISODIC]

    def left(self) -> list[Entry]:
        """What leaves the index of what is in it, as it will be."""
        now = (self._now[i] for i in sorted(self._left - self._back))
        return [e for e in now if e.tier is Tier.ARCHIVAL]

    def near(self, vector: Vector, text: str, most: int) -> list[Entry]:
        """Facts near *vector* or with words of *text*; each retriever proposes *most*.

        Both are asked, because each finds only about two thirds of the other halves
        of conflicts.

        Returns:
            Facts with vectors, in the order in which they were stored or drafted.
        """
        seqs = [seq for seq, _ in self.store.nearest(vector, most, [Tier.SEMANTIC])]
        postings = self.store.postings(self.store.terms(text), most * most)
        seqs += [int(seq) for seq in postings.seq]
        stored = self.entries(dict.fromkeys(seqs), vectors=True).values()
        facts = [e for e in stored if e.tier is Tier.SEMANTIC]
        return [*sorted(facts, key=lambda e: e.seq), *self._drafted(vector, text, most)]

    def _drafted(self, vector: Vector, text: str, most: int) -> list[Entry]:
        drafted = self.new()
        if len(drafted) <= most:
            return drafted
        cosines = np.stack([_vector(e) for e in drafted]) @ vector
        nearest = set(np.argsort(-cosines, kind="stable")[:most].tolist())
        said = set(self.store.terms(text))
        shared = [len(said & set(self.store.terms(e.text))) for e in drafted]
        alike = set(np.argsort([-n for n in shared], kind="stable")[:most].tolist())
        chosen = nearest | {n for n in alike if shared[n]}
        return [e for n, e in enumerate(drafted) if n in chosen]

    # ------------------------------------------------------------------ drafting

    def add(self, entry: Entry, reason: str) -> None:
        """Store *entry*, which is new and carries its vector."""
        self._now[entry.id] = entry
        self._new.append(entry.id)
        self._writes.append(lambda: self.store.add([entry]))
        self.note(entry.id, "fact", reason)

    def change(
        self, memory_id: str, at: datetime, what: str, reason: str, **values: Any
    ) -> bool:
        """Set fields of one memory; see `Store.change`.

        Returns:
            False where a person undid the same change of this memory before: what
            they took back isn't done to them again, unless it is done `ANEW`.
        """
        if what not in ANEW and what in self._undone(memory_id):
            return False
        before = self.find(memory_id)
        self._now[memory_id] = now = replace(before, **values)
        if before.tier is Tier.ARCHIVAL is not now.tier:
            self._back.add(memory_id)
        elif now.tier is Tier.ARCHIVAL is not before.tier:
            self._left.add(memory_id)
        self._spare(before, values.get("text", before.text))
        self._writes.append(
            lambda: self.store.change(memory_id, at, what, reason, **values)
        )
        self.note(memory_id, what, reason)
        return True

    def condense(self, entry: Entry, text: str, reason: str) -> None:
        """Let *text* stand for the words of an episode; see `Store.condense`."""
        if text != entry.text and "condensed" in self._undone(entry.id):
            text = entry.text
        self._writes.append(
            lambda: self.store.condense(entry.id, text, self.at, reason)
        )
        if text != entry.text:
            self._spare(entry, text)
            self.note(entry.id, "condensed", reason)

    def _spare(self, before: Entry, text: str) -> None:
        if text != before.text:
            fewer = size(before.text) - size(text)
            self.spared[before.id] = (before.said_at, fewer)

    def flag(self, conflict: Conflict) -> None:
        """Note a conflict of two memories of which one is new."""
        self._writes.append(lambda: self.store.flag(conflict))
        self.conflicts += 1

    def then(self, write: Callable[[], object]) -> None:
        """Do *write* in its turn, in the same transaction as everything else."""
        self._writes.append(write)

    def note(self, memory_id: str, what: str, reason: str) -> None:
        """Report one thing that is done to one memory."""
        self.changes.append(Change(self.at, memory_id, what, reason))

    def write(self) -> None:
        """Do all that was drafted, in its order; inside the caller's transaction."""
        for write in self._writes:
            write()

    def _undone(self, memory_id: str) -> frozenset[str]:
        if memory_id not in self._refused:
            new = memory_id in self._new
            found = () if new else self.store.undone(memory_id)
            self._refused[memory_id] = frozenset(found)
        return self._refused[memory_id]

    # ------------------------------------------- as the feedback's judgement asks it

    def judged(self) -> list[Access]:
        """See `Store.judged`."""
        return self.store.judged()

    def applied(self, numbers: Sequence[int]) -> None:
        """See `Store.applied`."""
        self.then(lambda: self.store.applied(numbers))

    def transaction(self) -> AbstractContextManager[None]:
        """Nothing is written yet, so there is nothing to hold together."""
        return contextlib.nullcontext()


def size(text: str) -> int:
    """How many words *text* has; at least 1, as the store counts them."""
    return max(sum(1 for _ in _WORD.finditer(text)), 1)


def _vector(entry: Entry) -> Vector:
    assert entry.vector is not None
    return entry.vector
