"""What an adapter's file promises, and what it is refused for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from psm_core.errors import WeightsError
from psm_core.model import lookup
from psm_core.model.adapter import MINI, Adapter, name_of
from psm_core.model.encoder import SentenceEncoder

TEXTS = ["I moved to Lyon last week.", "Which city is her home?", ""]
QUERY = "encoder.layer.5.attention.self.query"


def adapter(layer=QUERY, *, digest=lookup.MINILM_SHA256, outputs=384, inputs=384):
    """An adapter of rank 2 that adds a little noise to one layer."""
    draw = np.random.default_rng(0)
    a = (draw.normal(size=(2, inputs)) / 8).astype(np.float16)
    b = (draw.normal(size=(outputs, 2)) / 8).astype(np.float16)
    return Adapter("all-MiniLM-L6-v2", digest, 2, 4, {layer: (a, b)})


@pytest.fixture
def written(tmp_path):
    """A file with such an adapter."""
    path = tmp_path / "weights/mine.adapter.safetensors"
    adapter().write(path)
    return path


def test_what_is_written_is_read(written):
    """Base, digest, rank, alpha and every number come back as they were."""
    found, expected = Adapter.read(written), adapter()

    assert (found.base, found.digest) == ("all-MiniLM-L6-v2", lookup.MINILM_SHA256)
    assert (found.rank, found.alpha) == (2, 4)
    assert list(found.factors) == [QUERY]
    for one, other in zip(found.factors[QUERY], expected.factors[QUERY], strict=True):
        assert one.dtype == np.float16
        np.testing.assert_array_equal(one, other)


def test_one_adapter_is_one_file(written, tmp_path):
    """Written twice it has the same bytes, so its digest can name it."""
    adapter().write(again := tmp_path / "mine.adapter.safetensors")

    assert again.read_bytes() == written.read_bytes()
    assert name_of(again) == name_of(written)


def test_the_weights_grow_by_the_product(written):
    """W becomes W + alpha / rank · B · A, and no other layer changes."""
    import torch

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.query = torch.nn.Linear(3, 2, bias=False)
            self.key = torch.nn.Linear(3, 2, bias=False)
            torch.nn.init.ones_(self.query.weight)
            torch.nn.init.ones_(self.key.weight)

    layer = Layer()
    a = np.array([[1, 2, 3]], np.float16)
    b = np.array([[1], [-1]], np.float16)

    Adapter("x", "d", 1, 2, {"query": (a, b)}).merge(layer, "d")

    assert layer.query.weight.tolist() == [[3, 5, 7], [-1, -3, -5]]
    assert layer.key.weight.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_an_adapted_encoder_is_another_encoder(minilm, written):
    """It has a name of its own, the same width, and other vectors of length 1."""
    adapted = SentenceEncoder(adapter=written)

    rows = adapted.encode(TEXTS)

    assert adapted.name == f"mine-{lookup.sha256(written)[:8]}"
    assert (adapted.width, rows.shape) == (384, (3, 384))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.abs(rows - minilm.encode(TEXTS)).max() > 1e-3


def test_the_plain_encoder_stays_plain(minilm, written):
    """Both live in one process; the adapter changes no vector of the plain one."""
    before = minilm.encode(TEXTS)

    SentenceEncoder(adapter=written).encode(TEXTS)

    np.testing.assert_array_equal(SentenceEncoder().encode(TEXTS), before)


def test_making_an_adapted_encoder_loads_no_torch(written):
    """Its name and width are read from files."""
    code = (
        "import sys; from pathlib import Path;"
        "from psm_core.model.encoder import SentenceEncoder as E;"
        f"e = E(adapter=Path({str(written)!r}));"
        "print(e.name[:5], e.width, 'torch' in sys.modules)"
    )

    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(lookup.__file__).parents[2])},
    ).stdout

    assert out == "mine- 384 False\n"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (adapter(digest="0" * 64), "trained on all-MiniLM-L6-v2 .weights 00000000."),
        (adapter("encoder.layer.9.output.dense"), "the model has no such layer"),
        (adapter(inputs=32), r"weight is \(384, 384\)"),
    ],
)
def test_an_adapter_for_another_model_is_refused(minilm, tmp_path, wrong, message):
    """Other weights, an unknown layer or another shape: the error says which."""
    wrong.write(path := tmp_path / "other.adapter.safetensors")

    with pytest.raises(WeightsError, match=message):
        SentenceEncoder(adapter=path).encode(TEXTS)


def test_a_missing_or_broken_file_is_a_weights_error(tmp_path):
    """The file is named, and what to do."""
    path = tmp_path / "mine.adapter.safetensors"
    with pytest.raises(WeightsError, match=r"mine\.adapter\.safetensors can't be read"):
        name_of(path)
    with pytest.raises(WeightsError, match="psm train"):
        Adapter.read(path)

    path.write_bytes(b"no weights")

    with pytest.raises(WeightsError, match="psm train"):
        Adapter.read(path)


def test_a_file_of_a_newer_format_is_refused(written):
    """What this release can't know it doesn't guess."""
    from safetensors.numpy import load_file, save_file

    about = {"format": 2, "base": "x", "digest": "d", "rank": 2, "alpha": 4}
    save_file(load_file(written), written, {"psm": json.dumps(about)})

    with pytest.raises(WeightsError, match="isn't of the format 1"):
        Adapter.read(written)


def test_the_shipped_adapter_fits_the_shipped_encoder(minilm):
    """It is for MiniLM, holds at most 2 MB, and brings a question nearer its answer."""
    shipped = Adapter.read(MINI)
    cue, answer, talk = SentenceEncoder(adapter=MINI).encode(
        ["Which city is her home?", "I've lived in Lyon since May", "haha good one"]
    )

    assert (shipped.base, shipped.digest) == (lookup.MINILM, lookup.MINILM_SHA256)
    assert MINI.stat().st_size <= 2_000_000
    assert cue @ answer > cue @ talk + 0.1
