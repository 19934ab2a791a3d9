"""Every seam on one page: what a plugin may add, decide or watch.

A plugin is any object with functions of these names, marked with `hookimpl` and
offered under the entry-point group ``psm``.  Hooks are called outside of locks and
transactions, and arguments are keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pluggy

from psm_core.types import (
    Conflict,
    GateDecision,
    Recall,
    SleepReport,
    Turn,
)

PROJECT = "psm"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Registry(Protocol):
    """Where a plugin says what it offers."""

    def add(
        self,
        kind: str,
        name: str,
        target: str | Callable[..., Any],
        *,
        extra: str = "",
        needs: Sequence[str] = (),
    ) -> None:
        """Offer *target* (an object, or "module:attribute", imported on use).

        Args:
            kind: One of encoder, policy, abstractor, index, integration.
            name: What users write in their settings.
            target: Called with the options of its kind to make the part.
            extra: Which extra of the plugin's distribution brings what it needs, if
                any does; of psm-memory, where the plugin was passed by hand.
            needs: Modules that it imports on use, so that `psm plugins` can say what
                is missing; () leaves that to what the extra stands for.

        Raises:
            PluginError: The kind is unknown or the name is taken.
        """
        ...


# ------------------------------------------------------------------- offering


@hookspec(historic=True)
def psm_register(registry: Registry) -> None:
    """Offer encoders, policies, abstractors, indexes or integrations; called once.

    A plugin that is registered later is called then.
    """


# ------------------------------------------------------------------- deciding


@hookspec
def psm_redact(text: str, user: str) -> str | None:
    """Change what was said before anything sees or stores it.

    Each plugin is given what the one before it returned; None leaves it as it is.
    One that raises fails closed: the turn isn't stored, and the caller is told.
    """


@hookspec(firstresult=True)
def psm_gate(turn: Turn, user: str) -> bool | None:
    """Decide before the policy: True keeps, False archives, None lets it decide."""


# ------------------------------------------------------------------- watching


@hookspec
def psm_remembered(user: str, decision: GateDecision) -> None:
    """Observe a gate decision.  What it raises is logged, and changes nothing."""


@hookspec
def psm_recalled(user: str, recall: Recall) -> None:
    """Observe a recall.  What it raises is logged, and changes nothing."""


@hookspec
def psm_slept(user: str, report: SleepReport) -> None:
    """Observe a finished sleep.  What it raises is logged, and changes nothing."""


@hookspec
def psm_conflict(user: str, conflict: Conflict) -> None:
    """Observe a flagged conflict.  What it raises is logged, and changes nothing."""


@hookspec
def psm_corrected(user: str, memory_id: str) -> None:
    """Observe a correction.  What it raises is logged, and changes nothing."""


@hookspec
def psm_forgot(user: str, memory_id: str) -> None:
    """Observe a memory being forgotten.  What it raises is logged, no more."""
