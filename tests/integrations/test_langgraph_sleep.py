"""The sleep node: it asks and returns at once; the sleep comes between the runs."""

import operator
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langgraph.checkpoint.sqlite")

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from psm_core import People, Sleeper, Tier
from psm_core.errors import UserError
from psm_langgraph import psm_graph, sleep_node

ROOT = Path(__file__).parents[2]
LYON = "I live in Lyon."


@pytest.fixture
def people():
    with People() as people:
        yield people


@pytest.fixture
def sleeper(people):
    """One that nobody starts: it sleeps when a test says run()."""
    sleeper = Sleeper(people, idle=timedelta(0))
    yield sleeper
    sleeper.close()


def model(state):
    return {"messages": [AIMessage("Ok.")]}


def on(thread="t1", user="ada"):
    return {"configurable": {"thread_id": thread, "user_id": user}}


def saying(words):
    return {"messages": [HumanMessage(words)]}


def facts(people, user="ada"):
    return [e.text for e in people.memory(user).entries(Tier.SEMANTIC)]


def test_a_run_asks_for_sleep_and_does_not_wait_for_it(people, sleeper):
    """After a run the person is due, and nothing was consolidated inside it."""
    graph = psm_graph(model, people, sleeper).compile(checkpointer=InMemorySaver())

    graph.invoke(saying(LYON), on())

    assert [due.user for due in sleeper.waiting()] == ["ada"]
    assert facts(people) == []
    assert [report.facts for report in sleeper.run()] == [1]
    assert facts(people) == ["Ada lives in Lyon."]


async def test_an_async_run_asks_for_sleep_too(people, sleeper):
    """ainvoke and astream leave the same row behind."""
    graph = psm_graph(model, people, sleeper).compile()

    await graph.ainvoke(saying(LYON), on(user="ada"))
    async for _ in graph.astream(saying(LYON), on(user="bob")):
        pass

    assert {due.user for due in sleeper.waiting()} == {"ada", "bob"}


def test_the_next_run_opens_on_facts(people, sleeper):
    """What three runs told one by one is one fact in the prompt of the next."""
    seen = []

    def noting(state):
        seen.append(state["messages"])
        return {"messages": [AIMessage("Ok.")]}

    graph = psm_graph(noting, people, sleeper).compile()
    for n in range(3):
        graph.invoke(saying(LYON), on(f"t{n}"))
    (report,) = sleeper.run()
    graph.invoke(saying("Where do I live?"), on("t9"))

    assert report.facts == 1
    assert "[known since" in seen[-1][0].text
    assert "- Ada lives in Lyon." in seen[-1][0].text


def test_runs_that_follow_each_other_are_one_sleep(people):
    """A conversation that goes on isn't cut into naps; now=True ends it."""
    sleeper = Sleeper(people, idle=timedelta(hours=1))
    patient = psm_graph(model, people, sleeper).compile()
    for n in range(3):
        patient.invoke(saying(f"I own {n} kayaks."), on(f"t{n}"))
    assert sleeper.run() == []
    assert [due.user for due in sleeper.waiting()] == ["ada"]

    over = psm_graph(model, people, sleeper, now=True).compile()
    over.invoke(saying("Good night."), on("t3"))

    assert len(sleeper.run()) == 1
    assert sleeper.waiting() == []
    sleeper.close()


def test_the_sleep_node_comes_after_the_slowest_branch(people, sleeper):
    """Added with defer=True, it runs when every other branch is done."""

    class State(MessagesState):
        order: Annotated[list, operator.add]

    asleep = sleep_node(sleeper)

    def noted(state, config):
        asleep.invoke(state, config)
        return {"order": ["sleep"]}

    graph = StateGraph(State)
    graph.add_node("quick", lambda state: {"order": ["quick"]})
    graph.add_node("slow", lambda state: time.sleep(0.1) or {"order": ["slow"]})
    graph.add_node("slower", lambda state: {"order": ["slower"]})
    graph.add_node("sleep", noted, defer=True)
    for edge in [(START, "quick"), (START, "slow"), ("slow", "slower")]:
        graph.add_edge(*edge)
    for node in ("quick", "slower"):
        graph.add_edge(node, "sleep")

    out = graph.compile().invoke({"messages": [], "order": []}, on())

    assert out["order"][-1] == "sleep"
    assert out["order"].count("sleep") == 1
    assert psm_graph(model, people, sleeper).nodes["sleep"].defer


