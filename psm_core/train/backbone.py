"""Any model as an encoder that can learn: from 22 million parameters to billions.

A sentence-transformers folder pools as it says itself.  Any other Hugging Face
folder, a causal language model's too, and a GGUF file give the mean of their last
hidden states.  What they learn is one `Adapter` file, whatever their size.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from psm_core.errors import EncoderError, MissingExtraError
from psm_core.model import lookup
from psm_core.model.adapter import Adapter, name_of
from psm_core.model.encoder import CHARS_MAX, TOKENS_MAX

if TYPE_CHECKING:
    from psm_core.content import Matrix
    from psm_core.model.adapter import Factors

BATCH = 64
"""Texts that go through the network at once."""

SMALL = 200_000_000
"""Parameters up to which a network is small enough to compute in full precision."""

Rows = Callable[[list[str]], Tensor]
"""B texts -> (B, D), of any length, on the network's device."""


class Backbone:
    """An encoder whose network is at hand, so that it can be taught.

    Making one is cheap; the weights are loaded when they are first needed, in
    float32; a large one in bfloat16 where a CUDA device has it.

    Args:
        path: A folder with a sentence-transformers or Hugging Face model, or a GGUF
            file.
        adapter: A file of what it learned before, if any.
        device: Where torch computes; a CUDA device if there is one, else the CPU.

    Raises:
        EncoderError: There is nothing at *path*.
    """

    def __init__(
        self, path: Path, *, adapter: Path | None = None, device: str | None = None
    ) -> None:
        if not path.exists():
            raise EncoderError(f"no backbone at {path}; name a folder or a GGUF file")
        self.path = path.resolve()
        self._adapter = adapter
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def base(self) -> str:
        """The name without an adapter: of the file or folder, and the digest."""
        if self.digest == lookup.MINILM_SHA256:
            return lookup.MINILM
        return f"{self.path.name.removesuffix('.gguf')}-{self.digest[:8]}"

    @property
    def name(self) -> str:
        """Which weights these are; with an adapter, the adapter's name and digest."""
        return name_of(self._adapter) if self._adapter else self.base

    @property
    def digest(self) -> str:
        """The sha256 of the weights without the adapter, in hexadecimal."""
        if self.path.is_file():
            return lookup.sha256(self.path)
        return lookup.fingerprint(self.path)

    @property
    def width(self) -> int:
        """D, the numbers in one vector; a GGUF file is loaded to know it."""
        if self.path.is_file():
            config: Any = self.network.config
            return int(config.hidden_size)
        return lookup.width_of(self.path)

    @property
    def network(self) -> nn.Module:
        """The transformers model, adapter merged, in the mode for answering."""
        return self._opened[0]

    def encode(self, texts: Sequence[str]) -> Matrix:
        """One row for each text: (N, D) float32, each of length 1."""
        if not texts:
            return np.zeros((0, self.width), np.float32)
        with torch.inference_mode():
            found: Matrix = self.vectors(texts).cpu().numpy()
        return found

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """The same as a tensor, through which gradients run: (N, D) float32."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found = [
            self._unit([texts[i] for i in order[start : start + BATCH]])
            for start in range(0, len(order), BATCH)
        ]
        back = torch.tensor(order).argsort().to(found[0].device)
        return torch.cat(found)[back]

    def _unit(self, texts: list[str]) -> Tensor:
        kind = self._device.split(":")[0]
        half = next(self.network.parameters()).dtype is torch.bfloat16
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            rows = self._opened[1]([text[:CHARS_MAX] for text in texts])
        return nn.functional.normalize(rows.float(), dim=1)

    @functools.cached_property
    @torch.inference_mode(mode=False)  # weights first loaded to answer can learn too
    def _opened(self) -> tuple[nn.Module, Rows]:
        own = (self.path / "modules.json").is_file()
        try:
            network, rows = (_sentences if own else _pooled)(self.path, self._device)
        except (OSError, ValueError, RuntimeError, KeyError, ImportError) as fault:
            raise EncoderError(
                f"the model in {self.path} can't be loaded: {fault}"
            ) from fault
        network.eval()
        size = sum(parameter.numel() for parameter in network.parameters())
        cuda = self._device.startswith("cuda")
        if size > SMALL and cuda and torch.cuda.is_bf16_supported():
            network.to(torch.bfloat16)
        if self._adapter:
            Adapter.read(self._adapter).merge(network, self.digest)
        return network, rows


def _sentences(folder: Path, device: str) -> tuple[nn.Module, Rows]:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    model: Any = SentenceTransformer(str(folder), device=device, local_files_only=True)
    model.max_seq_length = min(model.max_seq_length or TOKENS_MAX, TOKENS_MAX)
    tokenize = getattr(model, "preprocess", None) or model.tokenize

    def rows(texts: list[str]) -> Tensor:
        tokens = tokenize(texts)
        moved = {k: v.to(device) for k, v in tokens.items() if hasattr(v, "to")}
        found: Tensor = model(moved)["sentence_embedding"]
        return found

    return model[0].auto_model, rows


def _pooled(path: Path, device: str) -> tuple[nn.Module, Rows]:
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    folder = str(path.parent if path.is_file() else path)
    told: dict[str, Any] = {"local_files_only": True}
    if path.is_file():
        told["gguf_file"] = path.name
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, **told)
    network: Any = AutoModel.from_pretrained(folder, **told).to(device)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"

    def rows(texts: list[str]) -> Tensor:
        # A text without a token, like "", would be a mean over nothing.
        texts = [text if text.strip() else "?" for text in texts]
        tokens = tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=TOKENS_MAX,
            return_tensors="pt",
        ).to(device)
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        states = network(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(states.dtype)  # (B, L, 1)
        found: Tensor = (states * weight).sum(1) / weight.sum(1)  # (B, L, D) -> (B, D)
        return found

    return network, rows


def linear_layers(network: nn.Module, share: float) -> list[str]:
    """The names of the linear layers in the upper blocks of *network*, bottom first.

    They are found by type, so that no architecture needs to be known.

    Args:
        network: A transformers model.
        share: Which share of the blocks counts as upper, in (0, 1].

    Raises:
        EncoderError: It has no blocks of linear layers.
    """
    stacks = [
        (sum(p.numel() for p in module.parameters()), name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList)
    ]
    _, stack, blocks = max(stacks, default=(0, "", nn.ModuleList()))
    upper = max(1, round(share * len(blocks)))
    found = [
        f"{stack}.{n}.{name}"
        for n, block in list(enumerate(blocks))[-upper:]
        for name, module in block.named_modules()
        if isinstance(module, nn.Linear)
    ]
    if not found:
        raise EncoderError(
            f"{type(network).__name__} has no blocks of linear layers to teach"
        )
    return found


def insert(network: nn.Module, rank: int, alpha: int, share: float) -> None:
    """Put thin matrices that learn beside the linear layers of the upper blocks.

    Nothing else learns from then on, and until something is learned they add 0.

    Args:
        network: A transformers model.
        rank: Rows of each A and columns of each B.
        alpha: What they add counts ``alpha / rank`` times; no unit.
        share: Which share of the blocks counts as upper, in (0, 1].

    Raises:
        MissingExtraError: peft isn't installed.
        EncoderError: The model has no blocks of linear layers.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415
    except ImportError as fault:
        raise MissingExtraError(
            "training an adapter needs peft; pip install 'psm-memory[train]'"
        ) from fault
    names = "|".join(map(re.escape, linear_layers(network, share)))
    # As a pattern: in a list, a name would also match the end of a longer one.
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=f"(?:{names})")
    network.requires_grad_(requires_grad=False)
    inject_adapter_in_model(config, network)
    for parameter in network.parameters():
        if parameter.requires_grad:
            # Small steps vanish in bfloat16.
            parameter.data = parameter.data.float()


def rounded(network: nn.Module) -> Factors:
    """What was learned, by layer, in half precision; the network is rounded to it."""
    found = {}
    for name, layer in _inserted(network).items():
        pair = (layer.lora_A["default"].weight, layer.lora_B["default"].weight)
        for weight in pair:
            weight.data = weight.data.half().float()
        a, b = (weight.detach().cpu().numpy().astype(np.float16) for weight in pair)
        found[name] = (a, b)
    return found


def take_out(network: nn.Module) -> None:
    """Leave the network as it was before `insert`."""
    for name, layer in _inserted(network).items():
        parent, _, last = name.rpartition(".")
        setattr(network.get_submodule(parent), last, layer.base_layer)
    del network.peft_config


def _inserted(network: nn.Module) -> dict[str, Any]:
    return {n: m for n, m in network.named_modules() if hasattr(m, "lora_A")}
