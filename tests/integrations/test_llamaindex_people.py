"""LlamaIndex's PSMMemory and people: isolation, threads, the event loop, copies."""

import asyncio
import copy
import threading
import time

import numpy as np
import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import Memory as LlamaMemory
from llama_index.core.storage.chat_store.sql import SQLAlchemyChatStore

from psm_core import Memory, People, Turn, hookimpl
from psm_core.errors import ClosedError
from psm_llamaindex import PSMMemory

LYON = "I moved to Lyon last week."
WHERE = "Which city did I move to?"


def user(content):
    return ChatMessage(role="user", content=content)


def model(content):
    return ChatMessage(role="assistant", content=content)


def words(messages):
    return "\n".join(m.content for m in messages)


@pytest.fixture
def people():
    with People() as them:
        yield them


# -------------------------------------------------------------------------- isolation


def test_ada_never_sees_what_bob_said(people, llama_memory):
    """Two people, one process, even one session id and one chat store."""
    store = SQLAlchemyChatStore(table_name="chats")
    ada, bob = (
        llama_memory(user=name, people=people, session_id="main", chat_store=store)
        for name in ("ada", "bob")
    )
    ada.put(user(LYON))
    bob.put(user("I moved to Oslo."))

    assert words(ada.get()) == LYON
    assert words(bob.get()) == "I moved to Oslo."
    assert "Oslo" not in words(ada.get(input=WHERE))
    assert "Lyon" not in words(bob.get(input=WHERE))
    bob.reset()
    assert words(ada.get_all()) == LYON


class NoPhone:
    """A plugin that takes a telephone number out of all that is stored."""

    @hookimpl
    def psm_redact(self, text):
        return text.replace("555-1234", "[phone]")


def test_redacted_words_in_view_are_not_recalled_too(llama_memory, tmp_path):
    """A turn that is stored in other words stands in the prompt once, request by request."""
    where = f"sqlite+aiosqlite:///{tmp_path / 'chats.db'}"
    said = ["My phone is 555-1234.", "What is my phone number?"]
    with People(plugins=[NoPhone()]) as people:
        for asked in said:
            memory = llama_memory(
                user="ada", people=people, session_id="s1", async_database_uri=where
            )
            memory.put(user(asked))
            prompt = words(memory.get())
            memory.put(model("Noted."))

    assert prompt == "My phone is 555-1234.\nNoted.\nWhat is my phone number?"


def test_forgetting_bob_leaves_adas_chats_alone(people, llama_memory):
    """forget_user() deletes all sessions of one person in a store that many share."""
    store = SQLAlchemyChatStore(table_name="chats")

    def open_one(name, session):
        return llama_memory(
            user=name, people=people, session_id=session, chat_store=store
        )

    for name in ("bob", "bob/x", "ada"):
        for session in ("main", "other", "x/main"):
            open_one(name, session).put(user(f"I am {name}."))

    proof = open_one("bob", "main").forget_user()

    assert proof.left == ()
    assert open_one("bob", "other").get_all() == []
    assert open_one("bob", "x/main").get_all() == []
    assert words(open_one("bob/x", "main").get_all()) == "I am bob/x."
    assert words(open_one("ada", "other").get_all()) == "I am ada."
    assert people.memory("bob").entries() == []
    assert len(people.memory("ada").entries()) == 3


def test_many_people_need_a_name(people):
    """Nobody is served from a shared default; the error names both ways out."""
    with pytest.raises(ValueError, match=r"PSMMemory\(user=.*PSMMemory\(psm=people\."):
        PSMMemory(people=people)

    assert PSMMemory(psm=people.memory("ada")).user == "ada"


def test_two_names_for_one_memory_are_refused(people):
    """An open memory says whose it is."""
    with pytest.raises(ValueError, match="that of ada, not of bob"):
        PSMMemory(user="bob", psm=people.memory("ada"))


def test_the_person_of_an_object_cannot_be_swapped(llama_memory):
    """Assigning user= is refused, since the open memory is another's."""
    with pytest.raises(ValueError, match="frozen"):
        llama_memory(user="ada").user = "bob"


def test_a_given_memory_is_shared_and_stays_open():
    """psm= takes over the person; closing the adapter leaves it to its owner."""
    with Memory("ada") as core:
        core.remember(Turn(LYON))
        with PSMMemory(psm=core) as memory:
            assert LYON in words(memory.get(input=WHERE))
        assert core.counts()
        with pytest.raises(ClosedError):
            memory.forget_user()

        with PSMMemory(psm=core) as memory:
            memory.forget_user()
            with pytest.raises(ClosedError, match=r"PSMMemory\(user='ada'\)"):
                memory.put(user(LYON))


def test_people_stay_open_too(people, llama_memory):
    """close() lets go of what this object opened, and of nothing else."""
    llama_memory(user="ada", people=people).close()

    assert people.memory("ada").closed is False


# -------------------------------------------------------------------------- many at once

