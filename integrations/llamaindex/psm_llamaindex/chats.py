"""A person's part of a chat store: two people's sessions of one name stay apart."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

from llama_index.core.async_utils import asyncio_run
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore
from llama_index.core.storage.chat_store.sql import (
    DEFAULT_ASYNC_DATABASE_URI,
    SQLAlchemyChatStore,
)
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

T = TypeVar("T")


def awaited(coroutine: Coroutine[Any, Any, T]) -> T:
    """What *coroutine* returns or raises, also where a loop runs already.

    LlamaIndex takes every RuntimeError for one of the loop's and says "Detected nested
    async", also where a store is closed or a disk is full; here such an error arrives.
    """

    async def outcome() -> tuple[T, None] | tuple[None, RuntimeError]:
        try:
            return await coroutine, None
        except RuntimeError as fault:
            return None, fault

    result, fault = asyncio_run(outcome())
    if fault is not None:
        raise fault
    returned: T = result
    return returned


def made_store(
    table_name: str = "llama_index_memory", **made: Any
) -> tuple[SQLAlchemyChatStore, AsyncEngine | None]:
    """The chat store that ``Memory.from_defaults`` makes, and what is to be closed.

    Args:
        table_name: Where its messages are.
        made: What else LlamaIndex's store takes.
    """
    if "async_engine" in made:
        return SQLAlchemyChatStore(table_name, **made), None
    # Made here, so that it can be closed here; LlamaIndex would leave it open.
    uri = made.setdefault("async_database_uri", DEFAULT_ASYNC_DATABASE_URI)
    engine = create_async_engine(uri)
    return SQLAlchemyChatStore(table_name, async_engine=engine, **made), engine


class PersonsChats(AsyncDBChatStore):
    """The chats of one person, in a store that may hold everybody's.

    It keeps the messages of *user* under ``<user>/<session>``, and sees no others.
    """

    store: Any = Field(exclude=True)
    """Where the messages are: any ``AsyncDBChatStore``."""

    user: str
    """Whose chats these are."""

    def _key(self, session: str) -> str:
        return f"{quote(self.user, safe='@')}/{session}"

    async def get_messages(
        self, key: str, *args: Any, **kwargs: Any
    ) -> list[ChatMessage]:
        """The messages of a session."""
        found: list[ChatMessage] = await self.store.get_messages(
            self._key(key), *args, **kwargs
        )
        return found

    async def count_messages(self, key: str, *args: Any, **kwargs: Any) -> int:
        """How many messages a session has."""
        return int(await self.store.count_messages(self._key(key), *args, **kwargs))

    async def add_message(self, key: str, *args: Any, **kwargs: Any) -> None:
        """Add a message to a session."""
        await self.store.add_message(self._key(key), *args, **kwargs)

    async def add_messages(self, key: str, *args: Any, **kwargs: Any) -> None:
        """Add messages to a session."""
        await self.store.add_messages(self._key(key), *args, **kwargs)

    async def set_messages(self, key: str, *args: Any, **kwargs: Any) -> None:
        """Replace the messages of a session."""
        await self.store.set_messages(self._key(key), *args, **kwargs)

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Delete one message of a session."""
        gone: ChatMessage | None = await self.store.delete_message(self._key(key), idx)
        return gone

    async def delete_messages(self, key: str, *args: Any, **kwargs: Any) -> None:
        """Delete the messages of a session."""
        await self.store.delete_messages(self._key(key), *args, **kwargs)

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Delete the oldest *n* messages of a session."""
        return list(await self.store.delete_oldest_messages(self._key(key), n))

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Archive the oldest *n* messages of a session."""
        return list(await self.store.archive_oldest_messages(self._key(key), n))

    async def get_keys(self) -> list[str]:
        """The person's sessions."""
        own = self._key("")
        return [
            key.removeprefix(own)
            for key in await self.store.get_keys()
            if key.startswith(own)
        ]

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it."""
        return "PersonsChats"
