"""Many people, opened once each; and whoever listens to all of them."""

import inspect
import logging
import threading

import pytest

from psm_core import Feedback, People, Sleeper, Turn, hookimpl, hookspecs
from psm_core.errors import PluginError
from psm_core.people import _DECIDING, _Listeners
from psm_core.store.queue import Queue

from .conftest import T0


@pytest.fixture
def people(home, clock):
    with People(home=home, encoder="hash", clock=clock) as people:
        yield people


class Ear:
    """Notes what it is told of turns and recalls."""

    def __init__(self):
        self.heard = []

    @hookimpl
    def psm_remembered(self, user, decision):
        self.heard.append((user, decision.id))

    @hookimpl
    def psm_recalled(self, user, recall):
        self.heard.append((user, recall.cue))


class Deaf:
    """Raises, whatever it is told."""

    @hookimpl
    def psm_remembered(self, user, decision):
        raise ValueError("no")


# ------------------------------------------------------------------------ listening


def test_who_listens_hears_of_open_memories_and_of_later_ones(people):
    """Ada's memory was open before, Bob's is opened after; nothing earlier is told."""
    ada, ear = people.memory("ada"), Ear()
    ada.remember(Turn("I own a kayak.", id="a1"))

    people.listen(ear)
    ada.remember(Turn("I moved to Lyon.", id="a2"))
    people.memory("bob").remember(Turn("I moved to Oslo.", id="b1"))
    people.memory("bob").recall("Oslo?")

    assert ear.heard == [("ada", "a2"), ("bob", "b1"), ("bob", "Oslo?")]


def test_a_memory_that_was_let_go_of_still_tells(home, clock):
    """Whoever holds a memory that People keeps open no longer is heard all the same."""
    with People(home=home, encoder="hash", clock=clock, open_people=1) as people:
        ada, ear = people.memory("ada"), Ear()
        people.memory("bob")
        people.listen(ear)

        ada.remember(Turn("I moved to Lyon.", id="a1"))
        people.memory("ada").remember(Turn("I own a kayak.", id="a2"))
        ada.close()

    assert ear.heard == [("ada", "a1"), ("ada", "a2")]


def test_plugins_given_at_the_beginning_serve_everybody_beside_who_listens(home, clock):
    """An iterator of plugins isn't used up by the first memory."""
    first, later = Ear(), Ear()
    with People(
        home=home, encoder="hash", clock=clock, plugins=iter([first])
    ) as people:
        people.listen(later)
        for user in ("ada", "bob"):
            people.memory(user).remember(Turn("Hi.", id="t1"))

    assert first.heard == later.heard == [("ada", "t1"), ("bob", "t1")]


def test_listening_twice_is_once_and_can_be_ended(people):
    """One that doesn't listen any more is told nothing; ending that twice is well."""
    ear = Ear()
    people.listen(ear)
    people.listen(ear)
    people.memory("ada").remember(Turn("One.", id="a1"))
    people.unlisten(ear)
    people.unlisten(ear)

    people.memory("ada").remember(Turn("Two.", id="a2"))

    assert ear.heard == [("ada", "a1")]


def test_who_listens_badly_silences_nobody(people, caplog):
    """The turn is kept, the next one is told, and the log names the fault."""
    ear = Ear()
    people.listen(ear)
    people.listen(Deaf())

    assert people.memory("ada").remember(Turn("I moved to Lyon.", id="a1")).new

    assert ear.heard == [("ada", "a1")]
    assert "ValueError" in caplog.text


def test_who_decides_must_be_there_from_the_beginning(people):
    """A redactor that came late would have missed what is stored already."""

    class Redactor:
        @hookimpl
        def psm_redact(self, text, user):
            return text

    with pytest.raises(PluginError, match=r"psm_redact.*People\(plugins=\[\.\.\.\]\)"):
        people.listen(Redactor())


def test_a_hook_of_an_unknown_name_is_refused_and_the_others_go_on(people):
    """A typing error is told at once, and costs nobody their place."""

    class Typo:
        @hookimpl
        def psm_rememberd(self, user, decision):
            pass

    ear = Ear()
    people.listen(ear)
    with pytest.raises(PluginError, match="psm_rememberd"):
        people.listen(Typo())

    people.memory("ada").remember(Turn("I moved to Lyon.", id="a1"))
    assert ear.heard == [("ada", "a1")]


