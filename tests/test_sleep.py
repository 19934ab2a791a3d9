"""Who was heard sleeps between their sessions: once, in their time, whoever sees to it."""

import asyncio
import logging
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from psm_core import Memory, People, Sleeper, Tier, Turn, hookimpl
from psm_core.errors import ConfigError, PSMError, StoreError, UserError
from psm_core.model.rules import RulePolicy
from psm_core.sleep import CEILING, IDLE, RETRY, RETRY_MOST

from .conftest import T0

SECOND = timedelta(seconds=1)
SECRET = "xylophonequartz"


@pytest.fixture
def people(home, clock):
    """The people of one home; their clock is the test's."""
    with People(home=home, encoder="hash", clock=clock) as people:
        yield people


@pytest.fixture
def sleepers(people, clock):
    """Makes sleepers of these people, and closes them all."""
    made = []

    def make(**options):
        made.append(Sleeper(people, **{"clock": clock} | options))
        return made[-1]

    yield make
    for sleeper in made:
        sleeper.close()


@pytest.fixture
def sleeper(sleepers):
    return sleepers()


def told(people, user, *texts):
    memory = people.memory(user)
    memory.remember_many([Turn(t, id=f"{user} {n}") for n, t in enumerate(texts)])
    return memory


def slept(reports):
    return [report.user for report in reports]


class Failing(RulePolicy):
    """The rules, until they are told to fail."""

    fault = None

    def abstract(self, episodes):
        if self.fault is not None:
            raise self.fault
        return super().abstract(episodes)


# ----------------------------------------------------------------------- in their time


def test_who_falls_silent_sleeps_after_a_while(people, sleeper, clock):
    """Not before five silent minutes are over; then once, and it is a whole sleep."""
    told(people, "ada", "I'm vegetarian.")
    sleeper.enqueue("ada")
    clock.at = T0 + IDLE - SECOND
    assert sleeper.run() == []

    clock.at = T0 + IDLE
    (report,) = sleeper.run()

    assert (report.user, report.episodes, report.facts) == ("ada", 1, 1)
    assert (sleeper.waiting(), sleeper.run()) == ([], [])


def test_who_ends_their_session_sleeps_now(people, sleeper):
    """Nothing is waited for."""
    told(people, "ada", "I'm vegetarian.")
    sleeper.enqueue("ada", now=True)

    assert slept(sleeper.run()) == ["ada"]


def test_who_never_falls_silent_sleeps_every_hour(people, sleeper, clock):
    """A turn a minute for three hours makes three sleeps, each at its ceiling."""
    memory = people.memory("ada")
    at = []
    for minute in range(181):
        clock.at = T0 + timedelta(minutes=minute)
        memory.remember(Turn(f"I bought boat number {minute}."))
        if sleeper.run():
            at.append(minute)
        sleeper.enqueue("ada")

    assert at == [60, 120, 180]
    assert timedelta(hours=1) == CEILING


def test_a_plugin_needs_nobody_to_ask(home, clock, people, sleeper):
    """Given to a memory, the sleeper hears of each turn, and counts what is kept."""
    memory = Memory("ada", home=home, encoder="hash", clock=clock, plugins=[sleeper])
    turn = Turn("I'm vegetarian.", id="t1")
    memory.remember(turn)
    first = sleeper.waiting()
    clock.move(minutes=3)
    memory.remember(turn)

    assert sleeper.waiting() == first
    assert (first[0].user, first[0].episodes, first[0].at) == ("ada", 1, T0 + IDLE)
    memory.remember(Turn("haha ok thanks"))
    (due,) = sleeper.waiting()
    assert (due.asked, due.episodes, due.at) == (2, 1, clock.at + IDLE)


def test_two_hundred_episodes_needn_t_pause(home, clock, sleepers):
    """A conversation that is read in is slept on at once, and asked for only twice."""
    sleeper = sleepers()
    memory = Memory("ada", home=home, encoder="hash", clock=clock, plugins=[sleeper])
    turns = [Turn(f"I own the boat number {n}.", id=f"t{n}") for n in range(201)]
    memory.remember_many(turns[:200])
    (due,) = sleeper.waiting()
    assert (due.at, due.asked) == (T0 + IDLE, 1)

    memory.remember_many(turns[200:])

    (due,) = sleeper.waiting()
    assert (due.at, due.asked, due.episodes) == (T0, 2, 201)
    assert [r.episodes for r in sleeper.run()] == [201]


