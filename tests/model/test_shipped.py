"""The weights in the package: small, of this release, and of known origin."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

import psm_core
from psm_core.memory import Memory
from psm_core.model import lookup
from psm_core.model.adapter import MINI as ADAPTER
from psm_core.model.card import Card
from psm_core.model.network import PSM
from psm_core.model.policy import MINI, WEIGHTS, PSMPolicy
from psm_core.model.signs import SIGN_NAMES
from psm_core.protocols import GateContext
from psm_core.types import Action, Kind, Turn


def test_what_ships_is_small():
    """Heads, card and adapter together hold at most 8 MB."""
    shipped = [WEIGHTS / f"{MINI}.safetensors", WEIGHTS / f"{MINI}.json", ADAPTER]

    assert sum(file.stat().st_size for file in shipped) <= 8_000_000


def test_what_ships_fits_this_release():
    """The shipped weights load, are numbers all, and know when to answer and doubt."""
    shipped, card = PSM.load(WEIGHTS, MINI)

    assert shipped.shape.width == lookup.MINILM_WIDTH
    assert all(bool(w.isfinite().all()) for w in shipped.state_dict().values())
    assert {"answer", "defer", "archive", "fact"} <= set(card.thresholds)
    assert all(0 <= value <= 1 for value in card.thresholds.values())


def test_what_ships_says_where_it_is_from():
    """The base weights by sha256, the adapter by sha256, and a licence for each source."""
    card = Card.read(WEIGHTS, MINI)

    assert card.digests == {
        lookup.MINILM: lookup.MINILM_SHA256,
        ADAPTER.name: lookup.sha256(ADAPTER),
    }
    assert card.licences["lives"] == "CC0-1.0"
    assert card.licences[lookup.MINILM] == "Apache-2.0"
    assert set(card.data) | {lookup.MINILM} == set(card.licences)


def test_loading_asks_nobody(tmp_path):
    """Without a home, a cache, a hub or a socket the shipped weights still load."""
    code = (
        "import socket\n"
        "def refused(*a, **k): raise RuntimeError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = refused\n"
        "from psm_core.model.network import PSM\n"
        "from psm_core.model.policy import MINI, WEIGHTS\n"
        "print(PSM.load(WEIGHTS, MINI)[0].shape.width)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PYTHONPATH": str(Path(psm_core.__file__).parents[1]),
            "HOME": str(tmp_path),
        },
    ).stdout

    assert out == "384\n"


def test_vectors_go_in_as_the_encoder_gives_them(minilm):
    """The shipped weights are read into single precision, and answer with numbers."""
    shipped, _ = PSM.load(WEIGHTS, MINI)
    row = minilm.encode(["I moved to Lyon."])

    told = shipped.reader(
        torch.from_numpy(row), torch.zeros(1, len(SIGN_NAMES))
    ).worth.detach()

    assert told.dtype == torch.float32
    assert np.isfinite(told.numpy()).all()


def test_a_new_memory_answers_from_its_first_sentence(tmp_path):
    """One thing said, and what asks for it finds it: no pool is needed to stand out in."""
    with Memory("ada", home=tmp_path) as memory:
        memory.remember(Turn("I moved to Lyon last week.", speaker="Ada", id="t1"))

        assert memory.recall("where does Ada live?").hits[0].sources == ("t1",)


def test_a_plain_sentence_about_oneself_is_worth_keeping():
    """Who says in three words what is so of them is taken at their word; a greeting,
    a doubt, and what the assistant says of itself aren't."""
    context = GateContext("ada", (), None, np.zeros(384, np.float32), lambda k: [])
    policy = PSMPolicy()

    def gate(text, role="user"):
        return policy.gate(Turn(text, role=role, speaker="ada"), context)

    for text in ("I'm vegetarian.", "I'm allergic to peanuts.", "I live in Lyon."):
        decision = gate(text)
        assert decision.action is Action.KEEP, text
        assert decision.strength >= 0.75
        assert decision.kind is not Kind.TALK
        assert decision.half_life >= timedelta(days=300)
        assert gate(text, role="assistant").strength < decision.strength
    assert gate("Good morning!").strength < 0.1
    assert gate("Maybe I'm vegetarian.").strength < 0.75


LIFE = (
    "I'm vegetarian.",
    "I moved to Lyon last week.",
    "My sister is called Nora.",
    "I play the piano on Sundays.",
    "The car broke down again.",
    "I work at a bakery.",
    "Tom and I got married in May.",
    "I hate coriander.",
    "We have two cats, Miso and Ramen.",
    "I'm learning Dutch.",
)


@pytest.mark.parametrize("size", [3, 10])
@pytest.mark.parametrize(
    ("cue", "told"),
    [
        ("where does Ada live?", "I moved to Lyon last week."),
        ("what does Ada eat?", "I'm vegetarian."),
        ("who is Nora?", "My sister is called Nora."),
        ("what is the capital of Mongolia?", None),
        ("which dentist does Bob see?", None),
        ("how do transformers work?", None),
        ("thanks!", None),
    ],
)
def test_what_is_foreign_to_a_store_is_met_with_silence(tmp_path, cue, told, size):
    """The first days' questions are answered, and those about something else aren't."""
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    with Memory("ada", home=tmp_path) as memory:
        memory.remember_many(
            [Turn(text, speaker="Ada", at=at, id=text) for text in LIFE[:size]]
        )
        found = memory.recall(cue).hits

    assert [hit.text for hit in found][:1] == ([told] if told else [])
