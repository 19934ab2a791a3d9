"""Consolidation by the network: what it may decide, and what stays with the rules."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from psm_core.model import abstraction, consolidation, lexicon
from psm_core.model.abstraction import SURE_MAX
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import PSMPolicy
from psm_core.model.relation import RELATIONS
from psm_core.model.signs import SIGN_NAMES
from psm_core.types import Tier

ENCODER = HashEncoder(64)
SEA = "I have lived near the sea for years."
"""What the rules can word, and know nothing else of."""


class Listened:
    """An encoder that keeps what it was asked for, call by call."""

    name, width = ENCODER.name, ENCODER.width

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked.append(list(texts))
        return ENCODER.encode(texts)


class NearIsSame(nn.Module):
    """A relation head that takes the cosine of two vectors for the odds of a repeat."""

    def forward(self, new, old, signs):
        chance = (new * old).sum(1).clamp(1e-3, 1 - 1e-3)
        rest = ((1 - chance) / 3)[:, None].expand(-1, 4).clone()
        rest[:, RELATIONS.index("duplicate")] = chance
        return rest.log()


def knowing(bias=0.0, **weights):
    """A network whose factness is *bias* and so much for each sign that is named."""
    network = PSM(Shape(ENCODER.width)).eval()
    head = network.reader.fact
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(bias)
        for name, weight in weights.items():
            head.weight[0, network.shape.state + SIGN_NAMES.index(name)] = weight
    network.relation = NearIsSame()
    return network


def found(episodes, network=None, **thresholds):
    """What a network abstracts from *episodes*."""
    encode = ENCODER.encode
    return consolidation.abstract(episodes, network or knowing(), thresholds, encode)


def logistic(logit):
    return round(1 / (1 + math.exp(-logit)), 2)


# --------------------------------------------------------------------- factness


@pytest.mark.parametrize(
    "text",
    [
        "I live in Lyon.",
        "I'm allergic to peanuts.",
        "I moved to Bergen last week.",
        "I want to move to Lyon.",
        "My birthday is on 14 May.",
        "I might move to Lyon.",
    ],
)
@pytest.mark.parametrize("bias", [-5.0, 5.0])
def test_what_the_rules_know_is_as_sure_as_they_say(entry, text, bias):
    """A residence stays a fact and a possibility none, whatever the network thinks."""
    (fact,) = found([entry(text)], knowing(bias))
    (ruled,) = abstraction.abstract([entry(text)])

    assert fact == ruled


@pytest.mark.parametrize(
    ("bias", "confidence"), [(0.0, 0.5), (1.0, 0.73), (-3.0, 0.05), (9.0, SURE_MAX)]
)
def test_of_all_else_the_network_says_how_likely_it_is(entry, bias, confidence):
    """The confidence is the calibrated probability that it is a fact."""
    (fact,) = found([entry(SEA)], knowing(bias))

    assert fact.confidence == confidence


def test_confidence_is_calibrated(entry):
    """Slope and offset of "fact" are applied to what the network says."""
    network = knowing(2.0)
    network.set_calibration("fact", (0.5, -2.0))

    assert found([entry(SEA)], network)[0].confidence == logistic(-1.0)


def test_turn_and_span_are_asked_alike(entry):
    """A denial beside the span counts half; one within it counts in full."""
    network = knowing(negated=2.0)

    (beside,) = found([entry(f"{SEA} Don't laugh.")], network)
    (within,) = found([entry("I have never lived far from salt water.")], network)

    assert beside.confidence == logistic(1.0)
    assert within.confidence == logistic(2.0)


def test_a_turn_that_hardly_holds_a_fact_is_not_looked_into(entry):
    """Below the threshold the turn's own probability stands, and nothing is encoded."""
    encoder, network = Listened(), knowing(-1.0, negated=1.5)
    episodes = [entry(SEA, id="a"), entry(f"{SEA} Don't laugh.", id="b", days=1)]
    vectors = ENCODER.encode([e.text for e in episodes])
    heard = [
        entry(e.text, id=e.id, said_at=e.said_at, vector=v)
        for e, v in zip(episodes, vectors, strict=True)
    ]

    (first,), (second,) = (
        consolidation.abstract([one], network, {"fact": 0.5}, encoder.encode)
        for one in heard
    )

    assert first.confidence == logistic(-1.0)
    assert second.confidence == logistic((0.5 - 1.0) / 2)
    assert [asked for asked in encoder.asked if asked] == [[SEA.rstrip(".")]]


def test_a_night_is_encoded_in_one_batch(entry):
    """However many episodes there are, their spans go to the encoder together."""
    encoder = Listened()
    texts = [f"I have lived near Bridge {n} for years." for n in range(20)]
    vectors = ENCODER.encode(texts)
    episodes = [
        entry(text, id=f"e{n}", days=n, vector=vectors[n])
        for n, text in enumerate(texts)
    ]

    consolidation.abstract(episodes, knowing(), {}, encoder.encode)

    assert [len(asked) for asked in encoder.asked if asked] == [20]