TOWNS = {f"person {n}": f"Town{n:02}" for n in range(20)}


def leaks_in(told, town):
    return [other for other in TOWNS.values() if other != town and other in told]


def test_eight_threads_over_twenty_people(people, llama_model):
    """Each thread talks with everybody: nobody sees another's town, nothing is lost."""
    leaks, faults = [], []

    def talk(thread):
        try:
            for name, town in TOWNS.items():
                mirror = llama_model(lambda prompt: f"Noted: {prompt[-60:]}")
                memory = PSMMemory(user=name, people=people)
                engine = SimpleChatEngine.from_defaults(llm=mirror, memory=memory)
                engine.chat(f"I moved to {town}, says thread {thread}.")
                leaks.extend(leaks_in(mirror.prompt(), town))
                assert town in words(memory.get(input=f"{WHERE} It was {thread}."))
                memory.close()
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert not any(thread.is_alive() for thread in threads)
    assert (leaks, faults) == ([], [])
    for name, town in TOWNS.items():
        said = [e.text for e in people.memory(name).entries() if e.role == "user"]
        assert sorted(said) == [
            f"I moved to {town}, says thread {n}." for n in range(8)
        ]


async def test_a_hundred_tasks_over_twenty_people(people, llama_model):
    """On one loop, with one chat store and streams: no leak, and no lock-up."""
    store = SQLAlchemyChatStore(table_name="chats")
    # Tasks that use a new store of LlamaIndex's all at once find no table in it.
    await store.get_keys()
    names = [*TOWNS] * 5

    async def talk(n):
        town = TOWNS[names[n]]
        mirror = llama_model(lambda prompt: f"Noted: {prompt[-60:]}")
        memory = PSMMemory(
            user=names[n], people=people, session_id=f"s{n // 20}", chat_store=store
        )
        engine = SimpleChatEngine.from_defaults(llm=mirror, memory=memory)
        response = await engine.astream_chat(f"I moved to {town}, says task {n}.")
        async for _ in response.async_response_gen():
            pass
        leaks = leaks_in(mirror.prompt(), town)
        return leaks + leaks_in(words(await memory.aget(input=WHERE)), town)

    async with asyncio.timeout(120):
        leaks = await asyncio.gather(*(talk(n) for n in range(100)))

    assert leaks == [[]] * 100
    for name in TOWNS:
        said = [e.text for e in people.memory(name).entries() if e.role == "user"]
        assert len(said) == len(set(said)) == 5


async def test_one_conversation_in_many_tasks_stays_whole(llama_memory):
    """Twenty tasks look at once: it is one recall, and they all see the same."""
    memory = llama_memory(user="ada")
    memory.psm.remember(Turn(LYON, session="earlier"))
    await memory.aput(user(WHERE))

    looks = await asyncio.gather(*(memory.aget() for _ in range(20)))

    assert looks == [looks[0]] * 20
    assert [e.recalled for e in memory.psm.entries() if e.text == LYON] == [1]


# --------------------------------------------------------------------- the event loop


class SlowEncoder:
    """Takes its time for a text, as a model on a busy machine does."""

    name, width = "slow", 16

    def encode(self, texts):
        time.sleep(0.4)
        return np.eye(16, dtype=np.float32)[[len(t) % 16 for t in texts]]


async def test_the_loop_goes_on_while_memory_works(llama_memory):
    """The async methods do their work in a thread, so nothing else has to wait."""
    with Memory("ada", encoder=SlowEncoder()) as core:
        memory = llama_memory(psm=core)
        ticks = []

        async def tick():
            while True:
                ticks.append(time.monotonic())
                await asyncio.sleep(0.005)

        ticking = asyncio.create_task(tick())
        await memory.aput(user(LYON))
        await memory.aput(model("Noted."))
        await memory.areset()
        told = await memory.aget(input="Where did I move to?")
        await memory.aforget_user()
        ticking.cancel()

        assert LYON in words(told)
        assert max(np.diff(ticks)) < 0.3


async def test_sync_calls_work_in_a_running_loop(llama_memory):
    """A notebook calls get() and put() from inside a loop."""
    memory = llama_memory(chat_history=[user("hello!")])

    memory.put(user(LYON))

    assert words(memory.get()) == f"hello!\n{LYON}"
    memory.close()
    with pytest.raises(ClosedError):
        memory.put(user(LYON))


# -------------------------------------------------------------------------- copies


def test_a_deep_copy_shares_the_open_memory_and_goes_on(llama_memory):
    """Frameworks copy what they are given: the copy is of the same conversation."""
    memory = llama_memory(user="ada")
    memory.put(user(LYON))

    twin = copy.deepcopy({"memory": memory})["memory"]
    twin.put(model("Noted."))

    assert twin.psm is memory.psm
    assert words(memory.get_all()) == f"{LYON}\nNoted."
    assert isinstance(twin, LlamaMemory)
