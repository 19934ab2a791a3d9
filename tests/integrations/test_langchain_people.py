"""PSMMemory and people: sessions, isolation, copies, faults and the event loop."""

import asyncio
import copy
import pickle
import threading
import time

import numpy as np
import pytest

pytest.importorskip("langchain_classic")

from langchain_core.load import dumpd

from psm_core import Memory, PSMError, Turn
from psm_core.errors import ClosedError, UserError
from psm_langchain import PSMMemory

LYON = "I moved to Lyon last week."


def history(memory, words="Where did I move to?"):
    return memory.load_memory_variables({"input": words})[memory.memory_key]


def texts(memory):
    return [entry.text for entry in memory.psm.entries()]


# ------------------------------------------------------------------- people, sessions


def test_clear_ends_the_conversation_and_keeps_the_person(ada):
    """clear() is "new chat": recent turns leave the prompt, memories don't."""
    ada.save_context({"input": "I own a kayak."}, {"output": "Noted."})
    session = ada.session

    ada.clear()

    assert ada.session != session
    assert "Human:" not in history(ada)
    assert LYON in history(ada)


def test_forgetting_the_person_is_another_thing(ada):
    """forget_user() deletes all, proves it, and the object serves on from nothing."""
    proof = ada.forget_user()

    assert (proof.user, proof.memories, proof.left) == ("ada", 1, ())
    assert history(ada) == ""
    ada.save_context({"input": "hello!"}, {"output": "Hi."})
    assert texts(ada) == ["hello!", "Hi."]


def test_ada_never_sees_what_bob_said(ada):
    """for_user() is another person, with the same settings and no word of the first."""
    ada.ai_prefix = "Juno"
    with ada.for_user("bob") as bob:
        bob.save_context({"input": "I moved to Oslo."}, {"output": "Noted."})

        assert bob.ai_prefix == "Juno"
        assert bob.session != ada.session
        assert "Lyon" not in history(bob)
        assert "Oslo" not in history(ada)


def test_a_copy_for_another_user_shares_nothing(ada):
    """model_copy(update={"user": ...}) can't lend one person's memory to another."""
    with ada.model_copy(update={"user": "bob"}) as bob:
        assert bob.psm.user == "bob"
        assert "Lyon" not in history(bob)


def test_the_person_of_an_object_cannot_be_swapped(ada):
    """Assigning user= is refused, since the open memory is another's."""
    with pytest.raises(ValueError, match="frozen"):
        ada.user = "bob"


def test_people_in_threads_leak_nothing(opened):
    """Eight conversations of four people at once: nobody sees another's words."""
    places = {"ada": "Lyon", "bob": "Oslo", "cem": "Izmir", "dag": "Turku"}
    leaks, failures = [], []

    def talk(user, place):
        try:
            memory = opened(user=user)
            for n in range(5):
                told = history(memory, "Which city did I move to?")
                others = set(places.values()) - {place}
                leaks.extend(o for o in others if o in told)
                said = {"input": f"I moved to {place}, time {n}."}
                memory.save_context(said, {"output": f"{place} it is."})
        except Exception as fault:
            failures.append(fault)

    threads = [threading.Thread(target=talk, args=p) for p in [*places.items()] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (leaks, failures) == ([], [])
    assert sum("ada" in e.speaker for e in opened(user="ada").psm.entries()) == 10


# --------------------------------------------------------------- copies, errors, async


def test_a_deep_copy_shares_the_open_memory_and_goes_on(ada):
    """Frameworks copy chains: the copy is of the same person and conversation."""
    ada.save_context({"input": "hello!"}, {"output": "Hi."})

    twin = copy.deepcopy({"memory": ada})["memory"]

    assert twin.psm is ada.psm
    assert history(twin) == history(ada)
    assert copy.copy(ada).psm is ada.psm


def test_a_pickle_reopens_the_same_person_and_session(ada):
    """A pickle carries names and settings, no words; it opens the store on arrival."""
    ada.save_context({"input": "I own a kayak."}, {"output": "Noted."})
    travelling = pickle.dumps(ada)

    with pickle.loads(travelling) as arrived:
        assert b"kayak" not in travelling
        assert (arrived.user, arrived.session) == ("ada", ada.session)
        assert "I own a kayak." in history(arrived)


def test_a_given_memory_is_shared_and_stays_open():
    """psm= takes over the person; closing the adapter leaves it to its owner."""
    with Memory("ada", encoder="hash") as core:
        core.remember(Turn(LYON))
        memory = PSMMemory(psm=core)
        assert memory.user == "ada"
        assert LYON in history(memory)

        memory.close()

        assert core.counts()


def test_a_given_memory_says_why_it_cannot_be_another():
    """for_user() and pickle need to know how it was opened, and say so."""
    with Memory("ada", encoder="hash") as core:
        memory = PSMMemory(psm=core)

        with pytest.raises(ValueError, match="give it as psm="):
            memory.for_user("bob")
        with pytest.raises(ValueError, match="give it as psm="):
            pickle.dumps(memory)
        with pytest.raises(ValueError, match="that of ada, not of bob"):
            PSMMemory(user="bob", psm=core)


def test_a_closed_memory_says_so(opened):
    """After close(), a chain gets our error, not one of SQLite's."""
    memory = opened()
    memory.close()

    with pytest.raises(ClosedError):
        history(memory)


def test_errors_are_ours():
    """A bad user id is a UserError, as in the core; an unknown field is refused."""
    with pytest.raises(UserError):
        PSMMemory(user="")
    with pytest.raises(PSMError):
        PSMMemory(user="")
    with pytest.raises(ValueError, match="usr"):
        PSMMemory(usr="ada")


def test_dumping_holds_no_words(ada):
    """What LangChain traces of a memory object is its settings."""
    assert dumpd(ada)["type"] == "not_implemented"
    assert "Lyon" not in repr(ada)
    assert set(ada.model_dump()) & {"psm", "count_tokens"} == set()


class SlowEncoder:
    """Takes its time for a text, as a model on a busy machine does."""

    name, width = "slow", 16

    def encode(self, texts):
        time.sleep(0.4)
        return np.eye(16, dtype=np.float32)[[len(t) % 16 for t in texts]]


async def test_the_loop_goes_on_while_memory_works():
    """The async methods do their work in a thread, so nothing else has to wait."""
    with Memory("ada", encoder=SlowEncoder()) as core:
        memory = PSMMemory(psm=core)
        ticks = []

        async def tick():
            while True:
                ticks.append(time.monotonic())
                await asyncio.sleep(0.005)

        ticking = asyncio.create_task(tick())
        await memory.asave_context({"input": LYON}, {"output": "Noted."})
        await memory.aclear()
        told = await memory.aload_memory_variables({"input": "Where did I move to?"})
        ticking.cancel()

        assert LYON in told["history"]
        assert max(np.diff(ticks)) < 0.3
