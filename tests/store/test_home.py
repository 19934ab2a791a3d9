"""Each person has a folder of their own, private, found again, and never too many open."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import unicodedata
from pathlib import Path

import pytest

from psm_core.errors import (
    ClosedError,
    EncoderMismatchError,
    SchemaError,
    StoreCorruptError,
    StoreError,
    UserError,
)
from psm_core.store import schema
from psm_core.store.pool import POOL
from psm_core.types import Tier

from .conftest import T0, Maker, units


def test_the_folder_of_a_person_is_a_digest_of_the_name(home, tmp_path):
    """The same for every spelling that Unicode takes for the same name; inside, always."""
    people = (tmp_path / "home").resolve() / "people"
    composed, apart = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))

    folder = home.folder("ada")

    assert folder.parent.parent == people
    assert len(folder.name) == 32
    assert folder.name.startswith(folder.parent.name)
    assert composed != apart
    assert home.folder(composed) == home.folder(apart) != folder
    for user in ("../../etc/passwd", "🦊", "x" * 300, "a/b", "..", "CON", " ada"):
        assert home.folder(user).parent.parent == people


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 1001, "1,001 characters"),
        ("a\0b", "NUL"),
        ("a\ud800", "lone surrogate"),
        (7, "int"),
    ],
)
def test_a_name_that_names_nobody_is_refused(home, user, why):
    """The error says what is wrong with it."""
    with pytest.raises(UserError, match=why), home.open(user):
        pass


def test_folders_and_files_are_their_owners_alone(open_home, make):
    """0700 and 0600 whatever the umask says, Chroma's files among them."""
    before = os.umask(0o000)
    try:
        home = open_home("deep/er/home", index_batch=5)
        with home.open("ada") as shard:
            shard.add(make.many(10))
            shard.flush()
            made = list(shard.folder.parents[2].rglob("*"))
    finally:
        os.umask(before)

    assert len(made) > 8
    for path in [*made, shard.folder.parents[2]]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_people_are_named_as_they_are(home, caplog):
    """True names, sorted; a ledger that can't be read is left out with a warning."""
    for user in ("zoë", "ada/../bob", "🦊"):
        with home.open(user):
            pass
    home.close()
    (home.folder("🦊") / "ledger.sqlite").write_bytes(b"rubbish" * 1000)

    assert home.people() == ["ada/../bob", "zoë"]
    assert "can't be read" in caplog.text
    assert home.has("zoë")
    assert not home.has("nobody")


def test_two_homes_of_one_path_share_what_is_open(open_home, tmp_path):
    """However the path is spelled, one process has one shard of a person."""
    (tmp_path / "link").symlink_to(tmp_path / "home")
    one, other = open_home("home"), open_home("link")

    with one.open("ada") as a, other.open("ada") as b, one.open("bob") as c:
        assert a is b
        assert a is not c
        assert not one.release("ada")
    assert one.release("ada")
    assert a.closed
    with pytest.raises(ClosedError, match="the memory of ada is closed; open it again"):
        a.listing()


def test_no_more_stay_open_than_may(open_home):
    """The least recently used are closed, those in use never."""
    home = open_home(open_people=3)
    with home.open("first") as first:
        for n in range(10):
            with home.open(f"person {n}"):
                pass
        assert not first.closed
        opened = [s for f, s in POOL._slots.items() if f.is_relative_to(home._people)]
        assert len(opened) == 3
    with home.open("person 9") as nine:
        assert nine is opened[-1].shard


def test_many_threads_open_few_people(open_home):
    """Twenty threads over six people, three of whom may stay open: every write is there,
    and nothing that is in use was closed."""
    home = open_home(open_people=3)
    faults = []

    def work(mine):
        make = Maker(first=mine * 1000)
        try:
            for n in range(15):
                with home.open(f"person {(mine + n) % 6}") as shard:
                    shard.add([make(id=f"{mine}-{n}")])
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    found = set()
    for n in range(6):
        with home.open(f"person {n}") as shard:
            found |= {e.id for e in shard.listing()}
            assert shard.check() == []
    assert found == {f"{mine}-{n}" for mine in range(20) for n in range(15)}


