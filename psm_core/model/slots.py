"""What can be claimed of somebody, as slot and value; and the words that fill slots."""

from __future__ import annotations

import re
from typing import NamedTuple

from psm_core.model import lexicon, phrases
from psm_core.model.clauses import Clause

GENERAL = "*"
"""A value for anything at all: "not allergic to anything"."""

PROFESSIONS = lexicon.listed(
    "accountant actor actress analyst apprentice architect artist assistant baker "
    "banker barista builder butcher carpenter cashier chef cleaner coach consultant "
    "contractor cook dentist designer developer director doctor driver economist "
    "editor electrician engineer farmer firefighter freelancer gardener hairdresser "
    "intern interpreter journalist lawyer lecturer librarian manager mechanic midwife "
    "musician nurse painter paramedic pharmacist photographer physiotherapist pilot "
    "plumber postman producer professor programmer psychologist receptionist "
    "researcher salesman salesperson scientist secretary singer soldier student "
    "surgeon surveyor tailor teacher therapist trainer translator tutor veterinarian "
    "vet waiter waitress worker writer"
)
"""Nouns that say what somebody does for a living."""

ATTRIBUTES = lexicon.listed(
    "birthday name age rent salary address number email major size hometown language "
    "tongue type password boss landlord landlady doctor dentist job height weight "
    "deadline surname nickname anniversary"
)
"""Nouns of which somebody has one at a time."""

STATUS = lexicon.listed("single married engaged divorced widowed separated")
"""Words for how somebody lives with others; one holds at a time."""

DIETS = {
    "vegan": lexicon.listed("meat fish dairy egg"),
    "vegetarian": lexicon.listed("meat fish"),
    "pescatarian": lexicon.listed("meat"),
}
"""Ways of eating, and what each leaves out."""

_KINDS = {
    "meat": "steak chicken beef pork bacon lamb turkey ham sausage burger veal duck",
    "fish": "salmon tuna trout cod herring shrimp prawn seafood",
    "dairy": "milk cheese butter cream yoghurt yogurt",
    "gluten": "bread pasta wheat",
    "alcohol": "wine beer whisky whiskey vodka gin rum cider champagne",
    "sibling": "brother sister",
    "kid": "son daughter child baby toddler",
    "child": "son daughter kid baby toddler",
    "pet": "dog cat rabbit hamster parrot horse puppy kitten",
}
_KINDS_OF = {
    thing: frozenset(kind for kind, row in _KINDS.items() if thing in row.split())
    for row in _KINDS.values()
    for thing in row.split()
}

HABITS = lexicon.listed(
    "eat drink smoke use drive play speak take read wear watch run swim cycle cook "
    "attend study teach train dance sing paint jog ski surf hike knit garden commute "
    "meditate pray volunteer vape practice practise rent pay"
)
"""Verbs whose present tells of a habit."""

LIKING = {
    **dict.fromkeys(("like", "love", "enjoy", "adore"), True),
    **dict.fromkeys(("hate", "dislike", "loathe", "detest"), False),
}
"""Verbs of liking, and whether they like."""

MOMENTARY = lexicon.listed(
    "agree appreciate be believe bet care come do expect feel find forget get guess "
    "happen have hear help hope imagine keep know let look lose make mean mind miss "
    "need notice put realise realize remember say see seem show sound stand start stay "
    "stop suppose take talk tell think tend thank try turn understand wait wake want "
    "wish wonder worry"
)
"""Verbs whose present tells of the moment: denied today, affirmed tomorrow."""

PLACE_KINDS = lexicon.listed(
    "flat house apartment city town village country centre center suburb area place "
    "countryside dorm hotel room street building neighbourhood neighborhood studio "
    "home peace fear hope middle past moment"
)
"""Nouns that follow "live in" and name no place."""

_CEASED = re.compile(r"\b(?:any ?more|no longer)\b")
_BECAME = re.compile(r"\b(?:now|nowadays|these days|again|since)\b")


class Claim(NamedTuple):
    """One thing that is said to be so, or not so, of one subject.

    ``items`` are the values that the slot is said to have, ``changed`` whether it is
    said to be otherwise than before, ``qualifiers`` the content of what was said.
    ``implied`` claims follow from what was said, and were not said.
    """

    subject: str
    slot: str
    items: frozenset[str]
    positive: bool = True
    changed: bool = False
    qualifiers: frozenset[str] = frozenset()
    implied: bool = False


def claim(
    clause: Clause, slot: str, items: frozenset[str], *, changed: bool = False
) -> Claim:
    """The claim of *clause* that *slot* is filled with *items*."""
    said = clause.text.casefold()
    became = _CEASED.search(said) or _BECAME.search(said)
    return Claim(
        subject=clause.who,
        slot=slot,
        items=items,
        positive=not clause.negated,
        changed=changed or bool(became),
        qualifiers=phrases.qualifiers(clause.rest),
    )


def among(item: str, items: frozenset[str]) -> bool:
    """Whether *item* is one of *items*, or a kind of one of them.

    >>> [among(x, frozenset({"fish"})) for x in ("raw fish", "salmon", "beef")]
    [True, True, False]
    """
    said = frozenset(item.split())
    if any(frozenset(other.split()) <= said for other in items):
        return True
    return any(not _KINDS_OF.get(word, frozenset()).isdisjoint(items) for word in said)
