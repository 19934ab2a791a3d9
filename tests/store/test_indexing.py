"""The index may be late, lost, damaged or another's: nothing is ever missed."""

import logging
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from psm_core.config import Config
from psm_core.errors import StoreError
from psm_core.store import searching
from psm_core.store.home import Home
from psm_core.types import Tier

from .conftest import T0, Maker, brute, units

TESTS = Path(__file__).parents[1]


@pytest.fixture
def small(open_home):
    """A home whose index takes over from 20 memories on."""
    return open_home(index_batch=20)


def overlap(found, expected):
    return len({s for s, _ in found} & {s for s, _ in expected}) / len(expected)


def damage(path, keep=0):
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(keep)
        file.write(np.random.default_rng(0).bytes(max(size - keep, 10)))


def indexed(shard):
    return shard.rows("SELECT count(*) FROM memory WHERE indexed = 1")[0][0]


def test_chroma_is_not_touched_before_enough_waits(small, make):
    """Few memories are searched exactly; the batch that fills it makes the index."""
    with small.open("ada") as shard:
        shard.add(make.many(19))
        assert shard.flush() == 0
        assert len(shard.nearest(units(1)[0], 99)) == 19
        assert not (shard.folder / "chroma").exists()
        assert not (shard.folder / "lock").exists()

        shard.add([make(), make(tier=Tier.ARCHIVAL), make(tier=Tier.SEMANTIC)])

        assert shard.flush() == 21
        assert shard.flush() == 0
        assert indexed(shard) == 21
        assert shard.check() == []


def test_a_flush_inside_a_transaction_waits(small, make):
    """What may still be undone doesn't get into Chroma."""
    with small.open("ada") as shard:
        with shard.transaction():
            shard.add(make.many(30))
            assert shard.flush() == 0
        assert shard.flush() == 30


def test_nearest_through_the_index_is_nearly_brute_force(open_home, make):
    """Indexed and waiting ones together: the cosines are exact, and 98 % are found."""
    home = open_home(index_batch=500)
    with home.open("ada") as shard:
        entries = shard.add(make.many(1500))
        assert shard.flush() == 1500
        entries += shard.add(make.many(100))
        shares = []
        for cue in units(20, seed=99):
            found, expected = shard.nearest(cue, 20), brute(entries, cue, 20)
            exact = dict(brute(entries, cue, len(entries)))
            assert all(c == pytest.approx(exact[s], abs=1e-5) for s, c in found)
            assert found == sorted(found, key=lambda hit: -hit[1])
            shares.append(overlap(found, expected))

    assert np.mean(shares) > 0.98


def test_what_left_the_tier_is_not_found_though_chroma_still_has_it(small, make):
    """Archived, forgotten and changed ones are right before the next flush, and after."""
    with small.open("ada") as shard:
        entries = shard.add(make.many(60))
        shard.flush()
        cue = entries[0].vector
        near = [seq for seq, _ in shard.nearest(cue, 60)]
        for n, seq in enumerate(near[:45]):
            if n % 2:
                shard.forget(f"t{seq}", T0)
            else:
                shard.change(f"t{seq}", T0, "archived", "", tier=Tier.ARCHIVAL)
        shard.change(f"t{near[50]}", T0, "edited", "", vector=cue)

        for _ in range(2):
            found = shard.nearest(cue, 15)
            assert sorted(s for s, _ in found) == sorted(near[45:])
            assert found[0] == (near[50], pytest.approx(1, abs=1e-3))
            assert shard.check() == []
            shard.flush()
        assert shard.rows("SELECT count(*) FROM stale")[0][0] == 0


def test_what_comes_back_is_indexed_again(small, make):
    """Archived and reinstated between two flushes, or over one: found, once."""
    with small.open("ada") as shard:
        entries = shard.add(make.many(40))
        shard.flush()
        for flush_between in (False, True):
            shard.change("t1", T0, "archived", "", tier=Tier.ARCHIVAL)
            if flush_between:
                shard.add(make.many(20))
                shard.flush()
            shard.change("t1", T0, "reinstated", "", tier=Tier.EPISODIC)
            shard.add(make.many(20))
            shard.flush()

            found = [seq for seq, _ in shard.nearest(entries[0].vector, 99)]
            assert found.count(1) == 1
            assert found[0] == 1
            assert shard.check() == []


