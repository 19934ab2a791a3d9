"""What a clause in the present claims: where, what, with whom somebody lives."""

from __future__ import annotations

import re
from collections.abc import Callable

from psm_core.model import lexicon, phrases, words
from psm_core.model.clauses import SELF, Clause
from psm_core.model.slots import (
    ATTRIBUTES,
    DIETS,
    GENERAL,
    HABITS,
    LIKING,
    MOMENTARY,
    PLACE_KINDS,
    PROFESSIONS,
    STATUS,
    Claim,
    claim,
)

_TIMES = lexicon.listed(
    "night day week month year weekend home time moment least noon midnight minimum "
    "living free money fun charity ages"
)
_TODAY = re.compile(
    r"\b(?:today|tonight|tomorrow|right now|this (?:week|weekend|morning|time))\b"
)
_POINTS = re.compile(
    r"(?:it|this|that|these|those|them|him|her|you|me|us|one|some|any|something)\b",
    re.IGNORECASE,
)
_WORKS = re.compile(r"(?:(?:full|part)[- ]time |remotely )?(?:at|for|as)\b|an? ")
_AFRAID = re.compile(r"(?:afraid|scared|proud|tired|sick) of \w+", re.IGNORECASE)
_AGE = re.compile(r"(\d{1,3})(?: years old)?[,. ]*$")
_LIKED = re.compile(r"(?:into|fond of|(?:an? )?(?:big |huge )?fan of|keen on)\s+")


def present(clause: Clause) -> list[Claim]:
    """What a clause in the present claims to be so; often nothing."""
    verb, rest = clause.verb, clause.rest
    if verb in LIKING or (verb == "stand" and clause.negated):
        return _liking(clause)
    if verb == "date" and clause.form != "going":
        return []
    if verb in _SLOTS:
        return _SLOTS[verb](clause)
    if verb in MOMENTARY - HABITS or _TODAY.search(rest.casefold()):
        return []
    return contrasted(clause, f"do {verb}", rest)


def _living(clause: Clause) -> list[Claim]:
    return residence(clause, "in|near|at") + _household(clause)


def _preferring(clause: Clause) -> list[Claim]:
    rest = re.sub(r"\b(?:to|over)\b", ", not", clause.rest)
    return contrasted(clause, "prefer", rest)


def _dating(clause: Clause) -> list[Claim]:
    return [claim(clause, "status", frozenset({"dating"}))]


def _weighing(clause: Clause) -> list[Claim]:
    numbers = frozenset(re.findall(r"\d+(?:[.,]\d+)*", clause.rest))
    return [claim(clause, "the weight", numbers)] if numbers else []


def _household(clause: Clause) -> list[Claim]:
    if re.match(r"(?:alone|by myself|on my own)\b", clause.rest):
        return [claim(clause, "household", frozenset({"alone"}))]
    others = phrases.listed(phrases.after(clause.rest, "with"))
    return [claim(clause, "household", others)] if others else []


def residence(
    clause: Clause, preposition: str, *, changed: bool = False
) -> list[Claim]:
    """Where somebody lives, behind one of the prepositions (a pattern)."""
    place = phrases.after(clause.rest, preposition)
    value = phrases.head(place)
    if not value or place.casefold().startswith(("a ", "an ")):
        return []
    if not PLACE_KINDS.isdisjoint(value) or value[0] in lexicon.FUNCTION_WORDS:
        return []
    return [claim(clause, "residence", frozenset(value), changed=changed)]


def work(clause: Clause, *, changed: bool = False) -> list[Claim]:
    """Where and as what somebody works."""
    found = []
    at = phrases.head(phrases.after(clause.rest, "at|for"))
    if (
        at
        and _WORKS.match(clause.rest)
        and _TIMES.isdisjoint(at)
        and not at[0].isdigit()
    ):
        found.append(claim(clause, "employer", frozenset(at), changed=changed))
    if role := phrases.head(phrases.after(clause.rest, "as")):
        found.append(claim(clause, "occupation", frozenset(role), changed=changed))
    return found


def contrasted(clause: Clause, slot: str, rest: str) -> list[Claim]:
    """A claim for what is affirmed, and one for what is denied beside it."""
    if no := re.match(r"(?:no|not any|zero)\s+", rest):
        clause, rest = clause._replace(negated=True), rest[no.end() :]
    affirmed, denied = phrases.contrast(rest)
    items = phrases.listed(affirmed)
    if not items and _POINTS.match(affirmed):
        return []
    if slot == "do drink" and not items:
        items = frozenset({"alcohol"})
    if slot == "liking" and not items:
        return []
    found = [claim(clause, slot, items)]
    if denied and (other := phrases.listed(denied)):
        against = clause._replace(negated=not clause.negated)
        found.append(claim(against, slot, other))
    return found


