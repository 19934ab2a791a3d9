"""A person fits into one file, and only a whole one comes out again."""

import hashlib
import json
import shutil
import sqlite3
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from psm_core.errors import (
    ClosedError,
    EncoderMismatchError,
    SchemaError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
)
from psm_core.protocols import Shown
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


def test_a_parcel_of_a_newer_release_says_so(parcel, open_home):
    """Both kinds of number are named, and what to do."""
    there = open_home("there")
    with pytest.raises(
        SchemaError, match=rf"format 9 and schema {SCHEMA}.*upgrade psm-memory"
    ):
        there.import_person(repacked(parcel, format=9))
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