# ------------------------------------------------------------ lost and damaged


@pytest.fixture
def indexed_home(small, make):
    """A home in which ada's 60 memories are indexed, closed."""
    with small.open("ada") as shard:
        shard.add(make.many(60))
        assert shard.flush() == 60
    small.close()
    return small


CHROMA = ["chroma.sqlite3", "*/header.bin", "*/link_lists.bin", "stamp"]


def wreck(folder, how):
    chroma = folder / "chroma"
    kind, _, name = how.partition(" ")
    if kind == "no-folder":
        shutil.rmtree(chroma)
    elif kind == "no-vectors":
        for sub in (p for p in chroma.iterdir() if p.is_dir()):
            shutil.rmtree(sub)
        (chroma / "chroma.sqlite3").unlink()
    elif kind == "mark":
        (chroma / "opening").touch()
    else:
        for path in chroma.glob(name):
            damage(path) if kind == "garbage" else path.write_bytes(b"")


@pytest.mark.parametrize(
    "how",
    [
        "no-folder",
        "no-vectors",
        "mark",
        *(f"garbage {name}" for name in CHROMA),
        *(f"empty {name}" for name in CHROMA),
    ],
)
def test_a_wrecked_index_costs_nothing_but_a_warning(indexed_home, how, caplog):
    """All is still found, the log has one sentence without content, doctor says what is
    wrong, and the next flush mends it."""
    folder = indexed_home.folder("ada")
    wreck(folder, how)
    with (
        caplog.at_level(logging.WARNING, "psm_core"),
        indexed_home.open("ada") as shard,
    ):
        entries = shard.listing(vectors=True)
        cue = units(1, seed=99)[0]

        found = shard.nearest(cue, 60)

        assert [s for s, _ in found] == [s for s, _ in brute(entries, cue, 60)]
        if indexed(shard) and shard._index is None:
            assert len(caplog.messages) == 1
            assert "thing" not in caplog.text
            faults = [f for f in shard.check() if f.what == "index"]
            assert [f.remedy[:17] for f in faults] == ["run 'psm rebuild'"]
            assert shard.flush() == 60
        assert shard.check() == []
        assert shard._index is not None
        assert [s for s, _ in shard.nearest(cue, 60)] == [s for s, _ in found]


def test_an_index_of_another_person_is_not_believed(small, make):
    """A chroma folder that was copied by hand is made anew."""
    for user in ("ada", "bob"):
        with small.open(user) as shard:
            shard.add(make.many(40))
            shard.flush()
    small.close()
    shutil.rmtree(small.folder("ada") / "chroma")
    shutil.copytree(small.folder("bob") / "chroma", small.folder("ada") / "chroma")

    with small.open("ada") as shard:
        assert len(shard.nearest(units(1)[0], 99)) == 40
        (fault,) = shard.check()
        assert "another's" in fault.found
        assert shard.flush() == 40
        assert shard.check() == []


def test_an_index_that_fails_while_it_is_open_is_left_for_the_ledger(
    small, make, caplog
):
    """A query that Chroma refuses is answered exactly; the next flush makes it anew."""
    with small.open("ada") as shard:
        entries = shard.add(make.many(60))
        shard.flush()
        # Behind its back, as another program with the same path would.
        shard._index.index._client.delete_collection("episodic")
        cue = units(1, seed=99)[0]

        with caplog.at_level(logging.WARNING):
            found = shard.nearest(cue, 60)

        assert [s for s, _ in found] == [s for s, _ in brute(entries, cue, 60)]
        assert "the ledger is searched instead" in caplog.text
        assert shard.flush() == 60
        assert shard.check() == []
        assert len(shard.nearest(cue, 60)) == 60


