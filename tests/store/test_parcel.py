"""A person fits into one file, and only a whole one comes out again."""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import stat
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from psm_core.content import Shown
from psm_core.errors import (
    ClosedError,
    EncoderMismatchError,
    SchemaError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
)
from psm_core.store.beside import MOST
from psm_core.store.schema import SCHEMA
from psm_core.strength import REWARD
from psm_core.types import Conflict, ConflictKind, Outcome, Tier

from .conftest import T0, same, units


@pytest.fixture
def parcel(open_home, make, tmp_path):
    """ada.psm: 30 indexed memories, an archived one, a fact, logs and a tombstone."""
    home = open_home(index_batch=20)
    with home.open("ada") as shard:
        shard.add(make.many(30))
        shard.add([make("Hm.", tier=Tier.ARCHIVAL), make("Ada.", tier=Tier.SEMANTIC)])
        shard.flush()
        shard.forget("t30", T0)
        features = np.ones(2, np.float32)
        shard.log_recall("r1", T0, "rules", [Shown(1, 0, 0.5, 1.0, features)])
        shard.log_feedback("r1", {1: Outcome.USED}, REWARD, T0)
        shard.change("t2", T0, "pinned", "a person asked", pinned=True)
        shard.flag(Conflict(ConflictKind.UPDATE, "t1", "t2", 0.9, "", found_at=T0))
        shard.set_watermark(7)
        shard.export(tmp_path / "ada.psm")
    return tmp_path / "ada.psm"


def repacked(parcel, **changes):
    """The parcel with fields of its manifest changed, or members added."""
    extra = changes.pop("extra", {})
    with zipfile.ZipFile(parcel) as box:
        manifest = json.loads(box.read("manifest.json")) | changes
        ledger = extra.pop("ledger.sqlite", box.read("ledger.sqlite"))
    if "ledger" in changes:
        ledger = manifest.pop("ledger")
        manifest |= {"sha256": hashlib.sha256(ledger).hexdigest(), "bytes": len(ledger)}
    manifest |= changes.get("manifest", {})
    manifest.pop("manifest", None)
    with zipfile.ZipFile(parcel, "w", zipfile.ZIP_DEFLATED) as box:
        box.writestr("manifest.json", json.dumps(manifest))
        box.writestr("ledger.sqlite", ledger)
        for name, content in extra.items():
            box.writestr(name, content)
    return parcel


VALUES = "values.sqlite"


@contextlib.contextmanager
def sqlite(path):
    """A connection that commits each statement by itself, and is closed again."""
    driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        yield driver
    finally:
        driver.close()


def kept(path):
    with sqlite(path) as driver:
        return [value for (value,) in driver.execute("SELECT value FROM kept")]


@pytest.fixture
def values(home, make):
    """Ada's folder, where an integration keeps a value in a file beside her ledger."""
    with home.open("ada") as shard:
        shard.add([make("I own a kayak.")])
        with sqlite(shard.folder / VALUES) as driver:
            driver.execute("PRAGMA journal_mode = WAL")
            driver.execute("CREATE TABLE kept (value TEXT)")
            driver.execute("INSERT INTO kept VALUES ('a red one')")
    return shard.folder


def exported(home, path):
    with home.open("ada") as shard:
        shard.export(path)
    return path


