"""Can two memories both hold? Compares what they claim, slot by slot. Rules."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from psm_core.model import lexicon, words
from psm_core.model.claims import claims
from psm_core.model.slots import GENERAL, Claim, among
from psm_core.types import Conflict, ConflictKind, Entry, Kind

LATER = timedelta(days=1)
"""From this far apart on, another value of what changes in a life is an update."""

MARKED = 0.15
"""What a marker of change ("now", "moved") adds to the confidence, no unit."""

INFERRED = 0.1
"""What it costs when one side wasn't said in so many words, no unit."""

LASTING = lexicon.KIN | lexicon.listed(
    "car bike bicycle motorbike motorcycle house flat apartment garden job business "
    "shop tattoo boat licence license passport piano guitar violin asthma diabetes "
    "pet visa degree television"
)
"""Things whose having is worth comparing; time and colds come and go."""


class _Slot(NamedTuple):
    """A slot that one value fills at a time, and how sure a clash is, in [0, 1]."""

    confidence: float
    reason: str


_EXCLUSIVE = {
    "residence": _Slot(0.75, "two places of residence"),
    "employer": _Slot(0.65, "two places of work"),
    "occupation": _Slot(0.65, "another occupation than before"),
    "status": _Slot(0.75, "two ways of living with others"),
    "diet": _Slot(0.7, "two ways of eating"),
    "household": _Slot(0.6, "alone, and with others"),
    "age": _Slot(0.6, "two ages"),
    "origin": _Slot(0.6, "two places of origin"),
}
_FIXED = frozenset({"origin"})
_NUMBERED = lexicon.listed("rent salary size weight height age number address deadline")
_FILLERS = lexicon.listed(
    "actually all allergic any anymore anything fan honestly longer meat now really"
)
_COMPATIBLE = frozenset(
    frozenset(pair.split())
    for pair in ("divorced single", "separated married", "widowed single")
)


class Clash(NamedTuple):
    """Why two claims may not both hold; confidence in [0, 1]."""

    kind: ConflictKind
    confidence: float
    reason: str


def interferes(new: Entry, old: Entry) -> Conflict | None:
    """Whether both can be true now; None where they are compatible.

    Only what one speaker says of one subject is compared.  Two events of one kind,
    and two things liked, are compatible.  A false alarm costs more than a miss.

    Args:
        new: The memory that was said later.
        old: The one that was there before.

    Returns:
        A duplicate, an update or a contradiction, with a reason that quotes nothing.
    """
    clash = _clash(new, old) if comparable(new, old) else None
    if clash is None:
        return None
    kind, confidence, reason = clash
    return Conflict(kind, new.id, old.id, round(confidence, 2), reason)


def comparable(new: Entry, old: Entry) -> bool:
    """Whether both are one person's own words; only these can be held to each other.

    What an assistant said, what somebody else said, and a memory beside itself aren't.
    """
    own = new.role == old.role == "user"
    return own and new.id != old.id and new.speaker.casefold() == old.speaker.casefold()


def _clash(new: Entry, old: Entry) -> Clash | None:
    apart = abs(new.said_at - old.said_at) >= LATER
    found = [
        clash
        for one in claims(new.text, new.speaker)
        for other in claims(old.text, old.speaker)
        if (clash := compare(one, other, apart=apart)) is not None
    ]
    # That something changed matters more than that something else was said again.
    found.sort(key=lambda c: (c.kind is ConflictKind.DUPLICATE, -c.confidence))
    return found[0] if found else _same_words(new, old)


def compare(new: Claim, old: Claim, *, apart: bool = True) -> Clash | None:
    """Whether two claims of one speaker can both hold now.

    Args:
        new: The later claim.
        old: The earlier one.
        apart: Whether they were said a day or more apart.
    """
    if new.subject != old.subject:
        return None
    if "alive" in (new.slot, old.slot):
        return _outlived(new, old)
    if new.slot != old.slot:
        return None
    if new.positive != old.positive:
        return _opposed(new, old)
    if _same(new, old):
        return Clash(ConflictKind.DUPLICATE, 0.9, "says the same of the same")
    return _two_values(new, old, apart=apart) if new.positive else None


def _same(new: Claim, old: Claim) -> bool:
    if new.implied or old.implied or new.changed != old.changed:
        return False
    if new.slot == "be":
        return False  # feelings come back, and aren't the same
    return new.items == old.items and new.qualifiers == old.qualifiers


