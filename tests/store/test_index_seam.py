"""Another index may take Chroma's place: what is recalled is the same."""

import logging

import numpy as np
import pytest

from psm_core import Memory, hookimpl
from psm_core.config import Config
from psm_core.content import IndexKind
from psm_core.errors import PluginError
from psm_core.store.guarded import FOLDERS, IndexFault, NoIndexError
from psm_core.store.home import Home
from psm_core.store.index import KIND as CHROMA
from psm_core.types import Tier, Turn

from .conftest import T0, WIDTH, brute, units

LIVE = (Tier.EPISODIC, Tier.SEMANTIC)


class ExactIndex:
    """All rows of a tier in one file, compared one by one."""

    def __init__(self, folder, width):
        self._files = {tier: folder / f"{tier}.npz" for tier in LIVE}
        self._kept = {tier: self._read(tier) for tier in LIVE}

    def count(self, tier):
        return len(self._kept[tier])

    def propose(self, tier, vector, most):
        if not self._kept[tier]:
            return []
        cosines = np.stack([*self._kept[tier].values()]) @ vector
        # Numbers of numpy's own, as an index that is written in a hurry gives them.
        near = np.argsort(-cosines)[:most]
        return zip(np.array([*self._kept[tier]])[near], cosines[near], strict=True)

    def put(self, tier, seqs, rows):
        self._kept[tier] |= dict(zip(seqs, rows.copy(), strict=True))
        self._write(tier)

    def drop(self, tier, seqs):
        self._kept[tier] = {n: r for n, r in self._kept[tier].items() if n not in seqs}
        self._write(tier)

    def close(self):
        self._kept = {}

    def _read(self, tier):
        if not self._files[tier].exists():
            return {}
        with np.load(self._files[tier]) as file:
            return dict(zip(file["seqs"].tolist(), file["rows"], strict=True))

    def _write(self, tier):
        seqs, rows = [*self._kept[tier]], [*self._kept[tier].values()]
        np.savez(self._files[tier], seqs=np.array(seqs, np.int64), rows=np.array(rows))


EXACT = IndexKind("exact", ExactIndex)


class Offer:
    """A plugin with an index."""

    @hookimpl
    def psm_register(self, registry):
        registry.add("index", "exact", ExactIndex)


@pytest.fixture
def open_with(tmp_path):
    """Opens the home with a kind of index, which takes over from 20 memories on."""
    opened = []

    def open_one(kind):
        for home in opened:
            home.close()
        config = Config(home=tmp_path / "home", index_batch=20)
        opened.append(Home(config, "random", WIDTH, kind))
        return opened[-1]

    yield open_one
    for home in opened:
        home.close()


@pytest.mark.parametrize("kind", [CHROMA, EXACT], ids=lambda kind: kind.name)
def test_every_index_keeps_the_contract(kind, tmp_path):
    """What was put is proposed, nearest first, after a reopening too; what was put
    again has the new vector, and what was dropped is gone."""
    rows = units(30)
    index = kind.open(tmp_path, WIDTH)
    assert index.count(Tier.EPISODIC) == 0
    assert list(index.propose(Tier.EPISODIC, rows[0], 5)) == []
    index.drop(Tier.EPISODIC, [7])

    index.put(Tier.EPISODIC, [*range(1, 30)], rows[1:])
    index.put(Tier.SEMANTIC, [99], rows[:1])
    index.put(Tier.EPISODIC, [4], rows[:1])
    index.drop(Tier.EPISODIC, [5, 6, 1000])
    for _ in range(2):
        assert index.count(Tier.EPISODIC) == 27
        assert [int(n) for n, _ in index.propose(Tier.SEMANTIC, rows[5], 9)] == [99]
        found = [(int(n), c) for n, c in index.propose(Tier.EPISODIC, rows[0], 40)]
        assert found[0] == (4, pytest.approx(1, abs=1e-5))
        assert {n for n, _ in found} == {*range(1, 30)} - {5, 6}
        assert [c for _, c in found] == sorted((c for _, c in found), reverse=True)
        assert len(list(index.propose(Tier.EPISODIC, rows[0], 3))) == 3
        index.close()
        index = kind.open(tmp_path, WIDTH)
    index.close()


