"""From a graph's messages to words and turns, and from its config to a person. Pure."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    convert_to_messages,
)
from langgraph.runtime import get_runtime
from langgraph.types import Command, Overwrite, Send

from psm_core.acts.context import unfenced
from psm_core.errors import UserError
from psm_core.types import Turn

MEMORIES_ID = "psm-memories"
"""The id of the message with the memories; by it, it is kept out of the state."""

NO_THREAD = "default"
"""The session where neither a thread nor a message says which one it is."""

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
    asked = (named, _configurable(config).get("user_id"), user)
    # An empty one is a fault of the caller, and no leave to take another person.
    found = next((str(one) for one in asked if one is not None), None)
    if found is None:
        raise UserError(
            "this run doesn't say whose memory it is about; give a user_id in its "
            'context, as in invoke(..., context={"user_id": "ada"}), or in its config, '
            'as in {"configurable": {"user_id": "ada"}}, or make the node with '
            'user="ada" if it serves one person only'
        )
    return found


def thread(config: Mapping[str, Any]) -> str | None:
    """The thread that a run goes on; None where it has none."""
    found = _configurable(config).get("thread_id")
    return None if found is None else str(found)


def begun_by(messages: Sequence[BaseMessage]) -> str:
    """The session of a conversation without a thread; `psm_langchain` says the same."""
    first = messages[0].id if messages else None
    return f"from {first}" if first else NO_THREAD


def _configurable(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("configurable") or {}


# -------------------------------------------------------------------- from the state


def field(state: Any, name: str) -> Any:
    """One field of a state, be it a dict, a dataclass or a model; None without it."""
    return state.get(name) if isinstance(state, Mapping) else getattr(state, name, None)


def messages_of(state: Any) -> list[AnyMessage]:
    """The conversation in a state, without a message of memories that got into it.

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
    return without_context(convert_to_messages(found))  # type: ignore[no-any-return]


def last_exchange(
    messages: Sequence[AnyMessage], session: str, turn: str | None = None
) -> Exchange | None:
    """What the person said last, and the answer; None before they said anything.

    Args:
        messages: The conversation.
        session: Which one it is.
        turn: The person's last, where what comes later in their name isn't theirs;
            None where all of it is.
    """
    said = [n for n, message in enumerate(messages) if _speaks(message, HumanMessage)]
    if turn is not None:
        ends = [n for n in said if turn_id(messages[n], session, n) == turn]
        said = [n for n in said if n <= max(ends, default=-1)]
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
    # Without an id, other words in one place are another message, and no edited one.
    place_of = _digest(thread_id, message.id or f"#{place} {words(message)}")
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
    # A person who is named in a message has said it under that name.
    speaker = (message.name or "") if role == "user" else ""
    return Turn(words(message), speaker=speaker, role=role, session=session, id=name)


# ------------------------------------------------------------- to the model, and back


def with_context(state: Any, context: str) -> Any:
    """*state* with a message of memories before all others, if there are any."""
    memories = [SystemMessage(context, id=MEMORIES_ID)] if context else []
    return _with_messages(state, [*memories, *messages_of(state)])


def _with_messages(state: Any, messages: list[AnyMessage]) -> Any:
    if isinstance(state, Mapping):
        return {**state, "messages": messages}
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        return dataclasses.replace(state, messages=messages)
    return state.model_copy(update={"messages": messages})


def without_context(update: Any) -> Any:
    """What a model's node returned, without the message of memories.

    A node that returns all the messages that it was given would write it down.
    """
    if isinstance(update, (Command, Overwrite, Send)):
        return _wrapped(update)
    if isinstance(update, dict):
        own = copy.copy(update)
        for name, value in update.items():
            own[name] = without_context(value)
        return own
    if type(update) in (list, tuple):
        return type(update)(without_context(o) for o in update if not _is_ours(o))
    if _leaked(update):
        return _with_messages(update, without_context(update.messages))
    return update


def _wrapped(update: Command[Any] | Overwrite | Send) -> Any:
    if isinstance(update, Command):
        goto, kept = without_context(update.goto), without_context(update.update)
        return dataclasses.replace(update, goto=goto, update=kept)
    if isinstance(update, Overwrite):
        return dataclasses.replace(update, value=without_context(update.value))
    # What a node is sent is written down until that node has run.
    sent = copy.copy(update)
    sent.arg = without_context(update.arg)
    return sent


def removal(state: Any) -> dict[str, Any]:
    """What takes a message of memories out of a state that it got into."""
    return {"messages": [RemoveMessage(MEMORIES_ID)]} if _leaked(state) else {}


def _leaked(state: Any) -> bool:
    messages = field(state, "messages")
    return isinstance(messages, list) and any(map(_is_ours, messages))


def _is_ours(message: Any) -> bool:
    return isinstance(message, BaseMessage) and message.id == MEMORIES_ID
