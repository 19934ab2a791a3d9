"""PSM in LlamaIndex: ``memory=PSMMemory()``. Importing this loads no LlamaIndex."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psm_llamaindex.block import PSMMemoryBlock
    from psm_llamaindex.memory import PSMMemory

__all__ = ["PSMMemory", "PSMMemoryBlock"]

_LATER = {"PSMMemory": "memory", "PSMMemoryBlock": "block"}
"""What brings LlamaIndex with it, and the module it stands in."""


def __getattr__(name: str) -> Any:
    """Both classes bring LlamaIndex with them, so they are loaded when asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    except ImportError as fault:
        missing = fault.name or ""
        if not missing.startswith(("llama_index", "pydantic", "aiosqlite")):
            raise
        from psm_core.errors import MissingExtraError  # noqa: PLC0415 - see above

        raise MissingExtraError(
            f"{name} needs {missing}; pip install 'psm-memory[llamaindex]'"
        ) from None


def __dir__() -> list[str]:
    return sorted(__all__)
