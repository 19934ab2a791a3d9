"""No byte of what training reads or writes is of what was said."""

from __future__ import annotations

import itertools
import sqlite3

import pytest
import torch

from psm_core import Feedback, Memory, Turn
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import PSMPolicy
from psm_core.train import proposing
from psm_core.train.proposing import propose

ENCODER = HashEncoder(64)

PLACES = ("Zanzibarquay", "Xylophonia", "Quartzbrook")
THINGS = ("marzipan", "ocarina", "vuvuzela", "zeppelin")
SPEAKER, USER, SESSION = "Peregrinella", "wilhelmina@quibblefax.org", "sesquisession"

WORDS = tuple(
    word.lower()
    for word in (*PLACES, *THINGS, SPEAKER, "wilhelmina", "quibblefax", SESSION)
)
"""Words that stand in turns, cues, ids, names and sessions, and nowhere else."""


def held(raw: bytes) -> set[str]:
    """Which of `WORDS` stand in *raw*, in utf-8 or utf-16 of either order."""
    low = raw.lower()
    return {
        word
        for word, code in itertools.product(WORDS, ("utf-8", "utf-16-le", "utf-16-be"))
        if word.encode(code) in low
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The card of weights that know nothing."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    network = PSM(Shape(64)).eval()
    with torch.no_grad():
        network.recall.linear.weight.zero_()
    thresholds = {"archive": 0.0, "defer": 0.0, "fact": 0.5, "answer": 0.0}
    network.save(folder, Card("toy", ENCODER.name, thresholds=thresholds))
    return folder / "toy.json"


@pytest.fixture(scope="module")
def home(weights, tmp_path_factory):
    """A store that heard, recalled, was told what was of use, and slept."""
    folder = tmp_path_factory.mktemp("home")
    policy = PSMPolicy("toy", weights.parent, encoder=ENCODER)
    pairs = list(itertools.product(THINGS, PLACES))
    with Memory(USER, home=folder, encoder=ENCODER, policy=policy) as memory:
        memory.remember_many(
            [
                Turn(
                    f"I left my {thing} in {place}.",
                    SPEAKER,
                    id=f"{thing}-{place}",
                    session=SESSION,
                )
                for thing, place in pairs
            ]
        )
        for thing, place in pairs * 3:
            cue = f"What about {SPEAKER}'s {thing} in {place}?"
            recall = memory.recall(cue, limit=12, budget=None)
            used = [h.id for h in recall.hits if h.id == f"{thing}-{place}"]
            rest = [h.id for h in recall.hits if h.id not in used]
            memory.learn(Feedback(recall.id, used, rest[1:], corrected=rest[:1]))
        memory.consolidate()
    return folder


def ledger(home):
    (found,) = home.rglob("ledger.sqlite")
    return sqlite3.connect(found)


def stored(home, statement):
    """Every value that a statement gives, as the bytes that stand on the disk."""
    with ledger(home) as driver:
        rows = driver.execute(statement).fetchall()
    assert rows
    return [
        value if isinstance(value, bytes) else str(value).encode()
        for row in rows
        for value in row
    ]


def test_the_search_finds_what_it_looks_for(home):
    """The words do stand in the ledger, and are found in each spelling."""
    (file,) = home.rglob("ledger.sqlite")

    assert held(file.read_bytes()) >= {w.lower() for w in (*PLACES, *THINGS, SPEAKER)}
    assert held("a Zeppelin".encode("utf-16-be")) == {"zeppelin"}


def test_no_byte_of_the_journal_is_of_what_was_said(home):
    """Each column of each row, in utf-8 and in utf-16."""
    raw = stored(home, "SELECT * FROM journal")

    assert len(raw) > 36 * 12 * 10
    assert set().union(*map(held, raw)) == set()
    assert held(b"\0".join(raw)) == set()


def test_no_byte_of_the_access_log_s_features_is_of_what_was_said(home):
    """Nor are they anything but numbers between bounds."""
    raw = stored(home, "SELECT features FROM access")

    assert set().union(*map(held, raw)) == set()
    numbers = torch.frombuffer(bytearray(b"".join(raw)), dtype=torch.float32)
    assert numbers.isfinite().all()
    assert numbers.abs().max() < 100


def test_no_byte_of_what_psm_learn_writes_is_of_what_was_said(
    home, weights, tmp_path, monkeypatch
):
    """Neither weights nor card, nor what is said on the way."""
    monkeypatch.setattr(proposing, "LEAST", 20)
    said = []

    proposal = propose(home, tmp_path / "out", weights=weights, say=said.append)

    assert proposal.card is not None
    files = sorted((tmp_path / "out").iterdir())
    assert [f.name for f in files] == ["toy.json", "toy.safetensors"]
    assert set().union(*(held(f.read_bytes()) for f in files)) == set()
    assert held("\n".join([*said, str(proposal)]).encode()) == set()
