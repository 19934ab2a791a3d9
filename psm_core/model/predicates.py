"""The verb of a clause: tense, possibility and denial, read from its auxiliaries."""

from __future__ import annotations

from typing import NamedTuple

from psm_core.model import lexicon, verbs

_BE = frozenset({"am", "is", "are", "was", "were", "be"})
_HAVE = frozenset({"have", "has", "had"})
_DO = frozenset({"do", "does", "did"})
AUXILIARIES = _BE | _HAVE | _DO
"""Forms of be, have and do: any of them makes a clause."""

_ADVERBS = lexicon.listed(
    "also always never still just really only usually often sometimes mostly now "
    "currently already actually even ever rarely seldom almost not hardly barely too "
    "definitely absolutely totally finally recently originally officially both all "
    "no longer normally generally typically regularly simply truly strictly once "
    "then soon maybe probably perhaps possibly nearly kinda occasionally"
)
_DENIED = {"won't": "will", "can't": "can", "cannot": "can", "ain't": "be"}
_LIKE_ADJECTIVES = lexicon.listed(
    "interesting boring exciting amazing willing missing annoying tiring charming "
    "demanding freezing outgoing frustrating embarrassing thing nothing everything "
    "something anything wedding morning evening building"
)
_NOT = frozenset({"no", "not", "never"})


class Predicate(NamedTuple):
    """The verb of a clause: its base, its form, whether it is denied, its length.

    ``form`` is one of present, past, perfect, going, future, possible, former;
    ``used`` counts the tokens from the subject to the end of the verb.
    """

    base: str
    form: str
    negated: bool
    used: int


def predicate(tokens: list[str]) -> Predicate | None:
    """The main verb behind adverbs and auxiliaries, and what these make of it.

    Args:
        tokens: What follows the subject, in lower case.

    Returns:
        None where no known verb is found.

    >>> predicate(["don't", "really", "like", "tea"])
    Predicate(base='like', form='present', negated=True, used=3)
    """
    form, auxiliary, negated = "", "", False
    for at, written in enumerate(tokens):
        word, denied = _affirmed(written)
        negated = negated or denied
        if _is_adverb(word):
            negated = negated or word in _NOT
            continue
        step = _auxiliary(word, tokens[at + 1 :], auxiliary)
        if step is None:
            return _main(word, form, auxiliary, tokens, at, negated=negated)
        auxiliary, form = word, step or form
    return None


def _affirmed(word: str) -> tuple[str, bool]:
    """An auxiliary without its n't, and whether it had one."""
    if word in _DENIED:
        return _DENIED[word], True
    return (word[:-3], True) if word.endswith("n't") else (word, False)


def _is_adverb(word: str) -> bool:
    return word in _ADVERBS or (word.endswith("ly") and verbs.base(word) is None)


def _auxiliary(word: str, after: list[str], auxiliary: str) -> str | None:
    """The form that an auxiliary gives to what follows; None where it is none."""
    ahead = [w for w in after[:4] if not _is_adverb(w)]
    following = ahead[0] if ahead else ""
    if word in verbs.MODALS:
        return "future" if word in ("will", "shall") else "possible"
    if word in _BE or word == "been":
        return _after_be(following, ahead[1:2])
    if word in _HAVE and verbs.participle(following):
        return "perfect"
    if word in _DO and verbs.base(following) == following:
        return "past" if word == "did" else "present"
    if word == "used" and following == "to":
        return "former"
    linked = word in ("going", "gonna", "to") and auxiliary not in ("", *_DO, *_HAVE)
    return "" if linked else None


def _after_be(following: str, then: list[str]) -> str | None:
    if following == "gonna" or (following == "going" and then == ["to"]):
        return "future"
    return "going" if _progressive(following) else None


def _progressive(word: str) -> bool:
    return word.endswith("ing") and len(word) > 4 and word not in _LIKE_ADJECTIVES


def _main(
    word: str, form: str, auxiliary: str, tokens: list[str], at: int, *, negated: bool
) -> Predicate | None:
    base = verbs.base(word) or (word if verbs.past(word) or form == "going" else None)
    if base is None:
        return None
    if not form:
        form = "past" if verbs.past(word) else "present"
    if form == "perfect" and auxiliary == "had":
        form = "past"
    end = at + 1
    # "not" stands behind "be", and before every other verb.
    while base == "be" and end < len(tokens) and _is_adverb(tokens[end]):
        negated = negated or tokens[end] in _NOT
        end += 1
    return Predicate(base, form, negated, end)
