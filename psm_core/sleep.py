"""Sleeper: who was heard sleeps, in the background, between sessions."""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from psm_core.clock import SystemClock
from psm_core.config import Config
from psm_core.errors import PSMError
from psm_core.hookspecs import hookimpl
from psm_core.people import People
from psm_core.protocols import Clock
from psm_core.store.folder import named, proper
from psm_core.store.queue import Due, Queue
from psm_core.types import GateDecision, SleepReport

log = logging.getLogger(__name__)

IDLE = timedelta(minutes=5)
"""Who wasn't heard for so long has ended their session."""

CEILING = timedelta(hours=1)
"""Nobody is kept from sleeping for longer, however much they talk."""

EPISODES = 200
"""Who has said so much since the last sleep needn't pause to be due."""

RETRY, RETRY_MOST = timedelta(minutes=1), timedelta(hours=6)
"""How long a sleep that failed waits: twice as long each time, up to the second."""

DOUBLINGS = 9
"""After so many the second is reached; further ones would be no timedelta."""

LOOK = 5.0
"""Seconds after which the worker looks for what other processes asked for."""

WRITTEN = timedelta(seconds=1)
"""Turns that are heard within so short a time are one asking."""


class Sleeper:
    """Lets the people of one home sleep, one after another, between their sessions.

    What it is asked for stands in the home at once and outlives the process.  It
    listens to *people*, so that it hears of every turn and no caller needs to ask; a
    memory that they didn't open is given it as a plugin.  Several sleepers on one
    home, in one process or in many, let each person sleep once.

    A person who is asleep can be told things and asked: readers see the memory as it
    was before the sleep, or as it is after it.

    Args:
        people: Who opens the memories; its home is the one that is watched.
        idle: From when on a person who is silent may sleep.
        ceiling: The longest that a talking person is kept from it.
        episodes: From so many new episodes on, nothing is waited for.
        clock: Where the present comes from; the machine's clock by default.
        on_slept: Is told of each sleep, in the worker's thread.

    Raises:
        StoreError: The queue can't be made or opened.

    >>> import tempfile
    >>> from psm_core import People, Turn
    >>> people = People(home=tempfile.mkdtemp(), encoder="hash")
    >>> sleeper = Sleeper(people)
    >>> _ = people.memory("ada").remember(Turn("I live in Lyon."))
    >>> [due.user for due in sleeper.waiting()]
    ['ada']
    >>> sleeper.enqueue("ada", now=True)
    >>> [report.facts for report in sleeper.run()]
    [1]
    """

    def __init__(
        self,
        people: People,
        *,
        idle: timedelta = IDLE,
        ceiling: timedelta = CEILING,
        episodes: int = EPISODES,
        clock: Clock | None = None,
        on_slept: Callable[[SleepReport], None] | None = None,
    ) -> None:
        self._people = people
        self._idle, self._ceiling, self._episodes = idle, ceiling, episodes
        self._clock = clock or SystemClock()
        self._on_slept = on_slept
        config = people.config
        self._queue = Queue(config.home, config.busy_seconds)
        self._heard: dict[str, tuple[datetime, int]] = {}
        self._noting = threading.Lock()
        self._closed = False
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._worker: threading.Thread | None = None
        people.listen(self)

    # ------------------------------------------------------------------- asking

    def enqueue(self, user: str, *, now: bool = False, heard: int = 0) -> None:
        """Let *user* sleep when their session is over; durable when this returns.

        Asked again, the sleep is put off, so that a session that goes on isn't cut
        into naps; but never beyond the ceiling.

        Args:
            user: Who.
            now: The session is over: don't wait for silence.
            heard: How many episodes are new since the last asking.

        Raises:
            UserError: *user* can't name a person.
            StoreError: The queue can't be written.
        """
        self._queue.ask(
            proper(user),
            self._clock.now(),
            idle=timedelta(0) if now else self._idle,
            ceiling=self._ceiling,
            heard=heard,
            most=self._episodes,
        )
        if now or heard:
            self._wake.set()

    @hookimpl
    def psm_remembered(self, user: str, decision: GateDecision) -> None:
        """A turn was heard: its person will want to sleep on it."""
        if not decision.new:
            return
        now = self._clock.now()
        with self._noting:
            if self._closed:
                return
            written, heard = self._heard.get(user, (None, 0))
            heard += decision.kept
            # A conversation that is read in at once is one asking, not a thousand.
            soon = written is not None and timedelta(0) <= now - written < WRITTEN
            if soon and heard < self._episodes:
                self._heard[user] = (written or now, heard)
                return
            self._heard[user] = (now, 0)
            # In here, so that no asking is under way when the queue is closed.
            self.enqueue(user, heard=heard)

    def _ask_for_unasked(self, within: timedelta = WRITTEN) -> None:
        """Ask for those of whom something was heard just after they were asked for.

        They may have slept in between, and then nothing would let them sleep on it.
        """
        now = self._clock.now()
        with self._noting:
            late = {
                user: heard
                for user, (written, heard) in self._heard.items()
                if heard and not timedelta(0) <= now - written < within
            }
            self._heard |= {user: (now, 0) for user in late}
        for user, heard in late.items():
            # Who was erased since isn't named again.
            if self._folder(user).is_dir():
                self.enqueue(user, heard=heard)

    def waiting(self) -> list[Due]:
        """Everybody who is to sleep, the next one first; with why a sleep failed."""
        return self._queue.waiting()

    # ----------------------------------------------------------------- sleeping

    def run(self, users: Collection[str] | None = None) -> list[SleepReport]:
        """Let everybody sleep who is due by now, in this thread.

        A sleep that fails is tried again later, and keeps nobody else awake.

        Args:
            users: These alone; None means all.

        Returns:
            One report for each who slept.
        """
        self._ask_for_unasked()
        chosen = None if users is None else {*map(proper, users)}
        reports = []
        for due in self._queue.due(self._clock.now()):
            if self._ending.is_set():
                break
            if chosen is not None and due.user not in chosen:
                continue
            with self._claimed(due) as claimed:
                if claimed is not None and (report := self._sleep(claimed)):
                    reports.append(report)
        return reports

    def start(self) -> None:
        """Begin to work in the background; starting twice is starting once."""
        if self._worker is None or not self._worker.is_alive():
            self._ending.clear()
            # A daemon: an interpreter that ends isn't held up.  What is cut off so is
            # slept again, because a sleep is written at once or not at all.
            self._worker = threading.Thread(
                target=self._work, name="psm-sleeper", daemon=True
            )
            self._worker.start()

    def close(self) -> None:
        """Finish the sleep that goes on, begin no other, and let go of the queue.

        What is heard afterwards asks for nothing; closing twice is closing once.
        """
        self._people.unlisten(self)
        with self._noting:
            closed, self._closed = self._closed, True
        if closed:
            return
        self._ending.set()
        self._wake.set()
        if self._worker is not None:
            self._worker.join()
            self._worker = None
        self._ask_for_unasked(timedelta(0))
        self._queue.close()

    def __enter__(self) -> Sleeper:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------- pieces

    def _work(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            wait = LOOK
            try:
                self.run()
                wait = self._until_next()
            except Exception as fault:
                # Whatever it is, the queue is still there, and so is the next look.
                log.warning("looking for who is to sleep: %s", type(fault).__name__)
            self._wake.wait(wait)

    def _until_next(self) -> float:
        waiting = self._queue.waiting()
        if not waiting:
            return LOOK
        seconds = (waiting[0].at - self._clock.now()).total_seconds()
        # Who is due and still here sleeps elsewhere just now.
        return min(max(seconds, 0.05), LOOK) if seconds > 0 else LOOK

    @contextlib.contextmanager
    def _claimed(self, due: Due) -> Iterator[Due | None]:
        """This person's row, for this sleeper alone; None where another has it.

        The lock is the system's, so that a killed sleeper holds nobody up.
        """
        folder = self._folder(due.user)
        if not folder.is_dir():
            # Erased since, or never of this home.
            self._queue.slept(due, self._clock.now())
            yield None
            return
        lock = FileLock(folder / "sleep.lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield None
            return
        except OSError as fault:
            self._failed(due, fault)
            yield None
            return
        try:
            found = self._queue.find(due.user)
            still = found is not None and found.at <= self._clock.now()
            yield found if still else None
        finally:
            lock.release()

    def _folder(self, user: str) -> Path:
        return self._people.config.home.resolve() / "people" / named(proper(user))

    def _sleep(self, due: Due) -> SleepReport | None:
        try:
            report = self._people.memory(due.user).consolidate()
        except Exception as fault:
            self._failed(due, fault)
            return None
        self._queue.slept(due, self._clock.now() + self._idle)
        self._tell(report)
        return report

    def _failed(self, due: Due, fault: Exception) -> None:
        # Only our own errors are known to quote nobody.
        said = f": {fault}" if isinstance(fault, PSMError) else ""
        log.warning("a sleep failed (%s)", type(fault).__name__)
        wait = min(RETRY * 2 ** min(due.tries, DOUBLINGS), RETRY_MOST)
        cause = f"{type(fault).__name__}{said}"
        self._queue.failed(due, cause, self._clock.now() + wait)

    def _tell(self, report: SleepReport) -> None:
        if self._on_slept is None:
            return
        try:
            self._on_slept(report)
        except Exception as fault:
            # Who listens badly keeps nobody else awake.
            log.warning("on_slept raised %s", type(fault).__name__)


def sleep_all(
    config: Config,
    users: Sequence[str],
    *,
    workers: int = 1,
    on_slept: Callable[[SleepReport], None] | None = None,
) -> tuple[list[SleepReport], list[Due]]:
    """Let *users* sleep now, several at a time, each in one process only.

    Args:
        config: Whose home holds them.
        users: Who.
        workers: How many processes; with one, this one does it.
        on_slept: Is told of each sleep when it is over.

    Returns:
        One report for each who slept, and those whose sleep failed, with why.

    Raises:
        UserError: One of *users* can't name a person.
        StoreError: The queue can't be written.
    """
    reports = []
    with People(config=config) as people:
        sleeper = Sleeper(people, on_slept=on_slept if workers == 1 else None)
        for user in users:
            sleeper.enqueue(user, now=True)
        if workers == 1:
            reports = sleeper.run(users)
        else:
            # Not forked: threads of torch and SQLite don't survive that.
            spawning = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, mp_context=spawning) as pool:
                asked = [pool.submit(_sleep_one, config, user) for user in users]
                for done in as_completed(asked):
                    for report in done.result():
                        reports.append(report)
                        if on_slept is not None:
                            on_slept(report)
        wanted = {*map(proper, users)}
        failed = [d for d in sleeper.waiting() if d.tries and d.user in wanted]
        sleeper.close()
    return reports, failed


def _sleep_one(config: Config, user: str) -> list[SleepReport]:
    with _people_of(config) as people:
        sleeper = Sleeper(people)
        try:
            return sleeper.run([user])
        finally:
            sleeper.close()


@functools.lru_cache(maxsize=1)
def _people_of(config: Config) -> People:
    """The people of a worker process: the weights are loaded once."""
    return People(config=config)
