"""A person who travels takes the values of their store along; one who is erased, too."""

import threading
from datetime import timedelta

import pytest

pytest.importorskip("langgraph")

from typer.testing import CliRunner

from psm_core import People
from psm_core.cli import app
from psm_core.errors import StoreError
from psm_langgraph import PSMStore
from psm_langgraph.items import FILE

ADA = ("memories", "ada")
TEA = {"content": "Ada likes green tea", "rank": 1, "odd": [None, 0.1, {"ü": "\u2028"}]}
KAYAK = {"content": "Ada owns a red kayak"}


@pytest.fixture
def people():
    with People() as people:
        yield people


@pytest.fixture
def store(people):
    """Ada's two values, and Bob's."""
    store = PSMStore(people, ttl={"default_ttl": None, "refresh_on_read": False})
    store.put(ADA, "tea", TEA)
    store.put((*ADA, "things"), "kayak", KAYAK, ttl=60)
    store.put(("memories", "bob"), "secret", {"content": "Bob snores"})
    return store


def psm(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_values_travel_in_an_export(people, store, tmp_path):
    """psm export here and psm import there: each value, its times, and its meaning."""
    before = store.search(ADA, limit=10)
    people.close()
    psm("export", tmp_path / "ada.psm", "--user", "ada")
    psm("import", tmp_path / "ada.psm", "--home", tmp_path / "there")

    with People(home=tmp_path / "there") as others:
        there = PSMStore(others)
        moved = there.search(ADA, limit=10)
        assert moved == before
        assert there.get(ADA, "tea").value == TEA
        found = there.search(ADA, query="a red kayak", limit=1)
        assert [(i.key, i.value) for i in found] == [("kayak", KAYAK)]
        assert there.search(("memories", "bob")) == []


def test_a_value_that_has_come_along_can_be_changed_and_deleted(
    people, store, tmp_path
):
    """Its old words are forgotten in the new home, as they would have been here."""
    people.memory("ada").export(tmp_path / "ada.psm")
    psm("import", tmp_path / "ada.psm", "--home", tmp_path / "there")

    with People(home=tmp_path / "there") as others:
        there = PSMStore(others)
        there.put(ADA, "tea", {"content": "Ada likes black tea"})
        there.delete((*ADA, "things"), "kayak")
        said = [e.text for e in others.memory("ada").entries()]
        assert said == ["Ada likes black tea"]


def test_a_life_that_is_time_bound_ends_in_its_new_home_too(people, store, tmp_path):
    """What had an hour to live when it was exported has no more after the import."""
    people.memory("ada").export(tmp_path / "ada.psm")
    psm("import", tmp_path / "ada.psm", "--home", tmp_path / "there")

    class Later:
        def now(self):
            return store._clock.now() + timedelta(minutes=61)

    with People(home=tmp_path / "there") as others:
        there = PSMStore(others, clock=Later())
        assert [i.key for i in there.search(ADA)] == ["tea"]


def test_an_import_replaces_the_values_too(people, store, tmp_path):
    """--replace: what was put after the export is gone with what was said."""
    people.memory("ada").export(tmp_path / "ada.psm")
    store.put(ADA, "later", {"content": "Ada sold the kayak"})
    people.close()

    psm("import", tmp_path / "ada.psm", "--replace")

    with People() as again:
        assert {i.key for i in PSMStore(again).search(ADA)} == {"tea", "kayak"}
        assert len(PSMStore(again).search(("memories", "bob"))) == 1


def test_an_export_while_values_are_put_holds_both_or_neither(people, store, tmp_path):
    """Every value that came along has its words, and every word its value."""
    stop = threading.Event()

    def put():
        n = 0
        while not stop.is_set():
            store.put(ADA, f"n{n}", {"content": f"Ada bought boat number {n}"})
            n += 1

    writer = threading.Thread(target=put)
    writer.start()
    try:
        exports = [people.memory("ada").export(tmp_path / f"{n}.psm") for n in range(5)]
    finally:
        stop.set()
        writer.join(30)

    for n, export in enumerate(exports):
        psm("import", export, "--home", tmp_path / f"there{n}")
        with People(home=tmp_path / f"there{n}") as others:
            values = PSMStore(others).search(ADA, limit=10_000)
            words = others.memory("ada").entries()
        assert len(words) >= 2
        assert sorted(e.text.partition("\n")[0] for e in words) == sorted(
            i.value["content"] for i in values
        )


def test_who_is_erased_leaves_no_value_behind(people, store, tmp_path):
    """Neither file, row nor byte; the proof names the file; Bob's are untouched."""
    folder = people.memory("ada")._home.folder("ada")
    people.close()
    assert b"green tea" in (folder / FILE).read_bytes()

    psm("erase", "--user", "ada", "--yes")

    assert not folder.exists()
    left = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert left
    assert not [b for b in left if b"green tea" in b or b"kayak" in b]
    with People() as again:
        assert PSMStore(again).search(ADA) == []
        assert [i.key for i in PSMStore(again).search(("memories", "bob"))] == [
            "secret"
        ]


def test_the_proof_of_an_erasure_names_the_values(people, store):
    """Whoever asks for it sees that they were there, and that nothing is left."""
    proof = people.memory("ada").erase()

    assert FILE in proof.files
    assert proof.left == ()


def test_a_store_that_is_damaged_stops_an_export(people, store, tmp_path):
    """Rather than an export without values, there is none, and it says why."""
    folder = people.memory("ada")._home.folder("ada")
    for beside in folder.glob(f"{FILE}-*"):
        beside.unlink()
    (folder / FILE).write_bytes(b"rubbish" * 1000)

    with pytest.raises(StoreError, match=FILE):
        people.memory("ada").export(tmp_path / "ada.psm")