def boxed(path, content=None, **claims):
    """The parcel at *path* with one more file, and what its manifest claims of it."""
    with zipfile.ZipFile(path) as box:
        manifest = json.loads(box.read("manifest.json"))
        ledger = box.read("ledger.sqlite")
    content = b"" if content is None else content
    found = {
        "name": VALUES,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    manifest |= {"files": [found | claims]}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as box:
        box.writestr("manifest.json", json.dumps(manifest))
        box.writestr("ledger.sqlite", ledger)
        box.writestr(claims.get("name", VALUES), content)
    return path


def database(path, *statements):
    with sqlite(path) as driver:
        for statement in statements:
            driver.execute(statement)
    return path.read_bytes()


def test_everything_comes_along(parcel, home, open_home):
    """Memories, vectors, logs, conflicts, history, tombstones and watermark; not Chroma."""
    there = open_home("there", index_batch=20)

    assert there.import_person(parcel) == "ada"

    with home.open("ada") as old, there.open("ada") as new:
        kept = old.listing(vectors=True)
        moved = new.listing(vectors=True)
        assert len(moved) == 31
        for before, after in zip(kept, moved, strict=True):
            assert same(before, after)
            assert before.seq == after.seq
            assert np.array_equal(before.vector, after.vector)
        assert new.shown("r1") == {"t1": 1}
        assert len(new.judged()) == len(new.lessons()) == 1
        assert new.history("t2") == old.history("t2")
        assert new.conflicts() == old.conflicts()
        assert new.forgotten(["t30"]) == {"t30"}
        assert new.watermark() == 7
        assert not (new.folder / "chroma").exists()
        assert new.check() == []
        assert new.flush() == 30
        cue = units(1, seed=9)[0]
        assert new.nearest(cue, 5) == old.nearest(cue, 5)
    assert there.people() == ["ada"]


def test_a_parcel_is_private_and_leaves_no_scraps(parcel):
    """0600, and nothing beside it; over an older one it is all or nothing."""
    assert stat.S_IMODE(parcel.stat().st_mode) == 0o600
    assert sorted(p.name for p in parcel.parent.iterdir()) == ["ada.psm", "home"]
    with zipfile.ZipFile(parcel) as box:
        assert sorted(box.namelist()) == ["ledger.sqlite", "manifest.json"]
        manifest = json.loads(box.read("manifest.json"))
    assert manifest["user"] == "ada"
    assert (manifest["encoder"], manifest["width"]) == ("random", 32)
    assert manifest["memories"] == 31
    assert manifest["files"] == []


def test_a_person_may_come_in_under_another_name(parcel, home):
    """Beside the one who is here, who stays as they were."""
    assert home.import_person(parcel, "ada the second") == "ada the second"

    assert home.people() == ["ada", "ada the second"]
    with home.open("ada the second") as shard:
        assert shard.user == "ada the second"
        assert shard.counts()[Tier.EPISODIC] == 29


def test_who_is_here_is_replaced_only_on_purpose(parcel, home, make):
    """Refused with the way out; replaced whole; refused while somebody is at work."""
    with home.open("ada") as shard:
        shard.add([make("Later.")])
        with pytest.raises(
            StoreError, match="ada is here already; import under another"
        ):
            home.import_person(parcel)
        with pytest.raises(StoreError, match="in use in this process"):
            home.import_person(parcel, replace=True)

    home.import_person(parcel, replace=True)

    with home.open("ada") as shard:
        assert shard.counts()[Tier.EPISODIC] == 29
        assert shard.check() == []
    folder = home.folder("ada")
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_who_was_replaced_elsewhere_can_write_no_more(parcel, home, make):
    """Another process that had the old ledger open is told, instead of losing words."""
    home.close()
    other = home._shard(home.folder("ada"), "ada")

    home.import_person(parcel, replace=True)

    with pytest.raises(ClosedError, match="erased or replaced by another process"):
        other.add([make()])
    other.close()


def test_who_is_damaged_is_replaced_by_an_export(parcel, home):
    """The way out that the errors name is open."""
    home.close()
    (home.folder("ada") / "ledger.sqlite").write_bytes(b"rubbish" * 4000)

    home.import_person(parcel, replace=True)

    with home.open("ada") as shard:
        assert shard.counts()[Tier.EPISODIC] == 29
        assert shard.check() == []


def test_a_replacement_that_fails_leaves_the_old_one(parcel, home, monkeypatch):
    """If the new folder can't take its place, the old one is back, rows and all."""
    rename = Path.rename

    def refuse(self, target):
        if self.name == "person":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreFullError, match="importing .* No space left"):
        home.import_person(parcel, replace=True)

    with home.open("ada") as shard:
        assert shard.counts()[Tier.EPISODIC] == 29
        shard.set_watermark(8)
        assert shard.check() == []


