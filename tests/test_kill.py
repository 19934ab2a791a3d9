"""A kill at any moment loses nothing that was acknowledged."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

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


NIGHTS = """
import json, os, random, signal, sys, time
from datetime import UTC, datetime, timedelta
import chromadb  # once, for all children: they are forked after the imports
tests, home, nights, kills = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
sys.path.insert(0, tests)
from canonical import dump
from psm_core import Feedback, Memory, Turn
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = [
    "I live in {city} now.", "I'm vegetarian.", "I'm not vegetarian.",
    "I went to yoga. It was class number {n}.", "haha ok thanks",
    "My sister Ines owns {n} copper kettles. How are you? So nice to see you all!",
    "What time does ferry number {n} leave?", "I love green tea.",
    "Hi there! The harbour of {city} smelled of tar, fennel and salt. How are you?",
]
CITIES = ["Lyon", "Porto", "Graz", "Turin"]

class Clock:
    def __init__(self, night):
        self.at = T0 + timedelta(days=4 * night)
    def now(self):
        return self.at

def opened(place, night):
    return Memory("ada", home=f"{home}/{place}", encoder="hash", clock=Clock(night),
                  index_batch=25, index_share=0.5)

def live(place, night):
    draw = random.Random(night)
    with opened(place, night) as memory:
        at = memory._parts.clock.now()
        memory.remember_many([
            Turn(draw.choice(SAID).format(n=night * 10 + k, city=draw.choice(CITIES)),
                 "Ada", at=at + timedelta(minutes=k), id=f"t{night}-{k}")
            for k in range(7)
        ])
        for cue in draw.sample(["yoga", "green tea", "harbour", "ferry", "live"], 3):
            recall = memory.recall(cue, deep=True)
            if recall.hits:
                outcome = draw.choice(["used", "used", "ignored", "corrected"])
                memory.learn(Feedback(recall.id, **{outcome: [recall.hits[0].id]}))
        turns = [e.id for e in memory.entries() if e.id.startswith("t")]
        if night % 4 == 1:
            memory.forget(draw.choice(turns))
        if night % 5 == 2:
            memory.pin(draw.choice(turns))

def sleep(place, night, ready):
    with opened(place, night) as memory:
        with memory._open() as store:
            store.nearest(memory.encoder.encode(["warm up"])[0], 1)
        os.write(ready, b"!")
        began = time.perf_counter()
        memory.consolidate()
        took = time.perf_counter() - began
        os.write(ready, b".")
        return took, json.dumps(dump(memory)), memory.check()

def child(act, *args):
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        try:
            act(*args, tell)
        finally:
            os._exit(1)
    os.close(tell)
    return pid, told

def rest(told):
    with os.fdopen(told, "rb") as lines:
        return lines.read()

def day(place, night, tell):
    live(place, night)
    os._exit(0)

def slept(place, night, tell):
    os.write(tell, json.dumps(sleep(place, night, tell)).encode())
    os._exit(0)

def whole(act, place, night):
    pid, told = child(act, place, night)
    lines = rest(told)
    assert os.waitpid(pid, 0)[1] == 0, (act, place, night)
    return json.loads(lines[2:]) if lines else None

draw, killed, faults = random.Random(7), 0, []
for night in range(nights):
    whole(day, "spared", night)
    took, spared, _ = whole(slept, "spared", night)
    whole(day, "killed", night)
    for _ in range(16 * kills):
        if killed >= (night + 1) * kills:
            break
        pid, told = child(slept, "killed", night)
        assert os.read(told, 1) == b"!"
        time.sleep(draw.uniform(0, took))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        killed += rest(told) == b""  # not one that came when the sleep was over
    _, found, check = whole(slept, "killed", night)
    if (spared, []) != (found, check):
        faults.append((night, check, [
            (key, spared_part, found_part)
            for key, spared_part in json.loads(spared).items()
            if spared_part != (found_part := json.loads(found)[key])
        ]))
facts = [m for m in json.loads(found)["memories"].values() if m["tier"] == "semantic"]
told = {line[1] for m in json.loads(found)["memories"].values() for line in m["history"]}
print(json.dumps([killed, faults, len(facts), sorted(told)]))
"""


ARGS = ["11", "5"]
"""Nights of the life, and how often the sleep of each is killed."""


@pytest.mark.slow
def test_a_sleep_that_is_killed_is_slept_again_and_ends_the_same(tmp_path):
    """After more than 50 kills in the middle of sleeps, each night ends with the store
    of a life in which nobody was killed: to the last field, word and change."""
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            NIGHTS,
            str(Path(__file__).parent),
            str(tmp_path),
            *ARGS,
        ],
        capture_output=True,
        check=False,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    killed, faults, facts, told = json.loads(ended.stdout)

    assert faults == []
    assert killed >= 50
    assert facts >= 8
    assert {"archived", "condensed", "merged", "superseded", "used"} <= set(told)