def test_who_listens_can_be_told_all_that_can_be_observed(people):
    """Every hook that a plugin may watch is passed on, with all of its arguments."""
    watching = {
        name: set(inspect.signature(hook).parameters)
        for name, hook in inspect.getmembers(hookspecs, inspect.isfunction)
        if name.startswith("psm_") and name not in _DECIDING
    }

    passed_on = {
        name: set(inspect.signature(method).parameters) - {"self"}
        for name, method in inspect.getmembers(_Listeners, inspect.isfunction)
        if name.startswith("psm_")
    }

    assert passed_on == watching
    assert len(watching) == 6


def test_each_of_the_six_reaches_who_listens(people, clock):
    """A turn, a recall, a correction, a sleep, a conflict and a forgetting."""
    told = []

    class All:
        @hookimpl
        def psm_remembered(self, user, decision):
            told.append("remembered")

        @hookimpl
        def psm_recalled(self, user, recall):
            told.append("recalled")

        @hookimpl
        def psm_corrected(self, user, memory_id):
            told.append(f"corrected {memory_id}")

        @hookimpl
        def psm_conflict(self, user, conflict):
            told.append(f"conflict {conflict.kind}")

        @hookimpl
        def psm_slept(self, user, report):
            told.append(f"slept {report.user}")

        @hookimpl
        def psm_forgot(self, user, memory_id):
            told.append(f"forgot {memory_id}")

    people.listen(All())
    ada = people.memory("ada")
    ada.remember(Turn("I live in Lyon.", id="a1"))
    clock.move(days=1)
    ada.remember(Turn("I live in Oslo.", id="a2"))
    found = ada.recall("Where do I live?")
    ada.consolidate()
    ada.learn(Feedback(found.id, corrected=["a1"]))
    ada.forget("a2")

    assert told == [
        "remembered",
        "remembered",
        "recalled",
        "conflict update",
        "slept ada",
        "corrected a1",
        "forgot a2",
    ]


# ------------------------------------------------------------------ and the sleeper


def test_a_sleeper_needs_nobody_to_ask(people, clock):
    """Made after Ada's memory was opened and before Bob's, it hears of both."""
    ada = people.memory("ada")
    sleeper = Sleeper(people, clock=clock)
    ada.remember(Turn("I live in Lyon."))
    people.memory("bob").remember(Turn("I live in Oslo."))

    clock.move(minutes=6)

    assert [(r.user, r.facts) for r in sleeper.run()] == [("ada", 1), ("bob", 1)]
    assert sleeper.waiting() == []
    sleeper.close()


def test_a_closed_sleeper_writes_no_more(people, home, clock, caplog):
    """What is heard after it is in no queue, and no observer is said to have failed."""
    ada = people.memory("ada")
    sleeper = Sleeper(people, clock=clock)
    sleeper.close()
    sleeper.close()

    with caplog.at_level(logging.WARNING):
        decision = ada.remember(Turn("I live in Lyon."))
        sleeper.psm_remembered(user="ada", decision=decision)

    queue = Queue(home)
    assert (queue.waiting(), caplog.text) == ([], "")
    queue.close()


def test_a_sleeper_that_is_closed_amid_turns_loses_none_that_it_heard(
    people, home, caplog
):
    """Eight people talk while it closes: nobody's turn fails, nothing is logged."""
    sleeper = Sleeper(people)
    talking = threading.Barrier(9)

    def talk(user):
        memory = people.memory(user)
        talking.wait()
        for n in range(20):
            memory.remember(Turn(f"I bought boat number {n}."))

    threads = [threading.Thread(target=talk, args=(f"p{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    talking.wait()
    sleeper.close()
    for thread in threads:
        thread.join(timeout=60)

    assert [len(people.memory(f"p{n}").entries()) for n in range(8)] == [20] * 8
    assert caplog.text == ""


def test_sleepers_come_and_go_and_leave_nobody_listening(people, clock):
    """A process that makes one for each job doesn't grow with them."""
    for _ in range(5):
        Sleeper(people, clock=clock).close()

    assert people._listeners.now() == ()
    assert clock.now() == T0
