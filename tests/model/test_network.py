"""The network's files: what is saved comes back, and what doesn't fit is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from psm_core.errors import EncoderMismatchError, WeightsError
from psm_core.model.card import LISTS, Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.heads import FADING, Reading
from psm_core.model.network import CALIBRATED, PSM, Shape
from psm_core.model.pairs import PAIR_NAMES
from psm_core.model.policy import MINI, WEIGHTS, PSMPolicy
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import FIT
from psm_core.model.relation import RELATIONS
from psm_core.model.signs import SIGN_NAMES

SMALL = Shape(width=32, state=12, recall=5, project=6, pair=7)
CARD = Card("tiny", "hash-32", thresholds={"answer": 0.5, "defer": 0.1})


def network(shape=SMALL, seed=0):
    """A network of random weights, none of them 0, so that each one tells."""
    torch.manual_seed(seed)
    made = PSM(shape).eval()
    with torch.no_grad():
        for weight in made.parameters():
            if weight.requires_grad:
                weight.add_(0.3 * torch.randn_like(weight))
    return made


@pytest.fixture
def saved(tmp_path):
    """A folder with small weights and their card."""
    network().save(tmp_path, CARD)
    return tmp_path


def answers(psm, width=SMALL.width):
    """What every head says of the same four texts, pairs and candidates."""
    draw = torch.Generator().manual_seed(3)
    vectors = torch.nn.functional.normalize(torch.randn(4, width, generator=draw))
    table = torch.rand(4, len(LEARNED_NAMES), generator=draw)
    with torch.inference_mode():
        reading: Reading = psm.reader(
            vectors, torch.rand(4, len(SIGN_NAMES), generator=draw)
        )
        points = psm.recall(table)
        pairs = torch.rand(4, len(PAIR_NAMES), generator=draw)
        return {
            "keep": psm.calibrated("keep", reading.worth),
            "fact": psm.calibrated("fact", reading.fact),
            "feeling": reading.feeling,
            "kind": reading.kind.softmax(1),
            "factor": psm.fading(
                reading.state, torch.rand(4, len(FADING), generator=draw)
            ),
            "recall": psm.calibrated("recall", points),
            "fit": psm.calibrated(
                "fit", psm.fit(torch.rand(4, len(FIT), generator=draw))
            ),
            "relation": psm.relation(vectors, vectors.flip(0), pairs).softmax(1),
        }


def edited(folder, **changes):
    """The card in *folder*, some of its facts otherwise."""
    path = folder / "tiny.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


# ------------------------------------------------------------------ there and back


def test_what_is_saved_comes_back(saved):
    """Every number is the one that was saved, to half precision, and so is the card."""
    loaded, card = PSM.load(saved, "tiny")

    assert card == replace(CARD, shape=asdict(SMALL))
    before, after = network().state_dict(), loaded.state_dict()
    assert list(after) == list(before)
    for name, weight in after.items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, before[name].half().float()), name


def test_half_precision_changes_no_answer_to_speak_of(saved):
    """No probability, feeling or factor moves by more than a hundredth."""
    exact, loaded = answers(network()), answers(PSM.load(saved, "tiny")[0])

    for head, told in exact.items():
        assert float((loaded[head] - told).abs().max()) < 0.01, head


def test_saved_twice_a_network_has_the_same_bytes(saved, tmp_path):
    """What is loaded and saved again is the same file, so its digest can name it."""
    again = tmp_path / "again"

    loaded, card = PSM.load(saved, "tiny")
    loaded.save(again, card)

    for file in ("tiny.safetensors", "tiny.json"):
        assert (again / file).read_bytes() == (saved / file).read_bytes()


def test_weights_are_half_and_the_card_lies_beside_them(saved):
    """Two files under one name, every tensor in half precision."""
    assert sorted(f.name for f in saved.iterdir()) == ["tiny.json", "tiny.safetensors"]
    assert {w.dtype for w in load_file(saved / "tiny.safetensors").values()} == {
        torch.float16
    }


@pytest.mark.parametrize("shape", [SMALL, Shape(width=48), Shape(16, 4, 3, 2, 1)])
def test_the_card_says_how_wide_the_network_is(tmp_path, shape):
    """Nobody has to know the widths: they are read from the card."""
    network(shape).save(tmp_path, CARD)

    assert PSM.load(tmp_path, "tiny")[0].shape == shape


def test_a_loaded_network_answers_the_same_every_time(saved):
    """It is ready to answer: nothing is dropped by chance any more."""
    loaded, _ = PSM.load(saved, "tiny")

    first, second = answers(loaded), answers(loaded)

    assert not [m for m in loaded.modules() if m.training]
    assert all(torch.equal(first[head], second[head]) for head in first)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("what", sorted(LISTS))
def test_weights_of_other_features_are_refused(saved, what):
    """The list, what they were trained on, what is computed here, and what to do."""
    edited(saved, lists={**LISTS, what: "0123456789abcdef"})

    with pytest.raises(WeightsError) as refused:
        PSM.load(saved, "tiny")

    for told in (what, "0123456789abcdef", LISTS[what], "tiny", "psm train"):
        assert told in str(refused.value)


def test_all_lists_that_differ_stand_in_one_message(saved):
    """Who mends one needn't run into the next."""
    edited(saved, lists={})

    with pytest.raises(WeightsError, match="features.*signs.*pairs"):
        PSM.load(saved, "tiny")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no weights",
        b"\x08\0\0\0\0\0\0\0{}      ",
        b"\xff" * 64,
        "cut",
        "gone",
    ],
)
def test_broken_or_missing_weights_are_a_weights_error(saved, content):
    """Nothing else is raised, whatever the file holds; it is named, with a way out."""
    path = saved / "tiny.safetensors"
    if content == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] if content == "cut" else content)

    with pytest.raises(WeightsError, match=r"tiny\.safetensors can't be loaded") as bad:
        PSM.load(saved, "tiny")

    assert "psm train" in str(bad.value)


