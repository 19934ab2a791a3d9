"""`PSMRetriever`: memories as documents. It only translates."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, ensure_config
from langgraph.runtime import get_runtime
from pydantic import ConfigDict, Field, PrivateAttr

from psm_core.types import Hit, Recall
from psm_langchain.whose import Whose, named


class PSMRetriever(BaseRetriever):
    """What surfaces for a query, best first, as documents with all that is known.

    Who is asked about is the ``user_id`` of a graph's context, then that of the
    config's ``configurable``, then *user*.  Looking is no proof of use: a document
    changes no memory's strength, unless you report by its ``metadata["recall"]``.

    Raises:
        ConfigError: A setting is unknown or out of range.
        UserError: When it is invoked: nobody says whose memory it is about.

    Example:
        >>> import tempfile
        >>> from psm_core import Memory, Turn
        >>> with Memory("ada", home=tempfile.mkdtemp(), encoder="hash") as memory:
        ...     decision = memory.remember(Turn("I moved to Lyon last week."))
        ...     retriever = PSMRetriever(psm=memory, k=3)
        ...     [found.page_content for found in retriever.invoke("moved to Lyon?")]
        ['I moved to Lyon last week.']
    """

    model_config = ConfigDict(extra="forbid")

    psm: Any = Field(default=None, exclude=True, repr=False)
    """`psm_core.People`, or one person's open `Memory`; stays yours to close.  None
    opens people in *home*."""

    user: str | None = None
    """Whose memory it is where a run doesn't say."""

    home: str | Path | None = None
    """The folder with the people's folders; None means as the settings say."""

    k: int | None = Field(default=None, ge=1)
    """Most documents, at least 1; None means as the settings say.  ``invoke`` takes it
    too."""

    budget: int | None = Field(default=None, ge=0)
    """Most tokens of all documents together; None means no end."""

    deep: bool = False
    """Whether the archive is searched too."""

    _whose: Whose = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Open the people, if they aren't; copies share them."""
        self._whose = Whose(
            self.psm,
            user=self.user,
            home=self.home if self.psm is None else None,
            asks="PSMRetriever",
        )
        self.psm = self._whose.psm

    def invoke(
        self,
        input: str,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """What surfaces for *input*.

        Args:
            input: A question, or whatever the person just said.
            config: Of the run; may say whose memory it is about.
            kwargs: ``k``, for this time only.

        Raises:
            UserError: Nobody says whose memory it is about.
        """
        whose = named(_context(), ensure_config(config))
        return super().invoke(input, config, **kwargs, whose=whose)

    async def ainvoke(
        self,
        input: str,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """`invoke` in a worker thread; the loop goes on."""
        whose = named(_context(), ensure_config(config))
        return await super().ainvoke(input, config, **kwargs, whose=whose)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        whose: tuple[Any, ...] = (),
    ) -> list[Document]:
        memory = self._whose.memory(*whose)
        limit = k or self.k or memory.config.recall_limit
        found = memory.recall(query, limit=limit, budget=self.budget, deep=self.deep)
        return [_document(hit, found) for hit in found.hits]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        whose: tuple[Any, ...] = (),
    ) -> list[Document]:
        return await asyncio.to_thread(
            self._get_relevant_documents,
            query,
            run_manager=run_manager.get_sync(),
            k=k,
            whose=whose,
        )

    def close(self) -> None:
        """Let go of files and locks.  What was given as *psm* stays open."""
        self._whose.close()


def _context() -> Any:
    """What the graph around us was run with; None outside of one."""
    try:
        runtime: Any = get_runtime()
    except RuntimeError:
        return None
    # In a chain there is a run, but no graph.
    return getattr(runtime, "context", None)


def _document(hit: Hit, recall: Recall) -> Document:
    return Document(
        page_content=hit.text,
        id=hit.id,
        metadata={
            "id": hit.id,
            "score": hit.score,
            "strength": hit.strength,
            "speaker": hit.speaker,
            "said_at": hit.said_at.isoformat(),
            "valid_until": hit.valid_until.isoformat() if hit.valid_until else None,
            "tier": str(hit.tier),
            "kind": str(hit.kind),
            "session": hit.session,
            "sources": list(hit.sources),
            "pinned": hit.pinned,
            "explanation": hit.explanation,
            "recall": recall.id,
        },
    )
