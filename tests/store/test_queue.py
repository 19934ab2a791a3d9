"""Who is to sleep stands in the home, outlives a kill, and comes in its time."""

import subprocess
import sys
from datetime import timedelta

import pytest

from psm_core.errors import StoreError
from psm_core.store.queue import FILE, Due, Queue, drop

from .conftest import T0

MINUTE = timedelta(minutes=1)
IDLE, CEILING, MOST = 5 * MINUTE, 60 * MINUTE, 200


@pytest.fixture
def queue(tmp_path):
    queue = Queue(tmp_path)
    yield queue
    queue.close()


def ask(queue, user="ada", at=T0, *, idle=IDLE, heard=0):
    queue.ask(user, at, idle=idle, ceiling=CEILING, heard=heard, most=MOST)


def test_who_asked_is_due_when_nothing_was_heard_for_a_while(queue):
    """Nobody before the five minutes are over, Ada from then on."""
    ask(queue, heard=3)

    assert queue.due(T0 + IDLE - timedelta(microseconds=1)) == []
    assert queue.due(T0 + IDLE) == [Due("ada", T0, T0 + IDLE, 1, 3, 0, "")]
    assert queue.find("ada") == queue.waiting()[0]
    assert queue.find("bob") is None


def test_each_asking_puts_the_sleep_off_up_to_the_ceiling(queue):
    """Somebody who talks every minute sleeps after an hour, and no later."""
    for minute in range(80):
        ask(queue, at=T0 + minute * MINUTE)
        quiet = T0 + minute * MINUTE + IDLE
        assert queue.find("ada").at == min(quiet, T0 + CEILING)

    assert queue.find("ada").asked == 80
    assert queue.due(T0 + CEILING)


def test_an_idle_time_beyond_the_ceiling_is_cut_to_it(queue):
    """The first asking obeys the ceiling too."""
    ask(queue, idle=3 * CEILING)

    assert queue.find("ada").at == T0 + CEILING


@pytest.mark.parametrize("heard", [[200], [150, 50], [1] * 200])
def test_so_many_episodes_make_it_due_at_once(queue, heard):
    """Two hundred episodes needn't pause, however they come; 199 do."""
    for count in heard:
        assert queue.due(T0) == []
        ask(queue, heard=count)

    assert [d.user for d in queue.due(T0)] == ["ada"]
    ask(queue, "bob", heard=199)
    assert [d.user for d in queue.due(T0)] == ["ada"]


def test_what_is_due_stays_due_when_it_is_asked_for_again(queue):
    """The two hundred and first episode doesn't put off what the others made due."""
    ask(queue, heard=200)
    ask(queue, at=T0 + MINUTE, heard=1)

    assert queue.find("ada").at == T0


def test_who_waited_longest_comes_first(queue):
    """In the order in which they are due, the rest by name."""
    for user, minutes in (("cleo", 0), ("bob", 0), ("ada", 3)):
        ask(queue, user, T0 + minutes * MINUTE)

    assert [d.user for d in queue.due(T0 + 9 * MINUTE)] == ["bob", "cleo", "ada"]
    assert [d.user for d in queue.due(T0 + 6 * MINUTE)] == ["bob", "cleo"]
    assert len(queue.waiting()) == 3


def test_who_slept_waits_for_nothing(queue):
    """The row is gone, with all that it counted."""
    ask(queue, heard=7)
    queue.slept(queue.find("ada"), T0 + MINUTE)

    assert queue.waiting() == []


def test_what_was_asked_during_a_sleep_is_slept_on_afterwards(queue):
    """It is counted by itself, and its ceiling begins after the sleep."""
    ask(queue, heard=7)
    asleep = queue.find("ada")
    ask(queue, at=T0 + MINUTE, heard=2)
    again = T0 + 20 * MINUTE
    queue.slept(asleep, again)

    assert queue.waiting() == [Due("ada", again, again, 1, 2, 0, "")]


