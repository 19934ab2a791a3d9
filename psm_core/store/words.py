"""The lexical index: where each word stands. It holds no line of what was said."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.content import Postings
from psm_core.store.tables import TOKENS

if TYPE_CHECKING:
    from psm_core.content import Numbers
    from psm_core.store.ledger import Ledger

STOP_WORDS = frozenset(
    """
    a about after again all also am an and any are aren as at be because been before
    being below both but by can could couldn did didn do does doesn doing down during
    each else ever for from further had hadn has hasn have haven having he her hers
    herself him himself how however i if in into is isn it its itself just let ll me
    more most much my myself no nor not now of off on once only or our ours ourselves
    out over own quite rather really same shall she should shouldn so some such than
    that the their theirs them themselves then there these they this those though
    through to too under until up upon ve very was wasn we were weren what when where
    whether which while who whom whose why will with would wouldn you your yours
    yourself yourselves
    """.split()  # noqa: SIM905  # a paragraph is easier to read than a list
)
"""English words that say nothing of what a text is about."""

_WORD = re.compile(r"\w+")


def size(text: str) -> int:
    """How many words *text* has; at least 1, so that no length is nought."""
    return max(sum(1 for _ in _WORD.finditer(text)), 1)


def indexable(text: str) -> str:
    """*text* as the index takes it: half of a character becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def put(ledger: Ledger, lines: Iterable[tuple[int, str]]) -> None:
    """Index the words of new memories, given as (seq, text)."""
    ledger.run_each(
        "INSERT INTO words(rowid, line) VALUES (?, ?)",
        ((seq, indexable(text)) for seq, text in lines),
    )


def drop(ledger: Ledger, seq: int, text: str) -> None:
    """Take the words of one memory out; *text* must be what was put in."""
    ledger.run(
        "INSERT INTO words(words, rowid, line) VALUES ('delete', ?, ?)",
        (seq, indexable(text)),
    )


def stems(text: str) -> list[str]:
    """Stems of the content words of *text*, distinct, as they come.

    Words that say nothing (`STOP_WORDS`) and single letters are left out; numbers
    stay, and signs that are whole words.

    >>> stems("When did I move to Lyon? I moved in 7 days.")
    ['move', 'lyon', '7', 'dai']
    """
    # Told by the word, not its stem: "quit" says something, "quite" with its stem no.
    found = dict.fromkeys(s for word, s in _tokens(text) if word not in STOP_WORDS)
    return [s for s in found if len(s) > 1 or not "a" <= s <= "z"]


def postings(ledger: Ledger, terms: Sequence[str], most: int) -> Postings:
    """Where *terms* stand, rarest first, until *most* rows are read.

    The rarest term is always read; of one that has more than *most* places alone,
    the newest are.  A term that would take the rows beyond *most* keeps its count.
    """
    distinct = tuple(dict.fromkeys(terms))
    tallied = _frequencies(ledger, distinct)
    df = np.array([tallied.get(term, (0, 0))[0] for term in distinct], np.int64)
    parts: list[_Part] = []
    room = most
    for n in np.argsort(df, kind="stable"):
        if df[n] == 0:
            continue
        if parts and df[n] > room:
            break
        part = _places(ledger, int(n), distinct[n], tallied[distinct[n]][1], most)
        parts.append(part)
        room -= len(part.seq)
    return _joined(ledger, distinct, df, parts)


class _Part(NamedTuple):
    term: Numbers
    seq: Numbers
    frequency: Numbers


def _frequencies(ledger: Ledger, terms: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """For each term: memories that have it, and places where it stands."""
    found = ledger.rows(
        "SELECT r.term, r.doc, r.cnt FROM json_each(?) j"
        " CROSS JOIN words_row r ON r.term = j.value",
        (json.dumps(terms),),
    )
    return {term: (doc, count) for term, doc, count in found}


def _places(ledger: Ledger, n: int, term: str, count: int, most: int) -> _Part:
    stored = ledger.rows(
        "SELECT json_group_array(doc) FROM"
        " (SELECT doc FROM words_at WHERE term = ? LIMIT -1 OFFSET ?)",
        (term, max(count - most, 0)),
    )
    seqs, frequency = np.unique(_numbers(stored[0][0]), return_counts=True)
    return _Part(np.full(len(seqs), n), seqs, frequency)


def _joined(
    ledger: Ledger, terms: tuple[str, ...], df: Numbers, parts: list[_Part]
) -> Postings:
    count, words = ledger.rows(
        "SELECT sum(memories), sum(words) FROM tally WHERE tier <> 'archival'"
    )[0]
    none = np.empty(0, np.int64)
    term, seq, frequency = (
        (np.concatenate([none, *column]) for column in zip(*parts, strict=True))
        if parts
        else (none, none, none)
    )
    seqs, which = np.unique(seq, return_inverse=True)
    session, place, length = _standing(ledger, seqs)
    return Postings(
        terms=terms,
        df=df,
        term=term,
        seq=seq,
        frequency=frequency,
        length=length[which],
        session=session[which],
        place=place[which],
        memories=count,
        words=words / count if count else 0.0,
    )


def _standing(ledger: Ledger, seqs: Numbers) -> Iterator[Numbers]:
    """Session, place and words of each of *seqs*."""
    # A line that the ledger doesn't have leaves a hole, and no wrong neighbour.
    found = ledger.rows(
        "SELECT json_group_array(ifnull(p.session, 0)),"
        " json_group_array(ifnull(p.place, 0)), json_group_array(ifnull(p.words, 1))"
        " FROM json_each(?) j LEFT JOIN place p ON p.seq = j.value",
        (json.dumps(seqs.tolist()),),
    )
    return (_numbers(column) for column in found[0])


def _numbers(array: str) -> Numbers:
    # One array as text is read five times as fast as as many rows.
    return np.fromstring(array[1:-1], np.int64, sep=",")


def _tokens(text: str) -> list[tuple[str, str]]:
    """Each word of *text* and its stem, in order, cut by the index's own tokeniser."""
    scratch = _scratch()
    columns = []
    for table in _CUTTERS:
        line = (indexable(text),)
        scratch.execute(f"INSERT INTO {table}(rowid, line) VALUES (1, ?)", line)
        found = scratch.execute(f"SELECT term FROM {table}_at ORDER BY offset")
        columns.append([term for (term,) in found])
        scratch.execute(f"INSERT INTO {table}({table}) VALUES ('delete-all')")
    return list(zip(*columns, strict=True))


_CUTTERS = {"plain": TOKENS.removeprefix("porter "), "stemmed": TOKENS}
"""How words are cut; with and without a stemmer, they are the same words."""

_local = threading.local()


def _scratch() -> sqlite3.Connection:
    # One for each thread: no lock that a fork could leave closed for good.
    if not hasattr(_local, "scratch"):
        _local.scratch = sqlite3.connect(":memory:", isolation_level=None)
        for table, cut in _CUTTERS.items():
            _local.scratch.executescript(
                f"CREATE VIRTUAL TABLE {table} USING"
                f" fts5(line, content='', tokenize='{cut}');"
                f"CREATE VIRTUAL TABLE {table}_at USING fts5vocab({table}, instance)"
            )
    scratch: sqlite3.Connection = _local.scratch
    return scratch
