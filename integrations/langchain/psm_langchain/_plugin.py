"""What the core is told of this integration; imports no LangChain."""

from __future__ import annotations

from psm_core.hookspecs import Registry, hookimpl

OFFERS = {
    "langchain": "psm_langchain.memory:PSMMemory",
    "langchain-agent": "psm_langchain.middleware:PSMMiddleware",
    "langchain-history": "psm_langchain.history:PSMChatMessageHistory",
    "langchain-retriever": "psm_langchain.retriever:PSMRetriever",
    "langchain-tools": "psm_langchain.tools:memory_tools",
}


@hookimpl
def psm_register(registry: Registry) -> None:
    """Offer `PSMMemory` under the name "langchain", and its sisters beside it."""
    for name, target in OFFERS.items():
        registry.add("integration", name, target, extra="langchain")
