"""PSM in LangChain: agents, chains, retriever, tools, history. Loads no LangChain."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psm_langchain.history import PSMChatMessageHistory
    from psm_langchain.memory import PSMMemory
    from psm_langchain.middleware import PSMMiddleware
    from psm_langchain.retriever import PSMRetriever
    from psm_langchain.tools import memory_tools

__all__ = [
    "PSMChatMessageHistory",
    "PSMMemory",
    "PSMMiddleware",
    "PSMRetriever",
    "memory_tools",
]

_WHERE = {
    "PSMChatMessageHistory": "history",
    "PSMMemory": "memory",
    "PSMMiddleware": "middleware",
    "PSMRetriever": "retriever",
    "memory_tools": "tools",
}
"""In which module each name stands."""


def __getattr__(name: str) -> Any:
    """Each name brings LangChain with it, so it is loaded when asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"psm_langchain.{_WHERE[name]}"), name)
    except ImportError as fault:
        missing = fault.name or ""
        if not missing.startswith(("langchain", "langgraph", "pydantic")):
            raise
        from psm_core.errors import MissingExtraError  # noqa: PLC0415 - see above

        raise MissingExtraError(
            f"{name} needs {missing}; pip install 'psm-memory[langchain]'"
        ) from None


def __dir__() -> list[str]:
    return sorted(__all__)