def test_twenty_threads_in_one_shard_are_exact(shard):
    """Adds, changes, searches and transactions at once: counts and places add up."""
    faults = []

    def work(mine):
        make = Maker(first=mine * 1000)
        try:
            for n in range(10):
                (one,) = shard.add([make(f"thing {mine}", id=f"{mine}-{n}")])
                with shard.transaction():
                    used = shard.find("0-0").used if mine and n == 9 else 0
                    shard.change(one.id, T0, "used", "", used=n)
                    if mine and n == 9:
                        shard.change("0-0", T0, "used", "", used=used + 1)
                assert shard.nearest(one.vector, 1)[0][0] == one.seq
                assert shard.postings(["thing"], 10).df[0] > 0
        except BaseException as fault:
            faults.append(fault)

    shard.add([Maker()(id="0-0")])
    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert shard.find("0-0").used == 20
    assert [e.seq for e in shard.listing()] == list(range(1, 202))
    places = shard.places(range(1, 202))
    assert sorted(p.place for p in places.values()) == list(range(201))
    assert len(shard.history("0-0")) == 20
    assert shard.check() == []


# ---------------------------------------------------------------------- encoders


def test_another_encoder_is_refused_by_name_and_by_width(open_home, make):
    """The sentence names both and the way out; nothing is compared."""
    with open_home().open("ada") as shard:
        shard.add([make()])
    sentence = (
        r"the store of ada was written by 'random' \(32 numbers a text\), this process "
        r"uses '{}' \({}\); open it with the first, or"
    )
    with (
        pytest.raises(EncoderMismatchError, match=sentence.format("other", 32)),
        open_home(encoder="other").open("ada"),
    ):
        pass
    with (
        pytest.raises(EncoderMismatchError, match=sentence.format("random", 16)),
        open_home(width=16).open("ada"),
    ):
        pass
    with open_home().open("ada") as shard:
        assert shard.counts()[Tier.EPISODIC] == 1


def test_who_has_said_nothing_may_change_the_encoder(open_home):
    """An empty store takes on the encoder of the first who has something to say."""
    with open_home().open("ada"):
        pass
    with open_home(encoder="other", width=16).open("ada") as shard:
        shard.add([Maker(width=16)()])
        assert shard.nearest(units(1, width=16)[0], 1)[0][0] == 1
        assert (shard.encoder, shard.width) == ("other", 16)


# --------------------------------------------------------- what others do to files


def test_a_newer_store_is_left_alone(home, make):
    """An older program names both numbers and what to do, and writes nothing."""
    with home.open("ada") as shard:
        shard.add([make()])
        shard.set_meta("schema", "99")
    home.close()
    ledger = home.folder("ada") / "ledger.sqlite"
    before = ledger.read_bytes()

    with (
        pytest.raises(
            SchemaError,
            match=rf"ada has schema 99.*up to {schema.SCHEMA}; upgrade psm-mem",
        ),
        home.open("ada"),
    ):
        pass

    assert ledger.read_bytes() == before


def test_an_older_store_is_brought_up_step_by_step(home, make, monkeypatch):
    """Each migration runs once, in order, in one transaction with the new number."""
    with home.open("ada") as shard:
        shard.add([make()])
    home.close()
    now = schema.SCHEMA
    monkeypatch.setattr(schema, "SCHEMA", now + 2)
    steps = {
        now: ("CREATE TABLE added (n INTEGER)", "INSERT INTO added VALUES (1)"),
        now + 1: ("UPDATE added SET n = n * 10",),
    }
    monkeypatch.setattr(schema, "MIGRATIONS", steps)

    for _ in range(2):
        with home.open("ada") as shard:
            assert shard.meta("schema") == str(now + 2)
            assert shard.rows("SELECT n FROM added") == [(10,)]
            assert shard.find("t1")
        home.close()


