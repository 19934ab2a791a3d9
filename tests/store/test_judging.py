"""What was shown and what became of it is logged once, in numbers."""

from datetime import timedelta

import numpy as np
import pytest

from psm_core.content import Access, Shown
from psm_core.errors import FeedbackError, UnknownMemoryError
from psm_core.strength import REWARD
from psm_core.types import Outcome

from .conftest import T0

LATER = T0 + timedelta(hours=1)


def showing(*seqs):
    return [
        Shown(seq, rank, 0.9 - rank / 10, 0.5, np.array([seq, rank], np.float32))
        for rank, seq in enumerate(seqs)
    ]


@pytest.fixture
def shown(shard, make):
    """A store of three memories of which a recall showed the last two."""
    shard.add(make.many(3))
    shard.log_recall("r1", T0, "rules", showing(3, 2))
    return shard


def test_a_recall_is_logged_once_and_counted(shown):
    """Best first; each showing counts; the same recall again changes nothing."""
    shown.log_recall("r1", LATER, "rules", showing(1))

    assert list(shown.shown("r1").items()) == [("t3", 3), ("t2", 2)]
    assert [e.recalled for e in shown.listing()] == [0, 1, 1]


def test_a_recall_of_nothing_is_known_and_showed_nothing(shown):
    """Known recalls that showed nothing differ from recalls that never were."""
    shown.log_recall("r2", T0, "rules", [])

    assert shown.shown("r2") == {}
    with pytest.raises(UnknownMemoryError, match="ada has no recall r9"):
        shown.shown("r9")


def test_what_was_forgotten_since_leaves_no_line(shown):
    """A showing of a memory that is gone is left out of the log."""
    shown.log_recall("r2", T0, "rules", showing(99, 1))

    assert shown.shown("r2") == {"t1": 1}


def test_outcomes_wait_until_they_are_applied(shown):
    """Oldest showing first, with the time at which it was shown; then they are done."""
    shown.log_recall("r0", T0 - timedelta(days=1), "rules", showing(1))
    shown.log_feedback("r1", {3: Outcome.USED, 2: Outcome.IGNORED}, REWARD, LATER)
    shown.log_feedback("r0", {1: Outcome.CORRECTED}, REWARD, LATER)

    waiting = shown.judged()

    assert [(a.seq, a.outcome, a.at) for a in waiting] == [
        (1, Outcome.CORRECTED, T0 - timedelta(days=1)),
        (3, Outcome.USED, T0),
        (2, Outcome.IGNORED, T0),
    ]
    assert all(isinstance(a, Access) for a in waiting)
    shown.applied([waiting[0].number, waiting[2].number, 999])
    assert [a.seq for a in shown.judged()] == [3]


def test_feedback_twice_is_feedback_once(shown):
    """The same outcome again adds no row, another one takes its place and waits anew."""
    for _ in range(2):
        shown.log_feedback("r1", {3: Outcome.USED}, REWARD, LATER)
    shown.applied([a.number for a in shown.judged()])
    assert [(row.outcome, row.reward) for row in shown.lessons()] == [(Outcome.USED, 1)]
    assert shown.judged() == []

    shown.log_feedback("r1", {3: Outcome.CORRECTED}, REWARD, LATER)

    assert [(a.seq, a.outcome) for a in shown.judged()] == [(3, Outcome.CORRECTED)]
    assert [(r.outcome, r.reward) for r in shown.lessons()] == [(Outcome.CORRECTED, -3)]


def test_feedback_on_what_was_not_shown_is_refused_whole(shown):
    """Nothing of it is noted, and the numbers that are wrong are named."""
    with pytest.raises(FeedbackError, match=r"r1 names 1 memories .*\[1\]"):
        shown.log_feedback("r1", {3: Outcome.USED, 1: Outcome.USED}, REWARD, LATER)
    with pytest.raises(UnknownMemoryError, match="no recall r9"):
        shown.log_feedback("r9", {}, REWARD, LATER)

    assert shown.judged() == []
    assert shown.lessons() == []


def test_a_lesson_is_what_the_policy_saw_and_got(shown):
    """Features to the bit, rank, score, propensity, reward and time."""
    shown.log_feedback("r1", {2: Outcome.IGNORED}, REWARD, LATER)
    (lesson,) = shown.lessons()

    assert lesson[:-3] == (1, 1, LATER, "rules", 1, 0.8, 0.5)
    assert lesson.features.tolist() == [2, 1]
    assert (lesson.outcome, lesson.reward) == (Outcome.IGNORED, -1)
    assert shown.lessons(after=lesson.number) == []


def test_the_last_rows_of_the_journal_come_in_their_order(shown):
    """However few are asked for, the latest ones, oldest first."""
    shown.log_feedback("r1", {3: Outcome.USED, 2: Outcome.IGNORED}, REWARD, LATER)
    shown.log_recall("r2", LATER, "rules", showing(1))
    shown.log_feedback("r2", {1: Outcome.USED}, REWARD, LATER)

    assert [row.number for row in shown.lessons(last=2)] == [2, 3]
    assert [row.recall for row in shown.lessons()] == [1, 1, 2]
    assert shown.lessons(last=0) == []


def test_a_leaning_is_noted_for_the_policy_that_learned_it(shown):
    """Numbers by name; another policy's says nothing, and an empty one turns it off."""
    assert shown.leaning("psm-mini-1a") == {}

    shown.set_leaning("psm-mini-1a", {"names": 0.5, "the fresh": -0.25})

    assert shown.leaning("psm-mini-1a") == {"names": 0.5, "the fresh": -0.25}
    assert shown.leaning("psm-mini-2b") == {}
    shown.set_leaning("psm-mini-1a", {})
    assert shown.leaning("psm-mini-1a") == {}


def test_turning_off_what_is_off_writes_nothing(shown):
    """A store whose person never leant holds no line about it."""
    shown.set_leaning("psm-mini-1a", {})

    assert shown.meta("leaning") is None
