"""Doctor finds what is wrong and names the remedy; rebuild mends what can be derived."""

import logging

import pytest

from psm_core.types import Fault, Tier

from .conftest import T0, units


@pytest.fixture
def lived(open_home, make):
    """A shard with 30 indexed memories, a fact and an archived one."""
    home = open_home(index_batch=20)
    with home.open("ada") as shard:
        shard.add(make.many(30))
        shard.add([make(tier=Tier.SEMANTIC), make(tier=Tier.ARCHIVAL)])
        shard.flush()
        yield shard


def spoil(shard, *statements):
    shard.pragma("foreign_keys", 0)
    with shard.transaction():
        for statement in statements:
            shard.run(statement)


def test_a_sound_store_has_no_faults(lived):
    """Nothing is found where nothing is wrong, and looking changes nothing."""
    before = lived.rows("PRAGMA data_version"), lived.listing()

    assert lived.check() == []
    assert (lived.rows("PRAGMA data_version"), lived.listing()[:0]) == (before[0], [])


@pytest.mark.parametrize(
    ("statement", "what", "found"),
    [
        ("DELETE FROM words_docsize WHERE id = 3", "words", "has 30 of 31 memories"),
        (
            "UPDATE words_data SET block = x'00' WHERE id > 9",
            "words",
            "aren't found by",
        ),
        ("UPDATE tally SET memories = 5 WHERE tier = 'semantic'", "ledger", ""),
        ("UPDATE words_data SET block = x'00' WHERE id > 10", "words", "is damaged"),
        ("UPDATE tally SET words = 99 WHERE tier = 'archival'", "ledger", "1 counts"),
        ("UPDATE session SET words = 1", "ledger", "1 counts aren't those of the rows"),
    ],
)
def test_what_can_be_derived_is_mended_by_rebuild(lived, statement, what, found):
    """The fault is found, the remedy is the command that mends it."""
    spoil(lived, statement)
    faults = [f for f in lived.check() if f.what == what]

    assert [f.remedy for f in faults] == ["run 'psm rebuild'"]
    assert found in faults[0].found

    assert lived.rebuild() == 31
    assert lived.check() == []
    assert lived.postings(["thing"], 99).df.tolist() == [30]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM vector WHERE seq = 3", "1 memories lack a vector"),
        (
            "UPDATE vector SET numbers = x'0000' WHERE seq < 3",
            "2 memories lack a vector",
        ),
        (
            "INSERT INTO source VALUES (99, 0, 't99')",
            "1 rows of memories that are gone",
        ),
    ],
)
def test_what_can_not_be_derived_is_found_too(lived, statement, found):
    """The remedy is another copy of the person."""
    spoil(lived, statement)

    (fault,) = lived.check()

    assert (fault.what, fault.found) == ("ledger", found)
    assert "import" in fault.remedy


def test_vectors_of_memories_that_are_gone_are_found(lived):
    """What Chroma has and the ledger doesn't know costs room; rebuild removes it."""
    lived._index.put(Tier.EPISODIC, [77, 78], units(2))

    assert lived.check() == [
        Fault(
            "index",
            "it has 2 vectors of memories that are gone",
            "run 'psm rebuild'; until then it is searched exactly",
        )
    ]
    lived.rebuild()
    assert lived.check() == []


def test_an_index_that_does_not_answer_is_a_fault(lived):
    """Doctor asks what is open, and says that it doesn't answer."""
    lived._index.index._client.delete_collection("episodic")

    (fault,) = lived.check()

    assert "it doesn't answer" in fault.found


def test_a_flush_that_chroma_refuses_is_made_good_by_the_next(lived, make, caplog):
    """Nothing is marked that isn't there; all is searched in the ledger meanwhile."""
    lived._index.index._client.delete_collection("episodic")
    added = lived.add(make.many(20))
    with caplog.at_level(logging.WARNING):
        assert lived.flush() == 0

    assert "the index failed" in caplog.text
    assert lived.nearest(added[4].vector, 1)[0][0] == added[4].seq
    assert lived.flush() == 51
    assert lived.check() == []


def test_a_vector_that_changes_while_chroma_takes_it_in_is_taken_in_again(
    open_home, make
):
    """Another process may write between Chroma's turn and the ledger's."""
    home = open_home(index_batch=20)
    with home.open("ada") as shard:
        shard.add(make.many(20))
        shard.flush()
        shard.add(make.many(20))
        other = home._shard(shard.folder, "ada")
        put, rounds = shard._index.put, []

        def put_while_others_write(tier, seqs, rows):
            put(tier, seqs, rows)
            if not rounds:
                other.change("t21", T0, "edited", "", vector=units(1, seed=500)[0])
                other.forget("t22", T0)
                other.change("t23", T0, "archived", "", tier=Tier.ARCHIVAL)
            rounds.append(seqs)

        shard._index.put = put_while_others_write

        assert shard.flush() == 18
        assert len(rounds) == 2
        other.close()
        cue = units(1, seed=500)[0]
        assert shard.nearest(cue, 1)[0] == (21, pytest.approx(1, abs=1e-3))
        assert {22, 23}.isdisjoint(s for s, _ in shard.nearest(cue, 99))
        assert shard.check() == []


def test_chroma_that_is_not_installed_is_done_without(
    open_home, make, monkeypatch, caplog
):
    """All is searched in the ledger, with one line in the log."""
    monkeypatch.setitem(__import__("sys").modules, "chromadb", None)
    home = open_home(index_batch=10)
    with home.open("ada") as shard:
        entries = shard.add(make.many(30))
        for _ in range(3):
            assert shard.flush() == 0
            assert shard.nearest(entries[9].vector, 1)[0][0] == 10
        assert shard.check() == []

    assert caplog.text.count("all is searched in the ledger") == 1