def test_a_store_of_the_first_schema_is_brought_to_this_one(home, make, tmp_path):
    """It has the same tables then, word for word, as one that is made today."""
    with home.open("ada") as shard:
        shard.add([make()])
    home.close()
    ledger = home.folder("ada") / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(ledger, isolation_level=None)) as driver:
        made = set(driver.execute("SELECT name, sql FROM sqlite_master"))
        driver.execute("DROP TABLE gist")
        driver.execute("DROP INDEX history_undone")
        driver.execute("UPDATE meta SET value = 1 WHERE key = 'schema'")

    with home.open("ada") as shard:
        assert set(shard.rows("SELECT name, sql FROM sqlite_master")) == made
        shard.condense("t1", "moved", shard.present())
        exported = tmp_path / "ada.psm"
        shard.export(exported)

    assert home.import_person(exported, "eve") == "eve"


def test_a_migration_that_fails_leaves_the_store_as_it_was(home, monkeypatch):
    """Half of a step is no step."""
    with home.open("ada"):
        pass
    home.close()
    with monkeypatch.context() as patch:
        now = schema.SCHEMA
        patch.setattr(schema, "SCHEMA", now + 1)
        patch.setattr(
            schema, "MIGRATIONS", {now: ("CREATE TABLE added (n)", "SELECT nonsense")}
        )
        with pytest.raises(StoreError, match="refused a statement"), home.open("ada"):
            pass

    with home.open("ada") as shard:
        assert shard.meta("schema") == str(now)
        assert shard.rows("SELECT 1 FROM sqlite_master WHERE name = 'added'") == []


def test_a_folder_of_somebody_else_is_not_opened(home, make):
    """Files that were copied from one person to another are noticed."""
    with home.open("bob") as shard:
        shard.add([make("I am Bob.")])
    home.close()
    home.folder("ada").parent.mkdir(exist_ok=True)
    home.folder("bob").rename(home.folder("ada"))

    with (
        pytest.raises(StoreCorruptError, match="folder of ada holds the memory of bob"),
        home.open("ada"),
    ):
        pass


def test_a_ledger_that_was_replaced_is_opened_anew(home, make, tmp_path):
    """What another process put in its place is what the next opening sees."""
    with home.open("ada") as shard:
        shard.add([make("Old.")])
    # As another process would import: rename away, rename in.
    there = home._shard(_fresh(tmp_path / "new"), "ada")
    there.add([make("New.")])
    there.close()
    home.folder("ada").rename(tmp_path / "old")
    (tmp_path / "new").rename(home.folder("ada"))

    with home.open("ada") as shard:
        assert [e.text for e in shard.listing()] == ["New."]


def test_a_person_erased_by_another_process_is_not_begun_anew(home, open_home, make):
    """Who had them open is told, and leaves no folder; who opens them next begins."""
    with home.open("ada") as shard:
        shard.add([make()])
    other = home._shard(home.folder("ada"), "ada")
    other.erase(T0)

    erased = r"the memory of ada was erased; begin a new one with Memory\('ada'"
    for _ in range(2):
        with pytest.raises(ClosedError, match=erased), home.open("ada"):
            pass
    assert not home.folder("ada").exists()
    with open_home().open("ada") as again:
        assert again is not shard
        assert again.listing() == []
        again.add([make("New.")])
    with home.open("ada") as same:
        assert same is again
    assert home.people() == ["ada"]


def test_an_erasure_says_which_queue_may_name_the_person_still(home, make, caplog):
    """A damaged queue stays as it is, and keeps nobody from leaving."""
    with home.open("ada") as shard:
        shard.add([make()])
    queue = home.folder("ada").parents[2] / "sleep.sqlite"
    queue.write_bytes(b"no database at all " * 99)

    proof = home.erase("ada", T0)

    assert (proof.memories, proof.left) == (1, (str(queue),))
    assert not home.folder("ada").exists()
    assert "the queue of sleeps stays as it is (StoreCorruptError)" in caplog.text


def test_whoever_erased_a_person_may_begin_them_anew(home, make):
    """The home that did it knows that they are gone."""
    with home.open("ada") as shard:
        shard.add([make()])
    assert home.erase("ada", T0).left == ()

    with home.open("ada") as again:
        assert again.listing() == []


