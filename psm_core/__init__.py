"""PSM: memory as a learned skill. One small model for all, one store for each.

Importing this loads nothing heavy; the parts are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psm_core.config import Config
from psm_core.errors import PSMError
from psm_core.hookspecs import hookimpl
from psm_core.types import (
    Action,
    Conflict,
    Entry,
    Erasure,
    Feedback,
    GateDecision,
    Hit,
    Kind,
    Recall,
    SleepReport,
    Tier,
    Turn,
)

if TYPE_CHECKING:
    from psm_core.memory import Memory

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Config",
    "Conflict",
    "Entry",
    "Erasure",
    "Feedback",
    "GateDecision",
    "Hit",
    "Kind",
    "Memory",
    "PSMError",
    "Recall",
    "SleepReport",
    "Tier",
    "Turn",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    """`Memory` brings numpy and SQLAlchemy with it, so it is loaded when asked for."""
    if name == "Memory":
        from psm_core.memory import Memory  # noqa: PLC0415 - see above

        return Memory
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