OPEN = """
    import sys, numpy as np
    from pathlib import Path
    from psm_core.config import Config
    from psm_core.store.home import Home
    home = Home(Config(home=Path(sys.argv[1]), index_batch=20), "random", 32)
    with home.open("ada") as shard:
        cue = np.full(32, 32 ** -0.5, np.float32)
        print(len(shard.nearest(cue, 99)))
"""


def run(code, *arguments, timeout=120):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_an_index_that_kills_its_opener_does_so_once_at_most(open_home, tmp_path, make):
    """Garbage in Chroma's vectors crashes the process that reads them; the one after
    finds the mark of it, and everything in the ledger."""
    home = open_home(index_batch=20)
    with home.open("ada") as shard:
        shard.add(make.many(1200))
        shard.flush()
    home.close()
    for path in (home.folder("ada") / "chroma").glob("*/data_level0.bin"):
        damage(path)

    lives = [run(OPEN, tmp_path / "home") for _ in range(2)]

    assert lives[1].returncode == 0, lives[1].stderr
    assert lives[1].stdout.split() == ["99"]


def test_rebuild_makes_words_counts_and_index_anew(small, make):
    """Whatever is wrong with what can be derived, it is right afterwards."""
    with small.open("ada") as shard:
        shard.add([*make.many(30), make(tier=Tier.SEMANTIC), make(tier=Tier.ARCHIVAL)])
        shard.flush()
        with shard.transaction():
            shard.run("INSERT INTO words(words) VALUES ('delete-all')")
            shard.run("UPDATE tally SET memories = 7, words = 7")
            shard.run("UPDATE session SET words = 7")
        assert {f.what for f in shard.check()} >= {"words", "ledger"}

        assert shard.rebuild() == 31

        assert shard.check() == []
        assert shard.postings(["thing"], 99).df.tolist() == [30]
        assert shard.counts() == {Tier.EPISODIC: 30, Tier.SEMANTIC: 1, Tier.ARCHIVAL: 1}
        with pytest.raises(StoreError, match="inside of transaction"), shard.reading():
            shard.rebuild()


# ---------------------------------------------------------- several processes


@pytest.mark.slow
def test_two_processes_past_chromas_threshold_both_see_everything(tmp_path):
    """Each writes 1,300 memories and searches all the while: no lock error, and
    everything that either wrote is found by both, afterwards and by a third."""
    code = """
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        sys.path.insert(0, sys.argv[3])
        from store.conftest import Maker
        from psm_core.config import Config
        from psm_core.store.home import Home
        mine, make = sys.argv[2], Maker()
        home = Home(Config(home=Path(sys.argv[1]), index_batch=100), "random", 32)
        with home.open("ada") as shard:
            for n in range(65):
                batch = [make("x", id=f"{mine}{n}-{i}") for i in range(20)]
                added = shard.add(batch)
                shard.flush()
                seq, cosine = shard.nearest(added[7].vector, 2)[0]
                assert cosine > 0.999, (n, cosine)
        print("done", flush=True)
        sys.stdin.readline()
        with home.open("ada") as shard:
            everything = shard.listing(vectors=True)
            assert len(everything) == 2600, len(everything)
            for entry in everything[::13]:
                near = shard.nearest(entry.vector, 3)
                assert entry.seq in [seq for seq, _ in near], entry.id
            print("held", shard._index is not None, shard.check(), flush=True)
        sys.stdin.readline()
    """
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), tmp_path, name, TESTS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for worker in workers:
        assert worker.stdout.readline() == "done\n", worker.stderr.read()
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    said = [worker.stdout.readline() for worker in workers]
    faults = [worker.communicate("\n", timeout=120)[1] for worker in workers]

    assert sorted(said) == ["held False []\n", "held True []\n"], faults
    home = Home(Config(home=tmp_path, index_batch=100), "random", 32)
    with home.open("ada") as shard:
        for entry in shard.listing(vectors=True)[::13]:
            assert entry.seq in [s for s, _ in shard.nearest(entry.vector, 3)]
        assert shard.check() == []
    home.close()