def _outlived(new: Claim, old: Claim) -> Clash | None:
    if new.slot == old.slot:
        return Clash(ConflictKind.DUPLICATE, 0.9, "says the same of the same")
    if new.slot.startswith("the ") or old.slot.startswith("the "):
        return None  # a birthday outlives whose it is
    return Clash(ConflictKind.UPDATE, 0.7, "one tells of a death, the other of a life")


def _opposed(new: Claim, old: Claim) -> Clash | None:
    """One affirms what the other denies, or more than the other denies."""
    yes, no = (new, old) if new.positive else (old, new)
    narrowed = no.qualifiers - _own_words(no) - _FILLERS
    if GENERAL not in no.items and not narrowed <= yes.qualifiers:
        return None
    if not (_denies(no, yes) or (not no.items and (narrowed or _habit(no)))):
        return None
    if no.slot == "have" and yes.items.isdisjoint(LASTING):
        return None
    confidence = 0.8 - INFERRED * (new.implied or old.implied)
    return _judged(new, confidence, "one affirms what the other denies")


def _denies(no: Claim, yes: Claim) -> bool:
    """Whether what is affirmed is among what is denied."""
    if GENERAL in no.items or (_one_value(no.slot) and no.items <= yes.items):
        return True
    return any(among(item, no.items) for item in yes.items)


def _habit(claim: Claim) -> bool:
    return claim.slot.startswith(("do ", "can "))


def _own_words(claim: Claim) -> frozenset[str]:
    """The words of the items themselves, which don't narrow the claim down."""
    return frozenset(word for item in claim.items for word in item.split())


def _one_value(slot: str) -> bool:
    return slot in _EXCLUSIVE or slot.startswith("the ")


def _two_values(new: Claim, old: Claim, *, apart: bool) -> Clash | None:
    """Both affirm, and only one value can hold at a time."""
    if new.items == old.items:
        return _two_counts(new, old) if new.slot == "have" else None
    if not _one_value(new.slot) or _both_hold(new, old):
        return None
    slot = _EXCLUSIVE.get(new.slot, _Slot(0.75, "two values of what is one at a time"))
    confidence = min(slot.confidence + MARKED * _marked(new, old), 1.0)
    update = new.changed or (apart and _changes(new.slot))
    kind = ConflictKind.UPDATE if update else ConflictKind.CONTRADICTION
    return Clash(kind, confidence, slot.reason)


def _both_hold(new: Claim, old: Claim) -> bool:
    """Whether two different values can hold at once after all."""
    if new.slot == "occupation":
        # One may have two, and a nurse in general is a dialysis nurse in particular.
        return not _marked(new, old)
    if new.items <= old.items or old.items <= new.items:
        return True
    both = new.items | old.items
    if new.slot == "household":
        return "alone" not in both
    if both == {"vegan", "vegetarian"}:
        return not _marked(new, old)
    return both in _COMPATIBLE


def _marked(new: Claim, old: Claim) -> bool:
    return new.changed or old.changed


def _changes(slot: str) -> bool:
    """Whether what fills the slot changes in the course of a life."""
    if slot in _EXCLUSIVE:
        return slot not in _FIXED
    return not _NUMBERED.isdisjoint(slot.split())


def _two_counts(new: Claim, old: Claim) -> Clash | None:
    """Two kids, then three."""
    counted = [words.numbers(" ".join(sorted(c.qualifiers))) for c in (new, old)]
    if new.items.isdisjoint(lexicon.KIN) or not all(len(c) == 1 for c in counted):
        return None
    if counted[0] == counted[1]:
        return None
    return Clash(ConflictKind.UPDATE, 0.6, "two counts of the same")


def _judged(new: Claim, confidence: float, reason: str) -> Clash:
    if new.changed:
        return Clash(ConflictKind.UPDATE, min(confidence + MARKED, 1.0), reason)
    return Clash(ConflictKind.CONTRADICTION, confidence, reason)


def _same_words(new: Entry, old: Entry) -> Clash | None:
    """Word for word the same, of what can be the same twice: events can't."""
    said, before = sorted(words.content(new.text)), sorted(words.content(old.text))
    if len(said) < 2 or said != before:
        return None
    if words.negated(new.text) != words.negated(old.text):
        return None
    kinds = {new.kind, old.kind}
    once = kinds <= {Kind.STATE, Kind.PREFERENCE} or new.said_at == old.said_at
    return (
        Clash(ConflictKind.DUPLICATE, 0.9, "says it in the same words")
        if once
        else None
    )
