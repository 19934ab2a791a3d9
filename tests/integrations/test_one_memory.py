"""One life, heard through five doors: the same turns make the same memories."""

import re
import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest

pytest.importorskip("langchain.agents")
pytest.importorskip("langchain_classic")
pytest.importorskip("langgraph")
pytest.importorskip("llama_index.core")

from langchain.agents import create_agent
from langchain_classic.chains import ConversationChain
from langchain_core._api import LangChainDeprecationWarning
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from llama_index.core.chat_engine import SimpleChatEngine

import psm_langchain
import psm_llamaindex
from psm_core import People, Sleeper, Tier
from psm_core.conversation import Conversation
from psm_langchain import PSMMiddleware
from psm_langchain import turns as langchain_turns
from psm_langgraph import psm_graph, turn_id

from ..canonical import dump

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{LangChainDeprecationWarning.__module__}.LangChainDeprecationWarning"
)

LIFE = {
    "monday": [
        ("Hi there!", "Hello! How can I help?"),
        ("My name is Ada, and I live in Lyon.", "Nice to meet you, Ada."),
        ("I'm allergic to peanuts.", "I'll keep peanuts out of every recipe."),
        ("What should I cook tonight?", "Ratatouille: there are no peanuts in it."),
    ],
    "wednesday": [
        ("Where do I live?", "You live in Lyon."),
        ("I have a dog named Bruno.", "Bruno is a fine name for a dog."),
        ("I work as a nurse.", "A nurse, noted."),
        ("What's my dog called?", "Your dog is called Bruno."),
        ("Thanks!", "You're welcome."),
    ],
    "friday": [
        ("What am I allergic to?", "You're allergic to peanuts."),
        ("No, I'm allergic to cashews.", "Sorry! Cashews, not peanuts."),
        ("Next month I will fly to Oslo.", "Have a good flight to Oslo."),
        ("Lovely weather today.", "Isn't it?"),
    ],
    "sunday": [
        ("I moved from Lyon to Paris.", "Welcome to Paris!"),
        ("Where do I live now?", "You moved to Paris."),
        ("I prefer tea to coffee.", "Tea it is."),
        ("What am I planning?", "You will fly to Oslo next month."),
    ],
    "tuesday": [
        ("I live in Paris.", "So you told me."),
        ("Do I like coffee?", "You prefer tea to coffee."),
        ("ok", "Ok."),
    ],
}
SLEEPS_AFTER = ("friday", "tuesday")


# --------------------------------------------------------------------------- five doors
# Each is opened for one person, and takes one exchange at a time.


class Core:
    """What every adapter is made of."""

    def __init__(self, people, user, models):
        self._memory, self._open = people.memory(user), {}

    def exchange(self, session, words, answer):
        talk = self._open.setdefault(session, Conversation(self._memory, session))
        talk.hear(words)
        talk.answered(words, answer)


class Chain:
    """PSMMemory of LangChain behind a ConversationChain."""

    def __init__(self, people, user, models):
        self._psm, self._model, self._open = people.memory(user), models.langchain(), {}

    def exchange(self, session, words, answer):
        if session not in self._open:
            memory = psm_langchain.PSMMemory(psm=self._psm, session=session)
            self._open[session] = ConversationChain(llm=self._model, memory=memory)
        self._model.replies.append(answer)
        self._open[session].invoke({"input": words})


class Agent:
    """PSMMiddleware in create_agent."""

    def __init__(self, people, user, models):
        self._user, self._model = user, models.langchain()
        self._agent = create_agent(
            self._model,
            middleware=[PSMMiddleware(people)],
            checkpointer=InMemorySaver(),
            context_schema=dict,
        )

    def exchange(self, session, words, answer):
        self._model.replies.append(answer)
        self._agent.invoke(
            {"messages": [HumanMessage(words)]},
            {"configurable": {"thread_id": session}},
            context={"user_id": self._user},
        )


