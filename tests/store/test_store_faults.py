"""What goes wrong below is said in our words, and never in the person's."""

import logging
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from psm_core.config import Config
from psm_core.errors import PSMError, StoreCorruptError, StoreError, StoreFullError
from psm_core.store.faults import translated
from psm_core.store.home import Home
from psm_core.store.session import SESSIONS, Sensory
from psm_core.types import Tier, Turn

from .conftest import T0

SECRET = "My password is xylophonequartz."


def test_a_full_disk_is_said_and_loses_nothing(shard, make):
    """What was acknowledged is there, what wasn't isn't, and writing goes on later."""
    shard.add([make()])
    shard.pragma("max_page_count", shard.pragma("page_count") + 3)
    long = "I keep a diary of everything that happens. " * 500

    with pytest.raises(StoreFullError, match="ledger of ada is on a full disk .*FULL"):
        shard.add(make.many(50, long))
    with pytest.raises(StoreFullError), shard.transaction():
        shard.add([make(id="small")])
        shard.add(make.many(50, long))

    assert [e.id for e in shard.listing()] == ["t1"]
    assert shard.nearest(shard.find("t1").vector, 3)[0][0] == 1
    shard.pragma("max_page_count", 1_000_000)
    shard.add([make(id="after")])
    assert [e.id for e in shard.listing()] == ["t1", "after"]
    assert shard.check() == []


def test_a_transaction_that_the_disk_undid_can_not_go_on(shard, make):
    """Who catches the error inside can't commit the half of it by mistake."""
    shard.pragma("max_page_count", shard.pragma("page_count") + 3)
    long = "I keep a diary of everything that happens. " * 500

    def stubborn():
        with shard.transaction():
            shard.add([make(id="first")])
            for _ in range(2):
                try:
                    shard.add(make.many(50, long))
                except StoreFullError:
                    shard.add([make(id="second")])

    try:
        stubborn()
    except StoreError:
        assert shard.listing() == []
    else:
        assert {e.id for e in shard.listing()} == {"first", "second"}
    assert shard.check() == []


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/psm", "/dev/null/psm"])
def test_a_home_that_can_not_be_made_is_one_error(tmp_path, place):
    """The path is named, in one line, with the way out."""
    (tmp_path / "file").write_text("I was here first")
    path = tmp_path / place

    with pytest.raises(StoreError, match="making the home .* failed") as caught:
        Home(Config(home=path), "random", 32)

    assert str(path) in str(caught.value)
    assert "choose another home" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_in_the_place_of_a_folder_is_one_error(home):
    """A person whose folder can't be made is named."""
    home.folder("ada").parent.mkdir()
    home.folder("ada").write_text("I was here first")

    with pytest.raises(StoreError, match="opening the folder of ada"), home.open("ada"):
        pass