def test_an_episode_without_a_vector_is_encoded(entry):
    """Given or computed, the same vector makes the same facts."""
    torch.manual_seed(1)
    network = PSM(Shape(ENCODER.width)).eval()
    text = f"{SEA} Don't laugh."
    given = entry(text, vector=ENCODER.encode([text])[0])

    assert found([entry(text)], network) == found([given], network)


def test_without_links_the_facts_are_those_of_the_rules(life):
    """In the demo, words, sources and what is covered are the same; only trust isn't."""
    torch.manual_seed(1)
    told = found(life, PSM(Shape(ENCODER.width)).eval())
    ruled = abstraction.abstract(life)

    assert [(f.text, f.kind, f.speaker, f.episodes, f.covers) for f in told] == [
        (f.text, f.kind, f.speaker, f.episodes, f.covers) for f in ruled
    ]
    assert [f.confidence for f in told] != [f.confidence for f in ruled]


def test_nothing_said_is_no_fact(entry):
    """An empty night, and what an assistant said, leave nothing."""
    assert found([]) == []
    assert found([entry("I live in Lyon.", role="assistant")]) == []


# -------------------------------------------------------------------- same facts

DOG = ("I have a dog called Rex.", "My dog is called Rex.")


def twice(entry, one, other, **fields):
    """Two episodes, the second a day later."""
    return [entry(one, id="a"), entry(other, id="b", days=1, **fields)]


def test_two_wordings_of_one_fact_become_one(entry):
    """The fullest words stand, both turns are sources, and said twice is surer."""
    (fact,) = found(twice(entry, *DOG), duplicate=0.3)
    apart = found(twice(entry, *DOG))

    assert fact.text == "Mira has a dog called Rex."
    assert fact.episodes == ("a", "b")
    assert fact.confidence == pytest.approx(max(f.confidence for f in apart) + 0.05)
    assert [f.episodes for f in apart] == [("a",), ("b",)]


def test_a_linked_wording_stays_unless_the_fact_says_all_of_it(entry):
    """Who joins a fact loses no words: only what it says in full leaves the index."""
    (fact,) = found(
        twice(entry, DOG[0], "My dog is called Rex, and he bites."), duplicate=0.3
    )

    assert fact.episodes == ("a", "b")
    assert fact.covers == ("a",)


def test_below_the_threshold_nothing_is_put_together(entry):
    """However near two spans are, the head must be sure."""
    assert len(found(twice(entry, *DOG), duplicate=0.99)) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I have two cats.", "I have three cats."),
        ("I have a cat called Momo.", "I don't have a cat called Momo."),
        ("I live in Lyon.", "I probably live in Lyon."),
        ("I drive a car to work.", "My sister drives a car to work."),
        ("My son is tall.", "My niece is tall."),
        ("I live in Lyon with my cat.", "I live in Bergen with my cat."),
        ("I ran on Sunday.", "I ran on Sunday morning."),
        ("I like tea.", "I have tea."),
    ],
)
def test_what_the_words_speak_against_is_never_put_together(entry, one, other):
    """Another number, denial, relative, name, event: the head isn't even asked."""
    assert len(found(twice(entry, one, other), duplicate=0.0)) == 2


@pytest.mark.parametrize(
    ("one", "other", "facts"),
    [
        ("My kitchen is blue.", "I own a bakery.", 2),
        ("I live in Lyon.", "My flat is in Lyon.", 2),
        ("I like tea.", "I like jazz.", 2),
        ("I run every morning.", "Every morning I go for a run.", 1),
        ("I'm allergic to nuts.", "I have a nut allergy.", 1),
    ],
)
def test_what_has_little_in_common_is_never_put_together(entry, one, other, facts):
    """Two words or one claim are shared; below that the head, however sure, errs."""
    assert len(found(twice(entry, one, other), duplicate=0.0)) == facts


def test_two_people_never_share_a_fact(entry):
    """Ada's dog and Mira's dog are two dogs, though they are called alike."""
    episodes = twice(entry, *DOG, speaker="Ada")

    assert {f.speaker for f in found(episodes, duplicate=0.0)} == {"Ada", "Mira"}


class Told(nn.Module):
    """A relation head that was told which spans repeat which, new ones first."""

    def __init__(self, *pairs):
        super().__init__()
        self.pairs = [torch.from_numpy(ENCODER.encode(list(pair))) for pair in pairs]

    def forward(self, new, old, signs):
        rows = torch.stack([new, old], 1)  # (N, 2, D)
        told = [torch.isclose(rows, pair).all(-1).all(-1) for pair in self.pairs]
        chance = torch.stack(told).any(0).float().clamp(0.01, 0.97)
        rest = ((1 - chance) / 3)[:, None].expand(-1, 4).clone()
        rest[:, RELATIONS.index("duplicate")] = chance
        return rest.log()


