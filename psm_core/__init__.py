"""PSM: memory as a learned skill. One small model for all, one store for each.

Importing this loads nothing heavy; the parts are loaded when they are first used.
"""

from __future__ import annotations

import importlib
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
    from psm_core.people import People
    from psm_core.sleep import Sleeper

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
    "People",
    "Recall",
    "SleepReport",
    "Sleeper",
    "Tier",
    "Turn",
    "hookimpl",
]


_LATER = {"Memory": "memory", "People": "people", "Sleeper": "sleep"}
"""What brings numpy and SQLAlchemy with it, and the module it stands in."""


def __getattr__(name: str) -> Any:
    """What is heavy is loaded when it is asked for."""
    if name in _LATER:
        return getattr(importlib.import_module(f"psm_core.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
