"""Text into vectors: a sentence-transformers model, or hashed words where none is."""

from __future__ import annotations

import functools
import os
import re
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psm_core.errors import EncoderError
from psm_core.model import lookup
from psm_core.model.adapter import MINI, Adapter, name_of
from psm_core.model.lookup import MINILM, MINILM_SHA256, MINILM_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from psm_core.content import Matrix, Numbers, Vector

TOKENS_MAX = 256
"""Word pieces of a text that are read; `MINILM` was trained on no longer texts."""

CHARS_MAX = 16_384
"""Characters of a text that are read: `TOKENS_MAX` long words fit, and a text of
4,000,000 characters would otherwise spend six seconds in the tokenizer."""

BATCH = 32
"""Texts that go through the network at once; more only adds padding on a CPU."""


class SentenceEncoder:
    """A sentence-transformers model, shared by everybody in this process.

    Making one is cheap: torch and the weights are loaded when the first text is
    encoded.  Any number of threads may encode at once.

    Args:
        name_or_path: A folder with a model, or a name on the Hugging Face hub.  Where
            a name is given, PSM_ENCODER_PATH says in which folder to look first.
        adapter: A file of what this model learned beyond its own weights, if any.
        device: Where torch computes; vectors of one store should come from one.

    Source:
        all-MiniLM-L6-v2, Apache-2.0: Reimers and Gurevych (2019); Wang et al. (2020).

    >>> SentenceEncoder().width
    384
    """

    def __init__(
        self,
        name_or_path: str = MINILM,
        *,
        adapter: Path | None = None,
        device: str = "cpu",
    ) -> None:
        self._asked = name_or_path
        self._adapter = adapter
        self._device = device
        self._path = _explicit_path(name_or_path)

    @property
    def name(self) -> str:
        """Which weights these are: "all-MiniLM-L6-v2", or a folder's name and digest.

        With an adapter, the adapter's name and digest: it fits one model only.  One
        set of weights has one name, wherever it lies, and two never share one.

        Raises:
            EncoderError: The folder holds no weights.
            WeightsError: The adapter's file is missing.
        """
        if self._adapter:
            return name_of(self._adapter)
        if self._path is None and self._asked == MINILM:
            return MINILM
        digest = lookup.fingerprint(self._folder)
        if digest == MINILM_SHA256:
            return MINILM
        return f"{Path(self._asked).name or self._folder.name}-{digest[:8]}"

    @property
    def width(self) -> int:
        """D, the numbers in one vector; read from a file, not from the network."""
        if self._path is None and self._asked == MINILM:
            return MINILM_WIDTH
        return lookup.width_of(self._folder)

    def encode(self, texts: Sequence[str]) -> Matrix:
        """One row for each text, of length 1.

        Args:
            texts: N texts; of each the first 256 word pieces are read.

        Returns:
            (N, D) float32.

        Raises:
            EncoderError: The weights can't be found, trusted or loaded.
            WeightsError: The adapter can't be read, or is for another model.
        """
        if not texts:
            return np.zeros((0, self.width), np.float32)
        return self._network(texts)

    @functools.cached_property
    def _folder(self) -> Path:
        return self._path or lookup.weights_folder(self._asked)

    @functools.cached_property
    def _network(self) -> _Network:
        network = _shared(self._folder, self._device, self._adapter)
        found = network(["width"]).shape[1]
        if found != self.width:
            raise EncoderError(
                f"{self._folder} gives {found} numbers a text; its config.json says "
                f"{self.width}"
            )
        return network


def adapted() -> SentenceEncoder:
    """The encoder of the shipped weights: `MINILM` and what it learned from lives."""
    return SentenceEncoder(adapter=MINI)


class HashEncoder:
    """Hashed words and letter triples: no weights, no torch, the same everywhere.

    Texts that share words or stems are near; synonyms are not.  For tests, and for
    machines without weights.

    Args:
        width: D, the numbers in one vector; at least 16.

    Raises:
        EncoderError: The width is too small to tell texts apart.

    Source:
        Feature hashing with signs: Weinberger et al. (2009).

    >>> HashEncoder().name
    'hash-256'
    """

    def __init__(self, width: int = 256) -> None:
        if width < 16:
            raise EncoderError(f"the width of a HashEncoder is {width}; 16 at least")
        self._width = width

    @property
    def name(self) -> str:
        """The word "hash" and the width."""
        return f"hash-{self._width}"

    @property
    def width(self) -> int:
        """D, the numbers in one vector."""
        return self._width

    def encode(self, texts: Sequence[str]) -> Matrix:
        """One row for each text, of length 1.

        Args:
            texts: N texts.

        Returns:
            (N, D) float32.
        """
        rows = [self._row(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self._width), np.float32)

    def _row(self, text: str) -> Vector:
        words = re.findall(r"\w+", text[:CHARS_MAX].casefold()) or [text[:CHARS_MAX]]
        hashed = [_hashed(word) for word in words]
        places = np.concatenate([places for places, _ in hashed]) % self._width
        values = np.concatenate([values for _, values in hashed])
        row = np.bincount(places, weights=values, minlength=self._width)
        length = float(np.linalg.norm(row))
        if length < 1e-6:
            # Signs may cancel out; a text still needs a direction of its own.
            row[zlib.crc32(text.encode("utf-8", "replace")) % self._width] = length = 1
        return (row / length).astype(np.float32)