HOLD = """
    import sys, time
    from pathlib import Path
    from psm_core.config import Config
    from psm_core.store.home import Home
    home = Home(Config(home=Path(sys.argv[1]), index_batch=20), "random", 32)
    with home.open("ada") as shard:
        shard.nearest([32 ** -0.5] * 32, 1)
        assert shard._index is not None
        print("held", flush=True)
        time.sleep(60)
"""


def test_a_crashed_holder_is_replaced(indexed_home, tmp_path, monkeypatch):
    """While another process holds the index, the ledger is searched; once it was
    killed, its lock is free and the next search takes the index over."""
    monkeypatch.setattr(searching, "TRY_AGAIN_SECONDS", 0.0)
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    with indexed_home.open("ada") as shard:
        cue = units(1)[0]
        before = shard.nearest(cue, 60)
        assert len(before) == 60
        assert shard._index is None
        shard.add(Maker().many(20, id="x"))
        with pytest.raises(StoreError, match="held by another process"):
            shard.rebuild()
        assert shard.check() == []

        holder.kill()
        holder.wait()

        assert shard.nearest(cue, 60)
        assert shard._index is not None


@pytest.mark.slow
def test_a_flush_that_is_killed_is_flushed_again(tmp_path, make):
    """Killed between Chroma and the ledger, at ten random moments: nothing is missed,
    nothing is found twice, and the store is sound."""
    code = """
        import sys
        sys.path.insert(0, sys.argv[2])
        from pathlib import Path
        from store.conftest import Maker
        from psm_core.config import Config
        from psm_core.store.home import Home
        make = Maker(first=int(sys.argv[3]))
        home = Home(Config(home=Path(sys.argv[1]), index_batch=50), "random", 32)
        with home.open("ada") as shard:
            print("ready", flush=True)
            start = int(sys.argv[3])
            for n in range(start, start + 10000, 50):
                batch = [make("x", id=f"k{n + i}") for i in range(50)]
                added = shard.add(batch)
                print(*[e.id for e in added], flush=True)
                shard.flush()
                shard.forget(f"k{n}", make().said_at)
                print("-", f"k{n}", flush=True)
    """
    draw = np.random.default_rng(5)
    added, gone = set(), set()
    for life in range(10):
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(code),
                tmp_path,
                TESTS,
                str(life * 10000),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.02, 1.2))
        child.kill()
        for line in child.stdout.read().splitlines():
            names = line.split()
            if names[0] == "-":
                gone.add(names[1])
            else:
                added.update(names)
        child.wait()

    home = Home(Config(home=tmp_path, index_batch=50), "random", 32)
    with home.open("ada") as shard:
        there = {e.id: e for e in shard.listing(vectors=True)}
        assert len(added) > 100
        # What was being forgotten when the kill came may be gone, unacknowledged.
        gone |= shard.forgotten(added)
        assert added - gone <= set(there)
        assert not gone & set(there)
        # Where the last kill met the index being opened, a mark says so, and what to do.
        for fault in shard.check():
            assert "the last opening didn't come to its end" in fault.found
            shard.rebuild()
        assert shard.check() == []
        for _ in range(2):
            for entry in list(there.values())[:: max(len(there) // 50, 1)]:
                found = [seq for seq, _ in shard.nearest(entry.vector, 5)]
                assert entry.seq in found
                assert len(found) == len(set(found))
            shard.rebuild()
    home.close()


def test_threads_search_and_write_while_the_index_catches_up(small, make):
    """Eight threads over a running flush: every search finds what its thread added."""
    with small.open("ada") as shard:
        entries = make.many(800)
        faults = []

        def work(mine):
            try:
                for n in range(0, len(mine), 20):
                    added = shard.add(mine[n : n + 20])
                    shard.flush()
                    (best, _), *_ = shard.nearest(added[3].vector, 1)
                    assert best == added[3].seq
            except BaseException as fault:
                faults.append(fault)

        threads = [
            threading.Thread(target=work, args=(entries[n::8],)) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert faults == []
        assert shard.counts()[Tier.EPISODIC] == 800
        assert shard.check() == []