def test_the_store_finds_the_same_through_any_index(open_with, make):
    """What is added, changed, archived and forgotten comes back as from the ledger."""
    home = open_with(EXACT)
    with home.open("ada") as shard:
        entries = shard.add([*make.many(60), make(tier=Tier.SEMANTIC)])
        assert shard.flush() == 61
        assert isinstance(shard._index.index, ExactIndex)
        assert not (shard.folder / "chroma").exists()
        shard.forget("t3", T0)
        shard.change("t4", T0, "archived", "", tier=Tier.ARCHIVAL)
        entries += shard.add(make.many(5))
        there = [e for e in entries if e.id not in {"t3", "t4"}]
        for cue in units(10, seed=99):
            expected = brute(there, cue, 20)
            found = shard.nearest(cue, 20)
            assert [seq for seq, _ in found] == [seq for seq, _ in expected]
            assert [c for _, c in found] == pytest.approx([c for _, c in expected])
        assert shard.check() == []
        assert shard.rebuild() == 64


def test_a_plugins_index_recalls_the_same_as_chroma(tmp_path, clock):
    """Two memories of one life, one on each index, answer every cue alike."""
    turns = [
        Turn(f"I bought {thing} number {n} in {town}.", "Ada", id=f"t{n}", at=T0)
        for n, (thing, town) in enumerate(
            (thing, town)
            for thing in ("a kayak", "a lamp", "a novel", "basalt", "tea")
            for town in ("Lyon", "Bergen", "Porto", "Ghent", "Turin", "Graz")
        )
    ]
    told = {}
    for name in ("chroma", "exact"):
        with Memory(
            "ada",
            home=tmp_path / name,
            encoder="hash",
            index=name,
            index_batch=20,
            clock=clock,
            plugins=[Offer()],
        ) as memory:
            memory.remember_many(turns)
            told[name] = [
                [(hit.id, pytest.approx(hit.score, abs=1e-4)) for hit in found.hits]
                for found in map(memory.recall, ["kayak in Lyon?", "tea", "Porto", "?"])
            ]
            assert memory.check() == []
        (stamp,) = (tmp_path / name).rglob("stamp")
        assert stamp.parent.name == {"chroma": "chroma", "exact": "index"}[name]
    assert all(told["chroma"][:3])
    assert told["exact"] == told["chroma"]


def test_an_index_that_nobody_offers_is_refused(tmp_path):
    """The error names those that are offered; nothing is made on the disk."""
    with pytest.raises(
        PluginError, match="no plugin offers the index 'faiss'; offered: chroma"
    ):
        Memory("ada", home=tmp_path / "home", encoder="hash", index="faiss")
    assert not (tmp_path / "home").exists()


# ------------------------------------------------------------------- one for another


def test_another_index_takes_over_and_leaves_nothing_of_the_first(open_with, make):
    """Whatever is written with one kind is found with the next, whose files stay alone;
    what one kind left is never read by another."""
    other = IndexKind("other", ExactIndex)
    kinds = (CHROMA, EXACT, other, CHROMA)
    for kind in kinds:
        with open_with(kind).open("ada") as shard:
            added = shard.add(make.many(30))
            cue = added[7].vector
            entries = shard.listing(vectors=True)
            assert [s for s, _ in shard.nearest(cue, 200)] == [
                s for s, _ in brute(entries, cue, 200)
            ]
            assert shard.flush() == len(entries)
            assert shard.nearest(cue, 1)[0][0] == added[7].seq
            assert shard._index.count(Tier.EPISODIC) == len(entries)
            there = [name for name in FOLDERS if (shard.folder / name).exists()]
            assert there == ["chroma" if kind is CHROMA else "index"]
            assert shard.check() == []


