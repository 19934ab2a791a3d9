"""The fifth chapter of a `Shard`: what is forgotten on purpose, everywhere."""

from __future__ import annotations

from datetime import datetime

from psm_core.store import archive, rows, words
from psm_core.store.changing import Changing
from psm_core.types import Entry, Tier


class Forgetting(Changing):
    """Deleting one memory, and what rests on it alone."""

    def forget(self, memory_id: str, at: datetime, *, for_good: bool = True) -> None:
        """Delete one memory from ledger, words, index, archive, log and WAL.

        A fact that rests on the same turn alone goes with it; one that rests on
        more loses that source.  Its id stays, as a digest that can't be turned back,
        so that hearing the turn again doesn't bring it back.  In the index, which
        never had the words, its vector goes with the next `flush`.

        Args:
            memory_id: Which.
            at: When.
            for_good: False leaves no trace, so that the same may be stored again.

        Raises:
            UnknownMemoryError: No memory has this id.
        """
        with self.transaction():
            target = self.find(memory_id)
            turns = () if self._born_a_fact(target.seq) else target.sources
            self._delete(target, at if for_good else None)
            self._unfound(turns, at)
            self.shred()

    def _unfound(self, turns: tuple[str, ...], at: datetime) -> None:
        """Take the ground away from the facts that rest on *turns*."""
        for turn in turns:
            found = self.rows(
                "SELECT m.seq, m.id FROM source s JOIN memory m USING (seq)"
                " WHERE s.turn = ? AND m.fact = 1",
                (turn,),
            )
            for seq, name in found:
                self.run("DELETE FROM source WHERE seq = ? AND turn = ?", (seq, turn))
                if not self.rows("SELECT 1 FROM source WHERE seq = ?", (seq,)):
                    self._delete(self.find(name), at)

    def _born_a_fact(self, seq: int) -> bool:
        # Not by its tier: facts are archived too.
        return bool(self.rows("SELECT fact FROM memory WHERE seq = ?", (seq,))[0][0])

    def _delete(self, target: Entry, at: datetime | None) -> None:
        seq, tier = target.seq, target.tier
        length, number = self._size(seq)
        if tier is not Tier.ARCHIVAL:
            words.drop(self, seq, target.text)
        self._leave_index(seq, tier)
        self._moved(tier)
        self._count_in(tier, -1, -length)
        self._shrink(number, -1, -length)
        self.run("DELETE FROM session WHERE number = ? AND memories = 0", (number,))
        self.run(
            "UPDATE memory SET superseded_by = NULL WHERE superseded_by = ?",
            (target.id,),
        )
        # Vector, sources, place, accesses, conflicts and history go with it.
        self.run("DELETE FROM memory WHERE seq = ?", (seq,))
        if at is not None:
            self.run(
                "INSERT OR IGNORE INTO tombstone VALUES (?, ?)",
                (archive.digest(target.id), rows.micros(at)),
            )
