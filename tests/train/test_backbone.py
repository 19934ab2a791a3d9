"""The recipe for a backbone of any size, on a causal language model made on the spot."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from psm_core.errors import EncoderError
from psm_core.model.adapter import Adapter
from psm_core.train.adapt import Recipe, train_adapter
from psm_core.train.backbone import Backbone, insert, linear_layers, take_out
from psm_core.train.corpus import lives
from psm_core.train.material import Material, Remembered

TEXTS = ["I moved to Lyon.", "", "Which city is her home?", "I moved to Lyon. " * 200]
FEW = Recipe(rank=2, alpha=4, share=0.5, together=1, epochs=2, rate=1e-2)


@pytest.fixture
def backbone(llama):
    return Backbone(llama, device="cpu")


@pytest.fixture(scope="module")
def one_life():
    """One person to learn from, and the same to report on."""
    person = lives("train")[:1]
    return Material(Remembered(None), train=person, validation=person, test=())


def test_a_causal_lm_is_an_encoder(backbone):
    """Any text, the empty one too, gets a row of length 1, as wide as the states."""
    rows = backbone.encode(TEXTS)

    assert (backbone.width, rows.shape, rows.dtype) == (32, (4, 32), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert backbone.encode([]).shape == (0, 32)


def test_padding_changes_no_vector(backbone):
    """A text has one vector alone and beside a long one."""
    alone = np.concatenate([backbone.encode([text]) for text in TEXTS])

    np.testing.assert_allclose(backbone.encode(TEXTS), alone, atol=1e-5)


def test_a_vector_is_the_mean_of_the_last_states(backbone, llama):
    """Mean pooling over the tokens of the last hidden layer, and nothing else."""
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(llama)(TEXTS[0], return_tensors="pt")
    network = AutoModel.from_pretrained(llama).eval()
    with torch.inference_mode():
        states = network(input_ids=tokens["input_ids"]).last_hidden_state
    mean = states[0].mean(0).numpy()

    found = backbone.encode(TEXTS[:1])[0]

    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-5)


def test_a_backbone_is_named_by_its_weights(backbone):
    """The folder's name and eight digits of the digest of what lies in it."""
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", backbone.name)


def test_a_backbone_that_is_not_there_is_an_error(tmp_path):
    """The path that was asked for is in the message."""
    with pytest.raises(EncoderError, match="no backbone at .*nowhere"):
        Backbone(tmp_path / "nowhere")


def test_a_folder_without_a_model_is_an_error(tmp_path):
    """Loading garbage ends in our error, with the folder in it."""
    (tmp_path / "config.json").write_text('{"hidden_size": 32}')

    with pytest.raises(EncoderError, match="can't be loaded"):
        Backbone(tmp_path).encode(["hello"])


def test_layers_that_learn_are_found_by_type(backbone):
    """Of the upper half, every linear layer, whatever the architecture calls it."""
    found = linear_layers(backbone.network, 0.5)

    assert len(found) == 7  # query, key, value, output; gate, up, down
    assert all(name.startswith("layers.1.") for name in found)
    assert len(linear_layers(backbone.network, 1)) == 14
    with pytest.raises(EncoderError, match="Linear has no blocks"):
        linear_layers(torch.nn.Linear(2, 2), 0.5)


def test_taking_out_leaves_the_network_as_it_was(backbone):
    """What was inserted goes again, and every vector is the old one."""
    before = backbone.encode(TEXTS)
    insert(backbone.network, 2, 4, 0.5)
    for name, parameter in backbone.network.named_parameters():
        assert parameter.requires_grad == ("lora" in name)
        if parameter.requires_grad:
            torch.nn.init.ones_(parameter)
    changed = backbone.encode(TEXTS)

    take_out(backbone.network)

    assert np.abs(changed - before).max() > 1e-3
    np.testing.assert_array_equal(backbone.encode(TEXTS), before)


def test_what_a_backbone_learns_can_be_kept(backbone, llama, one_life, tmp_path):
    """The loss falls in two steps; saved and loaded, the adapter gives the same rows."""
    said = []

    learned = train_adapter(backbone, one_life, said.append, FEW)
    learned.write(path := tmp_path / "own.adapter.safetensors")

    first, second = (float(re.search(r"loss ([\d.]+)", s)[1]) for s in said[1:3])
    assert second < first
    adapted = Backbone(llama, adapter=path, device="cpu")
    insert(backbone.network, 2, 4, 0.5)
    for name, (a, b) in Adapter.read(path).factors.items():
        layer = backbone.network.get_submodule(name)
        layer.lora_A["default"].weight.data = torch.from_numpy(a).float()
        layer.lora_B["default"].weight.data = torch.from_numpy(b).float()
    np.testing.assert_allclose(adapted.encode(TEXTS), backbone.encode(TEXTS), atol=1e-5)
    assert re.fullmatch(r"own-[0-9a-f]{8}", adapted.name)
    assert learned.base == Backbone(llama).name


def test_one_seed_gives_one_adapter(backbone, one_life):
    """Trained twice, every number is the same."""
    once = train_adapter(backbone, one_life, lambda _: None, FEW)
    twice = train_adapter(backbone, one_life, lambda _: None, FEW)

    assert any(np.abs(b).max() > 0 for _, b in once.factors.values())
    for name, pair in once.factors.items():
        for one, other in zip(pair, twice.factors[name], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_cuda_device_is_used_where_there_is_one(llama):
    """The states are computed in half precision there, and are near those of the CPU."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")

    found = Backbone(llama).encode(TEXTS)

    assert (found * Backbone(llama, device="cpu").encode(TEXTS)).sum(1).min() > 0.98
