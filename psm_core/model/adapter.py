"""An adapter: what an encoder learned from lives, small enough to ship beside it.

For each linear layer that it changes, the file holds two thin matrices A and B in
half precision.  They are added to the loaded weights once, W + alpha / rank · B · A;
from then on the adapted encoder costs what the plain one costs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psm_core.errors import WeightsError
from psm_core.model import lookup

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Factors = Mapping[str, tuple[NDArray[np.float16], NDArray[np.float16]]]
    """By the layer's name: A (rank, inputs) and B (outputs, rank)."""

SUFFIX = ".adapter.safetensors"
"""What the name of an adapter's file ends in; before it stands the adapter's name."""

FORMAT = 1
"""Of the file; a newer one isn't read."""

MINI = Path(__file__).parent / f"weights/psm-mini{SUFFIX}"
"""The adapter that ships with the package, for `lookup.MINILM`."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """What was learned, and on which encoder.

    Args:
        base: The encoder's name.
        digest: The sha256 of the encoder's weights, in hexadecimal.
        rank: Rows of each A and columns of each B.
        alpha: B · A counts ``alpha / rank`` times; no unit.
        factors: A and B of each layer, by its name in the transformers model.

    Source:
        LoRA: Hu et al. (2021).
    """

    base: str
    digest: str
    rank: int
    alpha: float
    factors: Factors

    def write(self, path: Path) -> None:
        """Write the adapter to *path*, which ends in `SUFFIX`; its folder is made."""
        from safetensors.numpy import save_file  # noqa: PLC0415 - takes a while

        about = {
            "format": FORMAT,
            "base": self.base,
            "digest": self.digest,
            "rank": self.rank,
            "alpha": self.alpha,
        }
        tensors = {}
        for layer, (a, b) in self.factors.items():
            tensors[f"{layer}.A"] = np.ascontiguousarray(a, np.float16)
            tensors[f"{layer}.B"] = np.ascontiguousarray(b, np.float16)
        path.parent.mkdir(parents=True, exist_ok=True)
        # One value under one key: the order of several isn't kept from run to run.
        save_file(tensors, path, {"psm": json.dumps(about, sort_keys=True)})

    @classmethod
    def read(cls, path: Path) -> Adapter:
        """The adapter in *path*.

        Raises:
            WeightsError: The file is missing, broken, or of a newer format.
        """
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415

        try:
            with safe_open(path, framework="numpy") as opened:
                about = json.loads(opened.metadata()["psm"])
                tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            if about.pop("format") != FORMAT:
                raise WeightsError(
                    f"the adapter {path} isn't of the format {FORMAT} that this "
                    "release reads; install the release that it came with"
                )
            layers = sorted(
                {key.removesuffix(".A").removesuffix(".B") for key in tensors}
            )
            factors = {k: (tensors[f"{k}.A"], tensors[f"{k}.B"]) for k in layers}
            return cls(**about, factors=factors)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as fault:
            raise WeightsError(
                f"the adapter {path} can't be read ({type(fault).__name__}: {fault}); "
                "install the package anew, or train one with psm train"
            ) from fault

    def merge(self, network: Any, digest: str) -> None:
        """Add what was learned to the weights of *network*; do it once.

        Args:
            network: A loaded transformers model.
            digest: The sha256 of its weights, in hexadecimal.

        Raises:
            WeightsError: It is another model than the adapter was trained on; then
                no weight has changed.
        """
        import torch  # noqa: PLC0415 - takes seconds

        if digest != self.digest:
            raise WeightsError(
                f"the adapter was trained on {self.base} (weights {self.digest[:8]}), "
                f"and these weights are {digest[:8]}; take that encoder, or unset "
                "PSM_ENCODER_PATH"
            )
        weights = {layer: self._weight(network, layer) for layer in self.factors}
        with torch.no_grad():
            for layer, (a, b) in self.factors.items():
                learned = torch.from_numpy(b).float() @ torch.from_numpy(a).float()
                weight = weights[layer]
                weight += (learned * (self.alpha / self.rank)).to(weight)

    def _weight(self, network: Any, layer: str) -> Any:
        try:
            weight = network.get_submodule(layer).weight
        except AttributeError as fault:
            raise WeightsError(
                f"the adapter changes {layer}, and the model has no such layer"
            ) from fault
        a, b = self.factors[layer]
        if (b.shape[0], a.shape[1]) != tuple(weight.shape) or a.shape[0] != b.shape[1]:
            raise WeightsError(
                f"the adapter's {layer} is {b.shape} by {a.shape}, and the model's "
                f"weight is {tuple(weight.shape)}"
            )
        return weight


def name_of(path: Path) -> str:
    """The name of an encoder with this adapter: the file's name and its digest.

    Raises:
        WeightsError: The file is missing.
    """
    try:
        return f"{path.name.removesuffix(SUFFIX)}-{lookup.sha256(path)[:8]}"
    except OSError as fault:
        raise WeightsError(f"the adapter {path} can't be read: {fault}") from fault
