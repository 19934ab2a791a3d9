"""What a text claims of somebody for now, so that two texts can be compared."""

from __future__ import annotations

import functools
import re

from psm_core.model import lexicon, phrases, words
from psm_core.model.changes import turned, turns
from psm_core.model.clauses import Clause, clauses
from psm_core.model.slots import HABITS, Claim, claim
from psm_core.model.states import present

_RARE = lexicon.listed("rarely seldom hardly barely sometimes occasionally only almost")
_LASTING = re.compile(
    r"\bsince\b|\bfor (?:\w+ ){1,3}(?:years?|months?|weeks?|days?|ages|while)\b"
)
_HISTORY = re.compile(
    r"\b(?:years ago|decades ago|as a (?:kid|child|teenager|student|boy|girl)|back in"
    r"|when (?:i|he|she) was|growing up|in my (?:teens|twenties|thirties|youth))\b"
)


@functools.lru_cache(maxsize=words.CACHED)
def claims(text: str, speaker: str = "") -> tuple[Claim, ...]:
    """What *text* claims for now; what is hedged, planned or long past claims nothing.

    Args:
        text: An episode in the first person, or a fact in the third.
        speaker: Whose words it is; a fact calls them by this name.

    >>> claims("I moved to Lyon last week.")[0][:5]
    ('self', 'residence', frozenset({'lyon'}), True, True)
    """
    found: list[Claim] = []
    for clause in clauses(text, speaker):
        found += claimed(clause)
    return tuple(dict.fromkeys(found))


def claimed(clause: Clause) -> list[Claim]:
    """What one clause claims for now; often nothing."""
    return _claimed(clause) if _asserted(clause) else []


def _asserted(clause: Clause) -> bool:
    if clause.limited or not _RARE.isdisjoint(word.casefold() for word in clause.head):
        return False
    return _able(clause) or not words.hedged(clause.text)


def _able(clause: Clause) -> bool:
    if clause.form != "possible" or not clause.head:
        return False
    can = clause.head[0].casefold().startswith("can")
    return can and (clause.verb in HABITS or _cant_stand(clause))


def _cant_stand(clause: Clause) -> bool:
    return clause.verb == "stand" and clause.negated


def _claimed(clause: Clause) -> list[Claim]:
    if clause.form in ("present", "going") or _cant_stand(clause):
        return present(clause)
    match clause.form:
        case "perfect" if not turns(clause.verb):
            return present(clause) if _LASTING.search(clause.rest) else []
        case "past" | "perfect":
            long_past = _HISTORY.search(clause.text.casefold())
            return [] if long_past else turned(clause)
        case "former":
            now = clause._replace(form="present", negated=not clause.negated)
            return [c._replace(changed=True) for c in present(now) if not c.implied]
        case "possible" if _able(clause):
            return [claim(clause, f"can {clause.verb}", phrases.listed(clause.rest))]
    return []
