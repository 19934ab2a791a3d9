"""A graph that sleeps between its runs: the next run opens on facts.

Runs offline, with scripted answers in place of a model:

    python examples/langgraph_sleep.py
"""

import tempfile
from datetime import UTC, datetime, timedelta

from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from psm_core import People, Sleeper
from psm_langgraph import psm_graph

# Your model goes here: ChatOllama(model="…"), ChatOpenAI(model="…"), …
chat = FakeListChatModel(
    responses=["Good to know!", "From Lyon to Paris!", "In Paris; before, in Lyon."]
)


class Calendar:
    """A clock that a script can turn, so that a week takes a second."""

    def __init__(self):
        self.at = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def now(self):
        return self.at


def ask_model(state):
    """The node that asks the model; the first message is what memory adds."""
    for message in state["messages"]:
        print("\n".join(f"    | {line}" for line in message.text.splitlines()))
    return {"messages": [chat.invoke(state["messages"])]}


def show(report):
    """What a sleep did, as `Sleeper` reports it."""
    episodes = "episode" if report.episodes == 1 else "episodes"
    facts = "fact" if report.facts == 1 else "facts"
    print(f"asleep: {report.episodes} {episodes} read, {report.facts} {facts} written")
    for change in report.changes:
        print(f"    {change.what}: {change.reason}")


# In your own program leave home and clock out: people live in ~/.psm then.
calendar = Calendar()
with (
    tempfile.TemporaryDirectory() as home,
    People(home=home, clock=calendar) as people,
):
    sleeper = Sleeper(people, clock=calendar)
    graph = psm_graph(ask_model, people, sleeper, now=True).compile(
        checkpointer=InMemorySaver()
    )
    for day, words in [
        ("Monday", "I live in Lyon."),
        ("Wednesday", "I moved from Lyon to Paris."),
        ("Friday", "Where do I live, and where did I live before?"),
    ]:
        print(f"\n--- {day}: a new thread\n")
        answer = graph.invoke(
            {"messages": [HumanMessage(words)]},
            {"configurable": {"thread_id": day, "user_id": "ada"}},
        )
        print(f"AI: {answer['messages'][-1].text}\n")
        # The run is over and has asked for sleep.  A server would say
        # sleeper.start() once, and this would happen in the background.
        for report in sleeper.run():
            show(report)
        calendar.at += timedelta(days=2)
    sleeper.close()
