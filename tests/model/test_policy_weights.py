"""Which weights a policy answers with, and that it keeps nothing between calls."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from psm_core import Feedback, Turn
from psm_core.errors import WeightsError
from psm_core.model.lookup import sha256
from psm_core.model.policy import MINI, WEIGHTS, PSMPolicy
from psm_core.plugins import AUTO, Plugins
from psm_core.types import Action


def same(one, other):
    """Whether two weightings are one, number by number."""
    return one.names == other.names and all(
        np.array_equal(getattr(one, part), getattr(other, part))
        for part in ("scores", "features", "propensities", "shares")
    )


# ------------------------------------------------------------------ which weights


def test_a_name_carries_the_digest_of_the_weights(tiny, tmp_path):
    """Two trainings never share a name, nor does a training share that of its card."""
    names = set()
    for seed in (1, 2):
        trained, encoder = tiny(seed)
        trained._given[0].save(tmp_path, trained.card)
        policy = PSMPolicy("tiny", tmp_path, encoder=encoder)
        assert policy.name == f"tiny-{sha256(tmp_path / 'tiny.safetensors')[:8]}"
        names.add(policy.name)

    assert len(names) == 2
    assert tiny()[0].name == "tiny-in-training"


def test_the_shipped_name_carries_the_digest_too():
    """Which weights decided stands in every journal row, to the byte."""
    weights = WEIGHTS / f"{MINI}.safetensors"

    assert PSMPolicy().name == f"{MINI}-{sha256(weights)[:8]}"


def test_weights_that_were_trained_anew_answer_for_themselves(
    tiny, tmp_path, cue, candidate
):
    """A policy made after another training answers with its weights, not the old ones."""
    one = [candidate("I live in Lyon.", cosine=0.9)]
    scores = []
    for seed in (1, 2):
        trained, encoder = tiny(seed)
        trained._given[0].save(tmp_path, trained.card)
        policy = PSMPolicy("tiny", tmp_path, encoder=encoder)
        scores.append(float(policy.weigh(cue("Lyon"), one).scores[0]))
        exact = float(trained.weigh(cue("Lyon"), one).scores[0])
        assert scores[-1] == pytest.approx(exact, abs=0.01)

    assert abs(scores[0] - scores[1]) > 0.01


def test_saved_and_loaded_a_policy_decides_alike(tiny, tmp_path, five, cue):
    """What a network in training says, its files say, to half precision."""
    trained, encoder = tiny()
    trained._given[0].save(tmp_path, trained.card)
    loaded = PSMPolicy("tiny", tmp_path, encoder=encoder)

    np.testing.assert_allclose(
        loaded.weigh(cue("Lyon"), five).scores,
        trained.weigh(cue("Lyon"), five).scores,
        atol=0.01,
    )


def test_missing_weights_are_a_weights_error(tiny, tmp_path):
    """Without its card a policy isn't made, without its weights it has no name."""
    with pytest.raises(WeightsError, match=r"tiny\.json can't be read"):
        PSMPolicy("tiny", tmp_path)
    trained, _ = tiny()
    trained._given[0].save(tmp_path, trained.card)
    (tmp_path / "tiny.safetensors").unlink()

    with pytest.raises(WeightsError, match=r"tiny\.safetensors can't be read"):
        _ = PSMPolicy("tiny", tmp_path).name


def test_weights_of_other_features_answer_nothing(tiny, tmp_path, cue, candidate):
    """The first verb says what doesn't fit, instead of an answer."""
    trained, encoder = tiny()
    trained._given[0].save(
        tmp_path, replace(trained.card, lists={"features": "0" * 16})
    )
    policy = PSMPolicy("tiny", tmp_path, encoder=encoder)

    with pytest.raises(WeightsError, match="don't fit this release.*psm train"):
        policy.weigh(cue("Lyon"), [candidate("x", cosine=0.5)])


# ------------------------------------------------------------------ nothing is kept


def asked_of(policy, context, remembered, five, cue):
    """An answer to each verb, as something that can be compared."""
    turn = Turn("I moved to Lyon last week, I'm so happy!", speaker="Ada", id="t1")
    old, new = remembered("I live in Rome.", id="a"), remembered("I moved to Oslo.")
    weighed = policy.weigh(cue("Where do I live now?"), five)
    return (
        policy.gate(turn, context(turn)),
        *(part.tobytes() for part in (weighed.scores, weighed.features)),
        policy.abstract([old]),
        policy.interferes(new, old),
        policy.half_life(old),
    )


