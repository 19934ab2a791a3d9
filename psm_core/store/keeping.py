"""The ninth chapter of a `Shard`: is all as it should be, and how it is made so."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from filelock import Timeout

from psm_core.errors import StoreCorruptError, StoreError
from psm_core.store import rows, words
from psm_core.store.guarded import Guarded, IndexFault, NoIndexError
from psm_core.store.searching import Searching
from psm_core.types import Fault

logger = logging.getLogger(__name__)

_TALLIES = """
SELECT t.tier FROM tally t LEFT JOIN (
    SELECT tier, count(*) AS memories, sum(words) AS words
    FROM memory JOIN place USING (seq) GROUP BY tier
) r ON r.tier = t.tier
WHERE t.memories <> ifnull(r.memories, 0) OR t.words <> ifnull(r.words, 0)
"""
_SESSIONS = """
SELECT s.number FROM session s LEFT JOIN (
    SELECT session, count(*) AS memories, sum(words) AS words
    FROM place GROUP BY session
) r ON r.session = s.number
WHERE s.memories <> ifnull(r.memories, 0) OR s.words <> ifnull(r.words, 0)
"""
_RECOUNT = (
    "UPDATE tally SET"
    " memories = (SELECT count(*) FROM memory m WHERE m.tier = tally.tier),"
    " words = (SELECT ifnull(sum(p.words), 0) FROM place p JOIN memory m USING (seq)"
    " WHERE m.tier = tally.tier), moved = moved + 1",
    "UPDATE session SET"
    " memories = (SELECT count(*) FROM place WHERE session = number),"
    " words = (SELECT ifnull(sum(words), 0) FROM place WHERE session = number)",
)
_BLOCK = 1000
_SAMPLE = 16


class Keeping(Searching):
    """What `psm doctor` and `psm rebuild` do."""

    def check(self) -> list[Fault]:
        """What is missing, stale or corrupt; empty where all is well.

        Reads everything once, and changes nothing.
        """
        faults: list[Fault] = []
        for look in (self._pages, self._ties, self._lines, self._sums, self._vectors):
            faults += self._looked(look)
        return [*faults, *self._index_faults()]

    def rebuild(self) -> int:
        """Make words, counts and index anew from the ledger; how many rows it holds.

        The old index isn't opened, so this helps even where opening it kills.

        Raises:
            StoreError: Another process holds the index, or it can't be used.
        """
        with self._lock:
            self._require_open()
            self._require_no_transaction("an index made anew")
            with self.transaction():
                self._write_words()
                for statement in _RECOUNT:
                    self.run(statement)
            self._let_go()
            before, self._failed = self._failed, "somebody asked for it"
            if not self._take_index(renew=True):
                self._failed = before
                raise StoreError(
                    f"the index of {self._user} is held by another process, or "
                    f"{self._kind.name} can't be used; close it there, or look into "
                    "the log"
                )
        return self._catch_up()

    def _looked(self, look: Callable[[], Iterator[Fault]]) -> list[Fault]:
        try:
            with self.transaction():
                return list(look())
        except StoreCorruptError as fault:
            return [Fault("ledger", str(fault), "import the last export")]

    def _pages(self) -> Iterator[Fault]:
        found = [str(line) for (line,) in self.rows("PRAGMA quick_check(10)")]
        if found != ["ok"]:
            yield Fault("ledger", "; ".join(found), "import the last export")

    def _ties(self) -> Iterator[Fault]:
        found = len(self.rows("PRAGMA foreign_key_check"))
        if found:
            yield Fault(
                "ledger", f"{found} rows of memories that are gone", "export and import"
            )

    def _lines(self) -> Iterator[Fault]:
        try:
            self.run("INSERT INTO words(words) VALUES ('integrity-check')")
        except StoreCorruptError:
            yield Fault("words", "the lexical index is damaged", "run 'psm rebuild'")
            return
        has = self.rows("SELECT count(*) FROM words_docsize")[0][0]
        due = self.rows("SELECT count(*) FROM memory WHERE tier <> 'archival'")[0][0]
        if has != due:
            found = f"the lexical index has {has:,} of {due:,} memories"
            yield Fault("words", found, "run 'psm rebuild'")
        elif lost := self._lost_words():
            found = f"{lost} of some memories aren't found by their words"
            yield Fault("words", found, "run 'psm rebuild'")

    def _lost_words(self) -> int:
        """How many of the oldest and newest don't stand under their rarest word."""
        sample = "SELECT seq, text FROM memory WHERE tier <> 'archival' ORDER BY seq"
        some = self.rows(f"{sample} LIMIT {_SAMPLE}")
        some += self.rows(f"{sample} DESC LIMIT {_SAMPLE}")
        lost = 0
        for seq, text in some:
            found = words.postings(self, words.stems(rows.text(text, None)), 1)
            rare = found.df.min(initial=_SAMPLE)
            lost += rare == 0 or (rare == 1 and seq not in found.seq)
        return lost

    def _sums(self) -> Iterator[Fault]:
        wrong = len(self.rows(_TALLIES)) + len(self.rows(_SESSIONS))
        if wrong:
            found = f"{wrong} counts aren't those of the rows"
            yield Fault("ledger", found, "run 'psm rebuild'")

    def _vectors(self) -> Iterator[Fault]:
        wrong = self.rows(
            "SELECT count(*) FROM memory m LEFT JOIN vector v USING (seq)"
            " WHERE v.numbers IS NULL OR length(v.numbers) <>"
            " CASE WHEN v.scale IS NULL THEN 2 ELSE 1 END * ?",
            (self.width,),
        )[0][0]
        if wrong:
            found = f"{wrong:,} memories lack a vector"
            yield Fault("ledger", found, "import the last export")

    def _index_faults(self) -> list[Fault]:
        with self._lock:
            self._require_open()
            if self._index is not None:
                return self._compared(self._index)
            if not self.meta("index"):
                return []
            try:
                self._hold.acquire()
            except Timeout:
                return []
            try:
                index = self._as_it_is()
            except (IndexFault, NoIndexError) as fault:
                return [_mendable(f"it can't be opened ({fault})")]
            else:
                try:
                    return self._compared(index)
                finally:
                    index.close()
            finally:
                self._hold.release()

    def _compared(self, index: Guarded) -> list[Fault]:
        try:
            if why := self._disagreement(index):
                return [_mendable(why)]
            spare = sum(index.count(tier) - self._due(tier) for tier in rows.LIVE)
            # A flush that was cut off leaves vectors of what waits; they are put anew.
            known = self._waiting()
        except IndexFault as fault:
            return [_mendable(f"it doesn't answer ({fault})")]
        if spare > known:
            found = f"it has {spare - known:,} vectors of memories that are gone"
            return [_mendable(found)]
        return []

    def _write_words(self) -> None:
        self.run("INSERT INTO words(words) VALUES ('delete-all')")
        after = 0
        while found := self.rows(
            "SELECT seq, text FROM memory WHERE tier <> 'archival' AND seq > ?"
            f" ORDER BY seq LIMIT {_BLOCK}",
            (after,),
        ):
            words.put(self, [(seq, rows.text(text, None)) for seq, text in found])
            after = found[-1][0]
        self.run("INSERT INTO words(words) VALUES ('optimize')")


def _mendable(found: str) -> Fault:
    return Fault("index", found, "run 'psm rebuild'; until then it is searched exactly")
