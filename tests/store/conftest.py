"""Homes, shards and made-up memories; vectors are random, seeded unit vectors."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from psm_core.config import Config
from psm_core.store.home import Home
from psm_core.types import Entry, Kind, Tier, Trace

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
WIDTH = 32


def units(count, seed=0, width=WIDTH):
    """*count* unit vectors, the same for the same seed."""
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Maker:
    """Makes entries t1, t2, …, one a minute, each with a vector of its own."""

    def __init__(self, width=WIDTH, first=1):
        self.width = width
        self._numbers = itertools.count(first)

    def __call__(self, text="I like basalt.", **fields):
        n = next(self._numbers)
        at = T0 + timedelta(minutes=n)
        name = fields.pop("id", f"t{n}")
        entry = Entry(
            id=name,
            tier=Tier.EPISODIC,
            kind=Kind.TALK,
            text=text,
            speaker="Ada",
            role="user",
            session="s1",
            said_at=at,
            sources=(name,),
            trace=Trace(0.5, timedelta(days=7), at),
            vector=units(1, seed=n, width=self.width)[0],
        )
        return replace(entry, **fields)

    def many(self, count, text="I own thing number {n}.", **fields):
        return [self(text.format(n=n), **fields) for n in range(count)]


@pytest.fixture
def make():
    return Maker()


@pytest.fixture
def open_home(tmp_path):
    """Opens homes of one folder (another with *place*), and closes them all."""
    opened = []

    def open_one(place="home", *, encoder="random", width=WIDTH, **settings):
        config = Config(home=tmp_path / place, **settings)
        home = Home(config, encoder, width)
        opened.append(home)
        return home

    yield open_one
    for home in opened:
        home.close()


@pytest.fixture
def home(open_home):
    return open_home()


@pytest.fixture
def shard(home):
    with home.open("ada") as shard:
        yield shard


def told(entries):
    """All of each entry but its number and vector, by id."""
    return {e.id: replace(e, seq=0, vector=None) for e in entries}


def same(one, other):
    """Whether two entries agree in every field but number and vector."""
    fields = [f for f in Entry.__slots__ if f not in {"seq", "vector"}]
    return all(getattr(one, f) == getattr(other, f) for f in fields)


def files_with(folder, words):
    """Names of files below *folder* in which any of *words* stands, as bytes."""
    sought = [w.encode() for w in words]
    return sorted(
        f.name
        for f in folder.rglob("*")
        if f.is_file() and any(w in f.read_bytes().lower() for w in sought)
    )


def brute(entries, vector, k):
    """The k nearest of *entries*, over vectors as a ledger keeps them."""
    rows = np.stack([e.vector for e in entries]).astype(np.float16).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ vector
    order = np.lexsort(([e.seq for e in entries], -cosines))[:k]
    return [(entries[n].seq, float(cosines[n])) for n in order]
