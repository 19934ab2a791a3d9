"""One agent for many people: create_agent with PSMMiddleware and memory tools.

Runs offline, with scripted answers in place of a model:

    python examples/langchain_agent.py
"""

import tempfile
from dataclasses import dataclass

from langchain.agents import create_agent
from langchain_core.callbacks import StdOutCallbackHandler
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from psm_core import People
from psm_langchain import PSMMiddleware, memory_tools


@dataclass
class Context:
    """What each run of the agent is told."""

    user_id: str


class ShowPrompt(StdOutCallbackHandler):
    """Prints what the model is given, so that you see what memory put there."""

    def on_chat_model_start(self, serialized, messages, **kwargs):
        system, *_, last = messages[0]
        shown = [system.text] if last.type == "human" else [f"({last.name})", last.text]
        print("\n".join(f"    | {line}" for text in shown for line in text.split("\n")))


class Scripted(FakeMessagesListChatModel):
    """Your model goes here: ChatOllama(model="…"), ChatOpenAI(model="…"), …"""

    def bind_tools(self, tools, **kwargs):
        return self


def answer(words):
    return AIMessage(words)


def call(tool, **args):
    return AIMessage(
        "", tool_calls=[{"name": tool, "args": args, "id": f"call-{tool}"}]
    )


def serve(home, talk, replies):
    """The life of one process: it opens the memories, serves people, and ends."""
    with People(home=home) as people:
        agent = create_agent(
            Scripted(responses=replies, callbacks=[ShowPrompt()]),
            tools=memory_tools(people),
            middleware=[PSMMiddleware(people)],
            system_prompt="You plan dinners.",
            context_schema=Context,
            checkpointer=InMemorySaver(),
        )
        for user, thread, words in talk:
            print(f"{user}: {words}")
            result = agent.invoke(
                {"messages": [("user", words)]},
                {"configurable": {"thread_id": thread}},
                context=Context(user_id=user),
            )
            print(f"agent: {result['messages'][-1].text}\n")


# In your own program leave home out: people live in ~/.psm then.
with tempfile.TemporaryDirectory() as home:
    print("--- last week\n")
    serve(
        home,
        talk=[
            ("ada", "ada-1", "I'm allergic to peanuts."),
            ("bob", "bob-1", "I'm allergic to shellfish."),
        ],
        replies=[answer("Good to know."), answer("I'll remember that.")],
    )
    print("--- today: another process, other threads\n")
    serve(
        home,
        talk=[
            ("ada", "ada-2", "What am I allergic to?"),
            ("ada", "ada-2", "No, I'm allergic to cashews."),
            ("bob", "bob-2", "Which food am I allergic to?"),
        ],
        replies=[
            answer("To peanuts."),
            answer("Sorry! Noted."),
            call("search_memory", query="What is Bob allergic to?"),
            answer("Shellfish."),
        ],
    )
