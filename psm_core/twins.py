"""Two doors to one body: the async twin of a sync method."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def in_thread(act: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """The async twin of a sync method: the same call, made in a worker thread."""

    @functools.wraps(act)
    async def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(act, *args, **kwargs)

    twin.__name__ = f"a{act.__name__}"
    twin.__qualname__ = f"Memory.a{act.__name__}"
    return twin
