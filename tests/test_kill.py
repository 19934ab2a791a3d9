"""A kill at any moment loses nothing that was acknowledged."""

import random
import subprocess
import sys
import time

import pytest

from psm_core import Memory

KILLS = 36

CHILD = """
import sys
import chromadb  # before the clock starts: an import is no moment of a memory's life
from psm_core import Feedback, Memory, Turn
home, start, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Memory("ada", home=home, encoder="hash", index_batch=40) as memory:
    memory.recall("warm up")
    print("ready", flush=True)
    for lap, n in enumerate(range(start, start + 100_000, step)):
        turns = [
            Turn(f"I own the silver thing number {i} of shelf {i % 7}.", id=f"t{i}")
            for i in range(n, n + step)
        ]
        memory.remember_many(turns)
        print("said", n, n + step, flush=True)
        recall = memory.recall(f"what is number {n}?")
        if recall.hits:
            memory.learn(Feedback(recall.id, used=[recall.hits[0].id]))
            print("used", recall.hits[0].id, flush=True)
        if lap % 3 == 0:
            memory.consolidate()
            print("slept", flush=True)
        if lap % 4 == 1:
            memory.forget(f"t{n}")
            print("forgot", n, flush=True)
"""


def killed_life(home, start, step, after):
    """Run a life for *after* seconds, kill it, and return what it acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), str(start), str(step)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    time.sleep(after)
    child.kill()
    lines = child.stdout.read().splitlines()
    child.wait()
    return [line.split() for line in lines]


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_acknowledged(tmp_path):
    """After 36 kills at random moments of ingest, recall, feedback, sleep and forgetting
    all that was acknowledged is there, once, and the store is sound."""
    draw = random.Random(4)
    said, forgotten, used, slept = set(), set(), 0, 0

    for kill in range(KILLS):
        start = kill * 10_000
        step = draw.choice([1, 5, 20])
        for line in killed_life(tmp_path, start, step, draw.uniform(0, 1.6)):
            match line:
                case ["said", first, last]:
                    said |= {f"t{n}" for n in range(int(first), int(last))}
                case ["forgot", n]:
                    forgotten.add(f"t{n}")
                case ["used", _]:
                    used += 1
                case ["slept"]:
                    slept += 1

    assert len(said) > 500
    assert slept > 10
    assert len(forgotten) > 10
    with Memory("ada", home=tmp_path, encoder="hash") as memory:
        assert memory.check() == []
        with memory._open() as store:
            # Committed, though the kill came before it was acknowledged.
            forgotten |= store.forgotten(said)
        ids = [source for e in memory.entries() for source in e.sources]
        remembered = {e.id for e in memory.entries()}
        assert said - forgotten <= set(ids)
        assert not forgotten & set(ids)
        assert len(remembered) == len(memory.entries())
        memory.consolidate()
        assert sum(e.used for e in memory.entries()) >= used * 0.5
        assert memory.check() == []
        some = draw.sample(sorted(said - forgotten), 30)
        for turn_id in some:
            text = memory.entry(turn_id).text
            hits = memory.recall(text, limit=None, budget=None).hits
            assert turn_id in {s for hit in hits for s in hit.sources}
        before = [(e.id, e.tier, e.trace, e.mentions) for e in memory.entries()]
        memory.consolidate()
        assert [(e.id, e.tier, e.trace, e.mentions) for e in memory.entries()] == before


WORKER = """
import sys
from psm_core import Memory, Turn
home, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Memory("ada", home=home, encoder="hash", index_batch=50) as memory:
    for n in range(count):
        memory.remember(Turn(f"Worker {name} owns the thing {n}.", id=f"{name}{n}"))
        if n % 40 == 0:
            memory.consolidate()
        hits = memory.recall(f"thing {n} of worker {name}", limit=None, budget=None).hits
        assert f"{name}{n}" in {s for h in hits for s in h.sources}, n
print("done")
"""


@pytest.mark.slow
def test_several_processes_serve_one_person(tmp_path):
    """Three web workers write, sleep and read at once; each finds what it just heard,
    nobody meets a lock, and nothing is missed."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), name, "120"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    for worker in workers:
        out, err = worker.communicate(timeout=300)
        assert out == "done\n", err

    with Memory("ada", home=tmp_path, encoder="hash") as memory:
        heard = {e.id for e in memory.entries() if not e.id.startswith("f-")}
        assert heard == {f"{name}{n}" for name in "abc" for n in range(120)}
        assert memory.check() == []


def test_a_crashed_holder_of_the_index_is_replaced(tmp_path):
    """The lock of a killed process is free for the next one, and its rows are found."""
    lines = killed_life(tmp_path, 0, 60, 1.0)

    assert ["said", "0", "60"] in lines
    with Memory("ada", home=tmp_path, encoder="hash") as memory:
        memory.rebuild()
        assert memory.check() == []
        assert memory.recall("silver thing number 7").hits
