"""A clause in the first person put into the third, word for word. Invents nothing."""

from __future__ import annotations

import re
from datetime import datetime

from psm_core.model import lexicon, verbs, words
from psm_core.model.clauses import SELF, Clause
from psm_core.model.slots import HABITS

_UNRESOLVED = lexicon.listed(
    "he him himself his she her hers herself it its itself they them their theirs "
    "themselves this that these those there here you your yours yourself u ya i i'm "
    "i've i'd i'll we us our ours ourselves myself one's ones another other others "
    "else either too same such so what whatever who's something someone somebody "
    "somewhere everything both either instead then thing things stuff he's she's it's "
    "they're they've that's there's you're you've let's we're we've everyone"
)
"""Words that need the sentence before to be understood."""

_KNOWN_THE = lexicon.listed(
    "gym piano guitar violin drums cello flute saxophone morning evening afternoon "
    "night weekend week day city country countryside sea beach bus train tube subway "
    "metro internet radio news police army world moon sun future past autumn fall "
    "summer winter spring doctor dentist vet theatre theater cinema church mosque "
    "year month kitchen office garden"
)
"""Nouns that "the" goes with though nobody mentioned them before."""

_UNTOLD = lexicon.listed(
    "agree ask bet call check decide do dream feel find forget forgive get guess hear "
    "hope imagine keep know let look make mean mind need notice promise put realise "
    "realize reckon remember say see seem send show suppose take talk tell text thank "
    "think try understand wait watch wish wonder worry"
)
"""Verbs of thinking, saying and handling, which tell of the moment only."""

_TELLING = {
    "take": ("medication", "insulin", "pills", "lessons", "classes", "tablets"),
    "get": ("married", "engaged", "divorced", "promoted", "a "),
}
"""What makes verbs of the moment tell something after all."""

_ALONE = lexicon.listed(
    "smoke drink drive run swim cook vape meditate cycle ski surf jog"
)
_OPEN_END = (lexicon.FUNCTION_WORDS | {"without", "per", "via"}) - lexicon.listed(
    "up down out off now again once all not so"
)
_RELATIVE = words.any_of(
    [
        r"yesterday|today|tonight|tomorrow|ago|recently|lately|now|soon|currently",
        r"(?:last|next|this|past|coming) \w+|before last|after next",
        rf"on (?:{'|'.join(lexicon.WEEKDAYS.split())})|at the moment|these days",
        rf"(?:{'|'.join(lexicon.WEEKDAYS.split())})",
        r"in (?:the )?(?:spring|summer|autumn|fall|winter)|at (?:easter|christmas)",
        rf"(?:in|since|until|by) (?:{'|'.join(lexicon.MONTHS.split())})",
    ]
)
_EVERY = words.any_of([r"(?:every|each) \w+"])
_DATED = words.any_of([rf"\d{{1,2}} (?:{lexicon.MONTHS.replace(' ', '|')})|\d{{4}}"])
_AGE = re.compile(r"^\d{1,3}(?: years old)?$")
_NAMELESS = frozenset({"", "user", "human", "me"})


def named(speaker: str) -> str:
    """How a fact calls *speaker*: by their name, or as the user.

    >>> named("ada"), named("Mira Weiss"), named("user")
    ('Ada', 'Mira Weiss', 'The user')
    """
    if speaker.casefold() in _NAMELESS:
        return "The user"
    return speaker.capitalize() if re.fullmatch(r"[a-z]+", speaker) else speaker