@pytest.mark.parametrize("change", ["missing", "more", "wider"])
def test_weights_of_another_network_are_refused(saved, change):
    """A tensor too few, too many or of another shape is no reason to guess."""
    path = saved / "tiny.safetensors"
    weights = load_file(path)
    if change == "missing":
        weights.pop("reader.keep.weight")
    elif change == "more":
        weights["mood.weight"] = torch.zeros(2)
    else:
        weights["reader.keep.weight"] = torch.zeros(1, len(SIGN_NAMES) + 1)
    save_file(weights, path)

    with pytest.raises(WeightsError, match="keep.weight|mood.weight"):
        PSM.load(saved, "tiny")


@pytest.mark.parametrize(
    "shape",
    [
        {"width": 33},
        {"width": "wide"},
        {"width": -1},
        {"mood": 3},
        {},
        None,
        [32],
    ],
)
def test_a_card_with_another_shape_is_refused(saved, shape):
    """Weights don't fit a network of other widths, and no network has no width."""
    told = {**asdict(SMALL), **shape} if isinstance(shape, dict) and shape else shape
    edited(saved, shape=told)

    with pytest.raises(WeightsError, match="tiny"):
        PSM.load(saved, "tiny")


def test_weights_that_are_no_numbers_are_refused(saved):
    """A training that went wrong answers nothing rather than anything."""
    path = saved / "tiny.safetensors"
    weights = load_file(path)
    weights["recall.linear.weight"][0, 3] = float("nan")
    save_file(weights, path)

    with pytest.raises(WeightsError, match=r"recall\.linear\.weight"):
        PSM.load(saved, "tiny")


def test_a_weight_too_large_for_half_precision_is_refused_when_saved(tmp_path):
    """What would come back as infinity is an error at once, and nothing is written."""
    large = network()
    with torch.no_grad():
        large.recall.scale[2] = 1e6

    with pytest.raises(WeightsError, match=r"recall\.scale"):
        large.save(tmp_path, CARD)

    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_encoder_are_refused(open_memory):
    """A memory with other vectors names both encoders and says what to leave out."""
    with pytest.raises(EncoderMismatchError) as refused:
        open_memory(policy=MINI, encoder="hash")

    for told in (Card.read(WEIGHTS, MINI).encoder, "hash-256", "leave out"):
        assert told in str(refused.value)


def test_a_text_without_a_vector_is_encoded_by_its_own_encoder_alone(saved, entry):
    """The policy refuses an encoder of another name, though the width is the same."""

    class Other(HashEncoder):
        name = "other-32"

    policy = PSMPolicy("tiny", saved, encoder=Other(32))

    with pytest.raises(EncoderMismatchError, match="of hash-32, and other-32 is here"):
        policy.half_life(entry("I live in Lyon."))


# ------------------------------------------------------------------- calibration


def test_an_untrained_head_is_a_plain_sigmoid():
    """Before calibration a logit of 0 is an even chance, for each head."""
    fresh = PSM(SMALL)

    for head in CALIBRATED:
        assert fresh.calibrated(head, torch.tensor(0.0)).item() == 0.5


def test_calibration_is_slope_and_offset():
    """sigmoid(2 · 0.5 - 1) is an even chance; other heads keep their own."""
    fresh = PSM(SMALL)

    fresh.set_calibration("keep", (2.0, -1.0))

    assert fresh.calibrated("keep", torch.tensor([0.5, 1.0])).tolist() == pytest.approx(
        [0.5, 0.731059], abs=1e-6
    )
    assert fresh.calibrated("fact", torch.tensor(0.5)).item() == pytest.approx(0.622459)


def test_no_training_step_moves_the_calibration():
    """It is fitted on people that the heads weren't trained on, and by nothing else."""
    assert not any(p.requires_grad for p in PSM(SMALL).calibration.values())


def test_every_head_answers_with_its_own_shape():
    """One number a text, one a candidate, four a pair."""
    told = answers(network())

    assert {head: tuple(value.shape) for head, value in told.items()} == {
        "keep": (4,),
        "fact": (4,),
        "feeling": (4, 2),
        "kind": (4, 6),
        "factor": (4,),
        "recall": (4,),
        "fit": (4, 1),
        "relation": (4, len(RELATIONS)),
    }
    assert all(bool(value.isfinite().all()) for value in told.values())
