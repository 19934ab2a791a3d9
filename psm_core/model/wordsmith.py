"""A causal language model from a folder that words facts.  Loads torch late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psm_core.errors import WeightsError
from psm_core.types import Pattern

PROMPT = (
    "Notes:\n{said}\n\nOne sentence in the third person that says the same as "
    '"{text}", in words of the notes only:\n'
)
"""What the model is asked to go on with."""

TOKENS = 48
"""Most tokens of one wording."""


class CausalLM:
    """Words facts with a causal language model that lies in a folder.

    Nothing is fetched.  It is asked once for each fact of a sleep, greedily, so that
    slept twice, it says the same; whatever it adds to what was said is thrown away by
    whoever asks.  A model of less than about 1 B parameters mostly invents: the
    rules' span stays then, and the model was only slow.

    Args:
        folder: With the model and its tokenizer, as Transformers saves them.

    Raises:
        WeightsError: There is no such model in it.
    """

    def __init__(self, folder: str | Path) -> None:
        from transformers import (  # noqa: PLC0415 - loads torch
            AutoModelForCausalLM,
            AutoTokenizer,
        )

        path = Path(folder).expanduser()
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                path, local_files_only=True
            )
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                path, local_files_only=True
            )
            self._model.requires_grad_(requires_grad=False)
        except (OSError, ValueError, KeyError) as fault:
            raise WeightsError(
                f"{path} holds no causal language model that can be loaded "
                f"({type(fault).__name__}); name a folder that save_pretrained wrote, "
                "or leave abstractor empty"
            ) from fault

    def word(self, pattern: Pattern, said: Sequence[str]) -> str:
        """The first line that the model says; it may be anything."""
        import torch  # noqa: PLC0415 - see above

        notes = "\n".join(f"- {text}" for text in said)
        prompt = PROMPT.format(said=notes, text=pattern.text)
        asked = self._tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            told = self._model.generate(
                **asked,
                max_new_tokens=TOKENS,
                do_sample=False,
                pad_token_id=self._tokenizer.eos_token_id,
            )
        new = told[0, asked["input_ids"].shape[1] :]
        text: str = self._tokenizer.decode(new, skip_special_tokens=True)
        return text.strip().splitlines()[0].strip(' "') if text.strip() else ""