CROWD = """
    import sys
    from pathlib import Path
    from psm_core.config import Config
    from psm_core.store.home import Home
    sys.path.insert(0, sys.argv[2])
    from store.conftest import Maker
    home = Home(Config(home=Path(sys.argv[1])), "random", 32)
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(15):
        with home.open(f"person {n}") as shard:
            shard.add([Maker()(id=sys.argv[3])])
"""


class Overtaken(sqlite3.Connection):
    """A connection between whose first and second question another one acts."""

    meanwhile = None

    def execute(self, *given):
        answer = super().execute(*given)
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()
        return answer


def test_who_finds_tables_that_another_process_just_made_knows_them(tmp_path):
    """Between two looks at a new file its tables and our mark may have come: ours."""
    path = tmp_path / "ledger.sqlite"
    other = sqlite3.connect(path, isolation_level=None)

    def make():
        other.execute("BEGIN IMMEDIATE")
        schema.prepare(other, "ada")
        other.execute("COMMIT")

    late = sqlite3.connect(path, factory=Overtaken)
    late.meanwhile = make

    assert schema.version(late, "ada") == schema.SCHEMA
    late.close()
    other.close()


def test_many_processes_may_begin_the_same_people(home, tmp_path):
    """Four make the same fifteen new ledgers at once: one each, with all four turns."""
    crowd = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(CROWD),
                tmp_path / "home",
                Path(__file__).parents[1],
                str(n),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for one in crowd:
        assert one.stdout.readline() == "ready\n"
    for one in crowd:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in crowd:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said

    assert len(home.people()) == 15
    for n in range(15):
        with home.open(f"person {n}") as shard:
            assert sorted(e.id for e in shard.listing()) == ["0", "1", "2", "3"]
            assert shard.check() == []


def _fresh(folder):
    folder.mkdir(mode=0o700)
    return folder


# -------------------------------------------------------------------------- fork


def test_a_forked_child_opens_its_own_and_leaves_the_parents_alone(open_home, make):
    """The child reads, writes and finds; the parent's connection, lock and index go on."""
    home = open_home(index_batch=20)
    with home.open("ada") as shard:
        entries = shard.add(make.many(60))
        shard.flush()
        held = shard._index
        assert held is not None
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with pytest.raises(ClosedError):
                    shard.listing()
                with home.open("ada") as own:
                    assert own is not shard
                    assert own.nearest(entries[9].vector, 1)[0][0] == 10
                    assert own._index is None
                    own.add([make("The child was here.", id="child")])
                home.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

        assert shard._index is held
        assert shard.find("child").text == "The child was here."
        assert shard.nearest(entries[9].vector, 1)[0][0] == 10
        assert shard.check() == []


def test_a_forked_child_does_without_the_index(open_home, make):
    """Chroma's threads don't outlive a fork: even when the parent has let go, the child
    searches the ledger, and leaves the index to others."""
    home = open_home(index_batch=20)
    with home.open("ada") as shard:
        entries = shard.add(make.many(60))
        shard.flush()
    go, wait = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.read(go, 1)
            with home.open("ada") as own:
                assert own.nearest(entries[9].vector, 1)[0][0] == 10
                own.add(Maker(first=500).many(30))
                assert own.flush() == 0
                with pytest.raises(StoreError, match="chroma can't be used"):
                    own.rebuild()
            home.close()
            code = 0
        finally:
            os._exit(code)
    home.close()
    os.write(wait, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with home.open("ada") as shard:
        assert shard.find("t529")
        assert shard.flush() == 30
        assert shard.check() == []


LEAVE = """
    import os, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from store.conftest import Maker
    from psm_core.config import Config
    from psm_core.store.home import Home
    home = Home(Config(home=Path(sys.argv[1]), index_batch=20), "random", 32)
    with home.open("ada") as shard:
        shard.add(Maker().many(30))
        assert shard.flush() == 30
    if (child := os.fork()) == 0:
        sys.exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_can_leave(tmp_path):
    """It exits as any process does, though its parent has Chroma open."""
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", textwrap.dedent(LEAVE), tmp_path, tests]

    left = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )

    assert left.stdout == "7\n", left.stderr
