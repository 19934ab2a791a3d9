"""The memories of many people in one home: one encoder and one policy for all."""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import TracebackType
from typing import Any

from psm_core.config import Config
from psm_core.errors import PluginError
from psm_core.hookspecs import hookimpl
from psm_core.memory import Memory
from psm_core.plugins import Plugins
from psm_core.types import Conflict, GateDecision, Recall, SleepReport

_PARTS = ("encoder", "policy", "abstractor", "clock", "count_tokens", "plugins")
"""Options of `Memory` that are no settings, unless they are given by name."""

_DECIDING = ("psm_register", "psm_redact", "psm_gate")
"""Hooks of a plugin that has to be there when a memory is opened."""


class _Listeners:
    """One plugin of every memory; it tells those who came after it was opened."""

    def __init__(self) -> None:
        self._listening: tuple[object, ...] = ()
        self._plugins = Plugins(autoload=False)

    def now(self) -> tuple[object, ...]:
        return self._listening

    def become(self, listening: tuple[object, ...]) -> None:
        # Whoever is being told just now has the old ones in hand.
        self._plugins = Plugins(listening, autoload=False)
        self._listening = listening

    @hookimpl
    def psm_remembered(self, user: str, decision: GateDecision) -> None:
        self._plugins.notify("psm_remembered", user=user, decision=decision)

    @hookimpl
    def psm_recalled(self, user: str, recall: Recall) -> None:
        self._plugins.notify("psm_recalled", user=user, recall=recall)

    @hookimpl
    def psm_slept(self, user: str, report: SleepReport) -> None:
        self._plugins.notify("psm_slept", user=user, report=report)

    @hookimpl
    def psm_conflict(self, user: str, conflict: Conflict) -> None:
        self._plugins.notify("psm_conflict", user=user, conflict=conflict)

    @hookimpl
    def psm_corrected(self, user: str, memory_id: str) -> None:
        self._plugins.notify("psm_corrected", user=user, memory_id=memory_id)

    @hookimpl
    def psm_forgot(self, user: str, memory_id: str) -> None:
        self._plugins.notify("psm_forgot", user=user, memory_id=memory_id)


class People:
    """Opens people's memories, each once, with weights that are loaded once.

    For whoever serves many people from one process: an agent's middleware, a graph's
    nodes, the worker that sleeps.  Any thread may ask.

    Args:
        options: As `Memory` takes them, without the user.

    Raises:
        ConfigError: A setting is unknown or out of range.

    >>> import tempfile
    >>> with People(home=tempfile.mkdtemp(), encoder="hash") as people:
    ...     people.memory("ada") is people.memory("ada")
    True
    """

    def __init__(self, **options: Any) -> None:
        given = {
            name: options.pop(name)
            for name in _PARTS
            if not isinstance(options.get(name), str | None)
        }
        config: Config | None = options.pop("config", None)
        self.config = config.but(**options) if config else Config.load(**options)
        self._listeners = _Listeners()
        given["plugins"] = (*given.get("plugins", ()), self._listeners)
        self._parts: dict[str, Any] = given
        self._open: OrderedDict[str, Memory] = OrderedDict()
        self._lock = threading.Lock()

    def memory(self, user: str) -> Memory:
        """The memory of *user*, open; it stays this object's to close.

        Raises:
            UserError: *user* can't name a person.
            StoreError: The folder can't be read or written.
        """
        with self._lock:
            memory = self._open.get(user)
            if memory is None or memory.closed:
                memory = Memory(user, config=self.config, **self._parts)
                # What the first one loaded serves everybody after.
                self._parts |= {"encoder": memory.encoder, "policy": memory.policy}
            self._open[user] = memory
            self._open.move_to_end(user)
            while len(self._open) > self.config.open_people:
                # Somebody may be using it, so it is let go of and not closed; its
                # folder is closed by the pool, when nobody does.
                self._open.popitem(last=False)
        return memory

    def listen(self, plugin: object) -> None:
        """Tell *plugin* what happens in these memories from now on, open ones too.

        Listening twice is listening once.

        Args:
            plugin: An object with hooks that observe, as `Sleeper`.

        Raises:
            PluginError: It offers or decides something, or a hook of it is unknown.
        """
        deciding = [name for name in _DECIDING if hasattr(plugin, name)]
        if deciding:
            raise PluginError(
                f"a plugin with {' and '.join(deciding)} can't come to memories that "
                "are open; give it when they are made: People(plugins=[...])"
            )
        with self._lock:
            known = self._listeners.now()
            if not any(one is plugin for one in known):
                self._listeners.become((*known, plugin))

    def unlisten(self, plugin: object) -> None:
        """Tell *plugin* no more; one that doesn't listen is left as it is."""
        with self._lock:
            known = self._listeners.now()
            self._listeners.become(tuple(one for one in known if one is not plugin))

    def close(self) -> None:
        """Let go of everybody's files and locks."""
        with self._lock:
            for memory in self._open.values():
                memory.close()
            self._open.clear()

    def __enter__(self) -> People:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
