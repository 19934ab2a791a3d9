"""The tenth chapter of a `Shard`: what a sleep makes of the words that were heard."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from psm_core.content import Weight
from psm_core.store import archive, rows, schema, tables, words
from psm_core.store.changing import Changing
from psm_core.strength import remaining
from psm_core.types import Entry

_ADD_GIST = schema.insertion(tables.gist)
_LIVE = "m.tier <> 'archival'"
_TRACES = (
    "SELECT id, strength, half_life, anchored_at, floor FROM memory"
    " WHERE tier = 'episodic' AND pinned = 0 ORDER BY seq"
)


class Condensing(Changing):
    """What has faded, which words can be spared, and what fills the index."""

    def fading(
        self, at: datetime, below: float, most: int, more: int = 0
    ) -> tuple[list[tuple[str, float]], int]:
        """The unpinned episodes of the index that retain least at a moment.

        Args:
            at: Aware datetime.
            below: All that retain less than this, in [0, 1], are among them, ...
            most: ... and all those beyond so many ...
            more: ... and so many more.

        Returns:
            Their ids, least first, each with what it retains; and how many unpinned
            episodes there are in all.
        """
        with self.reading():
            found = self.rows(_TRACES)
        if not found:
            return [], 0
        _, *columns = zip(*found, strict=True)
        strength, half_life, anchored_at, floor = map(np.array, columns)
        elapsed = np.maximum(rows.micros(at) - anchored_at, 0)
        left = remaining(strength, floor, elapsed / half_life)
        order = np.argsort(left, kind="stable")
        count = max(int((left < below).sum()), len(found) - most) + more
        weakest = [(found[n][0], float(left[n])) for n in order[:count].tolist()]
        return weakest, len(found)

    def ripe(self, before: datetime, most: int) -> list[Entry]:
        """Episodes said before a moment that no sleep has condensed, oldest first.

        Args:
            before: Aware datetime.
            most: At most so many.
        """
        with self.reading():
            found = self.rows(
                "SELECT m.seq FROM memory m LEFT JOIN gist g USING (seq)"
                " WHERE m.tier = 'episodic' AND g.seq IS NULL AND m.said_at < ?"
                " ORDER BY m.seq LIMIT ?",
                (rows.micros(before), most),
            )
            there = self.entries([seq for (seq,) in found])
        return [there[seq] for (seq,) in found]

    def condense(
        self, memory_id: str, text: str, at: datetime, reason: str = ""
    ) -> None:
        """Let *text* stand for an episode's words in the index, and keep them aside.

        The vector stays that of the whole.  Where *text* is what was heard, it is
        only noted that a sleep has looked at it.

        Raises:
            UnknownMemoryError: No memory has this id.
        """
        with self.transaction():
            old = self.find(memory_id)
            if text == old.text:
                spared = None
            else:
                spared = archive.packed(old.text)
                self._note(old, at, "condensed", reason, {})
                self._move(old, replace(old, text=text), has_vector=False)
            length = words.size(old.text)
            self.run(f"{_ADD_GIST} ON CONFLICT DO NOTHING", (old.seq, length, spared))

    def as_heard(self, entries: Sequence[Entry]) -> list[Entry]:
        """*entries*, those that were condensed in the words that were heard."""
        numbers = json.dumps([e.seq for e in entries])
        with self.reading():
            found = self.rows(
                "SELECT g.seq, g.whole FROM json_each(?) j CROSS JOIN gist g"
                " ON g.seq = j.value WHERE g.whole IS NOT NULL",
                (numbers,),
            )
        wholes = {seq: archive.unpacked(whole) for seq, whole in found}
        return [replace(e, text=wholes.get(e.seq, e.text)) for e in entries]

    def heard(self, before: datetime) -> int:
        """How many words were heard before a moment, whatever became of them."""
        with self.reading():
            found = self.rows(
                "SELECT sum(ifnull(g.words, p.words)) FROM memory m"
                " JOIN place p USING (seq) LEFT JOIN gist g USING (seq)"
                " WHERE m.fact = 0 AND m.said_at < ?",
                (rows.micros(before),),
            )
        return int(found[0][0] or 0)

    def indexed(self, before: datetime) -> int:
        """Words in the index of what was said before a moment, facts included."""
        with self.reading():
            total = self.rows(
                "SELECT sum(p.words) FROM memory m JOIN place p USING (seq)"
                f" WHERE {_LIVE} AND m.said_at < ?",
                (rows.micros(before),),
            )
        return int(total[0][0] or 0)

    def weakest(self, before: datetime, most: int) -> list[Weight]:
        """The unpinned episodes that were said before a moment, the weakest first.

        Args:
            before: Aware datetime.
            most: At most so many.
        """
        with self.reading():
            found = self.rows(
                "SELECT m.id, m.strength, p.words"
                " FROM memory m JOIN place p USING (seq)"
                " WHERE m.tier = 'episodic' AND m.pinned = 0 AND m.said_at < ?"
                " ORDER BY m.strength, m.seq LIMIT ?",
                (rows.micros(before), most),
            )
        return [Weight(*row) for row in found]

    def undone(self, memory_id: str) -> set[str]:
        """What was done to a memory and taken back, by the words of its history."""
        with self.reading():
            found = self.rows(
                "SELECT h.reason FROM history h JOIN memory m USING (seq)"
                f" WHERE m.id = ? AND h.{tables.UNDONE}",
                (memory_id,),
            )
        return {reason for (reason,) in found}

    def revision(self) -> tuple[int, ...]:
        """Changes when anything is decided, judged or forgotten; not by hearing."""
        with self.reading():
            (found,) = self.rows(
                "SELECT (SELECT ifnull(max(number), 0) FROM history),"
                " (SELECT ifnull(max(number), 0) FROM journal),"
                " (SELECT count(*) FROM tombstone),"
                " (SELECT ifnull(max(number), 0) FROM conflict)"
            )
        return (self.watermark(), *found)
