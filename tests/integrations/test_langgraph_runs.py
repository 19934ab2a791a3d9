"""Runs of a graph with memory: every door, interrupts, resume, time travel, threads."""

import asyncio
import threading

import numpy as np
import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langgraph.checkpoint.sqlite")

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, interrupt

from psm_core import People, Turn
from psm_langgraph import psm_graph

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"


@pytest.fixture
def people():
    with People() as people:
        yield people


@pytest.fixture
def ada(people):
    """Ada's memory, who told of Lyon in an earlier conversation."""
    memory = people.memory("ada")
    memory.remember(Turn(LYON, session="earlier"))
    return memory


@pytest.fixture(params=["memory", "sqlite"])
def saver(request, tmp_path):
    """Both savers that everybody has."""
    if request.param == "memory":
        yield InMemorySaver()
        return
    with SqliteSaver.from_conn_string(str(tmp_path / "runs.sqlite")) as saver:
        yield saver


def answering(*replies):
    """A model's node that answers as it is told, and notes what it was asked."""
    asked = []

    def model(state):
        asked.append(state["messages"])
        reply = replies[min(len(asked), len(replies)) - 1]
        return {"messages": [AIMessage(reply) if isinstance(reply, str) else reply]}

    model.asked = asked
    return model


def on(thread="t1", user="ada"):
    return {"configurable": {"thread_id": thread, "user_id": user}}


def saying(words):
    return {"messages": [HumanMessage(words)]}


def texts(memory):
    return [entry.text for entry in memory.entries()]


def at(checkpoint):
    """To go on there: a checkpoint's config names the thread, and not the person."""
    return {"configurable": checkpoint.config["configurable"] | {"user_id": "ada"}}


def before(graph, node):
    """Where to go on from just before *node* ran for the last time."""
    history = graph.get_state_history(on())
    return at(next(s for s in history if s.next == (node,)))


# ------------------------------------------------------------------------ doors


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_invoke_and_stream_end_in_memory_alike(people, ada, saver, durability):
    """Sync doors, each durability, both savers: shown once, kept once."""
    model = answering("To Lyon.")
    graph = psm_graph(model, people).compile(checkpointer=saver)

    graph.invoke(saying(WHERE), on("a"), durability=durability)
    for _ in graph.stream(saying("So, Lyon it is?"), on("b"), durability=durability):
        pass

    assert [LYON in asked[0].text for asked in model.asked] == [True, True]
    assert [e.text for e in ada.entries() if e.role == "user"] == [
        LYON,
        WHERE,
        "So, Lyon it is?",
    ]
    assert [t.text for t in ada.working("a")] == [WHERE, "To Lyon."]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_async_doors_end_in_memory_alike(people, ada, tmp_path, durability):
    """ainvoke and astream, with a saver that is async too."""
    asked = []

    async def model(state):
        asked.append(state["messages"])
        return {"messages": [AIMessage("To Lyon.")]}

    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "a.sqlite")) as saver:
        graph = psm_graph(model, people).compile(checkpointer=saver)
        await graph.ainvoke(saying(WHERE), on("a"), durability=durability)
        stream = graph.astream(saying(WHERE), on("b"), durability=durability)
        async for _ in stream:
            pass

    assert [LYON in m[0].text for m in asked] == [True, True]
    assert [t.text for t in ada.working("b")] == [WHERE, "To Lyon."]


def test_the_models_tokens_are_streamed(people, ada, scripted):
    """stream_mode="messages" shows what the model says, and no memory."""
    chat = scripted("To Lyon.")

    def model(state):
        return {"messages": [chat.invoke(state["messages"])]}

    graph = psm_graph(model, people).compile()
    got = [*graph.stream(saying(WHERE), on(), stream_mode="messages")]

    assert [(m.text, meta["langgraph_node"]) for m, meta in got] == [
        ("To Lyon.", "model")
    ]
    assert LYON in chat.prompt()


async def test_an_abandoned_async_stream_lost_nothing_that_was_said(people):
    """Whoever leaves before the answer is remembered all the same."""
    graph = psm_graph(answering("Hm."), people).compile()

    async for _ in graph.astream(saying(LYON), on()):
        break

    assert texts(people.memory("ada"))[:1] == [LYON]


class SlowEncoder:
    """Takes its time for a text, as a model on a busy machine does."""

    name, width = "slow", 16

    def encode(self, texts):
        threading.Event().wait(0.4)
        return np.eye(16, dtype=np.float32)[[len(t) % 16 for t in texts]]


