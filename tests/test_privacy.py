"""What was said stands where it belongs, and nowhere else."""

import logging
import sqlite3
import stat

import pytest

from psm_core import Feedback
from psm_core.errors import ClosedError, PSMError

SECRET = "My password is xylophonequartz and my card is 4929111122223333."
WORDS = (b"xylophonequartz", b"4929111122223333", b"xylophonquartz")


def files_with(folder, words):
    return [
        f.name
        for f in folder.rglob("*")
        if f.is_file() and any(w in f.read_bytes() for w in words)
    ]


def lived(memory, say):
    """A life with a secret in it, through all four walks."""
    memory.remember_many([say(SECRET), say("I'm vegetarian."), say("haha")])
    recall = memory.recall("what is my password?", limit=None)
    memory.learn(Feedback(recall.id, used=[recall.hits[0].id]))
    memory.consolidate()


def test_training_rows_hold_no_text(memory, say, home):
    """Every byte of every journal and access row is a number, a code or a time."""
    lived(memory, say)
    memory.close()
    (ledger,) = home.rglob("ledger.sqlite")
    rows = sqlite3.connect(ledger).execute("SELECT * FROM journal").fetchall()

    assert rows
    said = b" ".join(SECRET.lower().encode().split()).replace(b".", b"")
    for row in rows:
        for value in row:
            raw = value if isinstance(value, bytes) else str(value).encode()
            assert not any(w in raw.lower() for w in said.split() if len(w) > 3)
            assert b"t1" not in raw


def test_no_log_line_carries_what_was_said(memory, say, caplog):
    """At the finest level, over all walks and a fault, no word of the secret is logged."""
    with caplog.at_level(logging.DEBUG):
        lived(memory, say)
        try:
            memory.remember(say("Other words.", id="t1"))
        except PSMError as fault:
            logging.getLogger("test").error("%s", fault)

    assert "xylophonequartz" not in caplog.text
    assert "4929" not in caplog.text


def test_chroma_holds_no_text(memory, say, home):
    """The index has row numbers and vectors only."""
    lived(memory, say)
    memory.rebuild()

    (chroma,) = (f for f in home.rglob("chroma") if f.is_dir())
    assert list(chroma.rglob("*.sqlite3"))
    assert files_with(chroma, WORDS) == []


def test_forget_leaves_no_byte(memory, say, home):
    """After forget, the words are in no file of the home, write-ahead log included."""
    lived(memory, say)
    assert files_with(home, WORDS)

    memory.forget("t1")

    assert files_with(home, WORDS) == []
    assert memory.recall("what is my password?", deep=True).hits == ()


def test_erase_leaves_nothing_and_proves_it(open_memory, say, home):
    """The proof lists what was there and that nothing is left; others are untouched."""
    ada, bob = open_memory("ada"), open_memory("bob")
    lived(ada, say)
    bob.remember(say("I like basalt."))

    memories = len(ada.entries())
    proof = ada.erase()

    assert proof.user == "ada"
    assert proof.memories == memories >= 3
    assert "ledger.sqlite" in " ".join(proof.files)
    assert proof.bytes > 0
    assert proof.left == ()
    assert files_with(home, WORDS) == []
    assert bob.recall("basalt?").hits
    assert open_memory("ada").entries() == []


def test_who_still_has_an_erased_memory_open_is_told(open_memory, say, home):
    """A second object begins nobody anew, and writes the name down nowhere."""
    one, other = open_memory("ada"), open_memory("ada")
    one.remember(say("I like basalt."))
    one.erase()

    for _ in range(2):
        with pytest.raises(ClosedError, match=r"begin a new one with Memory\('ada'"):
            other.counts()
    assert [f for f in home.rglob("*") if f.is_file()] == []
    assert open_memory("ada").entries() == []


def test_a_damaged_queue_keeps_nobody_from_leaving(memory, say, home):
    """The person is gone, the memory closed; the proof names what may name them."""
    memory.remember(say(SECRET))
    queue = home / "sleep.sqlite"
    queue.write_bytes(b"no database at all " * 99)

    proof = memory.erase()

    assert (proof.memories, proof.left) == (1, (str(queue),))
    assert memory.closed
    assert [f for f in home.rglob("*") if f.is_file()] == [queue]


def test_folders_are_private(memory, say, home):
    """The person's folder is 0700 and no file in it can be read by others."""
    lived(memory, say)

    for path in home.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir() and path.name not in ("people",):
            assert mode & 0o077 == 0 or path.parent.name == "chroma", path
    (ledger,) = home.rglob("ledger.sqlite")
    assert stat.S_IMODE(ledger.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600


def test_the_home_does_not_tell_who_lives_there(open_memory, say, home):
    """No folder or file is named after a person."""
    open_memory("ada@example.org").remember(say("I like basalt."))

    assert not [p for p in home.rglob("*") if "ada" in p.name]
