"""Nodes that recall before a model speaks, remember after it, and sleep between runs.

They only translate: what is shown and learned is decided in `psm_core`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NotRequired, TypedDict

from langchain_core.messages import AnyMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.graph import MessagesState, StateGraph
from langgraph.pregel import Pregel

from psm_core import showing
from psm_core.memory import Memory
from psm_core.people import People
from psm_core.showing import Showing
from psm_core.sleep import Sleeper
from psm_langgraph import translate
from psm_langgraph.translate import Exchange

Node = Runnable[Any, Any]


class Shown(TypedDict):
    """What memory keeps in a graph's state: names alone, never what somebody said.

    ``user`` is whose memory it was, ``session`` and ``turn`` where it was recalled,
    ``recall`` and ``shown`` the recall and its memories, ``refuted`` those that the
    person took back in this thread, ``left`` the turns that it went back behind.
    """

    user: str
    session: str
    turn: str
    recall: str
    shown: list[str]
    refuted: list[str]
    left: list[str]


class PSMState(MessagesState):
    """Messages, and what memory keeps beside them.  Let a state of your own inherit."""

    psm: NotRequired[Shown]


def recall_node(
    people: People,
    *,
    user: str | None = None,
    limit: int | None = None,
    budget: int | None = None,
) -> Node:
    """A node that hears the person and recalls, before the model speaks.

    What they said is on disk when it returns, so that no answer that breaks off can
    lose it.  A correction of the last answer is learned before anything is recalled.
    Run again for the same message, it does nothing.

    Args:
        people: Who opens the memories; stays yours to close.
        user: Whose memory, where neither context nor config of a run says.
        limit: Most memories; None means as the settings say.
        budget: Most tokens of memories, counted as *people* count; None means as the
            settings say.

    Returns:
        A node for a graph whose state has ``messages`` and `PSMState`'s ``psm``.

    Raises:
        UserError: When it runs: nobody says whose memory it is about.
    """

    def shown(state: Any, config: RunnableConfig) -> Shown:
        memory, session = _memory(people, user, config), _session(state, config)
        messages = translate.messages_of(state)
        before = _kept(state, memory)
        exchange = translate.last_exchange(messages, session)
        if exchange is None:
            return before or _nothing_shown(memory.user, session, "", [])
        if before and before["turn"] == exchange.id:
            return before
        refuted = _refuted(memory, before, exchange, session)
        seen = translate.in_view(messages, session)
        left = showing.left_behind(
            memory,
            session,
            seen,
            translate.message_of,
            heard={turn.id for turn in exchange.turns},
            # A checkpoint of old doesn't say.
            earlier=before.get("left") if before else None,
        )
        found = showing.show(
            memory,
            exchange.words,
            without=seen | left,
            refuted=refuted,
            limit=limit,
            budget=budget,
        )
        memory.remember_many([t for t in exchange.turns if t.role == "user"])
        made = _nothing_shown(memory.user, session, exchange.id, refuted)
        return made | {
            "recall": found.recall,
            "shown": [*found.memories],
            "left": sorted(left),
        }

    def recall(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return {"psm": shown(state, config), **translate.removal(state)}

    return _node(recall, "recall")


def remember_node(people: People, *, user: str | None = None) -> Node:
    """A node that remembers the last exchange, and learns what served the answer.

    Each message is one turn, however often a graph goes over it: on a retry, a resume,
    or a fork of the thread.

    Args:
        people: Who opens the memories; stays yours to close.
        user: Whose memory, where neither context nor config of a run says.

    Raises:
        UserError: When it runs: nobody says whose memory it is about.
    """

    def remember(state: Any, config: RunnableConfig) -> dict[str, Any]:
        memory, session = _memory(people, user, config), _session(state, config)
        shown = _kept(state, memory)
        messages = translate.messages_of(state)
        exchange = _exchange(memory, messages, session, shown)
        if exchange is None:
            return {}
        memory.remember_many(exchange.turns)
        if exchange.answer and shown and shown["turn"] == exchange.id:
            showing.answered(memory, _named(shown), exchange.words, exchange.answer)
        return {}

    return _node(remember, "remember")


def sleep_node(sleeper: Sleeper, *, user: str | None = None, now: bool = False) -> Node:
    """A node that lets the person sleep after this run, and holds nobody up.

    What it asks for is on disk when it returns.  Add it with ``defer=True``, so that
    every other branch is done by then.

    Args:
        sleeper: Who consolidates, in its own thread or process, between the runs.
        user: Whose memory, where neither context nor config of a run says.
        now: The session ends with this run; otherwise a silence is waited for, so that
            a conversation that goes on isn't cut into naps.

    Raises:
        UserError: When it runs: nobody says whose memory it is about.
    """

    def sleep(state: Any, config: RunnableConfig) -> dict[str, Any]:
        sleeper.enqueue(translate.person(config, user), now=now)
        return {}

    return _node(sleep, "sleep")


def with_memories(model_node: Any, people: People, *, user: str | None = None) -> Node:
    """*model_node*, given a state that begins with what was recalled.

    Memories are one system message, fenced as data.  It is read anew each time the
    model is asked, after an interrupt too, and never gets into the state: no checkpoint
    holds it, and what was forgotten in the meantime is gone at once.

    Args:
        model_node: A function or runnable from a state to an update, as ``add_node``
            takes it.
        people: Who opens the memories; stays yours to close.
        user: Whose memory, where neither context nor config of a run says.

    Raises:
        TypeError: It is a whole graph, which would write down what it is given.
        ValueError: When it runs: no recall node wrote into this state.
    """
    if isinstance(model_node, Pregel):
        raise TypeError(
            f"the model's node is a whole graph ({model_node.name}), which writes what "
            "it is given into checkpoints of its own; wrap the node inside it that "
            "asks the model"
        )
    # LangGraph itself finds out what the function wants: config, runtime, store, ...
    graph = StateGraph(PSMState).add_node("model", model_node, input_schema=PSMState)
    inner: Any = graph.nodes["model"].runnable

    def shown(state: Any, config: RunnableConfig) -> Any:
        return translate.with_context(state, _context(people, user, state, config))

    def model(state: Any, config: RunnableConfig) -> Any:
        return translate.without_context(inner.invoke(shown(state, config), config))

    async def amodel(state: Any, config: RunnableConfig) -> Any:
        given = await asyncio.to_thread(shown, state, config)
        return translate.without_context(await inner.ainvoke(given, config))

    return RunnableLambda(model, amodel, name="model")


# ------------------------------------------------------------------------- pieces


def _node(act: Callable[[Any, RunnableConfig], dict[str, Any]], name: str) -> Node:
    """*act* as a node; under an event loop it works in a thread."""

    async def aact(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return await asyncio.to_thread(act, state, config)

    return RunnableLambda(act, aact, name=name)


def _memory(people: People, user: str | None, config: RunnableConfig) -> Memory:
    return people.memory(translate.person(config, user))


def _kept(state: Any, memory: Memory) -> Shown | None:
    """What the state holds of this person; nothing of another who used the thread."""
    found: Shown | None = translate.field(state, "psm")
    return found if found and found["user"] == memory.user else None


def _session(state: Any, config: RunnableConfig) -> str:
    """The thread of a run; without one, what its first message says it is."""
    thread = translate.thread(config)
    if thread is not None:
        return thread
    shown: Shown | None = translate.field(state, "psm")
    if shown:
        # A node may have taken the first message out since.
        return shown["session"]
    return translate.begun_by(translate.messages_of(state))


def _exchange(
    memory: Memory, messages: Sequence[AnyMessage], session: str, shown: Shown | None
) -> Exchange | None:
    """The last exchange with the person, without what a node said in their name.

    As a critic does between the turn that was recalled for and the answer.  Whoever
    speaks after an answer that was given is the person, though nothing was recalled.
    """
    last = translate.last_exchange(messages, session)
    if last is None or shown is None or last.id == shown["turn"]:
        return last
    before = translate.last_exchange(last.before, session)
    if before and before.answer and memory.known([before.turns[-1].id]):
        return last
    return translate.last_exchange(messages, session, shown["turn"]) or last


def _nothing_shown(user: str, session: str, turn: str, refuted: Sequence[str]) -> Shown:
    return {
        "user": user,
        "session": session,
        "turn": turn,
        "recall": "",
        "shown": [],
        "refuted": [*refuted],
        "left": [],
    }


def _named(shown: Shown) -> Showing:
    return Showing(shown["recall"], tuple(shown["shown"]))


def _refuted(
    memory: Memory, before: Shown | None, exchange: Exchange, session: str
) -> list[str]:
    """What was taken back in this thread, now or earlier."""
    if before is None:
        return []
    known = before["refuted"]
    last = _exchange(memory, exchange.before, session, before)
    # In a thread that was cut or forked, the state may be of another exchange.
    if last is None or not last.answer or last.id != before["turn"]:
        return known
    said = exchange.words
    found = showing.taken_back(memory, _named(before), last.words, last.answer, said)
    return [*dict.fromkeys([*known, *found])]


def _context(
    people: People, user: str | None, state: Any, config: RunnableConfig
) -> str:
    if translate.field(state, "psm") is None:
        raise ValueError(
            "no memories were recalled for this run: add recall_node before the model, "
            "and let the state of the graph inherit from psm_langgraph.PSMState"
        )
    memory = _memory(people, user, config)
    shown = _kept(state, memory)
    seen = translate.in_view(translate.messages_of(state), _session(state, config))
    if shown is None or shown["turn"] not in seen:
        return ""
    return showing.context(memory, _named(shown))