async def test_the_loop_goes_on_while_memory_works():
    """Under ainvoke every node of ours works in a thread."""
    with People(encoder=SlowEncoder()) as people:
        graph = psm_graph(answering("Noted."), people).compile()
        loop = asyncio.get_running_loop()
        ticks = []

        async def tick():
            while True:
                ticks.append(loop.time())
                await asyncio.sleep(0.005)

        ticking = asyncio.create_task(tick())
        await graph.ainvoke(saying(LYON), on())
        ticking.cancel()

        assert ticks[-1] - ticks[0] > 0.8
        assert max(np.diff(ticks)) < 0.3


async def test_no_memory_is_opened_in_the_loops_own_thread():
    """Not even to read what is shown: opening a folder may take a while."""
    where = []

    class Noting(People):
        def memory(self, user):
            where.append(threading.current_thread())
            return super().memory(user)

    with Noting() as people:
        graph = psm_graph(answering("Noted."), people).compile()
        async for _ in graph.astream(saying(LYON), on()):
            pass

    assert len(where) == 3
    assert threading.current_thread() not in where


# ------------------------------------------------------------------- tools, interrupts


@tool
def population(city: str) -> str:
    """How many people live in a city."""
    return "522,000"


CALL = AIMessage(
    "Let me look.",
    tool_calls=[{"name": "population", "args": {"city": "Lyon"}, "id": "c1"}],
)


def test_a_tool_loop_shows_once_and_keeps_the_answer(people, ada):
    """The model is asked twice and sees memories twice; one showing, one answer."""
    model = answering(CALL, "Lyon has 522,000 people.")
    graph = psm_graph(model, people, tools=[population]).compile()

    out = graph.invoke(saying(WHERE), on())

    assert [isinstance(m, ToolMessage) for m in out["messages"]].count(True) == 1
    assert [LYON in asked[0].text for asked in model.asked] == [True, True]
    assert texts(ada) == [LYON, WHERE, "Lyon has 522,000 people."]
    assert [e.recalled for e in ada.entries() if e.text == LYON] == [1]


def test_a_human_in_the_loop_still_has_memories_after_a_resume(people, ada, saver):
    """After interrupt() and Command(resume=) the model's node is shown the same."""
    asked = []

    def model(state):
        asked.append(state["messages"])
        allowed = interrupt("May I say where you live?")
        return {"messages": [AIMessage(f"To Lyon, {allowed}.")]}

    graph = psm_graph(model, people).compile(checkpointer=saver)
    graph.invoke(saying(WHERE), on())
    out = graph.invoke(Command(resume="surely"), on())

    assert out["messages"][-1].text == "To Lyon, surely."
    assert [LYON in m[0].text for m in asked] == [True, True]
    assert texts(ada) == [LYON, WHERE, "To Lyon, surely."]
    assert [e.recalled for e in ada.entries() if e.text == LYON] == [1]


def test_another_process_resumes_and_still_knows(ada, tmp_path):
    """What was shown is found again by its names, where nothing else is known."""
    file = str(tmp_path / "runs.sqlite")
    with SqliteSaver.from_conn_string(file) as saver, People() as here:
        graph = psm_graph(answering("Hm."), here)
        graph.compile(checkpointer=saver, interrupt_before=["model"]).invoke(
            saying(WHERE), on()
        )

    model = answering("To Lyon.")
    with SqliteSaver.from_conn_string(file) as saver, People() as there:
        psm_graph(model, there).compile(checkpointer=saver).invoke(None, on())

    assert LYON in model.asked[0][0].text
    ada.consolidate()
    assert [e.used for e in ada.entries() if e.text == LYON] == [1]


def test_no_checkpoint_on_disk_holds_what_was_recalled(people, ada, tmp_path):
    """Neither the fence nor a remembered word is in the saver's file."""
    file = tmp_path / "runs.sqlite"
    with SqliteSaver.from_conn_string(str(file)) as saver:
        graph = psm_graph(answering(CALL, "Many."), people, tools=[population])
        graph.compile(checkpointer=saver).invoke(saying("Do many live there?"), on())
        saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        held = file.read_bytes()

    assert b"Do many live there?" in held
    assert b"moved to Lyon" not in held
    assert b"<memories" not in held


# ----------------------------------------------------------------------- time travel


def test_a_replay_remembers_nothing_twice(people, ada, saver):
    """Run again from each of its checkpoints, an exchange stays one exchange."""
    graph = psm_graph(answering(AIMessage("To Lyon.", id="a1")), people).compile(
        checkpointer=saver
    )
    graph.invoke(saying(WHERE), on())

    for node in ("recall", "model", "remember"):
        graph.invoke(None, before(graph, node))

    assert texts(ada) == [LYON, WHERE, "To Lyon."]


def test_a_fork_keeps_what_was_said_once_and_both_answers(people, ada, saver):
    """The common part of two branches is one turn; each answer was given, and stays."""
    graph = psm_graph(answering("To Lyon.", "To Lyon, France."), people).compile(
        checkpointer=saver
    )
    graph.invoke(saying(WHERE), on())

    graph.invoke(None, before(graph, "recall"))

    assert texts(ada) == [LYON, WHERE, "To Lyon.", "To Lyon, France."]


