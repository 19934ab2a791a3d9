"""One person's part of a store: values in a file, their words in the memory."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeAlias

from filelock import FileLock
from langgraph.store.base import (
    GetOp,
    Item,
    ListNamespacesOp,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)

from psm_core.errors import UnknownMemoryError
from psm_core.memory import Memory
from psm_core.people import People
from psm_core.store.folder import named
from psm_core.types import Turn
from psm_langgraph.items import FILE, Items, Row
from psm_langgraph.namespaces import matches, passes, words_of

WORDS_MAX = 100_000
"""Characters of a value that can be found by their meaning: a long chapter."""

Reading: TypeAlias = GetOp | SearchOp | ListNamespacesOp


class _Written(NamedTuple):
    """A put as what is written, and as what is remembered; neither for a deletion."""

    op: PutOp
    row: Row | None
    turn: Turn | None


class Shelf:
    """One person's part of a store.

    Args:
        people: Who opens their memory.
        user: Who.
        paths: Which fields of a value are found by meaning, unless a put says so.
    """

    def __init__(self, people: People, user: str, paths: Sequence[str]) -> None:
        config = people.config
        self._people, self._user, self._paths = people, user, paths
        self._folder: Path = config.home.resolve() / "people" / named(user)
        self._busy_seconds = config.busy_seconds

    def serve(
        self, reads: Mapping[int, Reading], puts: Collection[PutOp], now: datetime
    ) -> dict[int, Result]:
        """Read what is there, and then write.

        Args:
            reads: What is asked for, by number.
            puts: At most one for each key; all of them are done, or none is.
            now: The present.

        Returns:
            What was found, by number.

        Raises:
            TypeError: A value is no JSON; nothing is written then.
            StoreError: The person's folder can't be read or written.
        """
        if not puts and not self._there():
            # Who only looks makes nobody a folder.
            return {n: None if isinstance(op, GetOp) else [] for n, op in reads.items()}
        memory = self._people.memory(self._user)
        with self._opened() as items:
            self._drop_forgotten(reads.values(), memory, items, now)
            found = {n: _read(op, memory, items, now) for n, op in reads.items()}
            if puts or items.unsettled(now):
                with self._alone():
                    self._write(puts, memory, items, now)
        return found

    def sweep(self, now: datetime) -> int:
        """Forget what has expired; how many values there were."""
        if not self._there():
            return 0
        memory = self._people.memory(self._user)
        with self._alone(), self._opened() as items:
            return self._write([], memory, items, now)

    def _drop_forgotten(
        self, reads: Iterable[Reading], memory: Memory, items: Items, now: datetime
    ) -> None:
        """Delete what is about to be read, if the person had its words forgotten.

        They may have said so through any door, and in any process: the ledger knows.
        """
        turns = {turn for op in reads for turn in _turns(op, items, now)}
        # `known` would take what a damaged ledger lost for forgotten.
        if gone := memory.forgotten(turns):
            with self._alone(), items.writing():
                items.drop(gone)

    def _write(
        self, puts: Iterable[PutOp], memory: Memory, items: Items, now: datetime
    ) -> int:
        """Put and delete, and forget what no value has any more; how much expired."""
        written = [self._written(op, now) for op in puts]
        turns = [one.turn for one in written if one.turn is not None]
        new = [turn.id for turn in turns]
        # Whoever comes after a kill forgets them, unless their values are there.
        items.doom(new)
        with items.writing():
            expired = items.expire(now)
            for op, row, _ in written:
                if row is None:
                    items.delete(op.namespace, op.key)
                else:
                    items.put(row)
            memory.remember_many(turns)
            items.spare(new)
        for turn_id in items.doomed():
            with contextlib.suppress(UnknownMemoryError):
                memory.forget(turn_id)
            items.spare([turn_id])
        return expired

    def _written(self, op: PutOp, now: datetime) -> _Written:
        if op.value is None:
            return _Written(op, None, None)
        paths = self._paths if op.index is None else (op.index or ())
        words = words_of(op.value, paths)[:WORDS_MAX]
        turn = None
        if words.strip(" \t\r\n\0"):
            session = f"store {'/'.join(op.namespace)}"
            # A new name each time: what was forgotten under one stays forgotten.
            name = f"i-{secrets.token_hex(10)}"
            # Whoever wrote it down, the person didn't say it in these words.
            turn = Turn(words, role="assistant", session=session, id=name)
        ends = None if op.ttl is None else now + timedelta(minutes=op.ttl)
        row = Row(
            tuple(op.namespace),
            op.key,
            dict(op.value),
            made=now,
            written=now,
            minutes=op.ttl,
            ends=ends,
            turn=turn.id if turn else None,
        )
        return _Written(op, row, turn)

    # ------------------------------------------------------------------------- files

    def _there(self) -> bool:
        return (self._folder / FILE).exists()

    def _opened(self) -> Items:
        return Items(self._folder, self._busy_seconds)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes this person's items; a killed writer holds nobody up."""
        with FileLock(self._folder / "items.lock", mode=0o600):
            yield


