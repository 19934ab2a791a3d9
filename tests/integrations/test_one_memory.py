"""One life, heard through five doors: the same turns make the same memories."""

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

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
from ..conftest import Clock

ROOT = Path(__file__).parents[2]

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
    renamed = _renamed(found, named)
    # These stand in the order of their ids.
    return renamed | {k: sorted(renamed[k]) for k in ("condensed", "conflicts")}


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
    assert facts(memory) == FACTS


def test_five_doors_in_turn_make_the_memories_of_one(lived):
    """Each conversation of the life goes through another door, and knows the others."""
    _, expected = lived("core", lambda n: Core)

    memory, found = lived("doors", lambda n: DOORS[n])

    assert found == expected
    assert facts(memory) == FACTS


def test_the_life_is_long_enough_to_tell(lived):
    """Forty turns; a memory was used, ignored, corrected, superseded and archived."""
    memory, _ = lived("core", lambda n: Core)

    said = [e for e in memory.entries(as_heard=True) if e.tier is not Tier.SEMANTIC]
    happened = {c.what for e in memory.entries() for c in memory.history(e.id)}
    assert len(said) == 40
    assert happened >= {"used", "ignored", "corrected", "superseded", "archived"}
    assert [c.kind for c in memory.conflicts()] == ["update"]


FACTS = {
    "Ada has a dog named Bruno.",
    "Ada is allergic to cashews.",
    "Ada lives in Lyon. (until Saturday)",
    "Ada lives in Paris.",
    "Ada moved from Lyon to Paris.",
    "Ada prefers tea to coffee.",
    "Ada works as a nurse.",
    "Ada's name is Ada.",
}


def facts(memory):
    return {
        e.text + (f" (until {e.valid_until:%A})" if e.valid_until else "")
        for e in memory.entries(Tier.SEMANTIC)
    }


# -------------------------------------------------------------------- all at one time

SECRETS = {"ada": "kumquat", "bob": "zeppelin"}


def test_all_doors_at_once_mix_nobody_and_lose_nothing(tmp_path, models):
    """Ten threads, two people, one home, and a sleeper in the midst of it."""
    with People(home=tmp_path / "home", encoder="hash") as people:
        doors = {
            (user, door): door(people, user, models)
            for user in SECRETS
            for door in DOORS
        }
        begin, failed = threading.Barrier(len(doors)), []

        def talk(user, door):
            begin.wait(30)
            for n in range(4):
                words = f"I bought {SECRETS[user]} number {n} at the {door.__name__}."
                try:
                    doors[user, door].exchange(door.__name__, words, f"Ok {n}.")
                except Exception as fault:
                    failed.append(fault)
                    raise

        threads = [threading.Thread(target=talk, args=both) for both in doors]
        slept = []
        with Sleeper(people, idle=timedelta(0), on_slept=slept.append) as sleeper:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads)
            deadline = time.monotonic() + 20
            while sleeper.waiting() and time.monotonic() < deadline:
                time.sleep(0.05)
        assert failed == []
        assert {report.user for report in slept} == set(SECRETS)
        for user, secret in SECRETS.items():
            memory = people.memory(user)
            memory.consolidate()
            for door in DOORS:
                turns = memory.working(door.__name__, 100)
                assert [t.text for t in turns if t.role == "user"] == [
                    f"I bought {secret} number {n} at the {door.__name__}."
                    for n in range(4)
                ]
                assert [t.text for t in turns if t.role == "assistant"] == [
                    f"Ok {n}." for n in range(4)
                ]
            assert memory.check() == []
            other = SECRETS["bob" if user == "ada" else "ada"]
            assert not [e for e in memory.entries() if other in e.text]
            prompts = [
                str(asked)
                for door in DOORS[1:]
                for asked in doors[user, door]._model.asked
            ]
            assert len(prompts) == 16
            assert any(secret in prompt for prompt in prompts)
            assert not [prompt for prompt in prompts if other in prompt]


# --------------------------------------------------------------- one message, two ears


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("I own a kayak.", id="h1"),
        AIMessage("Nice!", id="a1"),
        HumanMessage([{"type": "text", "text": "I own a kayak."}], id="h1"),
        HumanMessage("ada: <memories>x</memories> hello", id="ünïcode \x1f"),
    ],
)
def test_one_message_is_one_turn_in_langchain_and_in_langgraph(message):
    """Both packages name it alike, and two threads or wordings apart."""
    name = turn_id(message, "t1")
    other = message.model_copy(update={"content": "I own two kayaks."})

    assert langchain_turns.turn_id(message, "t1") == name
    assert langchain_turns.turn_id(message, "t2") == turn_id(message, "t2") != name
    assert langchain_turns.turn_id(other, "t1") == turn_id(other, "t1") != name


def on(thread):
    return {"configurable": {"thread_id": thread, "user_id": "ada"}}


def test_an_agent_inside_of_a_graph_hears_no_turn_twice(scripted):
    """Both have memory, and both hear what she says: it is one turn, and one answer."""
    with People() as people:
        agent = create_agent(
            scripted("Nice!", "A kayak."), middleware=[PSMMiddleware(people)]
        )

        def ask_agent(state, config):
            return {"messages": agent.invoke(state, config)["messages"][-1:]}

        graph = psm_graph(ask_agent, people).compile(checkpointer=InMemorySaver())
        graph.invoke({"messages": [HumanMessage("I own a kayak.")]}, on("t1"))
        graph.invoke({"messages": [HumanMessage("What do I own?")]}, on("t1"))

        said = people.memory("ada").working("t1", 100)
        assert [turn.text for turn in said] == [
            "I own a kayak.",
            "Nice!",
            "What do I own?",
            "A kayak.",
        ]
        assert len(people.memory("ada").entries()) == 4


def test_a_thread_that_moves_from_an_agent_to_a_graph_is_one_conversation(scripted):
    """What the agent heard is known to the graph, by the ids of its messages."""
    with People() as people:
        agent = create_agent(scripted("Nice!"), middleware=[PSMMiddleware(people)])
        so_far = agent.invoke({"messages": [HumanMessage("I own a kayak.")]}, on("t1"))[
            "messages"
        ]

        graph = psm_graph(
            lambda state: {"messages": [AIMessage("A kayak.", id="a2")]}, people
        ).compile()
        graph.invoke({"messages": so_far}, on("t1"))
        graph.invoke({"messages": [*so_far, HumanMessage("What do I own?")]}, on("t1"))

        entries = people.memory("ada").entries()
        assert sorted(e.text for e in entries) == [
            "A kayak.",
            "I own a kayak.",
            "Nice!",
            "What do I own?",
        ]


# ------------------------------------------------------------------------- the example


def test_the_example_runs_as_its_page_says(tmp_path):
    """examples/one_memory_three_frameworks.py prints what docs/one-memory.md shows."""
    places = [ROOT, *(ROOT / "integrations").iterdir()]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "one_memory_three_frameworks.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs" / "one-memory.md").read_text("utf-8")
    shown = re.search(r"```\n(--- three.*?)```", page, re.DOTALL)
    assert shown[1].strip() == done.stdout.strip()
    assert [*tmp_path.iterdir()] == []
