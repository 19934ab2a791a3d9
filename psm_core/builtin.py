"""Our own plugin: it registers what ships with the package, like anybody's would."""

from __future__ import annotations

from psm_core.hookspecs import Registry, hookimpl


@hookimpl
def psm_register(registry: Registry) -> None:
    """Offer the encoders, policies and abstractors that ship with the package."""
    encoder = "psm_core.model.encoder:"
    registry.add("encoder", "psm-mini", f"{encoder}adapted")
    registry.add("encoder", "all-MiniLM-L6-v2", f"{encoder}SentenceEncoder")
    registry.add("encoder", "hash", f"{encoder}HashEncoder")
    registry.add("policy", "psm-mini", "psm_core.model.policy:PSMPolicy")
    registry.add("abstractor", "causal-lm", "psm_core.model.wordsmith:CausalLM")
    registry.add("policy", "rules", "psm_core.model.rules:RulePolicy")