def test_what_joined_a_fact_stands_for_nobody_else(entry):
    """A chain of repeats is cut: its ends were never held to be the same."""
    tea, toast, jam, ham = (
        f"I love {what}" for what in ("tea", "tea and toast", "toast and jam", "toast")
    )
    network = knowing()
    network.relation = Told((toast, tea), (jam, toast), (ham, toast))
    episodes = [
        entry(f"{text}.", id=f"e{n}", days=n)
        for n, text in enumerate((tea, toast, jam, ham))
    ]

    told = found(episodes, network, duplicate=0.9)

    assert [f.episodes for f in told] == [("e0", "e1"), ("e2",), ("e3",)]


def test_a_long_night_is_compared_block_by_block(entry, monkeypatch):
    """How many rows are compared at once changes nothing."""
    texts = [
        f"I have a {what} called Rex{n % 3}." for n, what in enumerate(["dog"] * 9)
    ]
    episodes = [entry(text, id=f"e{n}", days=n) for n, text in enumerate(texts)]
    whole = found(episodes, duplicate=0.5)

    monkeypatch.setattr(consolidation, "BLOCK", 2)

    assert found(episodes, duplicate=0.5) == whole
    assert len(whole) < 9


# ------------------------------------------------------------------- promises of all

WORDS = lexicon.listed(
    "I my sister dog Rex have live don't might never like tea coffee Lyon in and the "
    "called two moved since was is , . ?"
)
SPEECH = st.lists(st.sampled_from(sorted(WORDS)), max_size=12).map(" ".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(SPEECH.filter(str.strip), max_size=6), order=st.randoms())
def test_any_episodes_can_be_abstracted_in_any_order(texts, order, entry):
    """Whatever was said, facts have sources and a confidence, the same in any order."""
    torch.manual_seed(1)
    network = PSM(Shape(ENCODER.width)).eval()
    network.relation = NearIsSame()
    episodes = [entry(text, id=f"e{i}", days=i) for i, text in enumerate(texts)]

    told = found(episodes, network, duplicate=0.4)

    for fact in told:
        assert 0 <= fact.confidence <= 1
        assert set(fact.covers) <= set(fact.episodes)
        assert set(fact.episodes) <= {e.id for e in episodes}
    order.shuffle(episodes)
    assert found(episodes, network, duplicate=0.4) == told


# -------------------------------------------------------------------------- sleeping


@pytest.fixture
def sleeper(open_memory):
    """A memory of Ada whose policy is a network that holds nearly all for facts."""
    card = Card(
        "tiny",
        ENCODER.name,
        thresholds={"answer": 0.0, "defer": 0.0, "fact": 0.5, "duplicate": 0.3},
    )
    policy = PSMPolicy(network=(knowing(2.0), card), encoder=ENCODER)

    def open_one(user):
        return open_memory(user, encoder=ENCODER, policy=policy)

    return open_one


def test_a_network_sleeps_twice_and_changes_nothing(sleeper, say):
    """A second sleep finds nothing to do, and another home the same facts."""
    turns = [say(DOG[0]), say(SEA), say("haha"), say(DOG[1]), say("I live in Lyon.")]
    memories = [sleeper(user) for user in ("ada", "ada-again")]
    for memory in memories:
        memory.remember_many(turns)
        memory.consolidate()
    facts = [
        [(f.id, f.text, f.sources, f.confidence) for f in m.entries(Tier.SEMANTIC)]
        for m in memories
    ]

    report = memories[0].consolidate()

    assert report.changes == ()
    assert facts[0] == facts[1]
    assert [text for _, text, _, _ in facts[0]] == [
        "Ada has lived near the sea for years.",
        "Ada has a dog called Rex.",
        "Ada lives in Lyon.",
    ]
    assert len(memories[0].entries(Tier.SEMANTIC)) == 3


def test_a_fact_is_encoded_once_with_its_night(open_memory, say):
    """Half-lives of new facts don't send their words to the encoder again."""
    encoder = Listened()
    card = Card("tiny", encoder.name, thresholds={"answer": 0.0, "defer": 0.0})
    policy = PSMPolicy(network=(knowing(2.0), card), encoder=encoder)
    memory = open_memory("ada", encoder=encoder, policy=policy)
    memory.remember_many([say(SEA), say("I live in Lyon."), say("I'm vegan.")])
    encoder.asked.clear()

    memory.consolidate()

    sentences = ["Ada has lived near the sea for years.", "Ada lives in Lyon."]
    assert [*sentences, "Ada is vegan."] in encoder.asked
    assert not [asked for asked in encoder.asked if asked == sentences[:1]]
