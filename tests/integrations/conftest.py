"""Models that say what a test wrote down, and memories that tell no other test."""

import pytest


@pytest.fixture(autouse=True)
def _words_for_vectors(monkeypatch, tmp_path):
    monkeypatch.setenv("PSM_ENCODER", "hash")
    monkeypatch.setenv("PSM_HOME", str(tmp_path / "home"))


@pytest.fixture
def opened():
    """Makes PSMMemory objects, and closes them all."""
    from psm_langchain import PSMMemory

    made = []

    def open_one(**fields):
        made.append(PSMMemory(**fields))
        return made[-1]

    yield open_one
    for memory in made:
        memory.close()


@pytest.fixture
def remembering(opened):
    """Makes memories of Ada, who told of Lyon in an earlier conversation."""
    from psm_core import Turn

    def make(**fields):
        memory = opened(user="ada", **fields)
        memory.psm.remember(Turn("I moved to Lyon last week.", session="earlier"))
        return memory

    return make


@pytest.fixture
def ada(remembering):
    """One memory of Ada, in a conversation that begins."""
    return remembering()


@pytest.fixture
def scripted():
    """Makes a chat model; a reply is text, message, error, or made of the prompt."""
    pytest.importorskip("langchain_core")
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    class Scripted(BaseChatModel):
        replies: list
        asked: list

        @property
        def _llm_type(self):
            return "scripted"

        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            self.asked.append(messages)
            reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
            if isinstance(reply, Exception):
                raise reply
            if callable(reply):
                reply = reply("\n".join(str(m.text) for m in messages))
            message = AIMessage(reply) if isinstance(reply, str) else reply
            return ChatResult(generations=[ChatGeneration(message=message)])

        def bind_tools(self, tools, **kwargs):
            return self

        def prompt(self, n=-1):
            """The words of the *n*-th prompt."""
            return "\n".join(str(m.text) for m in self.asked[n])

    return lambda *replies: Scripted(replies=list(replies), asked=[])


@pytest.fixture
def llama_model():
    """Makes a LlamaIndex model that calls functions; replies are as in `scripted`."""
    pytest.importorskip("llama_index.core")
    from llama_index.core.base.llms.types import (
        ChatMessage,
        ChatResponse,
        CompletionResponse,
        LLMMetadata,
    )
    from llama_index.core.llms.function_calling import FunctionCallingLLM
    from llama_index.core.llms.llm import ToolSelection

    class Scripted(FunctionCallingLLM):
        replies: list
        asked: list

        @property
        def metadata(self):
            return LLMMetadata(is_chat_model=True, is_function_calling_model=True)

        def chat(self, messages, **kwargs):
            self.asked.append([m.model_copy(deep=True) for m in messages])
            reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
            if isinstance(reply, Exception):
                raise reply
            if callable(reply):
                reply = reply(self.prompt())
            if isinstance(reply, dict):
                call = ToolSelection(tool_id="c1", **reply)
                calls = {"tool_calls": [call.model_dump()]}
                reply = ChatMessage(role="assistant", additional_kwargs=calls)
            elif isinstance(reply, str):
                reply = ChatMessage(role="assistant", content=reply)
            return ChatResponse(message=reply)

        def stream_chat(self, messages, **kwargs):
            whole = self.chat(messages).message
            said = ""
            for word in (whole.content or "").split(" "):
                delta = f" {word}" if said else word
                said += delta
                part = whole.model_copy(deep=True)
                part.blocks = type(part)(content=said).blocks
                yield ChatResponse(message=part, delta=delta)

        async def achat(self, messages, **kwargs):
            return self.chat(messages)

        async def astream_chat(self, messages, **kwargs):
            parts = list(self.stream_chat(messages))

            async def stream():
                for part in parts:
                    yield part

            return stream()

        def complete(self, prompt, formatted=False, **kwargs):
            said = self.chat([ChatMessage(content=prompt)]).message.content
            return CompletionResponse(text=said)

        async def acomplete(self, prompt, formatted=False, **kwargs):
            return self.complete(prompt)

        def stream_complete(self, prompt, formatted=False, **kwargs):
            yield self.complete(prompt)

        async def astream_complete(self, prompt, formatted=False, **kwargs):
            raise NotImplementedError

        def _prepare_chat_with_tools(
            self, tools, user_msg=None, chat_history=None, **kwargs
        ):
            last = [ChatMessage(content=user_msg)] if user_msg else []
            return {"messages": [*(chat_history or []), *last]}

        def get_tool_calls_from_response(self, response, **kwargs):
            calls = response.message.additional_kwargs.get("tool_calls", [])
            return [ToolSelection(**call) for call in calls]

        def prompt(self, n=-1):
            """The words of the *n*-th prompt."""
            return "\n".join(m.content or "" for m in self.asked[n])

    return lambda *replies: Scripted(replies=list(replies), asked=[])


@pytest.fixture
def llama_memory():
    """Makes PSMMemory objects of LlamaIndex, and closes them all."""
    pytest.importorskip("llama_index.core")
    from psm_llamaindex import PSMMemory

    made = []

    def open_one(**fields):
        made.append(PSMMemory.from_defaults(**fields))
        return made[-1]

    yield open_one
    for memory in made:
        memory.close()


@pytest.fixture
def llama_ada(llama_memory):
    """Makes LlamaIndex memories of Ada, who told of Lyon in an earlier conversation."""
    from psm_core import Turn

    def make(**fields):
        memory = llama_memory(user="ada", **fields)
        memory.psm.remember(Turn("I moved to Lyon last week.", session="earlier"))
        return memory

    return make
