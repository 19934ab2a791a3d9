"""From LangChain's dicts and messages to words and turns, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    get_buffer_string,
)
from langchain_core.prompt_values import PromptValue

from psm_core.conversation import View
from psm_core.types import Turn

INPUT_KEYS = ("input", "question", "query", "human_input")
"""Where chains that take several inputs keep what the person said, likeliest first."""

OUTPUT_KEYS = ("output", "answer", "response", "text", "result")
"""Where chains that give several outputs keep what the model said, likeliest first."""

_MESSAGES: Mapping[str, type[BaseMessage]] = {
    "user": HumanMessage,
    "assistant": AIMessage,
    "system": SystemMessage,
}


def said_by_human(inputs: Mapping[str, Any], key: str | None, memory_key: str) -> str:
    """What the person said this time, out of a chain's inputs.

    Args:
        inputs: As the chain was called.
        key: The user's ``input_key``, if any.
        memory_key: Ours, which is no input of the person's.

    Returns:
        Words; "" where there are no inputs at all.

    Raises:
        ValueError: It can't be told which input it is.
    """
    given = {k: v for k, v in inputs.items() if k not in (memory_key, "stop")}
    if not given:
        return ""
    return _words(given[_chosen(given, key, INPUT_KEYS, "input")], HumanMessage)


def said_by_model(outputs: Mapping[str, Any], key: str | None) -> str:
    """What the model said, out of a chain's outputs.

    Args:
        outputs: As the chain returned them.
        key: The user's ``output_key``, if any.

    Returns:
        Words; "" where there are no outputs at all.

    Raises:
        ValueError: It can't be told which output it is.
    """
    if not outputs:
        return ""
    return _words(outputs[_chosen(outputs, key, OUTPUT_KEYS, "output")], AIMessage)


def _chosen(
    given: Mapping[str, Any], key: str | None, usual: Sequence[str], side: str
) -> str:
    if key is not None and key in given:
        return key
    if key is None and len(given) == 1:
        return next(iter(given))
    found = [name for name in usual if name in given] if key is None else []
    if found:
        return found[0]
    asked = f"{side}_key={key!r} is none of them" if key else "none has a usual name"
    raise ValueError(
        f"the {side}s of this chain are {', '.join(sorted(given))}, and {asked}; "
        f"say which one to remember: PSMMemory({side}_key=...)"
    )


def _words(value: Any, of: type[BaseMessage]) -> str:
    """The text of a value; of a list of messages, that of the last one by *of*."""
    if value is None:
        return ""
    if isinstance(value, PromptValue):
        value = value.to_messages()
    if isinstance(value, BaseMessage):
        return str(value.text)
    if isinstance(value, (list, tuple)):
        own = [one for one in value if isinstance(one, of)][-1:]
        texts = [_text_of_block(one, of) for one in own or value]
        return "\n".join(text for text in texts if text)
    return str(value)


def _text_of_block(value: Any, of: type[BaseMessage]) -> str:
    """One message or block of content; of an image or a tool's call, nothing."""
    if isinstance(value, Mapping):
        return str(value.get("text", ""))
    return _words(value, of)


def as_messages(view: View) -> list[BaseMessage]:
    """A system message with the memories, if there are any, and the recent turns."""
    memories = [SystemMessage(content=view.context)] if view.context else []
    return [*memories, *_messages(view.recent)]


def as_text(view: View, human_prefix: str, ai_prefix: str) -> str:
    """The memories, and then the recent turns, each begun with who speaks.

    Args:
        view: What the model should see.
        human_prefix: Who the person is.
        ai_prefix: Who the model is.
    """
    said = _messages(view.recent)
    talk = get_buffer_string(said, human_prefix=human_prefix, ai_prefix=ai_prefix)
    return "\n\n".join(part for part in (view.context, talk) if part)


def _messages(turns: Sequence[Turn]) -> list[BaseMessage]:
    # What a tool said belongs to a call that isn't in view any more.
    return [_MESSAGES[t.role](content=t.text) for t in turns if t.role in _MESSAGES]
