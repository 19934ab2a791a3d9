"""A kill in the middle of a sleep leaves nothing that the next one doesn't mend."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