def worded(
    clause: Clause,
    speaker: str,
    said_at: datetime,
    names: frozenset[str],
    called: frozenset[str] = frozenset(),
) -> str | None:
    """The clause as a sentence about *speaker*, if it can stand alone.

    Hedges, denials, numbers and dates stay as they are.  A time that counts from the
    day it was said brings that day along.

    Args:
        clause: What was said.
        speaker: Who said it.
        said_at: When.
        names: Names that are known from elsewhere, as written.
        called: Names of those who listen; they are called, and not spoken of.

    Returns:
        One sentence; None where it leans on other sentences, or on a condition.

    >>> from psm_core.model.clauses import clauses
    >>> day = datetime(2026, 4, 20)
    >>> worded(clauses("I moved to Lyon last week")[0], "Mira", day, frozenset())
    'Mira moved to Lyon last week (said on 20 April 2026).'
    """
    name = named(speaker)
    short = _shortened(_uncalled(clause, called))
    if short is None or short.limited or not _tells(short):
        return None
    subject, head = _subject(short, name, names), _head(short)
    rest = _rest(short.rest, name)
    if subject is None or head is None or rest is None:
        return None
    sentence = " ".join(part for part in (short.lead, subject, head, rest) if part)
    return f"{sentence[0].upper()}{sentence[1:]}{_dated(short, said_at)}."


# ------------------------------------------------------------------ what can be told


def _tells(clause: Clause) -> bool:
    """Whether the clause tells of a life, and not of a moment in the conversation."""
    if clause.verb in _UNTOLD:
        behind = _TELLING.get(clause.verb, ())
        return any(clause.rest.startswith(word) for word in behind)
    if clause.form == "possible" and not _able_or_possible(clause):
        return False
    if clause.verb in ("be", "have"):
        return _holds(clause)
    return bool(clause.rest) or clause.verb in _ALONE


def _able_or_possible(clause: Clause) -> bool:
    """Whether "can" tells of a skill, or "might" of a plan; the rest is manners."""
    first = clause.head[0].casefold() if clause.head else ""
    able = first.startswith("can") and clause.verb in (*HABITS, "stand")
    return able or first in ("might", "may")


def _holds(clause: Clause) -> bool:
    """Whether "be" or "have" tells more than a mood or a duty."""
    first = clause.rest.split(" ", maxsplit=1)[0].casefold()
    if clause.verb == "have":
        return first not in ("", "to", "got", "no")
    return first[:1].isalnum() and first.strip(",") not in lexicon.TRANSIENT


def _uncalled(clause: Clause, called: frozenset[str]) -> Clause:
    """Without a name at the end that only calls the listener."""
    tokens = clause.rest.split()
    if len(tokens) < 2 or tokens[-1] not in called:
        return clause
    if tokens[-2].casefold() in lexicon.FUNCTION_WORDS | lexicon.KIN:
        return clause
    return clause._replace(rest=" ".join(tokens[:-1]).rstrip(","))


def _shortened(clause: Clause) -> Clause | None:
    """Without a second verb that would have to be put into the third person too."""
    if clause.who != SELF or clause.form not in ("present", "perfect"):
        return clause
    tokens = clause.rest.split()
    for at, token in enumerate(tokens[:-1]):
        if token.casefold() in ("and", "or", "but") and "to" not in tokens[:at]:
            following = [t.casefold() for t in tokens[at + 1 :]]
            verb = next((w for w in following if not w.endswith("ly")), "")
            if verbs.base(verb) == verb and verb:
                if clause.negated or token.casefold() != "and":
                    return None
                return clause._replace(rest=" ".join(tokens[:at]).rstrip(","), cut=True)
    return clause


# ---------------------------------------------------------------------- the subject


def _subject(clause: Clause, name: str, names: frozenset[str]) -> str | None:
    said = clause.subject.split()
    first = said[0].casefold()
    inner = name if not clause.lead or name != "The user" else "the user"
    if clause.who == SELF:
        return inner if _is_speaker(first, name) else None
    if first == "my":
        return " ".join([f"{inner}'s", *said[1:]])
    if first == "our" or not _UNRESOLVED.isdisjoint(w.casefold() for w in said):
        return None
    known = {n.casefold() for n in names} | {name.casefold()}
    bare = [w.removesuffix("'s").casefold() for w in said]
    if first == "the":
        return clause.subject if any(w in known for w in bare[1:]) else None
    return clause.subject if bare[0] in known else None


