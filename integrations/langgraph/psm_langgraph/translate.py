"""From a graph's messages to words and turns, and from its config to a person. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    convert_to_messages,
)
from langgraph.runtime import get_runtime
from langgraph.types import Command

from psm_core.acts.context import unfenced
from psm_core.errors import UserError
from psm_core.types import Turn

MEMORIES_ID = "psm-memories"
"""The id of the message with the memories; by it, it is kept out of the state."""

NO_THREAD = "default"
"""The session where a graph runs without a thread."""

_ROLES: Mapping[type[BaseMessage], str] = {HumanMessage: "user", AIMessage: "assistant"}


class Exchange(NamedTuple):
    """The last exchange of a conversation.

    ``id`` is that of the last turn by the person, ``words`` all they said since the
    answer before, ``answer`` "" while there is none, ``turns`` both halves, ``before``
    the messages that came earlier.
    """

    id: str
    words: str
    answer: str
    turns: list[Turn]
    before: list[AnyMessage]


# ------------------------------------------------------------------- from the config


def person(config: Mapping[str, Any], user: str | None) -> str:
    """Whose memory a run is about.

    Args:
        config: Of the run.
        user: What the node was made with.

    Raises:
        UserError: Nobody said.
    """
    runtime: Any = get_runtime()
    context = getattr(runtime, "context", None)
    named = (
        context.get("user_id")
        if isinstance(context, Mapping)
        else getattr(context, "user_id", None)
    )
    found = named or _configurable(config).get("user_id") or user
    if not found:
        raise UserError(
            "this run doesn't say whose memory it is about; give a user_id in its "
            'context, as in invoke(..., context={"user_id": "ada"}), or in its config, '
            'as in {"configurable": {"user_id": "ada"}}, or make the node with '
            'user="ada" if it serves one person only'
        )
    return found if isinstance(found, str) else str(found)


def thread(config: Mapping[str, Any]) -> str:
    """Which conversation a run belongs to."""
    return str(_configurable(config).get("thread_id") or NO_THREAD)


def _configurable(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("configurable") or {}


# -------------------------------------------------------------------- from the state


def field(state: Any, name: str) -> Any:
    """One field of a state, be it a dict, a dataclass or a model; None without it."""
    return state.get(name) if isinstance(state, Mapping) else getattr(state, name, None)


def messages_of(state: Any) -> list[AnyMessage]:
    """The conversation in a state.

    Raises:
        ValueError: The state has no messages.
    """
    found = field(state, "messages")
    if found is None:
        raise ValueError(
            "the state of this graph has no messages, which is where a memory hears "
            "what is said; let it inherit from langgraph.graph.MessagesState"
        )
    # A state without a reducer holds them as the caller wrote them.
    return [*convert_to_messages(found)]  # type: ignore[list-item]


def last_exchange(messages: Sequence[AnyMessage], session: str) -> Exchange | None:
    """What the person said last, and the answer; None before they said anything."""
    said = [n for n, message in enumerate(messages) if _speaks(message, HumanMessage)]
    if not said:
        return None
    start = end = said[-1]
    while start and not isinstance(messages[start - 1], AIMessage):
        start -= 1
    own = [n for n in said if start <= n <= end]
    after = range(end + 1, len(messages))
    answers = [n for n in after if _speaks(messages[n], AIMessage)][-1:]
    return Exchange(
        id=turn_id(messages[end], session, end),
        words="\n".join(words(messages[n]) for n in own),
        answer="".join(words(messages[n]) for n in answers),
        turns=[_turn(messages[n], session, n) for n in [*own, *answers]],
        before=[*messages[:start]],
    )


def in_view(messages: Sequence[AnyMessage], session: str) -> set[str]:
    """The ids of the turns that the model sees in *messages*."""
    return {turn_id(message, session, n) for n, message in enumerate(messages)}


def turn_id(message: BaseMessage, thread_id: str, place: int = 0) -> str:
    """The id of the turn that *message* is remembered as.

    The same message is the same turn, however often the graph goes over it.  One that
    was written anew under its old id is another turn, since other words were said.

    Args:
        message: Of the person or the model.
        thread_id: Of the conversation.
        place: Where it stands in it; tells messages apart that have no id.
    """
    place_of = _digest(thread_id, message.id or f"#{place}")
    return f"m-{place_of}-{_digest(message.type, words(message))}"


def message_of(turn: str) -> str:
    """What the ids of all wordings of one message have in common."""
    return turn.rpartition("-")[0]


def _digest(*parts: str) -> str:
    joined = "\x1f".join(parts).encode("utf-8", "replace")
    return hashlib.blake2b(joined, digest_size=8).hexdigest()


def words(message: BaseMessage) -> str:
    """What a message says, without memories that were put into it."""
    return unfenced(str(message.text))


def _speaks(message: BaseMessage, kind: type[BaseMessage]) -> bool:
    return isinstance(message, kind) and bool(words(message).strip(" \t\r\n\0"))


def _turn(message: AnyMessage, session: str, place: int) -> Turn:
    role = next(r for kind, r in _ROLES.items() if isinstance(message, kind))
    name = turn_id(message, session, place)
    return Turn(words(message), role=role, session=session, id=name)


# ------------------------------------------------------------- to the model, and back


def with_context(state: Any, context: str) -> Any:
    """*state* with a message of memories before all others, if there are any."""
    if not context:
        return state
    memories = SystemMessage(context, id=MEMORIES_ID)
    messages = [memories, *messages_of(state)]
    if isinstance(state, Mapping):
        return {**state, "messages": messages}
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        return dataclasses.replace(state, messages=messages)
    return state.model_copy(update={"messages": messages})


def without_context(update: Any) -> Any:
    """What a model's node returned, without the message of memories.

    A node that returns all the messages that it was given would write it down.
    """
    if isinstance(update, list):
        return [without_context(one) for one in update]
    if isinstance(update, Command):
        return dataclasses.replace(update, update=without_context(update.update))
    if isinstance(update, Mapping) and isinstance(update.get("messages"), list):
        kept = [one for one in update["messages"] if not _is_ours(one)]
        return {**update, "messages": kept}
    return update


def _is_ours(message: Any) -> bool:
    return isinstance(message, BaseMessage) and message.id == MEMORIES_ID