def test_a_failed_sleep_is_tried_later_whatever_is_heard_until_then(queue):
    """Neither the next turns nor two hundred of them make it fail more often."""
    ask(queue, heard=150)
    later = T0 + 10 * MINUTE
    queue.failed(queue.find("ada"), "StoreFullError: full", later)
    ask(queue, at=T0 + MINUTE, heard=100)

    (due,) = queue.waiting()
    assert (due.at, due.tries, due.fault) == (later, 1, "StoreFullError: full")
    assert (due.asked, due.episodes) == (2, 250)
    queue.slept(due, later)
    assert queue.waiting() == []


def test_who_is_sent_to_sleep_now_needn_t_wait_for_the_next_try(queue):
    """Whoever mended the cause and asks for a sleep gets one."""
    ask(queue)
    queue.failed(queue.find("ada"), "StoreFullError: full", T0 + 60 * MINUTE)
    ask(queue, at=T0 + MINUTE, idle=timedelta(0))

    assert [d.user for d in queue.due(T0 + MINUTE)] == ["ada"]


def test_two_queues_of_one_home_are_one(queue, tmp_path):
    """What one process asks for, another sees; each row stands once."""
    other = Queue(tmp_path)
    ask(queue)
    ask(other)

    assert other.waiting() == queue.waiting()
    assert queue.find("ada").asked == 2
    other.close()


CHILD = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from psm_core.store.queue import Queue
queue = Queue(Path(sys.argv[1]))
at = datetime(2026, 3, 1, 12, tzinfo=UTC)
for n in range(50):
    queue.ask(f"person {n}", at, idle=timedelta(minutes=5),
              ceiling=timedelta(hours=1), heard=n, most=200)
print(n, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    """After kill -9 all fifty askings are there, and the file is sound."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (child.stdout, child.returncode) == ("49\n", -9)
    queue = Queue(tmp_path)
    waiting = queue.waiting()
    assert {(d.user, d.episodes) for d in waiting} == {
        (f"person {n}", n) for n in range(50)
    }
    assert {(d.first, d.at, d.asked) for d in waiting} == {(T0, T0 + IDLE, 1)}
    queue.close()


def test_the_queue_is_its_owner_s_alone(queue, tmp_path):
    """It names people, so nobody else may read it."""
    ask(queue)

    for path in tmp_path.glob(f"{FILE}*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_an_erased_person_leaves_no_byte_in_the_queue(queue, tmp_path):
    """Neither the file nor its log names them; the others wait on."""
    ask(queue, "xylophonequartz")
    ask(queue, "bob")
    drop(tmp_path, "xylophonequartz")

    for path in tmp_path.glob(f"{FILE}*"):
        assert b"xylophonequartz" not in path.read_bytes(), path
    assert [d.user for d in queue.waiting()] == ["bob"]


def test_a_queue_that_can_t_be_cleaned_is_named(tmp_path):
    """Nothing is raised where somebody is erased, and nothing is kept from them."""
    (tmp_path / FILE).write_bytes(b"no database at all " * 99)

    assert drop(tmp_path, "ada") == (str(tmp_path / FILE),)


def test_no_queue_is_made_for_somebody_who_is_erased(tmp_path):
    """Where nobody ever asked for a sleep there is nothing to take anybody out of."""
    assert drop(tmp_path, "ada") == ()
    assert list(tmp_path.iterdir()) == []


def test_a_queue_that_can_t_be_had_is_one_error(tmp_path):
    """A file in the place of the home, garbage in that of the queue, a closed one."""
    (tmp_path / "file").write_text("I was here first")
    with pytest.raises(StoreError, match="making the home"):
        Queue(tmp_path / "file")
    (tmp_path / FILE).write_bytes(b"no database at all " * 99)
    with pytest.raises(StoreError, match="queue of sleeps"):
        Queue(tmp_path)
    queue = Queue(tmp_path / "home")
    queue.close()
    with pytest.raises(StoreError, match="queue of sleeps"):
        queue.waiting()


def test_times_come_back_as_they_were_given(queue):
    """To the microsecond, in UTC."""
    odd = T0 + timedelta(microseconds=1)
    ask(queue, at=odd)

    found = queue.find("ada")
    assert (found.first, found.at) == (odd, odd + IDLE)
    assert found.first.tzinfo is odd.tzinfo