def test_a_writer_that_never_ends_is_waited_for_so_long(open_home, make):
    """After busy_seconds the error says that another process is writing."""
    home = open_home(busy_seconds=0.1)
    with home.open("ada") as shard:
        other = sqlite3.connect(shard.folder / "ledger.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="being written by another process .*BUSY"):
            shard.add([make()])
        other.execute("COMMIT")
        other.close()
        assert len(shard.add([make()])) == 1


def test_a_ledger_that_is_no_ledger_is_named_and_left(home, make):
    """Garbage and foreign SQLite files alike; not a byte of them is changed."""
    with home.open("ada") as shard:
        shard.add([make()])
    home.close()
    ledger = home.folder("ada") / "ledger.sqlite"
    ledger.write_bytes(b"not a database at all " * 500)
    before = ledger.read_bytes()
    with (
        pytest.raises(StoreCorruptError, match="isn't an SQLite file"),
        home.open("ada"),
    ):
        pass
    assert ledger.read_bytes() == before

    ledger.unlink()
    foreign = sqlite3.connect(ledger)
    foreign.execute("CREATE TABLE meta (key, value)")
    foreign.commit()
    foreign.close()
    with pytest.raises(StoreCorruptError, match="PSM didn't write"), home.open("ada"):
        pass


def test_a_damaged_ledger_is_found_by_check(home, make):
    """Overwritten pages are corruption, named with the way out, with no words in it."""
    with home.open("ada") as shard:
        shard.add(make.many(400, SECRET))
    home.close()
    ledger = home.folder("ada") / "ledger.sqlite"
    page = ledger.read_bytes().index(b"xylophonequartz") // 4096
    with ledger.open("r+b") as file:
        file.seek(page * 4096)
        file.write(np.random.default_rng(0).bytes(4096))

    with home.open("ada") as shard:
        faults = shard.check()
        assert "ledger" in {f.what for f in faults}
        assert any("import the last export" in f.remedy for f in faults)
        assert "xylophone" not in str(faults)
        with pytest.raises(StoreCorruptError, match="ledger of ada is damaged"):
            shard.listing()


def test_an_unforeseen_fault_is_ours_too():
    """A statement that SQLite refuses names no statement and no value."""
    driver = sqlite3.connect(":memory:")
    driver.execute("CREATE TABLE t (x UNIQUE)")
    driver.execute("INSERT INTO t VALUES ('xylophonequartz')")
    with pytest.raises(sqlite3.Error) as caught:
        driver.execute("INSERT INTO t VALUES ('xylophonequartz')")

    fault = translated(caught.value, "ada")

    assert type(fault) is StoreError
    assert "SQLITE_CONSTRAINT_UNIQUE" in str(fault)
    assert "xylophone" not in str(fault)


def test_no_log_line_and_no_error_carries_what_was_said(open_home, make, caplog):
    """At the finest level, over everything a store does, faults among it."""
    home = open_home(index_batch=10)
    errors = []
    with caplog.at_level(logging.DEBUG), home.open("ada") as shard:
        shard.add(make.many(20, SECRET))
        shard.flush()
        shard.nearest(shard.find("t1").vector, 3)
        shard.postings(shard.terms(SECRET), 10)
        shard.change("t1", T0, "archived", "it faded", tier=Tier.ARCHIVAL)
        for act in (
            lambda: shard.add([make(SECRET, tier=Tier.WORKING)]),
            lambda: shard.add([make(SECRET, vector=None)]),
            lambda: shard.find("t99"),
        ):
            with pytest.raises(PSMError) as caught:
                act()
            errors.append(str(caught.value))
        shard.pragma("max_page_count", shard.pragma("page_count"))
        with pytest.raises(PSMError) as caught:
            shard.add(make.many(200, SECRET * 100))
        errors.append(str(caught.value))
        shard.pragma("max_page_count", 1_000_000)
        shard.forget("t1", T0)
        shard.rebuild()
        shard.erase(T0)

    assert len(errors) == 4
    assert "xylophone" not in caplog.text.lower()
    assert "xylophone" not in " ".join(errors)


# -------------------------------------------------------------------------- kill

TESTS = Path(__file__).parents[1]

WRITER = """
    import sys
    sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from store.conftest import Maker, T0
    from psm_core.config import Config
    from psm_core.store.home import Home
    from psm_core.types import Tier
    start = int(sys.argv[3])
    make = Maker(first=start)
    home = Home(Config(home=Path(sys.argv[1])), "random", 32)
    with home.open("ada") as shard:
        print("ready", flush=True)
        for n in range(start, start + 10**6, 3):
            one, two, three = shard.add([make(), make(), make()])
            print("there", one.id, two.id, three.id, flush=True)
            shard.change(one.id, T0, "archived", "", tier=Tier.ARCHIVAL)
            print("archived", one.id, flush=True)
            with shard.transaction():
                shard.change(two.id, T0, "used", "", used=1)
                shard.change(three.id, T0, "used", "", used=1)
            if n % 5 == 0:
                shard.forget(two.id, T0)
                print("gone", two.id, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_acknowledged(tmp_path):
    """Twelve writers killed at random moments: all that they acknowledged is there, in
    the state they had acknowledged, and the store is sound."""
    draw = np.random.default_rng(3)
    said = {"there": set(), "archived": set(), "gone": set()}
    for life in range(12):
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(WRITER),
                tmp_path,
                TESTS,
                str(1 + life * 99_999),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0, 0.5))
        child.kill()
        for line in child.stdout.read().splitlines():
            what, *names = line.split()
            said[what].update(names)
        child.wait()

    home = Home(Config(home=tmp_path), "random", 32)
    with home.open("ada") as shard:
        there = {e.id: e for e in shard.listing()}
        assert shard.check() == []
        assert len(said["there"]) > 100
        # What was being forgotten when the kill came may be gone, unacknowledged.
        said["gone"] |= shard.forgotten(said["there"])
        assert said["there"] - said["gone"] <= set(there)
        assert not said["gone"] & set(there)
        archived = {i for i, e in there.items() if e.tier is Tier.ARCHIVAL}
        assert said["archived"] <= archived
        # Three at a time, and two at a time: never a part of either.
        for n in {(int(i[1:]) - 1) // 3 for i in there}:
            trio = [f"t{3 * n + i}" for i in (1, 2, 3)]
            assert trio[0] in there
            assert trio[2] in there
            if trio[1] in there:
                assert there[trio[1]].used == there[trio[2]].used
    home.close()


# ----------------------------------------------------------------------- sensory


def test_the_sensory_buffer_keeps_the_last_turns_of_each_session():
    """Oldest first, at most so many; sessions apart; cleared as a whole."""
    sensory = Sensory(3)
    for n in range(5):
        sensory.hear(Turn(f"turn {n}", session="s1"))
    sensory.hear(Turn("elsewhere", session="s2"))

    assert [t.text for t in sensory.recent("s1")] == ["turn 2", "turn 3", "turn 4"]
    assert [t.text for t in sensory.recent("s2")] == ["elsewhere"]
    assert sensory.recent("s9") == []
    sensory.clear()
    assert sensory.recent("s1") == []


def test_the_sensory_buffer_lets_go_of_the_longest_unheard_session():
    """However many sessions there are, so many are kept."""
    sensory = Sensory(2)
    for n in range(SESSIONS):
        sensory.hear(Turn("hm", session=f"s{n}"))
    sensory.hear(Turn("again", session="s0"))
    sensory.hear(Turn("new", session="new"))

    assert len(sensory.recent("s0")) == 2
    assert sensory.recent("s1") == []
    assert sensory.recent("new")
