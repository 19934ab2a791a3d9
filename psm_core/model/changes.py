"""What a clause in the past claims for now: moved, stopped, switched, died."""

from __future__ import annotations

import re
from collections.abc import Callable

from psm_core.model import lexicon, phrases
from psm_core.model.clauses import SELF, Clause
from psm_core.model.slots import (
    DIETS,
    HABITS,
    MOMENTARY,
    PROFESSIONS,
    STATUS,
    Claim,
    claim,
)
from psm_core.model.states import diet, present, residence, work

_OWN = re.compile(r"(?:my|the|our|his|her|their|[\w-]+'s)\b ?")
_THINGS = re.compile(r"(?:an?|the|my|our|his|her|their|all|some|these|it|them)\b")
_NEW_JOB = re.compile(r"an? (?:new )?(?:\w+ )?(?:job|position)\b")
_TAKEN_IN = ("do eat", "do drink", "do smoke", "do take", "do play", "do use")


def turns(verb: str) -> bool:
    """Whether the past of *verb* tells how things are now: "moved", not "visited"."""
    return verb in _TURNS and verb != "be"


def turned(clause: Clause) -> list[Claim]:
    """What a clause in the past claims to be so since; often nothing."""
    turn = _TURNS.get(clause.verb)
    found = turn(clause) if turn else []
    # When and why somebody stopped doesn't narrow down what they stopped.
    return [c if c.positive else c._replace(qualifiers=frozenset()) for c in found]


def _moved(clause: Clause) -> list[Claim]:
    # Whoever moved the piano to the hall doesn't live there.
    if clause.negated or _THINGS.match(clause.rest):
        return []
    return residence(clause, "(?:back )?(?:to|into)", changed=True)


def _left(clause: Clause) -> list[Claim]:
    # A capital, because one leaves parties too.
    if not clause.rest[:1].isupper():
        return []
    gone = clause._replace(negated=True, rest=f"in {clause.rest}")
    left = residence(gone, "in", changed=True)
    return left + [place._replace(slot="employer") for place in left]


def _started(clause: Clause) -> list[Claim]:
    if re.search(r"\b(?:job|position|work)\b", clause.rest):
        return work(clause, changed=True)
    return _doing(clause, negated=clause.negated)


def _stopped(clause: Clause) -> list[Claim]:
    return _doing(clause, negated=not clause.negated) or _gave_up(clause)


def _doing(clause: Clause, *, negated: bool) -> list[Claim]:
    """What "started" or "stopped" says of the verb on -ing behind it."""
    first, _, behind = clause.rest.partition(" ")
    done = phrases.stem(first)
    if not first.endswith("ing") or done in MOMENTARY - HABITS:
        return []
    now = clause._replace(verb=done, rest=behind, form="present", negated=negated)
    return [c._replace(changed=True) for c in present(now)]


def _gave(clause: Clause) -> list[Claim]:
    if not clause.rest.startswith("up "):
        return []
    return _stopped(clause._replace(rest=clause.rest[3:]))


def _gave_up(clause: Clause) -> list[Claim]:
    items = phrases.listed(clause.rest)
    if not items or "job" in " ".join(items):
        return []
    given = clause._replace(negated=not clause.negated)
    return [claim(given, slot, items, changed=True) for slot in _TAKEN_IN]


def _switched(clause: Clause) -> list[Claim]:
    left = phrases.listed(phrases.after(clause.rest, "from"))
    taken = phrases.listed(phrases.after(clause.rest, "to"))
    away = clause._replace(negated=True)
    dropped = [claim(away, slot, left, changed=True) for slot in _TAKEN_IN if left]
    return dropped + [claim(clause, s, taken, changed=True) for s in _TAKEN_IN if taken]


def _became(clause: Clause) -> list[Claim]:
    first = phrases.head(clause.rest)
    if not first or clause.negated:
        return []
    if first[0] in STATUS:
        return [claim(clause, "status", frozenset({first[0]}), changed=True)]
    if first[-1] in DIETS:
        return diet(clause, first[-1], changed=True)
    if first[-1] in PROFESSIONS:
        return [claim(clause, "occupation", frozenset(first), changed=True)]
    if clause.verb == "turn" and re.fullmatch(r"\d{1,3}", first[0]):
        return [claim(clause, "age", frozenset({first[0]}), changed=True)]
    return []


def _got(clause: Clause) -> list[Claim]:
    if _NEW_JOB.match(clause.rest):
        return work(clause, changed=True)
    return _became(clause) or _bought(clause)


def _bought(clause: Clause) -> list[Claim]:
    return _held(clause) if re.match(r"an? \w+", clause.rest) else []


def _parted(clause: Clause) -> list[Claim]:
    own = _OWN.match(clause.rest)
    return _held(clause._replace(negated=not clause.negated)) if own else []


def _held(clause: Clause) -> list[Claim]:
    named = phrases.listed(_OWN.sub("", clause.rest, count=1))
    heads = frozenset(item.split()[-1] for item in named)
    return [claim(clause, "have", heads, changed=True)] if heads else []


def _died(clause: Clause) -> list[Claim]:
    if clause.who == SELF or clause.negated:
        return []
    gone = Claim(clause.who, "alive", frozenset(), positive=False, changed=True)
    had = Claim(SELF, "have", frozenset(clause.who.split()[-1:]), positive=False)
    return [gone, had._replace(changed=True, implied=True)]


def _passed(clause: Clause) -> list[Claim]:
    return _died(clause) if clause.rest.startswith("away") else []


def _retired(clause: Clause) -> list[Claim]:
    return [claim(clause, "occupation", frozenset({"retired"}), changed=True)]


def _was(clause: Clause) -> list[Claim]:
    born = re.match(r"born (?:in|on) (.+)", clause.rest)
    numbers = re.findall(r"\d{4}", born[1]) if born else []
    return [claim(clause, "the birth", frozenset(numbers))] if numbers else []


def _split(clause: Clause) -> list[Claim]:
    if clause.who != SELF or not clause.rest.startswith("up"):
        return []
    return [claim(clause, "status", lexicon.listed("single"), changed=True)]


_TURNS: dict[str, Callable[[Clause], list[Claim]]] = {
    "move": _moved,
    "relocate": _moved,
    "leave": _left,
    "start": _started,
    "begin": _started,
    "stop": _stopped,
    "quit": _stopped,
    "give": _gave,
    "switch": _switched,
    "become": _became,
    "turn": _became,
    "go": _became,
    "get": _got,
    "buy": _bought,
    "adopt": _bought,
    "sell": _parted,
    "lose": _parted,
    "die": _died,
    "pass": _passed,
    "retire": _retired,
    "be": _was,
    "break": _split,
}
