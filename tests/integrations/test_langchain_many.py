"""One agent for many: threads, tasks, processes, and agents inside of agents."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("langchain.agents")

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from psm_core import People, Turn
from psm_langchain import PSMMiddleware

ROOT = Path(__file__).parents[2]
PLACES = {f"person{n}": f"Place{n:02}" for n in range(20)}
WHERE = "Which place did I move to?"


class Telltale(BaseChatModel):
    """Answers with the places that its prompt names, sorted."""

    @property
    def _llm_type(self):
        return "telltale"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        prompt = " ".join(str(m.text) for m in messages)
        told = ", ".join(p for p in sorted(PLACES.values()) if p in prompt)
        message = AIMessage(f"It is {told or 'nowhere'}.")
        return ChatResult(generations=[ChatGeneration(message=message)])

    def bind_tools(self, tools, **kwargs):
        return self


@pytest.fixture
def people():
    with People() as opened:
        yield opened


@pytest.fixture
def agent(people):
    return create_agent(
        Telltale(),
        middleware=[PSMMiddleware(people)],
        checkpointer=InMemorySaver(),
        context_schema=dict,
    )


def told(result):
    return result["messages"][-1].text


def asking(user, n, words=WHERE):
    return (
        {"messages": [HumanMessage(words)]},
        {"configurable": {"thread_id": f"{user}-{n}"}},
    )


def test_eight_threads_and_twenty_people_mix_nothing(agent, people):
    """Every answer names the asker's own place, and each turn is there once."""

    def live(job):
        user, n = job
        words = f"I moved to {PLACES[user]}." if n == 0 else WHERE
        messages, config = asking(user, n, words)
        return user, told(agent.invoke(messages, config, context={"user_id": user}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(live, [(user, 0) for user in PLACES]))
        answers = list(
            pool.map(live, [(user, n) for n in (1, 2, 3) for user in PLACES])
        )

    assert answers == [
        (user, f"It is {PLACES[user]}.") for _ in range(3) for user in PLACES
    ]
    for user, place in PLACES.items():
        stored = people.memory(user).entries()
        assert len(stored) == 2 * 4
        assert not [e for e in stored if "Place" in e.text and place not in e.text]


async def test_a_hundred_tasks_mix_nothing(agent, people):
    """All at once in one loop, over twenty people."""
    for user, place in PLACES.items():
        people.memory(user).remember(Turn(f"I moved to {place}.", session="earlier"))

    async def live(user, n):
        messages, config = asking(user, n)
        result = await agent.ainvoke(messages, config, context={"user_id": user})
        return user, told(result)

    jobs = [live(user, n) for n in range(5) for user in PLACES]
    answers = await asyncio.wait_for(asyncio.gather(*jobs), timeout=120)

    assert answers == [
        (user, f"It is {PLACES[user]}.") for _ in range(5) for user in PLACES
    ]
    assert {len(people.memory(user).entries()) for user in PLACES} == {1 + 2 * 5}


def test_one_persons_conversations_at_once(agent, people):
    """Eight windows of one person: nothing is lost, nothing is locked."""
    people.memory("person3").remember(Turn("I moved to Place03.", session="earlier"))
    answers = []

    def live(n):
        for _ in range(3):
            messages, config = asking("person3", n)
            result = agent.invoke(messages, config, context={"user_id": "person3"})
            answers.append(told(result))

    windows = [threading.Thread(target=live, args=(n,)) for n in range(8)]
    for window in windows:
        window.start()
    for window in windows:
        window.join(timeout=60)

    assert answers == ["It is Place03."] * 24
    assert len(people.memory("person3").entries()) == 1 + 8 * 3 * 2


class SlowEncoder:
    """Takes its time for a text, as a model on a busy machine does."""

    name, width = "slow", 16

    def encode(self, texts):
        time.sleep(0.4)
        return np.eye(16, dtype=np.float32)[[len(t) % 16 for t in texts]]


async def test_the_loop_goes_on_while_memory_works():
    """Hearing, recalling and learning are done in threads."""
    ticks = []

    async def tick():
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.005)

    with People(encoder=SlowEncoder()) as slow:
        agent = create_agent(
            Telltale(), middleware=[PSMMiddleware(slow)], context_schema=dict
        )
        ticking = asyncio.create_task(tick())
        messages, config = asking("person1", 0)
        await agent.ainvoke(messages, config, context={"user_id": "person1"})
        ticking.cancel()

    assert max(np.diff(ticks)) < 0.3


