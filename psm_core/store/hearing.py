"""The first chapter of a `Shard`: what is new, and how it is stored."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from psm_core.errors import StoreError
from psm_core.store import archive, schema, tables, words
from psm_core.store.ledger import Ledger
from psm_core.store.rows import ADDED, STORED, micros, row
from psm_core.types import Entry, Tier

_STANDS = (
    f"{{0}}.fact = 0 AND +{{0}}.tier = '{Tier.EPISODIC}' AND {{0}}.valid_until IS NULL"
    " AND {0}.expires_at IS NULL AND {0}.corrected = 0 AND {0}.said_at >= ?"
)
"""What an episode must be to have been said last; takes since when.  The plus keeps
SQLite from reading the whole tier for it."""

_MOST_NAMES = 500
"""Ids in one statement; SQLite takes 32,766."""

_ADD_MEMORY = schema.insertion(tables.memory, ADDED)
_ADD_VECTOR = schema.insertion(tables.vector)
_ADD_PLACE = schema.insertion(tables.place)
ADD_SOURCE = schema.insertion(tables.source)
_SIT_DOWN = (
    "INSERT INTO session(name, next, memories, words) VALUES (?, ?, ?, ?)"
    " ON CONFLICT(name) DO UPDATE SET next = next + excluded.next,"
    " memories = memories + excluded.memories, words = words + excluded.words"
    " RETURNING number, next"
)


class Hearing(Ledger):
    """Adding memories, each id once, whoever else is adding them too."""

    def forgotten(self, ids: Iterable[str]) -> set[str]:
        """Those of *ids* that the person had forgotten on purpose."""
        digests = {archive.digest(i): i for i in ids}
        found: set[str] = set()
        with self.reading():
            for some in chunks(list(digests)):
                there = self.rows(
                    f"SELECT digest FROM tombstone WHERE digest IN {marks(some)}", some
                )
                found |= {digests[digest] for (digest,) in there}
        return found

    def said_last(self, speaker: str, text: str, since: datetime) -> str | None:
        """The id of what this speaker said last, if it was these words, not before.

        Case and space aside.  What was turned away, or has left the index, doesn't
        count, nor what holds no longer: there it is news that it is said again.
        """
        with self.reading():
            found = self.rows(
                # By the words first: who said much that was turned away, as a tool
                # does, is never read through.
                f"SELECT m.id FROM memory m WHERE m.said = ? AND {_STANDS.format('m')}"
                " AND NOT EXISTS (SELECT 1 FROM memory l WHERE l.speaker = m.speaker"
                f" AND l.seq > m.seq AND {_STANDS.format('l')}) LIMIT 1",
                (archive.said(speaker, text), micros(since), micros(since)),
            )
        return str(found[0][0]) if found else None

    def add(self, entries: Sequence[Entry]) -> list[Entry]:
        """Store new entries (tier as given); return those that weren't known, numbered.

        What is known, and what was forgotten on purpose, is left out.  The whole
        is one transaction.

        Args:
            entries: Each with its vector, (D,) float32 of length 1.

        Returns:
            Those that are new, in their order, each with its ``seq``.

        Raises:
            StoreError: A tier isn't one that a ledger holds, or the ledger can't be
                written.
            EncoderMismatchError: A vector has another width than the store's.
            EncoderError: A vector is missing or not finite.
        """
        if not entries:
            return []
        vectors = {e.id: self._checked(e) for e in reversed(entries)}
        with self.transaction():
            fresh = self._numbered(self._unknown(entries))
            if not fresh:
                return []
            self.run_each(_ADD_MEMORY, [row(e) for e in fresh])
            self.run_each(_ADD_VECTOR, _vector_rows(fresh, vectors))
            self.run_each(ADD_SOURCE, source_rows(fresh))
            self._seat(fresh)
            live = [(e.seq, e.text) for e in fresh if e.tier is not Tier.ARCHIVAL]
            words.put(self, live)
        return fresh

    def _count_in(self, tier: Tier, memories: int, length: int) -> None:
        """Note that a tier holds so many *memories* more, of *length* words."""
        self.run(
            "UPDATE tally SET memories = memories + ?, words = words + ?"
            " WHERE tier = ?",
            (memories, length, str(tier)),
        )

    def _checked(self, entry: Entry) -> Any:
        if entry.tier not in STORED:
            raise StoreError(
                f"memory {entry.id} is of tier {entry.tier}; a store holds "
                f"{', '.join(STORED)}, the others live in the process"
            )
        return archive.checked(entry.vector, self.width, self._user, self.encoder)

    def _unknown(self, entries: Sequence[Entry]) -> list[Entry]:
        first = {e.id: e for e in reversed(entries)}
        known = self.forgotten(first)
        for some in chunks(list(first)):
            there = self.rows(f"SELECT id FROM memory WHERE id IN {marks(some)}", some)
            known |= {name for (name,) in there}
        return [e for e in entries if e.id not in known and first[e.id] is e]

    def _numbered(self, entries: list[Entry]) -> list[Entry]:
        # Numbers are never given twice, not even after a forgetting.
        last = self.rows("SELECT seq FROM sqlite_sequence WHERE name = 'memory'")
        start = last[0][0] + 1 if last else 1
        return [replace(e, seq=start + n) for n, e in enumerate(entries)]

    def _seat(self, entries: list[Entry]) -> None:
        """Give each its place in its session; count sessions and tiers."""
        length = {e.seq: words.size(e.text) for e in entries}
        places = [
            # A fact stands alone: nothing was said just before or after it.
            (e.seq, -e.seq, 0, length[e.seq])
            for e in entries
            if e.tier is Tier.SEMANTIC
        ]
        turns: dict[str, list[int]] = {}
        for e in entries:
            if e.tier is not Tier.SEMANTIC:
                turns.setdefault(e.session, []).append(e.seq)
        for name, these in turns.items():
            total = sum(length[seq] for seq in these)
            sized = (name, len(these), len(these), total)
            number, after = self.rows(_SIT_DOWN, sized)[0]
            places += [
                (s, number, at, length[s])
                for at, s in enumerate(these, after - len(these))
            ]
        self.run_each(_ADD_PLACE, places)
        for tier, count in Counter(e.tier for e in entries).items():
            total = sum(length[e.seq] for e in entries if e.tier is tier)
            self._count_in(tier, count, total)


def chunks(names: list[Any]) -> Iterator[list[Any]]:
    """*names* in pieces that fit into one statement."""
    for start in range(0, len(names), _MOST_NAMES):
        yield names[start : start + _MOST_NAMES]


def marks(names: Sequence[Any]) -> str:
    """As many marks as *names*, for ``IN``."""
    return f"({', '.join('?' * len(names))})"


def source_rows(entries: Iterable[Entry]) -> Iterator[tuple[int, int, str]]:
    """One row for each turn that an entry rests on."""
    for e in entries:
        for n, turn in enumerate(dict.fromkeys(e.sources)):
            yield e.seq, n, turn


def _vector_rows(
    entries: list[Entry], vectors: dict[str, Any]
) -> Iterator[tuple[int, bytes, float | None]]:
    live = [e for e in entries if e.tier is not Tier.ARCHIVAL]
    if live:
        stored = archive.halves(np.stack([vectors[e.id] for e in live]))
        for e, numbers in zip(live, stored, strict=True):
            yield e.seq, numbers, None
    for e in entries:
        if e.tier is Tier.ARCHIVAL:
            numbers, scale = archive.eighths(vectors[e.id])
            yield e.seq, numbers, scale