def test_an_export_of_another_encoder_is_refused(parcel, open_home):
    """Before anything is touched, with both encoders named."""
    there = open_home("there", encoder="other")

    with pytest.raises(EncoderMismatchError, match=r"'random' \(32.*'other' \(32\)"):
        there.import_person(parcel)

    assert there.people() == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": "0" * 64}, "another digest"),
        ({"bytes": 10}, "isn't as long"),
        ({"width": "32"}, "width in its manifest"),
        ({"nonsense": 1}, "manifest can't be read"),
        ({"ledger": b"rubbish" * 1000}, "isn't an SQLite file"),
        ({"extra": {"../../evil": b"x"}}, "other files"),
        ({"extra": {"manifest.json": b"{}"}}, "other files"),
        ({"extra": {"values.sqlite": b"x"}}, "other files"),
        ({"files": [{"name": VALUES, "bytes": 1, "sha256": ""}]}, "other files"),
        ({"files": 7}, "manifest can't be read"),
        ({"files": ["x"]}, "manifest can't be read"),
        ({"files": [{"name": VALUES}]}, "manifest can't be read"),
        ({"files": [{"name": VALUES, "bytes": "1", "sha256": ""}]}, "bytes in a file"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_parcel_that_was_tampered_with_is_refused(parcel, open_home, change, why):
    """Whatever doesn't fit together is named, and nothing is left behind."""
    there = open_home("there")

    with pytest.raises(StoreCorruptError, match=why):
        there.import_person(repacked(parcel, **change))

    assert there.people() == []
    assert list((there._people).iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no", b"not a zip" * 100])
def test_what_is_no_parcel_is_refused(tmp_path, home, content):
    """Any other file is one of our errors, and so is one that isn't there."""
    (tmp_path / "x.psm").write_bytes(content)

    with pytest.raises(StoreCorruptError, match="isn't a whole export"):
        home.import_person(tmp_path / "x.psm")
    with pytest.raises(StoreError, match="No such file"):
        home.import_person(tmp_path / "nothing.psm")


def test_a_parcel_of_an_older_release_is_still_read(parcel, open_home):
    """Format 1 knew of no file but the ledger."""
    with zipfile.ZipFile(parcel) as box:
        manifest = json.loads(box.read("manifest.json"))
        ledger = box.read("ledger.sqlite")
    assert manifest.pop("files") == []
    with zipfile.ZipFile(parcel, "w") as box:
        box.writestr("manifest.json", json.dumps(manifest | {"format": 1}))
        box.writestr("ledger.sqlite", ledger)

    there = open_home("there")
    there.import_person(parcel)

    with there.open("ada") as shard:
        assert shard.counts()[Tier.EPISODIC] == 29
        assert shard.check() == []


def test_a_parcel_of_a_newer_release_says_so(parcel, open_home):
    """Both kinds of number are named, and what to do, whatever else is in it."""
    there = open_home("there")
    with pytest.raises(
        SchemaError, match=rf"format 9 and schema {SCHEMA}.*upgrade psm-memory"
    ):
        there.import_person(repacked(parcel, format=9, later=1))
    with pytest.raises(SchemaError, match=r"format 1 and schema 9.*upgrade psm-memory"):
        there.import_person(repacked(parcel, format=1, schema=9))


def test_a_ledger_with_foreign_tables_is_refused(parcel, open_home, tmp_path):
    """A trigger that somebody put in would run with the rights of who imports it."""
    with zipfile.ZipFile(parcel) as box:
        box.extract("ledger.sqlite", tmp_path)
    raw = sqlite3.connect(tmp_path / "ledger.sqlite")
    raw.execute(
        "CREATE TRIGGER evil AFTER INSERT ON memory BEGIN DELETE FROM memory; END"
    )
    raw.commit()
    raw.close()
    ledger = (tmp_path / "ledger.sqlite").read_bytes()

    with pytest.raises(StoreCorruptError, match="tables that PSM doesn't make"):
        open_home("there").import_person(repacked(parcel, ledger=ledger))


def test_a_ledger_that_would_not_fit_is_refused(parcel, open_home, monkeypatch):
    """The disk is asked before it is filled."""
    there = open_home("there")
    usage = shutil.disk_usage(parcel.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    with pytest.raises(StoreFullError, match="1,000 are free"):
        there.import_person(parcel)


def test_an_export_that_can_not_be_written_is_one_error(shard, tmp_path):
    """A folder that isn't there, or a folder in the file's place; nothing is left."""
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "nowhere" / "ada.psm", tmp_path / "taken"):
        with pytest.raises(StoreError, match="writing .* failed"):
            shard.export(path)
    with pytest.raises(StoreError, match="inside of transaction"), shard.transaction():
        shard.export(tmp_path / "ada.psm")

    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "taken"]


# ------------------------------------------------------ what stands beside the ledger


def test_what_stands_beside_the_ledger_comes_along(values, home, open_home, tmp_path):
    """A file of an integration, its log included, for its owner's eyes alone."""
    for name in ("Notes.sqlite", "values.txt", ".hidden.sqlite"):
        (values / name).write_bytes(b"not of ours")
    with sqlite(values / VALUES) as driver:
        driver.execute("INSERT INTO kept VALUES ('a blue one')")
        assert (values / f"{VALUES}-wal").stat().st_size
        parcel = exported(home, tmp_path / "ada.psm")

    there = open_home("there")
    there.import_person(parcel, "ada the second")

    folder = there.folder("ada the second")
    assert {p.name for p in folder.glob("*.*")} == {"ledger.sqlite", VALUES}
    assert kept(folder / VALUES) == kept(values / VALUES) == ["a red one", "a blue one"]
    assert stat.S_IMODE((folder / VALUES).stat().st_mode) == 0o600
    with zipfile.ZipFile(parcel) as box:
        assert sorted(box.namelist()) == ["ledger.sqlite", "manifest.json", VALUES]
        assert json.loads(box.read("manifest.json"))["format"] == 2


def test_who_is_replaced_keeps_nothing_beside_their_ledger(parcel, values, home):
    """An export without such a file takes the place of all that was there."""
    home.import_person(parcel, replace=True)

    assert not (values / VALUES).exists()


def test_a_value_and_its_memory_travel_together(values, home, make, tmp_path):
    """An export amid a write that spans both files has both halves of it, or none."""
    writing, go_on = threading.Event(), threading.Event()

    def write():
        with sqlite(values / VALUES) as driver, home.open("ada") as shard:
            driver.execute("BEGIN IMMEDIATE")
            driver.execute("INSERT INTO kept VALUES ('a blue one')")
            writing.set()
            go_on.wait(10)
            shard.add([make("My kayak is blue.")])
            driver.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    writing.wait(10)
    threading.Timer(0.2, go_on.set).start()
    exported(home, tmp_path / "ada.psm")
    writer.join(10)

    home.import_person(tmp_path / "ada.psm", "copy")
    with home.open("copy") as shard:
        assert shard.counts()[Tier.EPISODIC] == 2
    assert kept(home.folder("copy") / VALUES) == ["a red one", "a blue one"]


def test_a_file_that_is_written_for_too_long_stops_the_export(values, home, open_home):
    """Nothing is written then, and the error says what to do."""
    home.close()
    home = open_home(busy_seconds=0.05)
    target = values / "ada.psm"
    with sqlite(values / VALUES) as driver:
        driver.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"ada \(values.sqlite\).*busy_seconds"):
            exported(home, target)

    assert not target.exists()
    assert exported(home, target).exists()


