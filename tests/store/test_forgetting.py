"""What is forgotten is in no file, and doesn't come back."""

import logging
import sqlite3

import numpy as np
import pytest

from psm_core.content import Shown
from psm_core.errors import ClosedError, UnknownMemoryError
from psm_core.strength import REWARD
from psm_core.types import Conflict, ConflictKind, Outcome, Tier

from .conftest import T0, files_with

SECRET = "My password is Xylophonequartz, tell nobody."
WORDS = ["xylophonequartz", "tell nobody"]


def lived(shard, make):
    """A secret among other things, shown, judged, changed, contradicted."""
    shard.add([make(SECRET), *make.many(40), make(SECRET, session="s2")])
    shown = [Shown(1, 0, 0.9, 1.0, np.ones(3, np.float32))]
    shard.log_recall("r1", T0, "rules", shown)
    shard.log_feedback("r1", {1: Outcome.USED}, REWARD, T0)
    shard.change("t1", T0, "edited", "a person did", text=SECRET + " Please.")
    shard.flag(Conflict(ConflictKind.CONTRADICTION, "t1", "t2", 0.9, "they differ"))


def test_the_words_of_what_is_forgotten_are_in_no_file(home, shard, make):
    """Not in rows, index, history, write-ahead log or free pages; while all is open."""
    lived(shard, make)
    assert files_with(home.folder("ada"), WORDS)

    shard.forget("t1", T0)
    shard.forget("t42", T0)

    assert files_with(home.folder("ada"), WORDS) == []
    assert shard.check() == []
    assert shard.postings(["xylophonequartz"], 9).df.tolist() == [0]
    assert shard.conflicts(status=None) == []
    assert shard.shown("r1") == {}
    with pytest.raises(UnknownMemoryError):
        shard.find("t1")


def test_an_archived_memory_is_forgotten_too(home, shard, make):
    """Compressed or not, no byte of it is left."""
    shard.add([make(SECRET)])
    shard.change("t1", T0, "archived", "it faded", tier=Tier.ARCHIVAL)
    shard.forget("t1", T0)

    assert shard.rows("SELECT count(*) FROM vector")[0][0] == 0
    assert shard.rows("SELECT count(*) FROM history")[0][0] == 0
    assert files_with(home.folder("ada"), WORDS) == []


def test_what_was_forgotten_is_not_added_again(shard, make):
    """Its id is known as forgotten, by a digest alone, and adding leaves it out."""
    turn = make(SECRET, id="turn-with-a-telling-name")
    shard.add([turn, make()])
    shard.forget("turn-with-a-telling-name", T0)

    assert shard.forgotten(["turn-with-a-telling-name", "t1", "t9"]) == {
        "turn-with-a-telling-name"
    }
    assert shard.add([turn]) == []
    assert files_with(shard.folder, ["telling-name"]) == []


def test_a_fact_goes_with_the_only_turn_it_rests_on(shard, make):
    """One that rests on more loses that source and stays; episodes stay."""
    shard.add(
        [
            make(id="turn"),
            make(id="turn~2", sources=("turn",)),
            make(id="other"),
            make("Alone.", id="f1", tier=Tier.SEMANTIC, sources=("turn",)),
            make("Both.", id="f2", tier=Tier.SEMANTIC, sources=("turn", "other")),
            make("Away.", id="f3", tier=Tier.SEMANTIC, sources=("turn",)),
        ]
    )
    shard.change("f3", T0, "archived", "it faded", tier=Tier.ARCHIVAL)

    shard.forget("turn", T0)

    assert {e.id: e.sources for e in shard.listing()} == {
        "turn~2": ("turn",),
        "other": ("other",),
        "f2": ("other",),
    }
    assert shard.forgotten(["turn", "f1", "f2", "f3"]) == {"turn", "f1", "f3"}
    assert shard.check() == []


def test_a_forgotten_fact_leaves_its_turns(shard, make):
    """Who takes back a conclusion doesn't take back what was said."""
    shard.add([make(), make(id="f1", tier=Tier.SEMANTIC, sources=("t1",))])
    shard.change("f1", T0, "archived", "it faded", tier=Tier.ARCHIVAL)

    shard.forget("f1", T0)

    assert [e.id for e in shard.listing()] == ["t1"]


def test_what_superseded_others_is_not_named_any_more(shard, make):
    """The old memory has still ended; by what, nobody can tell."""
    shard.add([make(), make()])
    shard.change("t1", T0, "superseded", "", superseded_by="t2", valid_until=T0)

    shard.forget("t2", T0)

    assert shard.find("t1").superseded_by is None
    assert shard.find("t1").valid_until == T0