def test_what_is_heard_just_after_a_sleep_is_slept_on_too(home, clock, sleeper):
    """A turn within the second in which its person was asked for isn't lost to sleep."""
    memory = Memory("ada", home=home, encoder="hash", clock=clock, plugins=[sleeper])
    memory.remember(Turn("I'm vegetarian."))
    sleeper.enqueue("ada", now=True)
    assert slept(sleeper.run()) == ["ada"]
    clock.at += SECOND / 2
    memory.remember(Turn("I live in Lyon."))
    clock.at += 2 * SECOND
    sleeper.run()

    (due,) = sleeper.waiting()
    assert (due.user, due.at, due.episodes) == ("ada", clock.at + IDLE, 1)
    clock.at = due.at
    assert [r.episodes for r in sleeper.run()] == [1]


def test_closing_asks_for_who_was_just_heard(home, clock, people, sleepers):
    """The process may end within the second, and still somebody will sleep on it."""
    sleeper, other = sleepers(), sleepers()
    memory = Memory("ada", home=home, encoder="hash", clock=clock, plugins=[sleeper])
    memory.remember(Turn("I'm vegetarian."))
    other.enqueue("ada", now=True)
    assert slept(other.run()) == ["ada"]
    memory.remember(Turn("I live in Lyon."))
    assert other.waiting() == []
    sleeper.close()

    assert [d.episodes for d in other.waiting()] == [1]


def test_a_name_that_names_nobody_is_refused(sleeper):
    """Whoever asks hears of it, and not the worker."""
    with pytest.raises(UserError):
        sleeper.enqueue(" ")
    assert sleeper.waiting() == []


def test_one_person_however_the_name_is_composed(people, sleeper):
    """An é of one character or of two is one row."""
    told(people, "Ren\u00e9", "I'm vegetarian.")
    sleeper.enqueue("Rene\u0301", now=True)
    sleeper.enqueue("Ren\u00e9", now=True)

    assert slept(sleeper.run()) == ["Ren\u00e9"]


def test_who_was_erased_is_let_go_of(people, sleeper, home):
    """Neither a folder nor a row comes back, and nobody fails."""
    told(people, "ada", "I'm vegetarian.")
    sleeper.enqueue("ada", now=True)
    people.memory("ada").erase()

    assert sleeper.waiting() == []
    sleeper.enqueue("ada", now=True)
    assert (sleeper.run(), sleeper.waiting()) == ([], [])
    assert not list(home.rglob("ledger.sqlite"))


def test_who_was_heard_just_before_an_erasure_is_named_nowhere(people, sleeper, home):
    """Two turns within a second are one asking; the second isn't made up for then."""
    told(people, "ada", "I'm vegetarian.", "I live in Lyon.")
    people.memory("ada").erase()
    sleeper.close()

    files = [path for path in home.rglob("*") if path.is_file()]
    assert "sleep.sqlite" in {path.name for path in files}
    assert [path.name for path in files if b"ada" in path.read_bytes()] == []


def test_what_a_sleeper_leaves_in_the_home_is_private(people, sleeper, home):
    """Queue, locks and ledgers can be read by nobody else."""
    told(people, "ada", "I'm vegetarian.")
    sleeper.enqueue("ada", now=True)
    sleeper.run()

    files = [path for path in home.rglob("*") if path.is_file()]
    assert {"sleep.sqlite", "sleep.lock"} <= {path.name for path in files}
    assert [p.name for p in files if p.stat().st_mode & 0o077] == []


# ------------------------------------------------------------------------- when it fails


@pytest.fixture
def failing(home, clock):
    """People whose policy fails, and their sleeper: (policy, people, sleeper)."""
    policy = Failing()
    with People(home=home, encoder="hash", policy=policy, clock=clock) as people:
        sleeper = Sleeper(people, clock=clock)
        yield policy, people, sleeper
        sleeper.close()


