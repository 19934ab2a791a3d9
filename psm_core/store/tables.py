"""The tables of one person's ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    REAL,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

tables = MetaData()


def _of_memory(name: str = "seq", **options: Any) -> Column[int]:
    """A column that names a memory and goes with it."""
    owner = ForeignKey("memory.seq", ondelete="CASCADE")
    return Column(name, Integer, owner, **options)


meta = Table(
    "meta",
    tables,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Times are microseconds since 1970 in UTC, spans are microseconds, ids are Text.
# Words are blobs: SQLite text can't hold the half of an emoji that some chats do.
memory = Table(
    "memory",
    tables,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("tier", Text, nullable=False),
    Column("fact", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", LargeBinary),
    Column("packed", LargeBinary),
    Column("said", LargeBinary, nullable=False),
    Column("speaker", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("said_at", Integer, nullable=False),
    Column("strength", REAL, nullable=False),
    Column("half_life", Integer, nullable=False),
    Column("anchored_at", Integer, nullable=False),
    Column("floor", REAL, nullable=False),
    Column("emotion", REAL, nullable=False),
    Column("confidence", REAL, nullable=False),
    Column("mentions", Integer, nullable=False),
    Column("last_said_at", Integer),
    Column("about_at", Integer),
    Column("valid_until", Integer),
    Column("superseded_by", Text),
    Column("recalled", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("corrected", Integer, nullable=False),
    Column("pinned", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("reason", Text, nullable=False),
    Column("indexed", Integer, nullable=False),
    sqlite_autoincrement=True,
)
HEARD = "max(said_at, ifnull(last_said_at, said_at))"
WAITING = "indexed = 0 AND tier <> 'archival'"
Index("memory_tier", memory.c.tier, memory.c.seq)
Index("memory_session", memory.c.session, memory.c.seq)
Index("memory_said", memory.c.said)
Index("memory_speaker", memory.c.speaker)
Index("memory_heard", text(HEARD), _table=memory)
Index("memory_waiting", memory.c.tier, memory.c.seq, sqlite_where=text(WAITING))
Index(
    "memory_superseded",
    memory.c.superseded_by,
    sqlite_where=text("superseded_by IS NOT NULL"),
)

# Apart from memory, so that a reading without vectors doesn't turn their pages.
vector = Table(
    "vector",
    tables,
    _of_memory(primary_key=True),
    Column("numbers", LargeBinary, nullable=False),
    Column("scale", REAL),
)
source = Table(
    "source",
    tables,
    _of_memory(primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("turn", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("source_turn", source.c.turn)

session = Table(
    "session",
    tables,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("next", Integer, nullable=False),
    Column("memories", Integer, nullable=False),
    Column("words", Integer, nullable=False),
)
place = Table(
    "place",
    tables,
    _of_memory(primary_key=True),
    Column("session", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("words", Integer, nullable=False),
    UniqueConstraint("session", "place"),
)
# ``moved`` counts all that makes a copy of the tier's vectors stale, save additions.
tally = Table(
    "tally",
    tables,
    Column("tier", Text, primary_key=True),
    Column("memories", Integer, nullable=False),
    Column("words", Integer, nullable=False),
    Column("moved", Integer, nullable=False),
    sqlite_with_rowid=False,
)
# Vectors that Chroma still has and must let go of.
stale = Table(
    "stale",
    tables,
    Column("seq", Integer, primary_key=True),
    Column("tier", Text, primary_key=True),
    sqlite_with_rowid=False,
)

recall = Table(
    "recall",
    tables,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("at", Integer, nullable=False),
    Column("policy", Text, nullable=False),
)
access = Table(
    "access",
    tables,
    Column("number", Integer, primary_key=True),
    Column("recall", Integer, ForeignKey("recall.number"), nullable=False),
    _of_memory(nullable=False),
    Column("rank", Integer, nullable=False),
    Column("score", REAL, nullable=False),
    Column("propensity", REAL, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("outcome", Text),
    Column("judged_at", Integer),
    Column("applied", Integer, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
)
PENDING = "outcome IS NOT NULL AND applied = 0"
Index("access_recall", access.c.recall)
Index("access_seq", access.c.seq)
Index("access_pending", access.c.judged_at, sqlite_where=text(PENDING))

# What the skill learns from. Numbers only: no text, and no id of a turn or a memory.
journal = Table(
    "journal",
    tables,
    Column("number", Integer, primary_key=True),
    Column("access", Integer, nullable=False, unique=True),
    Column("at", Integer, nullable=False),
    Column("policy", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("score", REAL, nullable=False),
    Column("propensity", REAL, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("reward", REAL, nullable=False),
    sqlite_autoincrement=True,
)

conflict = Table(
    "conflict",
    tables,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    _of_memory("new", nullable=False),
    _of_memory("old", nullable=False),
    Column("confidence", REAL, nullable=False),
    Column("reason", Text, nullable=False),
    Column("found_at", Integer),
    Column("status", Text, nullable=False),
    Column("settled_at", Integer),
)
Index("conflict_new", conflict.c.new)
Index("conflict_old", conflict.c.old)
history = Table(
    "history",
    tables,
    Column("number", Integer, primary_key=True),
    _of_memory(nullable=False),
    Column("at", Integer, nullable=False),
    Column("what", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("was", Text),
    Column("former", LargeBinary),
)
Index("history_seq", history.c.seq)
UNDONE = "what = 'undone'"
Index("history_undone", history.c.seq, sqlite_where=text(UNDONE))
# What a sleep has looked at, how long it was as it was heard, and in which words,
# where fewer stand in its place now.
gist = Table(
    "gist",
    tables,
    _of_memory(primary_key=True),
    Column("words", Integer, nullable=False),
    Column("whole", LargeBinary),
)
tombstone = Table(
    "tombstone",
    tables,
    Column("digest", LargeBinary, primary_key=True),
    Column("at", Integer, nullable=False),
    sqlite_with_rowid=False,
)

TOKENS = "porter unicode61 remove_diacritics 2"
"""How words are cut and stemmed, in the ledger and for a cue alike."""

WORDS = (
    f"CREATE VIRTUAL TABLE words USING fts5(line, content='', tokenize='{TOKENS}')",
    "CREATE VIRTUAL TABLE words_row USING fts5vocab('words', 'row')",
    "CREATE VIRTUAL TABLE words_at USING fts5vocab('words', 'instance')",
)
"""The lexical index: holds no line, only where each word stands."""
