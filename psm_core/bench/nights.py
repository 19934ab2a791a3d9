"""A life of years, slept on every night: does a sleep get dearer as a memory ages?"""

from __future__ import annotations

import importlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from psm_core.config import Config
from psm_core.errors import MissingExtraError
from psm_core.memory import Memory
from psm_core.plugins import Plugins
from psm_core.train.corpus import lives
from psm_core.train.evaluate.plots import OTHER, OWN, SETTINGS, SIZE
from psm_core.train.lives import YEAR, long
from psm_core.train.material import Remembered
from psm_core.types import SleepReport, Tier, Turn

MONTH = timedelta(days=30)
"""What one point of the course sums up."""

CUES = (
    "Where do I live now?",
    "What did my sister say about the trip?",
    "When is the appointment with the doctor?",
    "What do I like for breakfast?",
    "How is the work on the kitchen going?",
    "Which book did I finish?",
    "Who is allergic to nuts?",
    "What went wrong at the office?",
)
"""Asked at the end of each month."""


class Month(NamedTuple):
    """Thirty nights; times are CPU milliseconds without encoding what was heard.

    ``night`` is the median sleep and ``an_episode`` what the month's sleeps took for
    each new episode; ``recall`` the median recall at its end.  ``indexed`` and
    ``archived`` are the memories then, ``bytes`` the size of the whole folder.
    """

    number: int
    turns: int
    nights: int
    night: float
    an_episode: float
    recall: float
    indexed: int
    archived: int
    facts: int
    bytes: int


def nights(
    turns: int = 20_000,
    years: float = 3.0,
    *,
    seed: int = 7,
    on_step: Callable[[str], None] | None = None,
) -> list[Month]:
    """Live for years, sleep every night, and look at the clock.

    The life is told by sessions of all written lives, each retold with other
    words around it, so that its days are as different as people's are.

    Args:
        turns: At least so many, spread over the years.
        years: From the first session to the last.
        seed: Of the life.
        on_step: Is told when a month is over.

    Returns:
        One row a month.
    """
    say = on_step or (lambda _: None)
    told = long(lives("train"), turns, YEAR * years, seed)
    encoder = Remembered(Plugins().encoder(Config().encoder))
    clock = _Clock(_at(told[0]))
    course: list[Month] = []
    with (
        tempfile.TemporaryDirectory(prefix="psm-bench-") as home,
        Memory("ada", home=home, encoder=encoder, clock=clock) as memory,
    ):
        encoder.encode(list(CUES))
        for number, days in enumerate(_months(told), 1):
            slept: list[tuple[float, SleepReport]] = []
            for day in days:
                clock.at = _at(day[-1])
                memory.remember_many(day)
                slept.append(_slept(memory))
            course.append(_month(number, days, slept, memory, Path(home)))
            say(f"month {number}: {course[-1].indexed:,} memories in the index")
    return course


class _Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def _months(told: Sequence[Turn]) -> Iterator[list[list[Turn]]]:
    """The turns by day, thirty days at a time; who is silent all day isn't slept."""
    start = _at(told[0])
    months: dict[int, dict[int, list[Turn]]] = {}
    for turn in told:
        day = (_at(turn) - start) // timedelta(days=1)
        months.setdefault(day // MONTH.days, {}).setdefault(day, []).append(turn)
    for number in sorted(months):
        yield [months[number][day] for day in sorted(months[number])]


def _at(turn: Turn) -> datetime:
    assert turn.at is not None
    return turn.at


def _slept(memory: Memory) -> tuple[float, SleepReport]:
    began = time.process_time()
    report = memory.consolidate()
    return (time.process_time() - began) * 1000, report


def _month(
    number: int,
    days: Sequence[Sequence[Turn]],
    slept: Sequence[tuple[float, SleepReport]],
    memory: Memory,
    home: Path,
) -> Month:
    held = memory.counts()
    episodes = sum(report.episodes for _, report in slept)
    asked = []
    for cue in CUES:
        began = time.process_time()
        memory.recall(cue)
        asked.append((time.process_time() - began) * 1000)
    return Month(
        number=number,
        turns=sum(map(len, days)),
        nights=len(days),
        night=statistics.median(spent for spent, _ in slept),
        an_episode=sum(spent for spent, _ in slept) / max(episodes, 1),
        recall=statistics.median(asked),
        indexed=held.get(Tier.EPISODIC, 0) + held.get(Tier.SEMANTIC, 0),
        archived=held.get(Tier.ARCHIVAL, 0),
        facts=held.get(Tier.SEMANTIC, 0),
        bytes=sum(p.stat().st_size for p in home.rglob("*") if p.is_file()),
    )


def plot(course: Sequence[Month], file: Path) -> None:
    """Draw the course: what a night and a recall cost, and what the index holds.

    Raises:
        MissingExtraError: matplotlib isn't installed.
    """
    try:
        matplotlib = importlib.import_module("matplotlib")
        figure = importlib.import_module("matplotlib.figure").Figure
    except ImportError as fault:
        raise MissingExtraError(
            "pictures need matplotlib; pip install 'psm-memory[train]'"
        ) from fault
    at = [month.number for month in course]
    with matplotlib.rc_context(SETTINGS):
        drawn = figure(figsize=SIZE, layout="constrained")
        cost, held = drawn.subplots(1, 2)
        cost.plot(
            at, [m.an_episode for m in course], color=OWN, label="sleep / episode"
        )
        cost.plot(at, [m.recall for m in course], color="#c9803a", label="a recall")
        cost.set(xlabel="month", ylabel="CPU ms", ylim=(0, None))
        held.plot(at, [m.indexed for m in course], color=OWN, label="in the index")
        held.plot(at, [m.archived for m in course], color=OTHER, label="in the archive")
        held.set(xlabel="month", ylabel="memories", ylim=(0, None))
        for axes in (cost, held):
            axes.legend(frameon=False)
        drawn.savefig(file, metadata={"Date": None})
