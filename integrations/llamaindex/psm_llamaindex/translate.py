"""From LlamaIndex's messages to what was said, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock

from psm_core.acts.context import unfenced

ECHO = "[memories]"
"""What is left of a message that was nothing but recalled memories: some models refuse
an empty one."""

_MODEL = (MessageRole.ASSISTANT, MessageRole.MODEL, MessageRole.CHATBOT)

_CODE_RESULT = "Result of executing the code given:"
"""How `CodeActAgent` begins what a program said; it puts it into the person's mouth."""

_THOUGHT = re.compile(r"^Thought:", re.MULTILINE)
_ANSWER = "\nAnswer:"
_EMPTY_WRAPPING = re.compile(r"<memory>\s*(?:<(\w+)>\s*</\1>\s*)*</memory>\s*")


class Said(NamedTuple):
    """One thing that the person ("user") or the model ("assistant") said."""

    role: str
    text: str


def said_in(messages: Iterable[ChatMessage]) -> list[Said]:
    """What was said in *messages*, in order; twice in a row counts once.

    A call of a tool and its result are said by nobody, nor is what a system prompt
    demands.  Of a ReAct agent's message, the answer was said and the thoughts weren't.
    """
    said: list[Said] = []
    for message in messages:
        one = _said(message)
        if one is not None and said[-1:] != [one]:
            said.append(one)
    return said


def unanswered(said: Sequence[Said]) -> str:
    """The person's last words, if nothing was said after them; else ""."""
    return said[-1].text if said and said[-1].role == "user" else ""


def words_of(asked: str | ChatMessage | None) -> str:
    """The text of a question or message, without recalled memories."""
    if isinstance(asked, ChatMessage):
        blocks = [b.text for b in asked.blocks if isinstance(b, TextBlock)]
        asked = "\n".join(blocks)
    return _bare(asked or "").strip()


def unechoed(message: ChatMessage) -> ChatMessage:
    """*message* without recalled memories: itself, where it holds none."""
    texts = [b.text if isinstance(b, TextBlock) else "" for b in message.blocks]
    if all(_bare(text) == text for text in texts):
        return message
    blocks = [
        TextBlock(text=_bare(b.text).strip() or ECHO) if isinstance(b, TextBlock) else b
        for b in message.blocks
    ]
    return message.model_copy(update={"blocks": blocks})


def with_memories(
    messages: Sequence[ChatMessage], context: str, *, role: MessageRole
) -> list[ChatMessage]:
    """*messages* with *context* before the person's last words, or in a system message.

    Args:
        messages: What the model would see.
        context: Fenced memories.
        role: USER or SYSTEM; where the person said nothing, it is SYSTEM.
    """
    found = [n for n, message in enumerate(messages) if message.role == role]
    if not found:
        first = ChatMessage(role=MessageRole.SYSTEM, content=context)
        return [first, *messages]
    n = found[-1] if role == MessageRole.USER else found[0]
    blocks = [TextBlock(text=context), *messages[n].blocks]
    filled = messages[n].model_copy(update={"blocks": blocks})
    return [*messages[:n], filled, *messages[n + 1 :]]


def _said(message: ChatMessage) -> Said | None:
    text = words_of(message)
    if message.role == MessageRole.USER and not text.startswith(_CODE_RESULT):
        return Said("user", text) if text else None
    if message.role in _MODEL and not _calls_tools(message):
        answer = _without_thoughts(text)
        return Said("assistant", answer) if answer else None
    return None


def _bare(text: str) -> str:
    """*text* without recalled memories, nor the tags that a block's stood in."""
    bare = unfenced(text)
    return text if bare == text else _EMPTY_WRAPPING.sub("", bare)


def _calls_tools(message: ChatMessage) -> bool:
    return bool(message.additional_kwargs.get("tool_calls")) or any(
        block.block_type == "tool_call" for block in message.blocks
    )


def _without_thoughts(text: str) -> str:
    """A ReAct agent's answer; what a tool observed before it may hold one, too."""
    if not text.startswith("Thought:"):
        return text
    for thought in reversed(list(_THOUGHT.finditer(text))):
        _, found, answer = text[thought.end() :].partition(_ANSWER)
        if found:
            return answer.strip()
    return text