def test_the_journal_keeps_its_numbers(shard, make):
    """What the skill learned from is still there, and names nothing, no recall even."""
    lived(shard, make)
    (before,) = shard.lessons()
    shard.forget("t1", T0)

    (row,) = shard.lessons()
    assert before.recall == 1
    assert row._replace(features=None) == before._replace(features=None, recall=None)
    for value in shard.rows("SELECT * FROM journal")[0]:
        assert not isinstance(value, str) or value == "rules"


def test_a_forgetting_inside_a_transaction_waits_for_its_end(shard, make):
    """Undone with it, or as thorough as any other once it is committed."""
    shard.add([make(SECRET), make()])
    with pytest.raises(KeyError), shard.transaction():
        shard.forget("t1", T0)
        raise KeyError
    assert shard.find("t1").text == SECRET

    with shard.transaction():
        shard.forget("t1", T0)
        shard.forget("t2", T0)

    assert files_with(shard.folder, WORDS) == []
    assert shard.listing() == []


def test_a_reader_in_the_way_delays_the_emptying_of_the_log(open_home, make, caplog):
    """While another process reads, the log can't be emptied; the next chance does it."""
    home = open_home(busy_seconds=0.2)
    with home.open("ada") as shard:
        shard.add([make(SECRET), make()])
        reader = sqlite3.connect(shard.folder / "ledger.sqlite", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memory").fetchone()
        with caplog.at_level(logging.WARNING):
            shard.forget("t1", T0)
        assert "emptied later" in caplog.text
        reader.execute("COMMIT")
        reader.close()

        shard.flush()

        assert files_with(shard.folder, WORDS) == []


# ------------------------------------------------------------------------- erase


def test_erase_leaves_nothing_and_says_what_was_there(home, shard, make):
    """Folder and files are gone, the proof counts them, and the shard is closed."""
    folder = home.folder("ada")
    lived(shard, make)
    shard.rebuild()

    proof = shard.erase(T0)

    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []
    assert (proof.user, proof.at, proof.memories, proof.left) == ("ada", T0, 42, ())
    assert {"ledger.sqlite", "lock", "chroma/chroma.sqlite3"} <= set(proof.files)
    assert proof.bytes > 10_000
    with pytest.raises(ClosedError, match="the memory of ada is closed"):
        shard.listing()
    assert home.people() == []


def test_who_was_erased_begins_anew(home, open_home, make):
    """The next opening finds an empty person, and nothing is forgotten of them."""
    turn = make(SECRET)
    with home.open("ada") as shard:
        shard.add([turn])
        shard.forget("t1", T0)
        shard.erase(T0)
    with open_home().open("ada") as shard:
        assert shard.listing() == []
        assert [e.id for e in shard.add([turn])] == ["t1"]


def test_other_processes_see_an_erasure_at_once(home, shard, make):
    """Who still has the ledger open reads nothing, can't write, and is told why."""
    shard.add([make(SECRET)])
    other = home._shard(shard.folder, "ada")
    cue = other.find("t1").vector
    assert other.nearest(cue, 1)

    shard.erase(T0)

    assert other.listing() == []
    assert other.nearest(cue, 1) == []
    assert other.counts()[Tier.EPISODIC] == 0
    with pytest.raises(ClosedError, match="erased or replaced by another process"):
        other.add([make()])
    assert not other.intact()
    other.close()


def test_an_erasure_that_was_cut_off_is_finished(home, make):
    """Rows gone, files left: the next opening removes them and begins anew."""
    with home.open("ada") as shard:
        shard.add([make(SECRET)])
        shard.empty()
    home.close()
    assert home.people() == []

    with home.open("ada") as shard:
        assert shard.listing() == []
        shard.add([make()])
    assert home.people() == ["ada"]


def test_a_person_of_another_encoder_can_be_erased(open_home, make):
    """Deleting needs no encoder; the rows go first here too."""
    with open_home().open("ada") as shard:
        shard.add(make.many(3))

    assert open_home(encoder="other").erase("ada", T0).memories == 3


def test_a_damaged_person_can_be_erased(home, make):
    """Even a ledger that can't be opened is deleted."""
    with home.open("ada") as shard:
        shard.add([make(SECRET)])
    home.close()
    (home.folder("ada") / "ledger.sqlite").write_bytes(b"rubbish" * 4000)

    proof = home.erase("ada", T0)

    assert (proof.memories, proof.left) == (0, ())
    assert "ledger.sqlite" in proof.files
    assert not home.folder("ada").exists()