@functools.lru_cache(maxsize=65_536)
def _hashed(word: str) -> tuple[Numbers, Vector]:
    """Where a word and its letter triples fall, and with which signed weight."""
    padded = f"<{word}>"
    grams = [padded[i : i + 3] for i in range(len(padded) - 2)]
    codes = [zlib.crc32(g.encode("utf-8", "replace")) for g in (f"w {word}", *grams)]
    # Short words are mostly function words, which say little.
    weight = min(len(word), 5) / 5
    shares = [weight] + [weight / max(len(grams), 1)] * len(grams)
    signed = [s if code & 1 else -s for s, code in zip(shares, codes, strict=True)]
    return np.array(codes, np.int64) >> 1, np.array(signed, np.float32)


def _explicit_path(name_or_path: str) -> Path | None:
    if (given := Path(name_or_path).expanduser()).is_dir():
        return given.resolve()
    if not (variable := os.environ.get("PSM_ENCODER_PATH")):
        return None
    folder = Path(variable).expanduser()
    if not folder.is_dir():
        raise EncoderError(f"PSM_ENCODER_PATH is {variable!r}, which is no folder")
    return folder.resolve()


class _Network:
    """A loaded model.  Calls it directly: its own ``encode`` adds 3 ms to a text."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._tokenizing = threading.Lock()
        prompts = getattr(model, "prompts", None) or {}
        self._prompt = prompts.get(getattr(model, "default_prompt_name", None), "")
        # sentence-transformers 5.3 gave ``tokenize`` a new name.
        self._tokenize = getattr(model, "preprocess", None) or model.tokenize

    def __call__(self, texts: Sequence[str]) -> Matrix:
        longest_first = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        rows: list[Vector] = [np.zeros(0, np.float32)] * len(texts)
        for start in range(0, len(texts), BATCH):
            batch = longest_first[start : start + BATCH]
            found = self._batch([texts[i] for i in batch])
            for i, row in zip(batch, found, strict=True):
                rows[i] = row
        return np.stack(rows)

    def _batch(self, texts: list[str]) -> Matrix:
        import torch  # noqa: PLC0415

        # A fast tokenizer keeps its padding in itself, so two threads can't share it.
        with self._tokenizing:
            tokens = self._tokenize([self._prompt + t[:CHARS_MAX] for t in texts])
        device = self._model.device
        moved = {k: v.to(device) if hasattr(v, "to") else v for k, v in tokens.items()}
        with torch.inference_mode():
            rows = self._model(moved)["sentence_embedding"]  # (B, D)
            unit = torch.nn.functional.normalize(rows.float(), dim=1)
        result: Matrix = unit.cpu().numpy()
        return result


_networks: dict[tuple[Path, str, str | None], _Network] = {}
_loading = threading.Lock()


def _shared(folder: Path, device: str, adapter: Path | None) -> _Network:
    known_by = (folder, device, name_of(adapter) if adapter else None)
    with _loading:
        if known_by not in _networks:
            _networks[known_by] = _loaded(folder, device, adapter)
        return _networks[known_by]


def _loaded(folder: Path, device: str, adapter: Path | None) -> _Network:
    # Imported here: torch takes seconds, and a process that only lists needs none.
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    def load() -> Any:
        return SentenceTransformer(str(folder), device=device, local_files_only=True)

    try:
        model = _silently(load)
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as fault:
        raise EncoderError(f"the model in {folder} can't be loaded: {fault}") from fault
    model.max_seq_length = min(model.max_seq_length or TOKENS_MAX, TOKENS_MAX)
    if adapter:
        learned = Adapter.read(adapter)
        learned.merge(model[0].auto_model, lookup.fingerprint(folder))
    return _Network(model.eval())


def _silently(load: Callable[[], Any]) -> Any:
    """What *load* returns, without progress bars; they are as they were afterwards."""
    from transformers.utils import logging as noise  # noqa: PLC0415

    logging: Any = noise  # its functions carry no types
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        return load()
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