def test_a_graph_without_a_sleep_node_sleeps_all_the_same(people, sleeper):
    """Whoever makes a sleeper of the same people need not wire it into the graph."""
    graph = psm_graph(model, people).compile()

    graph.invoke(saying(LYON), on())

    assert [(r.user, r.facts) for r in sleeper.run()] == [("ada", 1)]


def test_a_sleep_is_asked_for_one_person_only(people, sleeper):
    """The node takes the person from the run, and refuses a run without one."""
    graph = psm_graph(model, people, sleeper).compile()
    graph.invoke(saying(LYON), on(user="bob"))

    assert [due.user for due in sleeper.waiting()] == ["bob"]
    with pytest.raises(UserError, match="user_id"):
        sleep_node(sleeper).invoke({"messages": []})


def test_a_started_sleeper_sleeps_while_the_graph_serves_on(people):
    """Its thread consolidates between runs; a run meanwhile isn't held up."""
    slept = []
    with Sleeper(people, idle=timedelta(0), on_slept=slept.append) as sleeper:
        graph = psm_graph(model, people, sleeper, now=True).compile()
        graph.invoke(saying(LYON), on())
        deadline = time.monotonic() + 20
        while not slept and time.monotonic() < deadline:
            graph.invoke(saying("hello!"), on("t2", user="bob"))

    assert sum(r.facts for r in slept if r.user == "ada") == 1


# ----------------------------------------------------------------------- kill -9

_PROGRAM = """
import os, signal, sys
from datetime import timedelta
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from psm_core import People, Sleeper
from psm_langgraph import psm_graph

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

where, durability, file = sys.argv[1:]
people = People()
sleeper = Sleeper(people, idle=timedelta(0))
if where == "before the queue":
    people.unlisten(sleeper)
    sleeper.enqueue = die
with SqliteSaver.from_conn_string(file) as saver:
    graph = psm_graph(
        lambda state: {"messages": [AIMessage("Ok.")]}, people, sleeper
    ).compile(checkpointer=saver)
    config = {"configurable": {"thread_id": "t1", "user_id": "ada"}}
    said = {"messages": [HumanMessage("I live in Lyon.")]}
    graph.invoke(said, config, durability=durability)
    if where == "during the sleep":
        import psm_core.memory
        psm_core.memory.Plugins.notify = die
        sleeper.run()
    die()
"""


def killed(where, durability, file):
    """Run the program until it kills itself *where* it is told to."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langgraph")])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PROGRAM), where, durability, file],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(
    "where", ["before the queue", "before the sleep", "during the sleep"]
)
def test_a_kill_between_checkpoint_and_sleep_is_slept_later_exactly_once(
    where, tmp_path
):
    """kill -9 at three places: the next process sleeps on it, and only once."""
    file = str(tmp_path / "runs.sqlite")
    killed(where, "sync", file)
    asked = []

    def noting(state):
        asked.append(state)
        return model(state)

    with People() as people, SqliteSaver.from_conn_string(file) as saver:
        sleeper = Sleeper(people, idle=timedelta(0))
        graph = psm_graph(noting, people, sleeper).compile(checkpointer=saver)
        left = graph.get_state(on()).next
        assert left == (("sleep",) if where == "before the queue" else ())
        if left:
            graph.invoke(None, on())
        time.sleep(0.01)
        reports = [*sleeper.run(), *sleeper.run()]

        assert len(reports) == 1
        assert asked == []
        assert facts(people) == ["Ada lives in Lyon."]
        turns = people.memory("ada").working("t1")
        assert [t.text for t in turns] == [LYON, "Ok."]
        changes = people.memory("ada").history(turns[0].id)
        assert [c.what for c in changes] == ["remembered", "archived"]
        sleeper.close()


def test_where_no_checkpoint_was_written_the_next_run_lets_them_sleep(tmp_path):
    """durability="exit": a kill leaves nothing to resume, and no word is lost."""
    file = str(tmp_path / "runs.sqlite")
    killed("before the queue", "exit", file)

    with People() as people, SqliteSaver.from_conn_string(file) as saver:
        sleeper = Sleeper(people, idle=timedelta(0))
        graph = psm_graph(model, people, sleeper).compile(checkpointer=saver)
        assert (graph.get_state(on()).next, sleeper.waiting()) == ((), [])

        graph.invoke(saying("hello!"), on())

        assert [report.facts for report in sleeper.run()] == [1]
        assert facts(people) == ["Ada lives in Lyon."]
        sleeper.close()