def test_a_failed_sleep_is_tried_later_with_its_cause(failing, clock):
    """The cause stands in the queue, and each try waits twice as long as the last."""
    policy, people, sleeper = failing
    told(people, "ada", "I'm vegetarian.")
    policy.fault = StoreError("the disk of nobody is full; free some space")
    sleeper.enqueue("ada", now=True)
    for tries in range(1, 5):
        assert sleeper.run() == []
        (due,) = sleeper.waiting()
        assert (due.tries, due.at) == (tries, clock.at + RETRY * 2 ** (tries - 1))
        assert due.fault == f"StoreError: {policy.fault}"
        assert sleeper.run() == []
        clock.at = due.at
    policy.fault = None

    assert [r.facts for r in sleeper.run()] == [1]
    assert sleeper.waiting() == []


def test_who_fails_keeps_nobody_else_awake(failing, clock):
    """Bob sleeps though Ada, who is due before him, can't, and couldn't for weeks."""
    policy, people, sleeper = failing
    told(people, "ada", "I'm vegetarian.")
    policy.fault = RuntimeError("broken")
    sleeper.enqueue("ada", now=True)
    for _ in range(60):
        assert sleeper.run() == []
        (due,) = sleeper.waiting()
        assert due.at - clock.at <= RETRY_MOST
        clock.at = due.at

    assert due.tries == 60
    policy.fault = None
    broken = people.memory("ada")._home.folder("ada") / "sleep.lock"
    broken.unlink()
    broken.mkdir()
    told(people, "bob", "I'm vegetarian.")
    sleeper.enqueue("bob", now=True)
    assert [d.user for d in sleeper.waiting()] == ["ada", "bob"]
    assert slept(sleeper.run()) == ["bob"]
    (due,) = sleeper.waiting()
    assert (due.user, due.tries) == ("ada", 61)
    broken.rmdir()
    clock.at = due.at
    assert slept(sleeper.run()) == ["ada"]


def test_no_word_of_anybody_stands_in_the_fault_or_in_the_log(failing, caplog, home):
    """A fault of somebody else may quote what was said, so its name is all that stays."""
    policy, people, sleeper = failing
    told(people, "ada", f"My password is {SECRET}.")
    policy.fault = ValueError(f"can't read {SECRET}")
    sleeper.enqueue("ada", now=True)
    with caplog.at_level(logging.DEBUG):
        sleeper.run()

    (due,) = sleeper.waiting()
    assert due.fault == "ValueError"
    assert SECRET not in caplog.text
    assert "ValueError" in caplog.text
    for path in home.glob("sleep.sqlite*"):
        assert SECRET.encode() not in path.read_bytes()


def test_who_listens_badly_keeps_nobody_awake(people, sleepers, caplog):
    """An on_slept that raises is logged by the name of its fault; everybody sleeps."""

    def listen(report):
        raise RuntimeError(SECRET)

    sleeper = sleepers(on_slept=listen)
    for user in ("ada", "bob"):
        told(people, user, "I'm vegetarian.")
        sleeper.enqueue(user, now=True)

    assert slept(sleeper.run()) == ["ada", "bob"]
    assert "on_slept raised RuntimeError" in caplog.text
    assert SECRET not in caplog.text


# ---------------------------------------------------------------------- in the background


def wait_for(what, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.005)
    return what()


def test_a_worker_wakes_up_when_somebody_ends_their_session(people, sleepers):
    """Long before its next look; and closing it lets go of the thread."""
    reports = []
    told(people, "ada", "I'm vegetarian.")
    began = time.monotonic()
    with sleepers(on_slept=reports.append) as sleeper:
        sleeper.start()
        sleeper.enqueue("ada", now=True)
        assert wait_for(lambda: reports)
        assert time.monotonic() - began < 4

    assert slept(reports) == ["ada"]
    assert not any(t.name == "psm-sleeper" for t in threading.enumerate())


def test_a_worker_outlives_a_queue_that_fails(people, sleepers, monkeypatch, caplog):
    """What can't be read now is read again at the next look."""
    monkeypatch.setattr("psm_core.sleep.LOOK", 0.02)
    reports = []
    sleeper = sleepers(on_slept=reports.append)
    told(people, "ada", "I'm vegetarian.")
    with sleeper._queue._lock:
        sleeper._queue._driver.execute("ALTER TABLE due RENAME TO gone")
    with sleeper:
        assert wait_for(lambda: "StoreError" in caplog.text)
        with sleeper._queue._lock:
            sleeper._queue._driver.execute("ALTER TABLE gone RENAME TO due")
        sleeper.enqueue("ada", now=True)
        assert wait_for(lambda: reports)


