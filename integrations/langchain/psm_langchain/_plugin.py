"""What the core is told of this integration; imports no LangChain."""

from __future__ import annotations

from psm_core.hookspecs import Registry, hookimpl


@hookimpl
def psm_register(registry: Registry) -> None:
    """Offer `PSMMemory` under the name "langchain"."""
    registry.add(
        "integration", "langchain", "psm_langchain.memory:PSMMemory", extra="langchain"
    )