def diet(clause: Clause, way: str, *, changed: bool = False) -> list[Claim]:
    """How somebody eats, and what that leaves out."""
    said = claim(clause, "diet", frozenset({way}), changed=changed)
    if clause.negated:
        return [said]
    avoided = Claim(clause.who, "do eat", DIETS[way], positive=False, implied=True)
    return [said, avoided._replace(changed=said.changed)]


def _liking(clause: Clause) -> list[Claim]:
    likes = LIKING.get(clause.verb, True)
    flipped = clause._replace(negated=clause.negated == likes)
    return contrasted(flipped, "liking", re.sub(r"^to ", "", clause.rest))


def _having(clause: Clause) -> list[Claim]:
    allergy = re.search(r"allerg(?:y|ies)(?: to (.+))?", clause.rest)
    if allergy:
        return _allergy(clause, allergy[1] or clause.rest[: allergy.start()])
    found = contrasted(clause, "have", clause.rest)
    heads = [frozenset(i.split()[-1] for i in c.items) for c in found]
    return [c._replace(items=h) for c, h in zip(found, heads, strict=True) if h]


def _allergy(clause: Clause, text: str) -> list[Claim]:
    if re.match(r"\s*no\b", text):
        clause, text = clause._replace(negated=True), re.sub(r"^\s*no\b", "", text)
    items = phrases.listed(text)
    general = not items or not items.isdisjoint({"anything", "any", "known", "food"})
    return [claim(clause, "allergy", frozenset({GENERAL}) if general else items)]


def _being(clause: Clause) -> list[Claim]:
    if clause.rest.startswith("based "):
        return residence(clause, "in|near|at")
    found = _attribute(clause) or _aged(clause) or _marked(clause)
    return found or _noun_or_adjective(clause)


def _marked(clause: Clause) -> list[Claim]:
    """What the first word behind "be" gives away."""
    first, _, behind = clause.rest.partition(" ")
    if liked := _LIKED.match(clause.rest.casefold()):
        return contrasted(clause, "liking", clause.rest[liked.end() :])
    match first.casefold().strip(","):
        case "allergic" if behind.startswith("to "):
            return _allergy(clause, behind[3:])
        case "called" | "named" if clause.who != SELF:
            return [claim(clause, "the name", frozenset(phrases.head(behind)))]
        case "from":
            return [claim(clause, "origin", frozenset(phrases.head(behind)))]
        case "retired" | "unemployed" as ended:
            return [claim(clause, "occupation", frozenset({ended}), changed=True)]
    return []


def _aged(clause: Clause) -> list[Claim]:
    age = _AGE.match(clause.rest.casefold())
    return [claim(clause, "age", frozenset({age[1]}))] if age else []


def _noun_or_adjective(clause: Clause) -> list[Claim]:
    first = phrases.head(clause.rest)
    if not first or _TODAY.search(clause.rest.casefold()):
        return []
    if first[0] in lexicon.TRANSIENT and not _AFRAID.match(clause.rest):
        return []
    if first[0] in STATUS:
        return [claim(clause, "status", frozenset({first[0]}))]
    if way := next((w for w in (first[-1], first[0]) if w in DIETS), ""):
        return diet(clause, way)
    if first[-1] in PROFESSIONS and re.match(r"(?:an?|the)\b", clause.rest):
        return [claim(clause, "occupation", frozenset(first)), *work(clause)]
    return [claim(clause, "be", frozenset(first))]


def _attribute(clause: Clause) -> list[Claim]:
    """What is said of a thing one has one of: a birthday, a name, a favourite."""
    key = clause.who.replace("favorite", "favourite").split()
    at = next((i for i, w in enumerate(key) if w in ATTRIBUTES or w == "favourite"), -1)
    if at < 0 or clause.who == SELF:
        return []
    value = _value(key, clause.rest)
    if not value:
        return []
    slot = " ".join(key[at:] if key[at] == "favourite" else key[at : at + 1])
    owner = [w for w in key if w not in slot.split()]
    owned = clause._replace(who=" ".join(owner) or SELF)
    return [claim(owned, f"the {slot}", value)]


def _value(key: list[str], rest: str) -> frozenset[str]:
    numbers = re.findall(r"\d+(?:[.,]\d+)*", rest)
    if "birthday" in key or "anniversary" in key:
        months = [w for w in words.words(rest) if w in lexicon.MONTHS.split()]
        return frozenset([*numbers, *months]) if months else frozenset()
    if numbers and "name" not in key:
        return frozenset(numbers)
    value = phrases.head(re.sub(r"^(?:called|named|on|at|in)\s+", "", rest))
    return frozenset() if words.timed(rest) else frozenset(value)


_SLOTS: dict[str, Callable[[Clause], list[Claim]]] = {
    "live": _living,
    "reside": _living,
    "work": work,
    "have": _having,
    "own": _having,
    "be": _being,
    "prefer": _preferring,
    "date": _dating,
    "weigh": _weighing,
}
