"""What the walks cost, each beside the part that can't be avoided.

Every figure is a ratio of two medians taken in turns in one run, so that a busy
machine slows both.  The people and what they say are made up, seeded.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from psm_core.memory import Memory
from psm_core.model.encoder import HashEncoder, SentenceEncoder
from psm_core.types import Turn

Step = Callable[[str], None]

WIDTH = 384
"""Numbers in a made-up vector: as many as all-MiniLM-L6-v2 has."""

START = datetime(2024, 1, 1, 9, tzinfo=UTC)


class Figure(NamedTuple):
    """One measured figure: what, how much, the target, and whether it is met.

    ``value`` and ``target`` are in *unit*; lower is better unless ``at_least``.
    """

    name: str
    value: float
    unit: str
    target: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side of its target."""
        if self.at_least:
            return self.value >= self.target
        return self.value <= self.target


def speed(*, quick: bool = False, on_step: Step | None = None) -> list[Figure]:
    """Measure all walks.

    Args:
        quick: A tenth of the sizes, to see that it runs; its figures mean little.
        on_step: Is told what is being measured.

    Returns:
        The figures, in the order of the README's table.
    """
    say = on_step or (lambda _: None)
    size = 10 if quick else 1
    figures: list[Figure] = []
    for name, measure in (
        ("import psm_core", _import_cost),
        ("remember against encoding", lambda: _writing(600 // size)),
        ("recall at three sizes", lambda: _reading(1000 // size)),
        ("many people on one machine", lambda: _people(1000 // size)),
    ):
        say(name)
        figures += measure()
    return figures


# ------------------------------------------------------------------ what is said


def life(count: int, seed: int = 0) -> Iterator[Turn]:
    """*count* made-up turns in sessions of 20, words as unevenly used as in speech.

    Args:
        count: How many turns.
        seed: Another seed, another life.
    """
    draw = random.Random(seed)  # noqa: S311 - not a secret
    vocabulary = [_word(n) for n in range(8000)]
    weights = [1 / (n + 5) for n in range(len(vocabulary))]
    for n in range(count):
        words = draw.choices(vocabulary, weights, k=draw.randint(6, 24))
        yield Turn(
            f"I {' '.join(words)}.",
            speaker="Ada" if n % 2 else "Juno",
            role="user" if n % 2 else "assistant",
            at=START + timedelta(minutes=n, days=n // 20),
            session=f"s{n // 20}",
            id=f"t{n}",
        )


def _word(n: int) -> str:
    """The n-th made-up word: pronounceable, so that the tokenizer treats it as one."""
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    word = ""
    n += len(syllables)
    while n:
        n, rest = divmod(n, len(syllables))
        word += syllables[rest]
    return word


# --------------------------------------------------------------------- measuring


def _import_cost() -> list[Figure]:
    code = (
        "import sys, time; t = time.process_time(); import psm_core; "
        "print(time.process_time() - t, "
        "*(m for m in ('torch', 'chromadb', 'transformers') if m in sys.modules))"
    )
    took: list[float] = []
    heavy: list[str] = []
    for _ in range(5):
        out = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        took.append(float(out[0]))
        heavy += out[1:]
    return [
        Figure("import psm_core, CPU", statistics.median(took), "s", 0.15),
        Figure("heavy modules it loads", len(set(heavy)), "", 0),
    ]


def _writing(count: int) -> list[Figure]:
    """Single and batched writes against the encoder alone, on the same texts."""
    encoder = SentenceEncoder()
    turns = list(life(count))
    encoder.encode([t.text for t in turns[:8]])
    with _home() as home, Memory("ada", home=home, encoder=encoder) as memory:
        alone, whole = [], []
        for turn in turns[: count // 3]:
            alone.append(_seconds(partial(encoder.encode, [turn.text])))
            whole.append(_seconds(partial(memory.remember, turn)))
    ratio = statistics.median(whole) / statistics.median(alone)
    batches = []
    for seed in range(3):
        with _home() as home, Memory("bob", home=home, encoder=encoder) as memory:
            turns = list(life(count, seed))
            encoding = _seconds(partial(encoder.encode, [t.text for t in turns]))
            hearing = _seconds(partial(memory.remember_many, turns))
            batches.append(encoding / hearing)
    return [
        Figure("remember / encoding the text", ratio, "x", 1.3),
        Figure(
            f"remember_many of {count} / the encoder's own throughput",
            statistics.median(batches),
            "x",
            0.8,
            at_least=True,
        ),
    ]


def _reading(small: int) -> list[Figure]:
    """Recall beyond encoding at 1, 10 and 100 times *small* memories."""
    encoder = HashEncoder(WIDTH)
    cues = [" ".join(t.text.split()[1:7]) for t in life(40, seed=7)]
    beyond: dict[int, float] = {}
    bare = 0.0
    with _home() as home, Memory("ada", home=home, encoder=encoder) as memory:
        heard = life(small * 100)
        for size in (small, small * 10, small * 100):
            _hear(memory, heard, size - max(beyond, default=0))
            beyond[size] = _recall_beyond_encoding(memory, encoder, cues)
            if size == small * 10:
                bare = _bare_query(memory, encoder, cues)
    encode = _encode_cue(cues)
    first, middle, last = beyond.values()
    return [
        Figure(
            f"recall at {small * 10:,} / (encode the cue + bare Chroma query)",
            (encode + middle) / (encode + bare),
            "x",
            1.5,
        ),
        Figure(
            f"recall at {small * 100:,} / at {small:,}, without encoding",
            last / first,
            "x",
            2.0,
        ),
    ]


def _hear(memory: Memory, heard: Iterator[Turn], count: int) -> None:
    batch = []
    for _ in range(count):
        batch.append(next(heard))
        if len(batch) == 1000:
            memory.remember_many(batch)
            batch = []
    if batch:
        memory.remember_many(batch)
    with memory._open() as store:
        store.flush()


def _recall_beyond_encoding(
    memory: Memory, encoder: HashEncoder, cues: Sequence[str]
) -> float:
    for cue in cues[:5]:
        memory.recall(cue)
    took = []
    for cue in cues:
        whole = _seconds(partial(memory.recall, cue))
        took.append(whole - _seconds(partial(encoder.encode, [cue])))
    return statistics.median(took)


def _bare_query(memory: Memory, encoder: HashEncoder, cues: Sequence[str]) -> float:
    """What Chroma itself needs for as many neighbours over the same vectors."""
    import chromadb  # noqa: PLC0415 - heavy

    k = memory.config.candidates
    with memory._open() as store, _home() as folder:
        entries = store.listing(vectors=True)
        client = chromadb.PersistentClient(str(folder))
        collection = client.create_collection(
            "bare", embedding_function=None, metadata={"hnsw:space": "cosine"}
        )
        for n in range(0, len(entries), 5000):
            some = entries[n : n + 5000]
            collection.add(
                ids=[str(e.seq) for e in some],
                embeddings=np.stack([e.vector for e in some if e.vector is not None]),
            )
        vectors = encoder.encode(list(cues))
        ask = partial(collection.query, n_results=k, include=["distances"])
        for vector in vectors[:5]:
            ask(query_embeddings=[vector])
        return statistics.median(
            _seconds(partial(ask, query_embeddings=[vector])) for vector in vectors
        )


def _encode_cue(cues: Sequence[str]) -> float:
    encoder = SentenceEncoder()
    encoder.encode(list(cues[:5]))
    return statistics.median(_seconds(partial(encoder.encode, [cue])) for cue in cues)


def _people(count: int) -> list[Figure]:
    """Opening one of many people, and what the process weighs then."""
    encoder = HashEncoder(WIDTH)
    with _home() as home:
        for n in range(count):
            with Memory(f"person {n}", home=home, encoder=encoder) as memory:
                memory.remember_many(list(life(100, seed=n)))
        gc.collect()
        before = _resident()
        opened = []
        took = []
        for n in range(0, count, max(count // 200, 1)):
            began = time.perf_counter()
            memory = Memory(f"person {n}", home=home, encoder=encoder)
            memory.recall("anything at all")
            took.append(time.perf_counter() - began)
            opened.append(memory)
        grown = (_resident() - before) / len(opened)
        bound = memory.config.open_people
        for memory in opened:
            memory.close()
    return [
        Figure(
            f"opening one of {count:,} people, first recall included (p95)",
            sorted(took)[int(len(took) * 0.95)] * 1000,
            "ms",
            100,
        ),
        Figure(
            f"memory a person adds, {len(opened)} opened and {bound} kept open",
            grown / 2**20,
            "MiB",
            3,
        ),
    ]


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _resident() -> float:
    """Bytes of memory that this process holds now."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _home() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="psm-bench-")
