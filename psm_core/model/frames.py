"""What two statements share word for word, and what was replaced between them. Pure.

"I run on Mondays" and "I run on Thursdays" share a frame; one word was replaced in it.
"""

from __future__ import annotations

import difflib
from typing import NamedTuple

from psm_core.model import lexicon

_DAYS = lexicon.WEEKDAYS.split()
CALENDAR = (
    frozenset([*_DAYS, *(f"{day}s" for day in _DAYS)]),
    frozenset(lexicon.MONTHS.split()),
    lexicon.listed(
        "morning mornings noon afternoon evening evenings night nights midnight dawn"
    ),
    lexicon.listed("spring summer autumn fall winter"),
)
"""Rows of words of which one holds at a time."""

SHORT = 2
"""Words of a piece that may count as one value put in place of another."""


class Frame(NamedTuple):
    """How the later statement was made out of the earlier one; numbers in [0, 1] or so.

    ``shared`` is the share of the shorter one's words that stand in both, in order,
    ``longest`` the longest run of them, 1 at 6 words.  ``added`` and ``left_out`` are
    1 where nothing else was done.  ``swapped`` is *shared* where a value of at most
    `SHORT` words was replaced, ``once`` 1 where one piece was and nothing else, and
    ``dates`` 1 where it was a time of the calendar.  ``begins`` and ``ends`` are
    *shared* where the first words or the last were replaced.
    """

    shared: float
    longest: float
    added: float
    left_out: float
    swapped: float
    once: float
    dates: float
    begins: float
    ends: float


def frame(new: tuple[str, ...], old: tuple[str, ...]) -> Frame:
    """The frame of two statements, given by their words.

    >>> frame(("i", "run", "on", "thursdays"), ("i", "run", "on", "mondays"))
    Frame(shared=0.75, longest=0.5, added=0.0, left_out=0.0, swapped=0.75, once=1.0, \
dates=1.0, begins=0.0, ends=0.75)
    """
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    runs = [b - a for what, a, b, _, _ in steps if what == "equal"]
    swaps = [(old[a:b], new[c:d]) for what, a, b, c, d in steps if what == "replace"]
    done = [what for what, *_ in steps if what != "equal"]
    shared = sum(runs) / max(min(len(new), len(old)), 1)
    return Frame(
        shared=shared,
        longest=max(runs, default=0) / 6,
        added=float(bool(runs) and set(done) == {"insert"}),
        left_out=float(bool(runs) and set(done) == {"delete"}),
        swapped=shared * any(len(o) <= SHORT and len(n) <= SHORT for o, n in swaps),
        once=float(done == ["replace"]),
        dates=float(any(calendar_differs(n, o) for o, n in swaps)),
        begins=shared * (bool(steps) and steps[0][0] == "replace"),
        ends=shared * (bool(steps) and steps[-1][0] == "replace"),
    )


def calendar_differs(new: tuple[str, ...], old: tuple[str, ...]) -> bool:
    """Whether both name a time of one row of `CALENDAR`, and not the same."""
    named = [(row.intersection(new), row.intersection(old)) for row in CALENDAR]
    return any(n and o and n.isdisjoint(o) for n, o in named)


def calendar_same(new: tuple[str, ...], old: tuple[str, ...]) -> bool:
    """Whether both name the same weekday, month, time of day or season."""
    return any(row.intersection(new) & row.intersection(old) for row in CALENDAR)
