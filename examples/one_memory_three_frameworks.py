"""One person, one memory: LangChain, LlamaIndex and LangGraph take turns in her life.

Runs offline, with scripted answers in place of a model:

    python examples/one_memory_three_frameworks.py
"""

import tempfile
from datetime import UTC, datetime, timedelta

from langchain.agents import create_agent
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

from psm_core import People, Sleeper
from psm_langchain import PSMMiddleware
from psm_langgraph import psm_graph
from psm_llamaindex import PSMMemory

# -------- your models go here; these say what is written, and show what they are given


class Calendar:
    """A clock that a script can turn, so that a week takes a second."""

    def __init__(self):
        self.at = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def now(self):
        return self.at


def show(prompt):
    """What memory put into a prompt."""
    inside = prompt.partition("<memories")[2].partition("</memories>")[0]
    lines = inside.splitlines()[2:] or ["(nothing)"]
    print("\n".join(f"    | {line}" for line in lines))


class ForLangChain(FakeMessagesListChatModel):
    def _generate(self, messages, *args, **kwargs):
        show("\n".join(message.text for message in messages))
        return super()._generate(messages, *args, **kwargs)


class ForLlamaIndex(CustomLLM):
    answers: list[str]

    @property
    def metadata(self):
        return LLMMetadata()

    def complete(self, prompt, formatted=False, **kwargs):
        show(prompt)
        return CompletionResponse(text=self.answers.pop(0))

    def stream_complete(self, prompt, formatted=False, **kwargs):
        yield self.complete(prompt)


# ------------------------------------------------ three doors to one person's memory


def langchain_agent(people, answers):
    agent = create_agent(
        ForLangChain(responses=[AIMessage(answer) for answer in answers]),
        middleware=[PSMMiddleware(people, limit=3)],
        context_schema=dict,
    )

    def ask(words, session):
        said = {"messages": [HumanMessage(words)]}
        on = {"configurable": {"thread_id": session}}
        return agent.invoke(said, on, context={"user_id": "ada"})["messages"][-1].text

    return ask


def llamaindex_engine(people, answers):
    model = ForLlamaIndex(answers=answers)

    def ask(words, session):
        memory = PSMMemory(people=people, user="ada", session_id=session, limit=3)
        return SimpleChatEngine.from_defaults(llm=model, memory=memory).chat(words)

    return ask


def langgraph_graph(people, answers):
    model = ForLangChain(responses=[AIMessage(answer) for answer in answers])

    def node(state):
        return {"messages": [model.invoke(state["messages"])]}

    graph = psm_graph(node, people, limit=3).compile()

    def ask(words, session):
        said = {"messages": [HumanMessage(words)]}
        on = {"configurable": {"thread_id": session, "user_id": "ada"}}
        return graph.invoke(said, on)["messages"][-1].text

    return ask


# ---------------------------------------------------------------------- her week

calendar = Calendar()
with (
    tempfile.TemporaryDirectory() as home,
    People(home=home, clock=calendar) as people,  # leave both out in your own program
):
    sleeper = Sleeper(people, clock=calendar)
    doors = {
        "LangChain": langchain_agent(
            people, ["Nice!", "In Paris, since yesterday.", "To Paris."]
        ),
        "LlamaIndex": llamaindex_engine(
            people, ["Crisps: no peanuts in them.", "No peanuts."]
        ),
        "LangGraph": langgraph_graph(people, ["Enjoy Paris!", "Yes, until 4 March."]),
    }

    def talk(*turns):
        for n, (door, words) in enumerate(turns):
            print(f"{door}\n  Ada: {words}")
            answer = doors[door](words, session=f"{calendar.at:%A} {n}")
            print(f"  AI:  {answer}\n")
            calendar.at += timedelta(days=1)

    print("--- three frameworks, one life\n")
    talk(
        ("LangChain", "I live in Lyon, and I'm allergic to peanuts."),
        ("LlamaIndex", "Recommend me a snack; you know what I'm allergic to."),
        ("LangGraph", "I moved from Lyon to Paris."),
        ("LangChain", "Where do I live now?"),
    )

    print("--- she sleeps; nobody had to ask for it\n")
    for report in sleeper.run():
        print(f"  {report.episodes} episodes read, {report.facts} facts written")
    print()

    print("--- and each answers from facts\n")
    talk(
        ("LangChain", "Where did I move to?"),
        ("LlamaIndex", "What am I allergic to?"),
        ("LangGraph", "Did I live in Lyon before?"),
    )
    sleeper.close()
