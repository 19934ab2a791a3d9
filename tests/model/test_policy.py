"""PSMPolicy: five verbs by trained weights, and by weights that are in training."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

from psm_core import Turn
from psm_core.model.adapter import MINI as ADAPTER
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.lookup import sha256
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import MINI, PSMPolicy
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.rules import RulePolicy
from psm_core.protocols import GateContext, Policy
from psm_core.strength import HALF_LIFE_MAX, HALF_LIFE_MIN
from psm_core.types import Action, Conflict, Kind, Tier

NOISE = ("haha", "ok", "Good morning!", "Thanks!", "lol", "bye", "hi")
SECRET = "My cousin Xylophonia Quartzbrook hid 4929 marbles in Zanzibarquay."
QUOTED = re.compile(r"xylophonia|quartzbrook|4929|marbles|zanzibarquay|cousin", re.I)


# ------------------------------------------------------------------ the five verbs


def test_a_turn_is_judged(policy, context):
    """Strength, feeling and doubt lie in [0, 1], the half-life is one, the kind known."""
    turn = Turn("I moved to Lyon last week.", speaker="Ada", id="t1")

    decision = policy.gate(turn, context(turn))

    assert decision.id == "t1"
    assert decision.action in (Action.KEEP, Action.DEFER)
    for share in (decision.strength, decision.emotion, decision.confidence):
        assert 0 <= share <= 1
    assert HALF_LIFE_MIN <= decision.half_life <= HALF_LIFE_MAX
    assert decision.kind in Kind
    assert 0 < decision.propensity <= 1
    assert decision.reason


def test_candidates_are_weighed(policy, five, cue):
    """A probability for each, in the order of the rows, and what it was made of."""
    weighed = policy.weigh(cue("Where do I live?"), five)

    assert weighed.scores.shape == weighed.propensities.shape == (5,)
    assert weighed.features.shape == weighed.shares.shape == (5, len(LEARNED_NAMES))
    assert weighed.names == LEARNED_NAMES
    assert weighed.scores.dtype == weighed.features.dtype == np.float32
    assert ((weighed.scores >= 0) & (weighed.scores <= 1)).all()
    assert ((weighed.propensities > 0) & (weighed.propensities <= 1)).all()
    for table in (weighed.scores, weighed.features, weighed.shares):
        assert np.isfinite(table).all()


def test_lasting_facts_are_told(policy, remembered):
    """What was said of a home becomes a sentence about the person, with its source."""
    (pattern,) = policy.abstract([remembered("I live in Lyon.", id="e1")])

    assert pattern.text == "Mira lives in Lyon."
    assert pattern.episodes == ("e1",)
    assert 0 <= pattern.confidence <= 1


def test_two_statements_are_held_against_each_other(policy, remembered):
    """The answer is a conflict of these two with its doubt in [0, 1], or none."""
    old = remembered("I live in Berlin.", id="old")
    new = remembered("I moved to Lyon, I live there now.", id="new", days=9)

    found = policy.interferes(new, old)

    assert found is None or isinstance(found, Conflict)
    if found is not None:
        assert (found.new, found.old) == ("new", "old")
        assert 0 <= found.confidence <= 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"recalled": 10**9, "used": 10**9},
        {"recalled": 10**9, "corrected": 10**9},
        {"mentions": 10**9, "tier": Tier.SEMANTIC, "emotion": 1.0},
        {"kind": Kind.TALK, "recalled": 10**6},
    ],
)
def test_a_half_life_is_one_whatever_became_of_it(policy, remembered, fields):
    """Between an hour and ten years, however often it was shown, used or corrected."""
    found = policy.half_life(remembered("I live in Lyon.", **fields))

    assert HALF_LIFE_MIN <= found <= HALF_LIFE_MAX


def test_what_is_pinned_lasts(policy, remembered):
    """No training takes from a person what they pinned."""
    assert policy.half_life(remembered("ok", pinned=True, corrected=9)) == HALF_LIFE_MAX


def test_a_policy_is_one_to_whoever_asks(policy):
    """It has a name, an encoder, and the five verbs of the protocol."""
    asked: Policy = policy

    assert asked.name
    assert policy.encoder in ("hash-64", f"{MINI}-{sha256(ADAPTER)[:8]}")
    for verb in ("gate", "weigh", "abstract", "interferes", "half_life"):
        assert callable(getattr(asked, verb))


@pytest.mark.parametrize(
    "text",
    [
        "?!…",
        "\0.",
        "🦊" * 500,
        "a" * 30_000,
        "私は京都に住んでいます",
    ],
)
def test_odd_texts_are_judged_too(policy, context, remembered, text):
    """Nothing that a person can send makes a verb raise, or answer with no number."""
    turn, memory = Turn(text, speaker="Ada", id="t1"), remembered(text, id="t1")

    decision = policy.gate(turn, context(turn))

    assert 0 <= decision.strength <= 1
    assert HALF_LIFE_MIN <= policy.half_life(memory) <= HALF_LIFE_MAX
    assert isinstance(policy.abstract([memory]), list)
    policy.interferes(memory, memory)


def test_no_candidates_no_scores(policy, cue):
    """An empty pool is answered with empty arrays of the right width."""
    weighed = policy.weigh(cue("Lyon"), [])

    assert weighed.scores.shape == weighed.propensities.shape == (0,)
    assert weighed.features.shape == (0, len(LEARNED_NAMES))


# ------------------------------------------------------------------ noise and silence


def test_clear_noise_is_turned_away(policy, context):
    """What the rules are sure of, no training lets in again; it is held for little."""
    for text in NOISE:
        turn = Turn(text, speaker="Ada", id="t1")
        ruled = RulePolicy().gate(turn, context(turn))
        decision = policy.gate(turn, context(turn))

        assert ruled.action is decision.action is Action.ARCHIVE, text
        assert decision.strength <= 0.1
        assert decision.reason == ruled.reason


def test_what_was_said_before_is_turned_away(policy, context):
    """The same words again are known already, whatever they are worth."""
    turn = Turn("I moved to Lyon last week.", speaker="Ada", id="t2")

    decision = policy.gate(turn, context(turn, said_before="t1"))

    assert decision.action is Action.ARCHIVE
    assert decision.strength <= 0.1


def test_the_demo_life_loses_its_noise_and_nothing_else(both, life):
    """Turn for turn, exactly what the rules turn away is turned away."""
    policy, encoder = both
    rows = encoder.encode([memory.text for memory in life])
    recent: list[Turn] = []
    for memory, row in zip(life, rows, strict=True):
        turn = Turn(
            memory.text, memory.speaker, memory.role, session=memory.session, id="t"
        )
        told = GateContext("mira", tuple(recent[-8:]), None, row, lambda k: [])
        ruled, decided = (p.gate(turn, told).action for p in (RulePolicy(), policy))
        assert (ruled is Action.ARCHIVE) == (decided is Action.ARCHIVE), memory.id
        past = recent if recent and recent[-1].session == turn.session else []
        recent = [*past, turn]


def test_the_answer_threshold_decides_when_to_stay_silent(tiny, cue, candidate):
    """From a probability of 1.1 on nothing of a full pool surfaces, from 0 on all may."""
    full = [candidate("I live in Lyon.", cosine=0.9, covered=1.0) for _ in range(60)]
    silent, _ = tiny(answer=1.1)
    open_, _ = tiny(answer=0.0)

    assert not silent.weigh(cue("Lyon"), full).scores.any()
    assert open_.weigh(cue("Lyon"), full).scores.all()


@pytest.mark.parametrize(
    ("answer", "one", "many"),
    [(0.4, True, True), (0.8, True, False), (1.1, False, False)],
)
def test_one_memory_has_nothing_to_stand_out_from(cue, candidate, answer, one, many):
    """Of a sureness of .5 a full pool asks the threshold, and one memory half of it."""
    network = PSM(Shape(64)).eval()
    torch.nn.init.zeros_(network.fit.weight)
    torch.nn.init.zeros_(network.fit.bias)
    encoder = HashEncoder(64)
    card = Card("even", encoder.name, thresholds={"answer": answer})
    policy = PSMPolicy(network=(network, card), encoder=encoder)
    alone = [candidate("I live in Lyon.", cosine=0.9, covered=1.0)]

    assert policy.weigh(cue("Lyon"), alone).scores.any() == one
    assert policy.weigh(cue("Lyon"), alone * 60).scores.any() == many


@pytest.mark.parametrize(("defer", "action"), [(0.0, "KEEP"), (1.1, "DEFER")])
def test_the_defer_threshold_decides_what_is_kept_weakly(tiny, defer, action):
    """Below it a turn is kept for later; it is never turned away by it."""
    policy, encoder = tiny(defer=defer)
    turn = Turn("I moved to Lyon last week.", speaker="Ada", id="t1")
    vector = encoder.encode([turn.text])[0]

    decision = policy.gate(turn, GateContext("ada", (), None, vector, lambda k: []))

    assert decision.action is Action[action]


def test_what_was_superseded_stands_behind_its_successor(policy, candidate, cue):
    """An old home comes after the new one, unless the past is asked for."""
    old = candidate(
        "I live in Berlin.", id="old", cosine=0.8, bm25=6, superseded_by="new"
    )
    new = candidate("I moved to Lyon.", id="new", cosine=0.4)

    now = policy.weigh(cue("Where is home?"), [old, new]).scores

    assert now[0] < now[1] or not now.any()


# ------------------------------------------------------------------ what isn't told


def test_decisions_quote_nothing(policy, context, remembered):
    """No decision, conflict or half-life repeats a word of what was said."""
    turn = Turn(SECRET, speaker="Ada", id="t1")
    old = remembered(SECRET, id="old")
    new = remembered(SECRET.replace("Zanzibarquay", "Lyon now"), id="new", days=1)

    told = [
        policy.gate(turn, context(turn)),
        policy.gate(turn, context(turn, said_before="t0")),
        policy.interferes(new, old),
        policy.interferes(old, new),
        policy.half_life(old),
    ]

    assert not QUOTED.search(repr(told))


def test_a_moment_later_is_the_same_decision(policy, context):
    """A policy knows no clock: the time in a turn changes nothing."""
    turn = Turn("I moved to Lyon.", speaker="Ada", id="t1")
    later = replace(turn, at=datetime(2031, 1, 1, tzinfo=UTC) + timedelta(days=1))

    assert policy.gate(turn, context(turn)) == policy.gate(later, context(later))
