"""`psm_graph`: the nodes of memory, wired around one that asks a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict, get_type_hints

from langgraph.graph import END, START, MessagesState, StateGraph

from psm_core.people import People
from psm_core.sleep import Sleeper
from psm_langgraph.nodes import (
    Shown,
    recall_node,
    remember_node,
    sleep_node,
    with_memories,
)

if TYPE_CHECKING:
    from langgraph.prebuilt import ToolNode


def psm_graph(
    model_node: Any,
    people: People,
    sleeper: Sleeper | None = None,
    *,
    tools: Sequence[Any] | ToolNode = (),
    state_schema: type[Any] = MessagesState,
    context_schema: type[Any] | None = None,
    user: str | None = None,
    limit: int | None = None,
    budget: int | None = None,
    now: bool = False,
) -> StateGraph[Any, Any, Any, Any]:
    """A graph that remembers, around any node that asks a model; compile it yourself.

    The nodes are ``recall``, ``model``, ``tools`` if there are any, ``remember`` and,
    with a sleeper, ``sleep``.  Input and output are those of *state_schema*.

    Args:
        model_node: A function or runnable from a state to an update.
        people: Who opens the memories; stays yours to close.
        sleeper: Who consolidates between the runs; None means that nobody does.
        tools: What the model may call.
        state_schema: A TypedDict with ``messages``.
        context_schema: What a run is told; see `recall_node` on its ``user_id``.
        user: Whose memory, where neither context nor config of a run says.
        limit: Most memories; None means as the settings say.
        budget: Most tokens of memories; None means as the settings say.
        now: Each run ends a session; see `sleep_node`.

    Raises:
        TypeError: *state_schema* is no TypedDict, or *model_node* a whole graph.
    """
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(
        _with_psm(state_schema),
        context_schema,
        input_schema=state_schema,
        output_schema=state_schema,
    )
    recall = recall_node(people, user=user, limit=limit, budget=budget)
    graph.add_node("recall", recall)
    graph.add_node("model", with_memories(model_node, people, user=user))
    graph.add_node("remember", remember_node(people, user=user))
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "model")
    if tools:
        _add_tools(graph, tools)
    else:
        graph.add_edge("model", "remember")
    if sleeper is None:
        return graph.add_edge("remember", END)
    graph.add_node("sleep", sleep_node(sleeper, user=user, now=now), defer=True)
    return graph.add_edge("remember", "sleep").add_edge("sleep", END)


def _add_tools(graph: StateGraph[Any, Any, Any, Any], tools: Any) -> None:
    # A part of its own, with a release of its own, that not every graph needs.
    from langgraph.prebuilt import ToolNode, tools_condition  # noqa: PLC0415

    graph.add_node("tools", tools if isinstance(tools, ToolNode) else ToolNode(tools))
    graph.add_conditional_edges(
        "model", tools_condition, {"tools": "tools", END: "remember"}
    )
    graph.add_edge("tools", "model")


def _with_psm(schema: type[Any]) -> type[Any]:
    if not hasattr(schema, "__total__"):
        raise TypeError(
            f"the state {schema.__name__} is no TypedDict; make it one, or wire "
            "recall_node, with_memories and remember_node into a graph of your own"
        )
    fields = get_type_hints(schema, include_extras=True)
    made: type[Any] = TypedDict(f"{schema.__name__}WithPSM", {**fields, "psm": Shown})  # type: ignore[misc]
    return made
