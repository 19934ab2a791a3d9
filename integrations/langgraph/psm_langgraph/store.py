"""`PSMStore`: people's memories behind LangGraph's ``store=``. It only translates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
)

from psm_core.clock import SystemClock
from psm_core.errors import ConfigError
from psm_core.people import People
from psm_core.protocols import Clock
from psm_core.store.folder import proper
from psm_core.store.home import Home
from psm_langgraph.namespaces import WHOLE, Owners
from psm_langgraph.shelf import Reading, Shelf

TEMPLATE = ("memories", "{user_id}")
"""How namespaces begin unless somebody says otherwise: as langmem's examples do."""


class PSMStore(BaseStore):
    """Keeps what a program puts under a key, and finds it by meaning and by its words.

    Goes wherever ``InMemoryStore`` goes: behind ``store=`` of a graph or an agent, and
    behind langmem's tools.  Each namespace belongs to one person, and lives in their
    memory: what is put there surfaces in their conversations too, fades, is forgotten
    when it is deleted, and erased with them.

    Args:
        people: Who opens the memories; stays yours to close.
        namespace: How namespaces begin: labels as they are, "*" for any label, and
            one in braces for the user id.  What follows is up to you.
        shared: Who owns namespaces that begin otherwise; None means that they are
            refused, so that nothing is shared by accident.
        user_of: From a label to a user id, where a label can't be one: LangGraph
            allows no "." in it.
        index: ``{"fields": [...]}`` with the paths of what is found by meaning; all of
            a value by default.  False means that nothing is, unless a put says so.
        ttl: ``default_ttl`` in minutes, and whether ``refresh_on_read``.
        clock: Where the present comes from; the machine's clock by default.

    Raises:
        ConfigError: *namespace* names no person, or *index* brings an embedding.

    Example:
        >>> import tempfile
        >>> from psm_core import People
        >>> people = People(home=tempfile.mkdtemp(), encoder="hash")
        >>> store = PSMStore(people)
        >>> store.put(("memories", "ada"), "1", {"content": "Ada lives in Lyon"})
        >>> store.search(("memories", "ada"), query="living in Lyon")[0].key
        '1'
    """

    supports_ttl = True

    def __init__(
        self,
        people: People,
        *,
        namespace: Sequence[str] = TEMPLATE,
        shared: str | None = None,
        user_of: Callable[[str], str] = str,
        index: Mapping[str, Any] | bool | None = None,
        ttl: TTLConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.ttl_config = ttl
        self._people = people
        self._owners = Owners(namespace, shared, user_of)
        self._paths = _paths(index)
        self._clock = clock or SystemClock()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do many things at once; reads see what was there before the batch.

        All that it writes for one person is written, or nothing is.

        Raises:
            UserError: A namespace names no person; nothing is done then.
            TypeError: An operation is of no known kind, or a value is no JSON.
            StoreError: The person's folder can't be read or written.
        """
        asked = [*ops]
        owned: dict[str, list[int]] = {}
        for n, op in enumerate(asked):
            owned.setdefault(proper(self._owners.owner(_place(op))), []).append(n)
        results: list[Result] = [None] * len(asked)
        for user, numbers in owned.items():
            reads: dict[int, Reading] = {}
            puts: dict[tuple[tuple[str, ...], str], PutOp] = {}
            for n in numbers:
                op = asked[n]
                if isinstance(op, PutOp):
                    puts[tuple(op.namespace), op.key] = op
                else:
                    reads[n] = op
            served = self._shelf(user).serve(reads, puts.values(), self._clock.now())
            for n, found in served.items():
                results[n] = found
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch` in a worker thread; the loop goes on."""
        return await asyncio.to_thread(self.batch, [*ops])

    def sweep_ttl(self) -> int:
        """Forget what has expired, of all people; how many values there were.

        A person's own are swept whenever they are asked for, too.
        """
        now, config = self._clock.now(), self._people.config
        users = Home(config, "", 0).people()
        return sum(self._shelf(user).sweep(now) for user in users)

    def _shelf(self, user: str) -> Shelf:
        return Shelf(self._people, user, self._paths)


# --------------------------------------------------------------------------- pieces


def _paths(index: Mapping[str, Any] | bool | None) -> tuple[str, ...]:
    if index is False:
        return ()
    given = index if isinstance(index, Mapping) else {}
    strange = sorted(set(given) - {"fields"})
    if strange:
        raise ConfigError(
            f"the index of a PSMStore is given {', '.join(strange)}; the memory has an "
            'encoder of its own, so leave it at {"fields": [...]}'
        )
    return tuple(given.get("fields") or [WHOLE])


def _place(op: Op) -> Sequence[str]:
    """The namespace by which it is told whose memory an operation is about."""
    if isinstance(op, SearchOp):
        return op.namespace_prefix
    if isinstance(op, ListNamespacesOp):
        conditions = op.match_conditions or ()
        return next((c.path for c in conditions if c.match_type == "prefix"), ())
    if isinstance(op, (GetOp, PutOp)):
        return op.namespace
    raise TypeError(f"a store can't do {op!r}; it gets, puts, searches and lists")
