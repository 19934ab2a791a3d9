"""What happens again and again: occasions of one kind, counted over months. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psm_core.model import lexicon, phrases, words
from psm_core.model.clauses import SELF, Clause
from psm_core.model.slots import MOMENTARY
from psm_core.model.wording import worded

OCCASIONS = 3
"""From so many days on, what happened is something that happens again and again."""

USUALLY = 0.7
"""Share of the occasions that fall on one weekday, from which on it is named."""

LONGEST = 4
"""Most words behind the verb that tell what was done, light ones aside."""

_TIMES = words.any_of(
    [
        r"(?:early |late )?(?:this|last|on|every|the other|next)? ?"
        rf"(?:{'|'.join(lexicon.WEEKDAYS.split())})s?(?: (?:morning|afternoon|evening|"
        r"night))?",
        r"(?:this|last|that|in the|every|yesterday) (?:morning|afternoon|evening|night|"
        r"weekend|week|month|year|day)",
        r"yesterday|today|tonight|earlier|just now|again|(?:once )?more|finally|lately",
        r"\w+ (?:days?|weeks?|months?|hours?) ago",
        r"at (?:\d{1,2}(?::\d\d)?(?: ?[ap]m)?|noon|midnight|dawn|lunch)",
        rf"(?:on |in )?(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? "
        rf"(?:{'|'.join(lexicon.MONTHS.split())})",
    ]
)
_ELSEWHEN = words.any_of([r"yesterday|ago|last|the other"])
_WEEKDAY = words.any_of([rf"(?:{'|'.join(lexicon.WEEKDAYS.split())})s?"])


class Occasion(NamedTuple):
    """One time that something was done, as it was told.

    ``text`` says who did what, without a time or a stop, ``doing`` what occasions of
    one kind share, ``day`` when it was told, and ``weekday`` on which it was done (0
    is Monday), None where that can't be known.
    """

    text: str
    doing: tuple[str, ...]
    day: datetime
    weekday: int | None


def doing(clause: Clause) -> tuple[str, ...]:
    """What *clause* says that its speaker did, times aside; () where it is no doing.

    >>> from psm_core.model.clauses import clauses
    >>> [doing(c) for c in clauses("I went to yoga last Sunday")]
    [('go', 'yoga')]
    """
    told = clause.who == SELF and clause.form in ("past", "perfect")
    if not told or clause.negated or clause.limited or clause.verb in MOMENTARY:
        return ()
    behind = _TIMES.sub(" ", words.plain(clause.rest).casefold())
    named = [w for w in words.words(behind) if w not in lexicon.FUNCTION_WORDS]
    if not named or len(named) > LONGEST or words.hedged(clause.text):
        return ()
    return clause.verb, *sorted(phrases.stem(word) for word in named)


def occasion(
    clause: Clause, speaker: str, at: datetime, names: frozenset[str]
) -> Occasion | None:
    """The occasion that a clause tells of; None where it tells of no doing.

    Args:
        clause: What was said.
        speaker: Who said it.
        at: When.
        names: Names that are known from elsewhere, as written.
    """
    done = doing(clause)
    timeless = clause._replace(lead="", rest=_timeless(clause.rest))
    text = worded(timeless, speaker, at, names) if done else None
    if text is None:
        return None
    said = words.plain(clause.text).casefold()
    day = _WEEKDAY.search(said)
    known = None if _ELSEWHEN.search(said) else at.weekday()
    named = lexicon.WEEKDAYS.split().index(day[0].rstrip("s")) if day else known
    return Occasion(text.rstrip("."), done, at, named)


def counted(occasions: Sequence[Occasion]) -> str | None:
    """How often something was done and since when, as a sentence.

    Args:
        occasions: Of one doing, in the order in which they were told.

    Returns:
        One sentence without a word that wasn't said, counts and dates aside; None
        where they are too few days to be more than chance.
    """
    days = {one.day.date() for one in occasions}
    if len(days) < OCCASIONS:
        return None
    shortest = min((one.text for one in occasions), key=lambda t: (len(t), t))
    since = min(one.day for one in occasions)
    weekdays = Counter(one.weekday for one in occasions if one.weekday is not None)
    usual = ""
    if weekdays:
        day, times = weekdays.most_common(1)[0]
        if times >= max(USUALLY * len(occasions), OCCASIONS):
            name = lexicon.WEEKDAYS.split()[day].capitalize()
            usual = f", {'' if times == len(occasions) else 'mostly '}on {name}s"
    return f"{shortest}: {len(days)} times since {since:%B %Y}{usual}."


def _timeless(rest: str) -> str:
    """What follows a verb, without the times in it."""
    return " ".join(_TIMES.sub("", rest).split()).rstrip(" ,;:-")
