"""The second chapter of a `Shard`: what is there, and where it stands."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from psm_core.content import Place, Postings, SessionSize
from psm_core.errors import UnknownMemoryError
from psm_core.store import archive, words
from psm_core.store.hearing import chunks, marks
from psm_core.store.ledger import Ledger
from psm_core.store.rows import NAMES, entry, moment
from psm_core.store.tables import HEARD
from psm_core.types import Entry, Tier

if TYPE_CHECKING:
    from psm_core.content import Matrix, Numbers

_COLUMNS = ", ".join(f"m.{name}" for name in NAMES)
_BARE = f"SELECT {_COLUMNS} FROM memory m"
_WITH_VECTOR = (
    f"SELECT {_COLUMNS}, v.numbers, v.scale FROM memory m JOIN vector v USING (seq)"
)
_OF = " WHERE m.seq IN (SELECT value FROM json_each(?))"

# One step of the index for each speaker, where DISTINCT would read every row.
_SPEAKERS = """
WITH RECURSIVE each(name) AS (
    SELECT min(speaker) FROM memory
    UNION ALL
    SELECT (SELECT min(speaker) FROM memory WHERE speaker > name)
    FROM each WHERE name IS NOT NULL
)
SELECT name FROM each WHERE name IS NOT NULL
"""


class Finding(Ledger):
    """Reading: by id, by number, by place, by word."""

    def known(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Those of *ids* that are remembered, in any tier, without vectors."""
        found: list[Entry] = []
        with self.reading():
            for some in chunks(list(dict.fromkeys(ids))):
                found += self._read(f"{_BARE} WHERE m.id IN {marks(some)}", some)
        return {e.id: e for e in found}

    def entries(
        self, seqs: Iterable[int], *, vectors: bool = False
    ) -> dict[int, Entry]:
        """Those of *seqs* that still exist, in any tier."""
        numbers = json.dumps([int(seq) for seq in seqs])
        chosen = (_WITH_VECTOR if vectors else _BARE) + _OF
        with self.reading():
            found = self._read(chosen, (numbers,), vectors=vectors)
        return {e.seq: e for e in found}

    def find(self, memory_id: str) -> Entry:
        """The entry of this id, with its vector.

        Raises:
            UnknownMemoryError: No memory has this id.
        """
        with self.reading():
            found = self._read(
                f"{_WITH_VECTOR} WHERE m.id = ?", (memory_id,), vectors=True
            )
        if not found:
            raise self._unknown_memory(memory_id)
        return found[0]

    def _number(self, memory_id: str) -> int:
        """The ``seq`` of this id.

        Raises:
            UnknownMemoryError: No memory has this id.
        """
        with self.reading():
            found = self.rows("SELECT seq FROM memory WHERE id = ?", (memory_id,))
        if not found:
            raise self._unknown_memory(memory_id)
        return int(found[0][0])

    def listing(
        self,
        *,
        tiers: Sequence[Tier] | None = None,
        session: str | None = None,
        after: int = 0,
        limit: int | None = None,
        newest_first: bool = False,
        vectors: bool = False,
    ) -> list[Entry]:
        """Entries in the order of their numbers, after number *after*.

        Args:
            tiers: None means all.
            session: None means all.
            after: Leave out what has this number or a smaller one.
            limit: At most so many; None means all.
            newest_first: Begin with the highest number.
            vectors: Whether each entry carries its vector.
        """
        where = ["m.seq > ?"]
        values: list[Any] = [after]
        if session is not None:
            where.append("m.session = ?")
            values.append(session)
        if tiers is not None:
            # The plus keeps SQLite from sorting what several tiers have; one tier is
            # in order in its index, and a session is narrower than any tier.
            plain = len(tiers) == 1 and session is None
            where.append(f"{'' if plain else '+'}m.tier IN {marks(tiers)}")
            values += [str(tier) for tier in tiers]
        chosen = (
            f"{_WITH_VECTOR if vectors else _BARE} WHERE {' AND '.join(where)}"
            f" ORDER BY m.seq {'DESC' if newest_first else 'ASC'} LIMIT ?"
        )
        values.append(-1 if limit is None else limit)
        with self.reading():
            return self._read(chosen, values, vectors=vectors)

    def speakers(self) -> frozenset[str]:
        """Everybody who was ever heard here, and isn't forgotten."""
        with self.reading():
            return frozenset(str(name) for (name,) in self.rows(_SPEAKERS))

    def counts(self) -> dict[Tier, int]:
        """How many memories each tier holds."""
        with self.reading():
            found = self.rows("SELECT tier, memories FROM tally")
        return {Tier(tier): count for tier, count in found}

    def present(self) -> datetime | None:
        """When the person was last heard; None in an empty store."""
        with self.reading():
            found = self.rows(
                f"SELECT {HEARD} FROM memory ORDER BY {HEARD} DESC LIMIT 1"
            )
        return moment(found[0][0]) if found else None

    def terms(self, text: str) -> list[str]:
        """Stems of the content words of *text*, as the lexical index has them."""
        return words.stems(text)

    def postings(self, terms: Sequence[str], most: int) -> Postings:
        """Where *terms* stand, rarest first, until *most* rows are read."""
        with self.reading():
            return words.postings(self, terms, most)

    def places(self, seqs: Iterable[int]) -> dict[int, Place]:
        """Where each of these memories stands in its session."""
        numbers = json.dumps([int(seq) for seq in seqs])
        with self.reading():
            found = self.rows(
                "SELECT p.seq, p.session, p.place, p.words"
                " FROM json_each(?) j CROSS JOIN place p ON p.seq = j.value",
                (numbers,),
            )
        return {seq: Place(*rest) for seq, *rest in found}

    def at_places(
        self, places: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], int]:
        """Which memory (seq) stands at (session, place); archived turns too."""
        pairs = json.dumps([[int(number), int(place)] for number, place in places])
        with self.reading():
            found = self.rows(
                "SELECT p.session, p.place, p.seq"
                " FROM json_each(?) j CROSS JOIN place p"
                " ON p.session = json_extract(j.value, '$[0]')"
                " AND p.place = json_extract(j.value, '$[1]')",
                (pairs,),
            )
        return {(number, place): seq for number, place, seq in found}

    def sessions(self, numbers: Iterable[int]) -> dict[int, SessionSize]:
        """How much was said in each of these sessions."""
        wanted = json.dumps([int(number) for number in numbers])
        with self.reading():
            found = self.rows(
                "SELECT s.number, s.memories, s.words"
                " FROM json_each(?) j CROSS JOIN session s ON s.number = j.value"
                # A fact's own session has no row: it holds the fact and nothing else.
                " UNION SELECT p.session, 1, p.words"
                " FROM json_each(?) j CROSS JOIN place p ON p.session = j.value"
                " WHERE j.value < 0",
                (wanted, wanted),
            )
        return {number: SessionSize(*rest) for number, *rest in found}

    def session_count(self) -> int:
        """How many sessions there are; facts stand in none."""
        with self.reading():
            return int(self.rows("SELECT count(*) FROM session")[0][0])

    def vectors(self, seqs: Sequence[int]) -> tuple[Numbers, Matrix]:
        """Numbers (N,) ascending and vectors (N, D) of those of *seqs* that exist."""
        with self.reading():
            found = self.rows(
                "SELECT v.seq, v.numbers, v.scale FROM json_each(?) j"
                " CROSS JOIN vector v ON v.seq = j.value ORDER BY v.seq",
                (json.dumps([int(seq) for seq in seqs]),),
            )
        numbers = np.array([r[0] for r in found], np.int64)
        return numbers, self._decoded(found)

    def _read(
        self, statement: str, values: Sequence[Any], *, vectors: bool = False
    ) -> list[Entry]:
        found = self.rows(statement, values)
        sources = self._sources([r[0] for r in found])
        if not vectors:
            return [entry(r, sources[r[0]]) for r in found]
        return [
            entry(r, sources[r[0]], vector)
            for r, vector in zip(found, self._decoded(found), strict=True)
        ]

    def _decoded(self, found: Sequence[Any]) -> Matrix:
        return archive.vectors(
            [r[-2] for r in found], [r[-1] for r in found], self.width
        )

    def _unknown_memory(self, memory_id: str) -> UnknownMemoryError:
        return UnknownMemoryError(
            f"{self._user} has no memory {memory_id}; it was never kept, or it was "
            "forgotten"
        )

    def _sources(self, seqs: list[int]) -> dict[int, tuple[str, ...]]:
        found = self.rows(
            "SELECT s.seq, s.turn FROM json_each(?) j CROSS JOIN source s"
            " ON s.seq = j.value ORDER BY s.seq, s.n",
            (json.dumps(seqs),),
        )
        turns: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
        for seq, turn in found:
            turns[seq] += (turn,)
        return turns