class Engine:
    """PSMMemory of LlamaIndex behind a chat engine."""

    def __init__(self, people, user, models):
        self._people, self._user, self._open = people, user, {}
        self._model = models.llamaindex()

    def exchange(self, session, words, answer):
        if session not in self._open:
            self._open[session] = SimpleChatEngine.from_defaults(
                llm=self._model,
                memory=psm_llamaindex.PSMMemory(
                    people=self._people, user=self._user, session_id=session
                ),
            )
        self._model.replies.append(answer)
        self._open[session].chat(words)


class Graph:
    """psm_graph of LangGraph around a node that asks a model."""

    def __init__(self, people, user, models):
        self._user, self._model = user, models.langchain()
        self._graph = psm_graph(self._ask, people).compile(checkpointer=InMemorySaver())

    def _ask(self, state):
        return {"messages": [self._model.invoke(state["messages"])]}

    def exchange(self, session, words, answer):
        self._model.replies.append(answer)
        self._graph.invoke(
            {"messages": [HumanMessage(words)]},
            {"configurable": {"thread_id": session, "user_id": self._user}},
        )


DOORS = (Core, Chain, Agent, Engine, Graph)


@pytest.fixture
def models(scripted, llama_model):
    class Models:
        langchain = staticmethod(scripted)
        llamaindex = staticmethod(llama_model)

    return Models


@pytest.fixture
def lived(tmp_path, models):
    """Plays LIFE through doors, in a home of its own; the memory, after each sleep."""
    with ExitStack() as closing:

        def play(name, door_of, sleeping=SLEEPS_AFTER):
            from ..conftest import Clock

            clock = Clock()
            people = People(home=tmp_path / name, encoder="hash", clock=clock)
            closing.callback(people.close)
            memory = people.memory("ada")
            doors = {door: door(people, "ada", models) for door in DOORS}
            after = []
            for n, (session, said) in enumerate(LIFE.items()):
                for words, answer in said:
                    clock.move(minutes=1)
                    doors[door_of(n)].exchange(session, words, answer)
                clock.move(days=2)
                if session in sleeping:
                    memory.consolidate()
                    after.append(meaning(memory))
            return memory, after

        yield play


def meaning(memory):
    """The canonical dump, in which each memory goes by its place and not by its id."""
    found = dump(memory)
    named = {
        memory_id: f"<{session} {n}>"
        for session, ids in found["sessions"].items()
        for n, memory_id in enumerate(ids)
    }
    facts = [i for i in found["memories"] if i not in named]
    for memory_id in sorted(facts, key=lambda i: found["memories"][i]["text"]):
        named[memory_id] = f"<fact: {found['memories'][memory_id]['text']}>"
    # A conflict has an id of its own, made of those of its memories.
    found["conflicts"] = [re.sub(r"\bid='[^']*'", "", c) for c in found["conflicts"]]
    return _renamed(found, named)


def _renamed(value, names):
    match value:
        case dict():
            return {
                _renamed(k, names): _renamed(v, names)
                for k, v in sorted(value.items(), key=lambda i: _renamed(i[0], names))
            }
        case list():
            return [_renamed(one, names) for one in value]
        case tuple():
            return tuple(_renamed(one, names) for one in value)
        case str():
            known = re.compile("|".join(map(re.escape, sorted(names, key=len)[::-1])))
            return known.sub(lambda found: names[found[0]], value)
        case _:
            return value


@pytest.mark.parametrize("door", DOORS[1:], ids=lambda door: door.__name__)
def test_each_door_makes_the_same_memories_of_one_life(lived, door):
    """As the bare core does, after each of two sleeps, in all that has a meaning.

    Equal are words, speakers, roles, sessions and their order, tiers, kinds, strengths
    and how they fade, vectors, what was used, ignored and corrected, each change with
    its reason, facts and the time for which they hold, conflicts, and what the next
    sleep will read.  Ids may differ, because each framework names its messages in its
    own way; they are replaced by places.  So may the logs of recalls, which tell when
    in a turn a door asks.
    """
    _, expected = lived("core", lambda n: Core)

    memory, found = lived("door", lambda n: door)

    assert found == expected
    assert len(memory.entries(Tier.SEMANTIC)) == 99
