"""The fourth chapter of a `Shard`: what changes, what clashes, what is forgotten."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from psm_core.content import Former
from psm_core.errors import StoreError, UnknownMemoryError
from psm_core.store import archive, rows, words
from psm_core.store.finding import Finding
from psm_core.store.hearing import ADD_SOURCE, Hearing, source_rows
from psm_core.types import Change, Entry, Kind, Tier, Trace

_FIXED = frozenset({"id", "seq", "session", "said_at"})
_CHANGEABLE = frozenset(f.name for f in fields(Entry)) - _FIXED


class Changing(Hearing, Finding):
    """Everything that is written about a memory after it was added."""

    def change(
        self, memory_id: str, at: datetime, what: str, reason: str, **values: object
    ) -> None:
        """Set fields of one entry and note the change in its history.

        The history keeps the old values: numbers and ids as they were, words
        compressed.  A vector isn't kept, for it can be made again.

        Args:
            memory_id: Which entry.
            at: When, as an aware datetime.
            what: One word for the change.
            reason: Why, in a sentence without the memory's own words.
            values: New values by name of `Entry` field, ``trace`` for the whole
                trace.  ``tier`` moves text and vector between index and archive.

        Raises:
            UnknownMemoryError: No memory has this id.
            TypeError: A name isn't a field that can change.
            StoreError: ``tier`` isn't one that a ledger holds.
        """
        if strange := sorted(set(values) - _CHANGEABLE):
            raise TypeError(
                f"change() can't set {', '.join(strange)}; it can set "
                f"{', '.join(sorted(_CHANGEABLE))}"
            )
        with self.transaction():
            old = self.find(memory_id)
            new = replace(old, **values)  # type: ignore[arg-type]  # names were checked
            self._note(old, at, what, reason, values)
            self._rewrite(new, values)
            if {"tier", "text", "vector"} & set(values):
                self._move(old, new, has_vector="vector" in values)

    def watermark(self) -> int:
        """The number of the last entry that a sleep has read; 0 before the first."""
        with self.reading():
            return int(self.meta("watermark") or 0)

    def set_watermark(self, seq: int) -> None:
        """Move the watermark; the last write of a sleep."""
        with self.transaction():
            self.set_meta("watermark", str(int(seq)))

    def history(self, memory_id: str) -> list[Change]:
        """All that happened to one memory, oldest first.

        Raises:
            UnknownMemoryError: No memory has this id.
        """
        with self.reading():
            found = self.rows(
                "SELECT at, what, reason, number FROM history WHERE seq = ?"
                " ORDER BY number",
                (self._number(memory_id),),
            )
        return [
            Change(rows.moment(at), memory_id, what, reason, number)
            for at, what, reason, number in found
        ]

    def before(self, number: int) -> Former:
        """What change *number* put an end to.

        Raises:
            UnknownMemoryError: No change has this number.
        """
        with self.reading():
            found = self.rows(
                "SELECT m.id, h.seq, h.what, h.reason, h.was, h.former FROM history h"
                " JOIN memory m USING (seq) WHERE h.number = ?",
                (number,),
            )
            if not found:
                raise UnknownMemoryError(
                    f"{self._user} has no change {number}; take the number from the "
                    "history of a memory"
                )
            name, seq, what, reason, was, former = found[0]
            since = self.rows(
                "SELECT number, was, former FROM history WHERE seq = ? AND number > ?",
                (seq, number),
            )
        values = _fields(was, former)
        later = (n for n, w, f in since if values.keys() & _fields(w, f).keys())
        return Former(name, what, reason, values, tuple(later))

    def _moved(self, tier: Tier) -> None:
        """Note that copies of this tier's vectors, in any process, are out of date."""
        self.run("UPDATE tally SET moved = moved + 1 WHERE tier = ?", (str(tier),))

    def _note(
        self,
        old: Entry,
        at: datetime,
        what: str,
        reason: str,
        values: dict[str, object],
    ) -> None:
        kept = {
            name: _primitive(getattr(old, name))
            for name in sorted(values)
            if name not in {"text", "vector"}
        }
        former = archive.packed(old.text) if "text" in values else None
        self.run(
            "INSERT INTO history(seq, at, what, reason, was, former)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (old.seq, rows.micros(at), what, reason, json.dumps(kept), former),
        )

    def _rewrite(self, new: Entry, values: dict[str, object]) -> None:
        """The columns that have no part in the index."""
        changed: dict[str, Any] = {}
        for name, value in values.items():
            if name not in {"text", "tier", "vector", "sources"}:
                changed |= rows.columns(name, value)
        if {"text", "speaker"} & set(values):
            changed["said"] = archive.said(new.speaker, new.text)
        if changed:
            marks = ", ".join(f"{name} = ?" for name in changed)
            self.run(
                f"UPDATE memory SET {marks} WHERE seq = ?", (*changed.values(), new.seq)
            )
        if "sources" in values:
            self.run("DELETE FROM source WHERE seq = ?", (new.seq,))
            self.run_each(ADD_SOURCE, source_rows([new]))

    def _move(self, old: Entry, new: Entry, *, has_vector: bool) -> None:
        """Text, words and vector, to where the new tier has them."""
        if new.tier not in rows.STORED:
            raise StoreError(
                f"memory {new.id} can't be moved to {new.tier}; a store holds "
                f"{', '.join(rows.STORED)}"
            )
        length, number = self._size(new.seq)
        longer = words.size(new.text)
        if old.tier is not Tier.ARCHIVAL:
            words.drop(self, old.seq, old.text)
        if new.tier is not Tier.ARCHIVAL:
            words.put(self, [(new.seq, new.text)])
        self._count_in(old.tier, -1, -length)
        self._count_in(new.tier, 1, longer)
        self._shrink(number, 0, longer - length)
        self.run("UPDATE place SET words = ? WHERE seq = ?", (longer, new.seq))
        stays = old.tier is new.tier and not has_vector
        if not stays:
            self._leave_index(old.seq, old.tier)
            for tier in {old.tier, new.tier}:
                self._moved(tier)
        self.run(
            "UPDATE memory SET tier = ?, text = ?, packed = ?,"
            " indexed = CASE WHEN ? THEN indexed ELSE 0 END WHERE seq = ?",
            (str(new.tier), *rows.body(new.tier, new.text), stays, new.seq),
        )
        if has_vector or (old.tier is Tier.ARCHIVAL) is not (new.tier is Tier.ARCHIVAL):
            self._revector(new)

    def _revector(self, new: Entry) -> None:
        numbers = archive.checked(new.vector, self.width, self._user, self.encoder)
        scale = None
        if new.tier is Tier.ARCHIVAL:
            stored, scale = archive.eighths(numbers)
        else:
            stored = archive.halves(numbers[None])[0]
        self.run(
            "UPDATE vector SET numbers = ?, scale = ? WHERE seq = ?",
            (stored, scale, new.seq),
        )

    def _leave_index(self, seq: int, tier: Tier) -> None:
        # Marked as indexed or not: a killed flush leaves vectors that aren't marked.
        self.run(
            "INSERT OR IGNORE INTO stale SELECT ?, ? FROM meta"
            " WHERE key = 'index' AND ? <> 'archival'",
            (seq, str(tier), str(tier)),
        )

    def _shrink(self, number: int, memories: int, length: int) -> None:
        self.run(
            "UPDATE session SET memories = memories + ?, words = words + ?"
            " WHERE number = ?",
            (memories, length, number),
        )

    def _size(self, seq: int) -> tuple[int, int]:
        found = self.rows("SELECT words, session FROM place WHERE seq = ?", (seq,))
        return int(found[0][0]), int(found[0][1])


def _fields(was: str, former: bytes | None) -> dict[str, Any]:
    """The values that a row of the history keeps, by name of `Entry` field."""
    values = {name: _value(name, value) for name, value in json.loads(was).items()}
    return values | ({} if former is None else {"text": archive.unpacked(former)})


def _value(name: str, stored: Any) -> Any:
    """What `_primitive` made *stored* of."""
    if name == "trace":
        return Trace(
            stored["strength"],
            rows.span(stored["half_life"]),
            rows.moment(stored["anchored_at"]),
            stored["floor"],
        )
    if name in rows.MOMENTS and stored is not None:
        return rows.moment(stored)
    made = {"tier": Tier, "kind": Kind, "sources": tuple}.get(name)
    return stored if made is None else made(stored)


def _primitive(value: object) -> object:
    """*value* as JSON can hold it."""
    if isinstance(value, datetime):
        return rows.micros(value)
    if isinstance(value, timedelta):
        return rows.columns("trace", Trace(0, value, rows.moment(0)))["half_life"]
    if isinstance(value, Trace):
        return rows.columns("trace", value)
    return value
