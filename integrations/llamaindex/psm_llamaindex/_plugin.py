"""What the core is told of this integration; imports no LlamaIndex."""

from __future__ import annotations

from psm_core.hookspecs import Registry, hookimpl


@hookimpl
def psm_register(registry: Registry) -> None:
    """Offer `PSMMemory` under the name "llamaindex"."""
    registry.add(
        "integration",
        "llamaindex",
        "psm_llamaindex.memory:PSMMemory",
        extra="llamaindex",
    )