def test_a_fork_is_not_told_what_the_branch_it_left_said(people, saver):
    """In its own thread a fork goes on as if that hadn't been said; others know it."""
    model = answering("Ok.", "Ok.", "Hm.", "Hm.", "Hm.")
    graph = psm_graph(model, people).compile(checkpointer=saver)
    graph.invoke(saying("I own a kayak."), on())
    fork = at(graph.get_state(on()))
    graph.invoke(saying("I moved to Oslo."), on())

    graph.invoke(saying("Which city did I move to?"), fork)
    graph.invoke(saying("Which city did I move to, then?"), on())
    graph.invoke(saying("Which city did I move to?"), on("t2"))

    assert not [m for asked in model.asked[2:4] for m in asked if "Oslo" in m.text]
    assert "I moved to Oslo." in model.asked[4][0].text
    assert texts(people.memory("ada")).count("I moved to Oslo.") == 1


def test_a_message_that_was_edited_stands_for_the_old_one_in_its_thread(people):
    """An edit is another turn; the first words aren't recalled in this thread."""
    model = answering("Ok.")
    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())
    first = graph.invoke(saying("I moved to Oslo."), on())["messages"][0]
    edited = HumanMessage("I moved to Bergen. Which city did I name?", id=first.id)
    start = before(graph, "recall")

    fork = graph.update_state(start, {"messages": [edited]}, as_node="__start__")
    graph.invoke(None, {"configurable": fork["configurable"] | {"user_id": "ada"}})

    assert not [m for m in model.asked[1] if "Oslo" in m.text]
    told = [e.text for e in people.memory("ada").entries() if e.role == "user"]
    assert told == ["I moved to Oslo.", edited.text]


# -------------------------------------------------------------- threads and people


def test_threads_of_one_person_share_what_is_remembered(people, saver):
    """What one thread was told, the next one knows; each is a session of its own."""
    model = answering("Ok.")
    graph = psm_graph(model, people).compile(checkpointer=saver)

    graph.invoke(saying(LYON), on("monday"))
    graph.invoke(saying(WHERE), on("friday"))

    memory = people.memory("ada")
    assert LYON in model.asked[1][0].text
    assert [t.text for t in memory.working("monday")] == [LYON, "Ok."]
    assert [t.text for t in memory.working("friday")] == [WHERE, "Ok."]


def test_a_thread_that_two_people_share_mixes_no_memory(people, saver):
    """The state's names are looked up in the memory of the person who asks."""
    model = answering("Ok.")
    graph = psm_graph(model, people).compile(checkpointer=saver)

    graph.invoke(saying("I moved to Oslo."), on("talk", "bob"))
    graph.invoke(saying("Which city did bob move to?"), on("new", "bob"))
    graph.invoke(saying("Which city did bob move to?"), on("new", "ada"))

    assert "Oslo" in model.asked[1][0].text
    assert model.asked[2][0].text == "Which city did bob move to?"


def test_eight_threads_serve_twenty_people(people):
    """160 turns at once through one graph: each is kept once, by its own person."""
    model = answering("Ok.")
    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())
    users = [f"user{n}" for n in range(20)]
    faults = []

    def talk(thread):
        try:
            for user in users:
                said = f"I am {user} and moved to city {user}."
                graph.invoke(saying(said), on(f"{user}-{thread}", user))
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    for user in users:
        own = [e for e in people.memory(user).entries() if e.role == "user"]
        assert len(own) == 8
        assert all(f"I am {user} and" in e.text for e in own)
    for asked in model.asked:
        named = {w for m in asked for w in m.text.split() if w.startswith("user")}
        assert len({name.strip(".:") for name in named}) == 1


async def test_a_hundred_tasks_serve_twenty_people(people):
    """100 runs in one loop, with a model that lets go of it: nobody hears another."""
    seen = []

    async def model(state, config):
        await asyncio.sleep(0)
        seen.append((config["configurable"]["user_id"], state["messages"]))
        return {"messages": [AIMessage("Ok.")]}

    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())
    runs = [
        graph.ainvoke(
            saying(f"I am u{n % 20:02} on day {n}."), on(str(n), f"u{n % 20:02}")
        )
        for n in range(100)
    ]
    await asyncio.gather(*runs)

    assert len(seen) == 100
    others = {f"u{n:02}" for n in range(20)}
    for user, messages in seen:
        told = "\n".join(m.text for m in messages)
        assert not [o for o in others - {user} if o in told]
    for n in range(20):
        entries = people.memory(f"u{n:02}").entries()
        assert sum(e.role == "user" for e in entries) == 5
