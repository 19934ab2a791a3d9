"""Our own plugin: it registers what ships with the package, like anybody's would."""

from __future__ import annotations

from psm_core.hookspecs import Registry, hookimpl

SENTENCES = ("torch", "sentence_transformers")
"""What an encoder of sentences needs."""


@hookimpl
def psm_register(registry: Registry) -> None:
    """Offer the encoders, policies, abstractors and indexes that ship with PSM."""
    encoder = "psm_core.model.encoder:"
    registry.add("encoder", "psm-mini", f"{encoder}adapted", needs=SENTENCES)
    registry.add(
        "encoder", "all-MiniLM-L6-v2", f"{encoder}SentenceEncoder", needs=SENTENCES
    )
    registry.add("encoder", "hash", f"{encoder}HashEncoder")
    registry.add(
        "policy", "psm-mini", "psm_core.model.policy:PSMPolicy", needs=("torch",)
    )
    registry.add("policy", "rules", "psm_core.model.rules:RulePolicy")
    wordsmith = "psm_core.model.wordsmith:CausalLM"
    registry.add("abstractor", "causal-lm", wordsmith, needs=("torch", "transformers"))
    registry.add(
        "index", "chroma", "psm_core.store.index:ChromaIndex", needs=("chromadb",)
    )
