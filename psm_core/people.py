"""The memories of many people in one home: one encoder and one policy for all."""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import TracebackType
from typing import Any

from psm_core.config import Config
from psm_core.memory import Memory

_PARTS = ("encoder", "policy", "abstractor", "clock", "count_tokens", "plugins")
"""Options of `Memory` that are no settings, unless they are given by name."""


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
        self.config = config or Config.load(**options)
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