def test_asked_twice_a_policy_answers_the_same(
    policy, context, remembered, five, cue, candidate
):
    """Whatever is asked in between, nothing of it is left: same answer, same weights."""
    skill = policy._skill.network
    before = {name: w.clone() for name, w in skill.state_dict().items()}
    first = asked_of(policy, context, remembered, five, cue)

    for n in range(20):
        turn = Turn(f"Number {n} is what I said in between.", speaker="Bob", id=f"b{n}")
        policy.gate(turn, context(turn))
        policy.weigh(cue(turn.text), [candidate(turn.text, cosine=n / 20)])
        policy.half_life(remembered(turn.text))

    assert asked_of(policy, context, remembered, five, cue) == first
    after = skill.state_dict()
    assert all(torch.equal(after[name], w) for name, w in before.items())


def test_the_rest_of_a_pool_is_all_that_a_score_depends_on(policy, five, cue):
    """The order of the rows changes no score, and one pool leaves no trace in the next."""
    straight = policy.weigh(cue("Where do I live?"), five)
    policy.weigh(cue("Tea?"), five[2:])
    turned = policy.weigh(cue("Where do I live?"), five[::-1])

    np.testing.assert_allclose(turned.scores[::-1], straight.scores, atol=1e-5)
    assert same(policy.weigh(cue("Where do I live?"), five), straight)


def test_eight_threads_get_the_same_answers(policy, context, remembered, five, cue):
    """A policy is shared by all memories of a process, and none of them waits or errs."""
    alone = asked_of(policy, context, remembered, five, cue)

    def ask(_):
        return asked_of(policy, context, remembered, five, cue)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(32)))

    assert [a == alone for a in answers] == [True] * 32


def test_threads_that_ask_first_load_one_network(tiny, tmp_path, five, cue):
    """Who asks at the same moment for the first time gets the same answer."""
    trained, encoder = tiny()
    trained._given[0].save(tmp_path, trained.card)
    expected = PSMPolicy("tiny", tmp_path, encoder=encoder).weigh(cue("Lyon"), five)
    fresh = tmp_path / "fresh"
    trained._given[0].save(fresh, trained.card)
    policy = PSMPolicy("tiny", fresh, encoder=encoder)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: policy.weigh(cue("Lyon"), five), range(8)))

    assert all(same(one, expected) for one in found)


# ------------------------------------------------------------------ which policy


@pytest.mark.parametrize(
    ("encoder", "policy"),
    [
        ("psm-mini", "psm-mini-"),
        ("hash", "rules"),
        ("all-MiniLM-L6-v2", "rules"),
    ],
)
def test_auto_takes_trained_weights_where_the_encoder_fits(encoder, policy):
    """Trained weights for the vectors that they understand, the rules for all others."""
    plugins = Plugins()
    made = plugins.encoder(encoder)

    chosen = plugins.policy(AUTO, None, made)

    assert chosen.name.startswith(policy)
    assert getattr(chosen, "encoder", made.name) == made.name


def test_a_memory_that_hashes_words_is_served_by_the_rules(open_memory):
    """Config's own default finds the policy, and the memory works."""
    memory = open_memory(encoder="hash")

    memory.remember(Turn("I live in Lyon.", speaker="Ada", id="t1"))

    assert memory.config.policy == AUTO
    assert [hit.id for hit in memory.recall("Where in Lyon?").hits] == ["t1"]


def test_a_life_is_lived_with_the_trained_policy(tiny, open_memory, say):
    """Remember, recall, learn and sleep, with nothing but weights in training."""
    policy, encoder = tiny()
    memory = open_memory(policy=policy, encoder=encoder)
    turns = [say("I live in Lyon."), say("haha"), say("I moved to Oslo in May.")]

    decisions = memory.remember_many(turns)
    recall = memory.recall("Where do I live?", limit=None)
    memory.learn(Feedback(recall.id, used=[recall.hits[0].id]))
    memory.consolidate()

    assert [d.action is Action.ARCHIVE for d in decisions] == [False, True, False]
    assert {hit.id for hit in recall.hits} == {"t1", "t3"}
    assert memory.recall("Where do I live?").hits


def in_a_fresh_process(code):
    """What *code* prints, alone in a process."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    ).stdout.strip()


def test_importing_the_package_loads_no_torch():
    """Nor does making the trained policy, or asking which weights it has."""
    code = (
        "import sys, json, psm_core\n"
        "told = ['torch' in sys.modules]\n"
        "from psm_core.model.policy import PSMPolicy\n"
        "policy = PSMPolicy()\n"
        "told += [policy.name[:9], policy.encoder[:9], 'torch' in sys.modules]\n"
        "print(json.dumps(told))"
    )

    assert json.loads(in_a_fresh_process(code)) == [
        False,
        "psm-mini-",
        "psm-mini-",
        False,
    ]