def test_closing_finishes_the_sleep_that_goes_on_and_begins_no_other(home, clock):
    """Bob, who is next, stays in the queue; who closes twice closes once."""
    asleep, wake = threading.Event(), threading.Event()

    class Slow(RulePolicy):
        def abstract(self, episodes):
            asleep.set()
            wake.wait(10)
            return super().abstract(episodes)

    reports = []
    with People(home=home, encoder="hash", policy=Slow(), clock=clock) as people:
        sleeper = Sleeper(people, clock=clock, on_slept=reports.append)
        for user in ("ada", "bob"):
            told(people, user, "I'm vegetarian.")
            sleeper.enqueue(user, now=True)
        sleeper.start()
        asleep.wait(10)
        threading.Timer(0.05, wake.set).start()
        sleeper.close()
        sleeper.close()

        assert slept(reports) == ["ada"]
        assert people.memory("ada").entries(Tier.SEMANTIC)
        after = Sleeper(people, clock=clock)
        assert [d.user for d in after.waiting()] == ["bob"]
        after.close()


def test_who_is_asleep_can_be_told_things_and_asked(home, clock):
    """While Ada sleeps, a recall answers and a turn is heard; it is slept on next."""
    asleep, wake = threading.Event(), threading.Event()

    class Slow(RulePolicy):
        def abstract(self, episodes):
            asleep.set()
            wake.wait(10)
            return super().abstract(episodes)

    reports = []
    with People(home=home, encoder="hash", policy=Slow(), clock=clock) as people:
        sleeper = Sleeper(people, clock=clock, on_slept=reports.append)
        memory = told(people, "ada", "I'm vegetarian.")
        sleeper.enqueue("ada", now=True)
        with sleeper:
            assert asleep.wait(10)
            memory.remember(Turn("I live in Lyon.", id="t2"))
            sleeper.enqueue("ada")
            tiers = {hit.tier for hit in memory.recall("vegetarian?").hits}
            assert (tiers, reports) == ({Tier.EPISODIC}, [])
            wake.set()
            assert wait_for(lambda: reports)
            assert wait_for(lambda: sleeper.waiting()[0].asked == 1)
            (due,) = sleeper.waiting()
            assert (due.user, due.at) == ("ada", clock.at + IDLE)
        assert memory.recall("vegetarian?").hits[0].tier is Tier.SEMANTIC


async def test_a_sleep_blocks_no_loop(home):
    """Somebody sleeps in a running loop, and the loop recalls and wakes them."""
    asleep, wake = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Slow(RulePolicy):
        def abstract(self, episodes):
            loop.call_soon_threadsafe(asleep.set)
            assert wake.wait(10)
            return super().abstract(episodes)

    with Memory("ada", home=home, encoder="hash", policy=Slow()) as memory:
        await memory.aremember(Turn("I'm vegetarian."))
        sleep = asyncio.create_task(memory.aconsolidate())
        await asyncio.wait_for(asleep.wait(), 10)
        assert (await memory.arecall("vegetarian?")).hits
        wake.set()

        assert (await sleep).facts == 1


# ----------------------------------------------------------------------- who else sleeps


