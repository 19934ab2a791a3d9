"""What somebody does again and again is counted, and nothing else is."""

from datetime import UTC, datetime, timedelta

import pytest

from psm_core.model.abstraction import abstract, habits
from psm_core.model.clauses import clauses
from psm_core.model.recurring import OCCASIONS, Occasion, counted, doing, occasion
from psm_core.types import Entry, Kind, Tier, Trace

SUNDAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = 7 * DAY


def said(text, at=SUNDAY, *, speaker="Ada", role="user", name=None):
    trace = Trace(0.5, WEEK, at)
    name = name or f"t{at:%m%d%H%M}"
    return Entry(
        name,
        Tier.EPISODIC,
        Kind.EVENT,
        text,
        speaker,
        role,
        "s1",
        at,
        (name,),
        trace,
    )


def done(text):
    (clause,) = clauses(text)
    return doing(clause)


def of(text, at=SUNDAY):
    (clause,) = clauses(text)
    return occasion(clause, "Ada", at, frozenset())


# ------------------------------------------------------------------------ what was done


@pytest.mark.parametrize(
    "text",
    [
        "I went to yoga",
        "I went to yoga last Sunday",
        "I went to yoga again this Sunday morning",
        "Yesterday I went to yoga",
        "I went to yoga on 12 March",
        "I went to yoga at 7:30 am",
        "I went to yoga three weeks ago",
        "I've gone to yoga",
    ],
)
def test_when_it_was_done_makes_no_difference(text):
    """Occasions of one doing share its verb and its thing, whatever the time."""
    assert done(text) == ("go", "yoga")


@pytest.mark.parametrize(
    "text",
    [
        "I didn't go to yoga",
        "I go to yoga",
        "I will go to yoga",
        "I might have gone to yoga",
        "Mel went to yoga",
        "I am tired",
        "I went",
        "I saw a long black very old shiny car with Mel in Piran",
    ],
)
def test_what_was_not_done_by_the_speaker_is_no_occasion(text):
    """Denials, habits, plans, guesses, others; and what is too long to come twice."""
    assert {doing(clause) for clause in clauses(text)} <= {()}
    assert all(occasion(c, "Ada", SUNDAY, frozenset()) is None for c in clauses(text))


@pytest.mark.parametrize(
    ("text", "weekday"),
    [
        ("I went to yoga", 6),
        ("I went to yoga on Tuesday", 1),
        ("I went to yoga last Friday", 4),
        ("I went to yoga on Wednesdays", 2),
        ("I went to yoga yesterday", None),
        ("I went to yoga three days ago", None),
    ],
)
def test_the_weekday_is_the_one_that_is_named_or_the_day_of_telling(text, weekday):
    """Told on a Sunday; unknown where the day is another one that isn't named."""
    assert of(text).weekday == weekday


def test_an_occasion_says_who_did_what_without_the_time():
    """So that the shortest of them can stand for all."""
    assert of("I went to yoga last Sunday") == Occasion(
        "Ada went to yoga", ("go", "yoga"), SUNDAY, 6
    )


# ---------------------------------------------------------------------------- how often


def times(count, apart=WEEK, text="I went to yoga", first=SUNDAY):
    return [of(text, first + n * apart) for n in range(count)]


@pytest.mark.parametrize(
    ("occasions", "text"),
    [
        (times(3), "Ada went to yoga: 3 times since March 2026, on Sundays."),
        (times(9), "Ada went to yoga: 9 times since March 2026, on Sundays."),
        (times(4, DAY), "Ada went to yoga: 4 times since March 2026."),
        (times(3, 30 * DAY), "Ada went to yoga: 3 times since March 2026."),
        (
            [*times(7), *times(2, DAY, first=SUNDAY + 50 * DAY)],
            "Ada went to yoga: 9 times since March 2026, mostly on Sundays.",
        ),
        (
            times(3, text="I went to yoga yesterday"),
            "Ada went to yoga: 3 times since March 2026.",
        ),
    ],
)
def test_the_count_says_how_often_since_when_and_on_which_day(occasions, text):
    """The weekday is named where most fall on it, and "mostly" where not all do."""
    assert counted(occasions) == text


@pytest.mark.parametrize("occasions", [[], times(1), times(2), times(9, timedelta(0))])
def test_two_days_are_chance(occasions):
    """Told nine times on one day, it happened on one day."""
    assert counted(occasions) is None
    assert OCCASIONS == 3


def test_the_order_of_telling_makes_no_difference():
    """The count of a life that was read in backwards is the same."""
    assert counted(times(5)[::-1]) == counted(times(5))


# ------------------------------------------------------------------------------- habits


def test_a_habit_names_its_occasions_and_what_recurs():
    """Whatever else the turns say; and it is surer with each further day."""
    told = [
        said(f"I went to yoga. It was the {n}th class.", SUNDAY + n * WEEK)
        for n in range(4)
    ]

    (three,), (four,) = habits(told[:3]), habits(told)

    assert three.recurs == four.recurs == "ada go yoga"
    assert four.episodes == tuple(e.id for e in told)
    assert (three.confidence, four.confidence) == (0.75, 0.8)
    assert (four.kind, four.speaker, four.covers) == (Kind.STATE, "Ada", ())
    assert four in abstract(told)


def test_two_occasions_are_too_unsure_to_be_written_down():
    """They may go on with a habit that is known, and that is all."""
    told = [said("I went to yoga.", SUNDAY + n * WEEK) for n in range(2)]
    (pattern,) = habits(told)

    assert pattern.confidence == 0.1
    assert habits(told[:1]) == []


def test_each_does_their_own_and_an_assistant_does_nothing():
    """Ada's Sundays aren't Mel's, and what a model says it did is no habit."""
    told = [
        said(
            "I went to yoga.",
            SUNDAY + n * DAY,
            speaker=who,
            role=role,
            name=f"{who}{n}",
        )
        for n in range(3)
        for who, role in (("Ada", "user"), ("Mel", "user"), ("bot", "assistant"))
    ]

    assert {p.recurs: p.speaker for p in habits(told)} == {
        "ada go yoga": "Ada",
        "mel go yoga": "Mel",
    }


def test_the_order_in_which_turns_are_read_makes_no_difference():
    """A habit is what was said, not in which order a store gives it back."""
    told = [said("I went to yoga.", SUNDAY + n * WEEK) for n in range(5)]

    assert habits(told) == habits(told[::-1])