def test_an_agent_inside_of_an_agent_needs_no_memory_of_its_own(people):
    """Memory belongs to the agent that the person talks to; its tools' turns don't."""
    inner = create_agent(Telltale())

    @tool
    def ask_expert(question: str) -> str:
        """Ask another agent."""
        return told(inner.invoke({"messages": [HumanMessage(question)]}))

    class Outer(Telltale):
        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            if messages[-1].type == "tool":
                return super()._generate(messages)
            asked = {"name": "ask_expert", "args": {"question": "hm"}, "id": "c1"}
            message = AIMessage("", tool_calls=[asked])
            return ChatResult(generations=[ChatGeneration(message=message)])

    agent = create_agent(
        Outer(), [ask_expert], middleware=[PSMMiddleware(people)], context_schema=dict
    )
    messages, config = asking("person1", 0, "I moved to Place01.")
    agent.invoke(messages, config, context={"user_id": "person1"})

    assert [t.text for t in people.memory("person1").working("person1-0")] == [
        "I moved to Place01.",
        "It is Place01.",
    ]


# ---------------------------------------------------------------------- processes

TURN = """
    import sys
    from langchain.agents import create_agent
    from langchain.agents.middleware import HumanInTheLoopMiddleware
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, HumanMessage
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.tools import tool
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.types import Command
    from psm_langchain import PSMMiddleware

    @tool
    def look(place: str) -> str:
        '''Look a place up.'''
        return "nice"

    class Model(BaseChatModel):
        reply: str
        @property
        def _llm_type(self):
            return "model"
        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            if "{kill}" == "model":
                import os
                os.kill(os.getpid(), 9)
            print("SHOWN", "I moved to Lyon last week." in messages[0].text)
            call = {{"name": "look", "args": {{"place": "x"}}, "id": "c1"}}
            message = AIMessage("", tool_calls=[call]) if self.reply == "CALL" else AIMessage(self.reply)
            return ChatResult(generations=[ChatGeneration(message=message)])
        def bind_tools(self, tools, **kwargs):
            return self

    with SqliteSaver.from_conn_string("{saver}") as saver, PSMMiddleware() as memory:
        agent = create_agent(
            Model(reply="{reply}"), [look], checkpointer=saver, context_schema=dict,
            middleware=[memory, HumanInTheLoopMiddleware(interrupt_on={{"look": True}})],
        )
        given = {given}
        agent.invoke(given, {{"configurable": {{"thread_id": "t1"}}}}, context={{"user_id": "ada"}})
        print("DONE")
"""


@pytest.fixture
def in_a_process(tmp_path):
    """Runs one turn in an interpreter of its own; what it printed, line by line."""

    def turn(given, reply="Ok.", kill=""):
        code = TURN.format(given=given, reply=reply, kill=kill, saver=tmp_path / "s.db")
        path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langchain")])
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert kill or done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return turn


def saying(words):
    return f"{{'messages': [HumanMessage({words!r})]}}"


def test_a_turn_goes_on_in_another_process(people, in_a_process):
    """Interrupted here, approved there: the memories, the answer and the correction."""
    with people:
        people.memory("ada").remember(
            Turn("I moved to Lyon last week.", session="earlier", id="lyon")
        )
    approve = "Command(resume={'decisions': [{'type': 'approve'}]})"

    assert in_a_process(saying("Where did I move to?"), "CALL") == [
        "SHOWN True",
        "DONE",
    ]
    assert in_a_process(approve, "To Lyon.") == ["SHOWN True", "DONE"]
    assert in_a_process(saying("No, I moved to Paris."), "Noted.") == [
        "SHOWN False",
        "DONE",
    ]

    with People() as again:
        memory = again.memory("ada")
        assert memory.entry("lyon").corrected == 1
        assert [t.text for t in memory.working("t1")] == [
            "Where did I move to?",
            "To Lyon.",
            "No, I moved to Paris.",
            "Noted.",
        ]


def test_a_killed_process_loses_nothing_that_was_said(in_a_process):
    """kill -9 while the model thinks; the run is taken up where it was."""
    assert in_a_process(saying("I own a kayak."), kill="model") == []
    with People() as people:
        assert [t.text for t in people.memory("ada").working("t1")] == [
            "I own a kayak."
        ]

    assert in_a_process("None", "Nice!")[-1] == "DONE"

    with People() as people:
        assert [t.text for t in people.memory("ada").working("t1")] == [
            "I own a kayak.",
            "Nice!",
        ]