def test_two_sleepers_of_one_home_let_each_person_sleep_once(people, sleepers, home):
    """Four threads, each with a sleeper of its own: ten people, ten sleeps."""
    reports = []
    made = [sleepers(on_slept=reports.append) for _ in range(4)]
    users = [f"person {n}" for n in range(10)]
    for user in users:
        told(people, user, "I'm vegetarian.", "I live in Lyon.")
        made[0].enqueue(user, now=True)
    start = threading.Barrier(4)

    def work(sleeper):
        start.wait()
        sleeper.run()

    threads = [threading.Thread(target=work, args=[s]) for s in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(slept(reports)) == sorted(users)
    assert [r.episodes for r in reports] == [2] * 10
    assert made[0].waiting() == []


CHILD = """
import sys
from datetime import UTC, datetime
from psm_core import People, Sleeper
class Clock:
    def now(self): return datetime(2026, 3, 2, tzinfo=UTC)
with People(home=sys.argv[1], encoder="hash", clock=Clock()) as people:
    sleeper = Sleeper(people, clock=Clock())
    people.memory("person 0").counts()
    print("ready", flush=True)
    sys.stdin.readline()
    for report in sleeper.run():
        print(report.user, report.episodes, flush=True)
    sleeper.close()
"""


def test_two_processes_of_one_home_let_each_person_sleep_once(people, sleeper, home):
    """Whoever comes first; the other finds that nothing is left to do."""
    users = [f"person {n}" for n in range(12)]
    for user in users:
        told(people, user, "I'm vegetarian.", "I live in Lyon.")
        sleeper.enqueue(user, now=True)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    lines = [
        line for c in children for line in c.communicate(timeout=60)[0].splitlines()
    ]

    assert sorted(lines) == sorted(f"{user} 2" for user in users)
    assert sleeper.waiting() == []
    for user in users:
        assert len(people.memory(user).entries(Tier.SEMANTIC)) == 2


KILLED = """
import os, signal, sys
from psm_core import People, Sleeper, Turn
from psm_core.model.rules import RulePolicy
class Deadly(RulePolicy):
    def abstract(self, episodes):
        os.kill(os.getpid(), signal.SIGKILL)
with People(home=sys.argv[1], encoder="hash", policy=Deadly()) as people:
    sleeper = Sleeper(people)
    people.memory("ada").remember(Turn("I'm vegetarian.", id="t1"))
    sleeper.enqueue("ada", now=True)
    sleeper.run()
"""


def test_a_sleeper_that_is_killed_holds_nobody_up(people, sleepers, home):
    """Its row and its lock are there for the next, which sleeps at once."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(home)], check=False, capture_output=True
    )
    assert killed.returncode == -9
    sleeper = Sleeper(people)

    assert [(r.user, r.facts) for r in sleeper.run()] == [("ada", 1)]
    assert sleeper.waiting() == []
    sleeper.close()


# -------------------------------------------------------------------------- many people


def test_people_open_each_memory_once_with_one_encoder_and_policy(people):
    """What the first one loaded serves everybody after."""
    ada, bob = people.memory("ada"), people.memory("bob")

    assert people.memory("ada") is ada
    assert ada.encoder is bob.encoder
    assert ada.policy is bob.policy
    assert ada.user == "ada"


def test_a_closed_memory_is_opened_anew(people):
    """Somebody closed or erased it; whoever asks next gets one that works."""
    first = told(people, "ada", "I'm vegetarian.")
    first.close()
    again = people.memory("ada")

    assert again is not first
    assert len(again.entries()) == 1
    again.erase()
    assert people.memory("ada").entries() == []


def test_beyond_so_many_people_the_least_used_is_let_go_of(home, clock):
    """Not closed, for somebody may be using it; and it is the same person afterwards."""
    with People(home=home, encoder="hash", clock=clock, open_people=2) as people:
        ada = told(people, "ada", "I'm vegetarian.")
        people.memory("bob")
        people.memory("cleo")

        assert people.memory("ada") is not ada
        assert ada.recall("vegetarian?").hits
        ada.remember(Turn("I live in Lyon."))
        assert len(people.memory("ada").entries()) == 2


def test_closing_people_closes_their_memories(home):
    """And they may be opened again."""
    with People(home=home, encoder="hash") as people:
        ada = people.memory("ada")
    assert ada.closed
    with pytest.raises(PSMError):
        ada.entries()
    assert people.memory("ada").entries() == []
    people.close()


def test_a_setting_that_there_is_not_is_said_at_once(home):
    """Before anybody is opened."""
    with pytest.raises(ConfigError, match="there is no setting recal_limit"):
        People(home=home, encoder="hash", recal_limit=3)


def test_many_threads_get_one_memory_of_each_person(people):
    """Fifty threads, five people, five memories."""
    found, start = [], threading.Barrier(50)

    def ask(n):
        start.wait()
        found.append((n % 5, people.memory(f"person {n % 5}")))

    threads = [threading.Thread(target=ask, args=[n]) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({(n, id(memory)) for n, memory in found}) == 5


def test_plugins_of_people_hear_of_everybody(home):
    """Each memory has them, as if it had been opened by hand."""
    heard = []

    class Ear:
        @hookimpl
        def psm_slept(self, user, report):
            heard.append((user, report.facts))

    with People(home=home, encoder="hash", plugins=[Ear()]) as people:
        sleeper = Sleeper(people)
        for user in ("ada", "bob"):
            told(people, user, "I'm vegetarian.")
            sleeper.enqueue(user, now=True)
        sleeper.run()
        sleeper.close()

    assert heard == [("ada", 1), ("bob", 1)]