def test_what_is_no_database_can_not_be_exported(values, home, tmp_path):
    """Rather than left out in silence, it is named."""
    (values / "broken.sqlite").write_bytes(b"rubbish" * 1000)

    with pytest.raises(StoreCorruptError, match=r"broken.sqlite\) isn't an SQLite"):
        exported(home, tmp_path / "ada.psm")

    assert not (tmp_path / "ada.psm").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../values.sqlite",
        "/tmp/values.sqlite",
        "a/values.sqlite",
        "..\\values.sqlite",
        "Values.sqlite",
        ".values.sqlite",
        "values.sqlite\n",
        "values.txt",
        "ledger.sqlite-wal",
        f"{'v' * 61}.sqlite",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(parcel, open_home, name):
    """Whatever a manifest says, nothing is written but a person's own files."""
    there = open_home("there")

    with pytest.raises(StoreCorruptError, match="don't belong to a person"):
        there.import_person(boxed(parcel, b"x", name=name))

    assert list(there._people.iterdir()) == []


def test_more_files_than_anybody_needs_are_refused(parcel, open_home):
    """A parcel can't fill a folder with names."""
    nothing = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    names = [f"v{n}.sqlite" for n in range(MOST + 1)]
    files = [{"name": name, **nothing} for name in names]

    with pytest.raises(StoreCorruptError, match="don't belong to a person"):
        open_home("there").import_person(repacked(parcel, files=files))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"sha256": "0" * 64}, "values.sqlite has another digest"),
        ({"bytes": 10}, "values.sqlite isn't as long"),
    ],
)
def test_a_file_that_is_not_what_its_manifest_says_is_refused(
    parcel, open_home, tmp_path, claims, why
):
    """Length and digest are held against it, as for the ledger."""
    content = database(tmp_path / "v.db", "CREATE TABLE kept (value TEXT)")
    there = open_home("there")

    with pytest.raises(StoreCorruptError, match=why):
        there.import_person(boxed(parcel, content, **claims))

    assert list(there._people.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER evil AFTER INSERT ON kept BEGIN DELETE FROM kept; END",
        "CREATE VIEW evil AS SELECT * FROM kept",
        "CREATE VIRTUAL TABLE evil USING fts5(value)",
    ],
)
def test_a_file_that_does_more_than_hold_rows_is_refused(
    parcel, open_home, tmp_path, statement
):
    """What somebody put in would run with the rights of who imports it."""
    made = "CREATE TABLE kept (value TEXT)"
    content = database(tmp_path / "v.db", made, statement)
    there = open_home("there")

    with pytest.raises(StoreCorruptError, match="more than tables and indexes"):
        there.import_person(boxed(parcel, content))

    assert there.people() == []
    plain = database(tmp_path / "p.db", made, "CREATE INDEX i ON kept (value)")
    assert there.import_person(boxed(parcel, plain)) == "ada"


def test_a_file_that_is_no_database_is_refused(parcel, open_home):
    """Though length and digest are right."""
    there = open_home("there")

    with pytest.raises(StoreCorruptError, match="isn't an SQLite file"):
        there.import_person(boxed(parcel, b"rubbish" * 1000))

    assert there.people() == []


def test_files_that_would_not_fit_together_are_refused(parcel, open_home, monkeypatch):
    """The disk is asked once, for all of them."""
    there = open_home("there")
    with zipfile.ZipFile(parcel) as box:
        ledger = box.getinfo("ledger.sqlite").file_size
    free = ledger + 2**24 + 1000
    usage = shutil.disk_usage(parcel.parent)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    with pytest.raises(StoreFullError, match=f"{free:,} are free"):
        there.import_person(boxed(parcel, b"x" * 1001))