def _is_speaker(first: str, name: str) -> bool:
    return first in _FIRST or first in words.words(name)


# ------------------------------------------------------------------------- the verb


def _head(clause: Clause) -> str | None:
    """The words up to the main verb, with the first verb in the third person."""
    tokens = [t.casefold() for t in clause.head]
    if not _UNRESOLVED.isdisjoint(tokens):
        return None
    if clause.who != SELF:
        return " ".join(tokens)
    contracted = _CONTRACTED.get(clause.subject.casefold())
    tokens = [contracted, *tokens] if contracted else tokens
    if clause.subject.casefold() not in _FIRST:
        return " ".join(tokens)
    if clause.form == "present" and clause.verb in verbs.AMBIGUOUS:
        return None
    for at, token in enumerate(tokens):
        if (form := _third_person(token)) is not None:
            return " ".join([*tokens[:at], form, *tokens[at + 1 :]])
    return None


_FIRST = lexicon.listed("i i'm i've i'd i'll im ive")
_CONTRACTED = {
    "i'm": "am", "im": "am", "i've": "have", "ive": "have", "i'll": "will",
    "i'd": "would",
}  # fmt: skip
_THIRD = {
    "am": "is", "have": "has", "haven't": "hasn't", "do": "does", "don't": "doesn't",
    "was": "was", "wasn't": "wasn't", "had": "had", "did": "did", "didn't": "didn't",
    "used": "used", "hadn't": "hadn't",
}  # fmt: skip


def _third_person(token: str) -> str | None:
    if token in _THIRD:
        return _THIRD[token]
    if token in verbs.MODALS or verbs.past(token):
        return token
    return verbs.third(token) if verbs.base(token) == token else None


# ------------------------------------------------------------------- what is said of it


def _rest(rest: str, name: str) -> str | None:
    """The rest with the speaker's name for "me" and "my", if it leans on nothing."""
    inner = "the user" if name == "The user" else name
    own = {"me": inner, "my": f"{inner}'s", "mine": f"{inner}'s"}
    tokens = rest.split()
    told: list[str] = []
    for at, token in enumerate(tokens):
        bare = token.strip(",;:()").casefold()
        roughly = bare == "so" and tokens[at - 1 : at] == ["or"]
        if bare in _UNRESOLVED and not roughly and token.strip(",") != "IT":
            return None
        if bare == "the" and not _known(tokens[at + 1 :]):
            return None
        if bare == "one" and not _counts(tokens[at + 1 : at + 2]):
            return None
        told.append(token.casefold().replace(bare, own[bare]) if bare in own else token)
    if told and told[-1].strip(",.").casefold() in _OPEN_END - {inner.casefold()}:
        return None
    return " ".join(told).rstrip(" ,;:-")


def _known(following: list[str]) -> bool:
    """Whether "the" stands before something that needs no introduction."""
    phrase = []
    for token in following[:5]:
        phrase.append(token)
        bare = token.strip(",;:()")
        if bare[:1].isupper() or bare.casefold() in ("of", *_KNOWN_THE):
            return True
        if bare != token or bare.casefold() in lexicon.FUNCTION_WORDS:
            return False
    return False


def _counts(following: list[str]) -> bool:
    return bool(following) and following[0].casefold() not in lexicon.FUNCTION_WORDS


def _dated(clause: Clause, said_at: datetime) -> str:
    """The day on which it was said, where the clause counts from it."""
    told = f"{clause.lead} {' '.join(clause.head)} {clause.rest}"
    age = clause.verb == "be" and _AGE.match(clause.rest)
    relative = _RELATIVE.search(_EVERY.sub("", told)) and not _DATED.search(told)
    if not (age or relative or clause.form == "going"):
        return ""
    return f" (said on {said_at.day} {said_at:%B %Y})"