# ---------------------------------------------------------------------------- reading


def _turns(op: Reading, items: Items, now: datetime) -> list[str]:
    """The turns with the words of what *op* may show."""
    if not isinstance(op, GetOp):
        return items.turns()
    row = items.find(op.namespace, op.key, now)
    return [row.turn] if row and row.turn else []


def _read(op: Reading, memory: Memory, items: Items, now: datetime) -> Result:
    if isinstance(op, GetOp):
        row = items.find(op.namespace, op.key, now)
        _touch([row] if row and op.refresh_ttl else [], items, now)
        return row and _item(row)
    if isinstance(op, SearchOp):
        found = _search(op, memory, items, now)
        _touch([row for row, _ in found if op.refresh_ttl], items, now)
        return [_search_item(row, score) for row, score in found]
    conditions = op.match_conditions or ()
    spaces = {
        space[: op.max_depth]
        for space in items.namespaces(now)
        if all(matches(space, condition) for condition in conditions)
    }
    return sorted(spaces)[op.offset : op.offset + op.limit]


def _search(
    op: SearchOp, memory: Memory, items: Items, now: datetime
) -> list[tuple[Row, float | None]]:
    """What is below the prefix and passes the filter; by meaning, if asked for."""
    below = items.below(op.namespace_prefix, now)
    rows = [row for row in below if passes(row.value, op.filter)]
    end = op.offset + op.limit
    query = op.query or ""
    # Without a letter it asks for nothing, as in InMemoryStore.
    if not any(map(str.isalnum, query)):
        return [(row, None) for row in rows[op.offset : end]]
    by_turn = {row.turn: row for row in rows if row.turn is not None}
    found: list[tuple[Row, float | None]] = [
        (by_turn[turn], score)
        for turn, score in _ranked(memory, query, set(by_turn), end)
    ]
    # What has no words can't be ranked; it fills what is left, as in InMemoryStore.
    found += [(row, None) for row in rows if row.turn is None]
    return found[op.offset : end]


def _ranked(
    memory: Memory, query: str, turns: set[str], most: int
) -> list[tuple[str, float]]:
    """The turns that surface for *query*, each once, with its best score."""
    asked = most
    while turns:
        # The archive too: a value that is there is found, however faint it is.
        found = memory.recall(query, limit=asked, budget=None, deep=True, among=turns)
        best: dict[str, float] = {}
        for hit in found.hits:
            for turn in turns.intersection(hit.sources):
                best.setdefault(turn, hit.score)
        if len(best) >= most or len(found.hits) < asked:
            return [*best.items()][:most]
        # Several passages of one long value took the places of others.
        asked *= 4
    return []


def _touch(rows: Iterable[Row], items: Items, now: datetime) -> None:
    for row in rows:
        if row.minutes is not None:
            items.touch(row, now + timedelta(minutes=row.minutes))


def _item(row: Row) -> Item:
    return Item(
        value=row.value,
        key=row.key,
        namespace=row.namespace,
        created_at=row.made,
        updated_at=row.written,
    )


def _search_item(row: Row, score: float | None) -> SearchItem:
    return SearchItem(
        namespace=row.namespace,
        key=row.key,
        value=row.value,
        created_at=row.made,
        updated_at=row.written,
        score=score,
    )