# -------------------------------------------------------------------------- faults


def failing(method, fault):
    """An index that is sound until one of its methods is asked a second time."""

    class Failing(ExactIndex):
        calls = 0

        def __init__(self, folder, width):
            super().__init__(folder, width)
            self.__dict__[method] = self._fail

        def _fail(self, *arguments):
            type(self).calls += 1
            if self.calls != 2:
                return getattr(ExactIndex, method)(self, *arguments)
            if isinstance(fault, BaseException):
                raise fault
            return fault

    return IndexKind("failing", Failing)


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("propose", RuntimeError("thing number 3")),
        ("propose", KeyError("thing number 3")),
        ("propose", OSError(5, "thing number 3")),
        ("propose", [(1, float("nan"))]),
        ("propose", [(1, 17.0)]),
        ("propose", [("thing", 0.5)]),
        ("propose", None),
        ("put", RuntimeError("thing number 3")),
        ("drop", RuntimeError("thing number 3")),
    ],
)
def test_whatever_goes_wrong_in_an_index_is_survived(
    open_with, make, caplog, method, fault
):
    """Everything is found in the ledger, the log names no content, and the next flush
    makes the index anew."""
    with open_with(failing(method, fault)).open("ada") as shard:
        entries = shard.add(make.many(40))
        cue = units(1, seed=99)[0]
        with caplog.at_level(logging.WARNING, "psm_core"):
            for _ in range(3):
                shard.flush()
                expected = [s for s, _ in brute(entries, cue, 10)]
                assert [s for s, _ in shard.nearest(cue, 10)] == expected
                entries += shard.add(make.many(20))
                shard.change("t1", T0, "edited", "", vector=cue)
                entries[0] = shard.find("t1")
        shard.flush()

        assert "the index failed" in caplog.text
        assert "thing" not in caplog.text
        assert shard._index is not None
        assert shard.check() == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (RuntimeError("thing"), "the index can't be made (RuntimeError)"),
        (ModuleNotFoundError("x", name="faiss"), "faiss can't be imported"),
        (NoIndexError("a fork"), "all is searched in the ledger: a fork"),
        (IndexFault("half of it"), "the index can't be made (half of it)"),
    ],
)
def test_an_index_that_cannot_be_opened_is_survived(
    open_with, make, caplog, fault, said
):
    """All is found in the ledger, and the log has one sentence that says why."""

    def refuse(folder, width):
        raise fault

    with open_with(IndexKind("closed", refuse)).open("ada") as shard:
        entries = shard.add(make.many(40))
        with caplog.at_level(logging.WARNING, "psm_core"):
            assert shard.flush() == 0

        cue = units(1, seed=99)[0]
        assert [s for s, _ in shard.nearest(cue, 10)] == [
            s for s, _ in brute(entries, cue, 10)
        ]
        assert [said in message for message in caplog.messages] == [True]


def test_an_index_that_does_not_close_lets_the_store_close(open_with, make):
    """Its files are its own affair; the ledger and the lock are free again."""

    class Stuck(ExactIndex):
        def close(self):
            raise RuntimeError

    home = open_with(IndexKind("stuck", Stuck))
    with home.open("ada") as shard:
        shard.add(make.many(40))
        shard.flush()
    assert home.release("ada")
    with home.open("ada") as shard:
        assert len(shard.nearest(units(1)[0], 99)) == 40
        assert shard._index is not None


def test_an_interrupt_inside_of_an_index_is_no_fault_of_it(open_with, make):
    """Ctrl-C stops the program, as anywhere."""
    kind = failing("propose", KeyboardInterrupt())
    with open_with(kind).open("ada") as shard:
        shard.add(make.many(40))
        shard.flush()
        with pytest.raises(KeyboardInterrupt):
            shard.nearest(units(1)[0], 3)
