"""PSM in LangGraph: nodes and a store. Importing this loads no LangGraph."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psm_langgraph.graph import psm_graph
    from psm_langgraph.nodes import (
        PSMState,
        recall_node,
        remember_node,
        sleep_node,
        with_memories,
    )
    from psm_langgraph.store import PSMStore
    from psm_langgraph.translate import turn_id

__all__ = [
    "PSMState",
    "PSMStore",
    "psm_graph",
    "recall_node",
    "remember_node",
    "sleep_node",
    "turn_id",
    "with_memories",
]

_ELSEWHERE = {"PSMStore": "store", "psm_graph": "graph", "turn_id": "translate"}
"""Names that don't stand in `nodes`, and the module that they stand in."""


def __getattr__(name: str) -> Any:
    """All of it brings LangGraph with it, so it is loaded when asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(
            f"psm_langgraph.{_ELSEWHERE.get(name, 'nodes')}"
        )
    except ModuleNotFoundError as fault:
        missing = fault.name or ""
        if not missing.startswith(("langgraph", "langchain")):
            raise
        from psm_core.errors import MissingExtraError  # noqa: PLC0415 - see above

        raise MissingExtraError(
            f"{name} needs {missing}; pip install 'psm-memory[langgraph]'"
        ) from None
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
