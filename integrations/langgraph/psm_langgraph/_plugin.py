"""What the core is told of this integration; imports no LangGraph."""

from __future__ import annotations

from psm_core.hookspecs import Registry, hookimpl


@hookimpl
def psm_register(registry: Registry) -> None:
    """Offer `psm_graph` under the name "langgraph"."""
    registry.add(
        "integration", "langgraph", "psm_langgraph.graph:psm_graph", extra="langgraph"
    )
