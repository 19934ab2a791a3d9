"""PSM in LangChain: ``memory=PSMMemory()``. Importing this loads no LangChain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psm_langchain.memory import PSMMemory

__all__ = ["PSMMemory"]


def __getattr__(name: str) -> Any:
    """`PSMMemory` brings LangChain with it, so it is loaded when asked for."""
    if name != "PSMMemory":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from psm_langchain.memory import PSMMemory  # noqa: PLC0415 - see above
    except ImportError as fault:
        missing = fault.name or ""
        if not missing.startswith(("langchain", "pydantic")):
            raise
        from psm_core.errors import MissingExtraError  # noqa: PLC0415

        raise MissingExtraError(
            f"PSMMemory needs {missing}; pip install 'psm-memory[langchain]'"
        ) from None
    return PSMMemory


def __dir__() -> list[str]:
    return sorted(__all__)
