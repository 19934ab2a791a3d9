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
