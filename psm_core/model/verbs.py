"""English verbs: which form a word is, and the form that goes with a name."""

from __future__ import annotations

import functools

from psm_core.model.lexicon import listed

_IRREGULAR = (
    "be was/were been, beat beat beaten, become became become, begin began begun, "
    "bend bent bent, bind bound bound, bite bit bitten, blow blew blown, "
    "break broke broken, bring brought brought, build built built, buy bought bought, "
    "catch caught caught, choose chose chosen, come came come, cost cost cost, "
    "cut cut cut, deal dealt dealt, do did done, draw drew drawn, drink drank drunk, "
    "drive drove driven, eat ate eaten, fall fell fallen, feed fed fed, "
    "feel felt felt, fight fought fought, find found found, fly flew flown, "
    "forget forgot forgotten, forgive forgave forgiven, freeze froze frozen, "
    "get got gotten, give gave given, go went gone, grow grew grown, "
    "hang hung hung, have had had, hear heard heard, hide hid hidden, hit hit hit, "
    "hold held held, hurt hurt hurt, keep kept kept, know knew known, "
    "lead led led, learn learnt learnt, leave left left, "
    "lend lent lent, let let let, lose lost lost, make made made, mean meant meant, "
    "meet met met, pay paid paid, put put put, quit quit quit, read read read, "
    "ride rode ridden, ring rang rung, rise rose risen, run ran run, say said said, "
    "see saw seen, sell sold sold, send sent sent, set set set, sew sewed sewn, "
    "shake shook shaken, shoot shot shot, show showed shown, shut shut shut, "
    "sing sang sung, sit sat sat, sleep slept slept, speak spoke spoken, "
    "spend spent spent, stand stood stood, steal stole stolen, stick stuck stuck, "
    "swim swam swum, take took taken, teach taught taught, tell told told, "
    "think thought thought, throw threw thrown, understand understood understood, "
    "wake woke woken, wear wore worn, win won won, write wrote written"
)
"""Base, past and participle of irregular verbs that people use of themselves."""

_REGULAR = (
    "accept add adopt agree apply arrive ask attend avoid bake believe belong book "
    "borrow call camp cancel care carry celebrate change check clean climb close "
    "collect commute compete complete cook cry cycle dance date decide decorate design "
    "die dislike divorce donate dream earn email enjoy enter exercise fail finish fish "
    "fix follow garden graduate happen hate help hike hire hope hunt invest "
    "invite join jog jump kick kiss knit laugh lift like list listen live look "
    "love manage marry meditate miss move name need offer open order organise organize "
    "own pack paint park pass perform phone photograph pick plan plant play practice "
    "practise pray prefer prepare publish pull push race raise receive record recover "
    "reduce relocate remember rent repair reside rest retire return review sail save "
    "search serve settle share shop sign ski smile smoke snore sponsor start stay stop "
    "study suffer support surf switch talk tend text thank train translate "
    "travel treat try turn tutor type use visit volunteer vote wait walk want wash "
    "watch weigh wish work worry"
)
"""Base forms of regular verbs that people use of themselves."""

_DOUBLING = listed(
    "ban begin chat commit drop forget jog knit nap plan prefer quit shop stop swap "
    "travel trip"
)
"""Verbs whose last letter is doubled before -ed and -ing."""

AMBIGUOUS = listed("beat cost cut hit hurt let put read set shut")
"""Verbs whose past looks like their present: "I read a lot" says no tense."""

_FALSE_PAST = listed(
    "bed need red indeed hundred naked seed weed speed breed feed exceed proceed "
    "succeed wicked sacred aged shed sled embed kindred hatred"
)
"""Words on -ed that are no past tense."""

MODALS = listed(
    "can can't cannot could couldn't may might must mustn't shall should shouldn't "
    "will won't would wouldn't"
)
"""Verbs that stay as they are in the third person."""


@functools.cache
def _forms() -> tuple[dict[str, str], frozenset[str], frozenset[str]]:
    """Every known form with its base; the past forms; the participles."""
    bases: dict[str, str] = {}
    past: set[str] = set()
    participles: set[str] = set()
    for row in _IRREGULAR.split(", "):
        base, simple, participle = row.split()
        past |= set(simple.split("/"))
        participles.add(participle)
        bases |= dict.fromkeys([base, third(base), _ing(base), participle], base)
        bases |= dict.fromkeys(simple.split("/"), base)
    for base in _REGULAR.split():
        ed = _ed(base)
        past.add(ed)
        participles.add(ed)
        bases |= dict.fromkeys([base, third(base), _ing(base), ed], base)
    bases |= {"am": "be", "is": "be", "are": "be", "being": "be", "has": "have"}
    return bases, frozenset(past), frozenset(participles)


def base(word: str) -> str | None:
    """The base form of a known verb in any form; None for any other word.

    >>> base("moved"), base("ran"), base("running"), base("lyon")
    ('move', 'run', 'run', None)
    """
    return _forms()[0].get(word)


def past(word: str) -> bool:
    """Whether *word* is a past tense; unknown words on -ed count as such.

    >>> past("went"), past("booked"), past("need"), past("read")
    (True, True, False, False)
    """
    if word in AMBIGUOUS or word in _FALSE_PAST:
        return False
    regular = word.endswith("ed") and len(word) > 4
    return regular or word in _forms()[1]


def participle(word: str) -> bool:
    """Whether *word* can follow "have": gone, lived, been."""
    return word in _forms()[2] or (word.endswith("ed") and word not in _FALSE_PAST)


def third(verb: str) -> str:
    """The form that goes with he or she, in the present.

    >>> [third(v) for v in ("work", "study", "play", "watch", "go", "have", "be")]
    ['works', 'studies', 'plays', 'watches', 'goes', 'has', 'is']
    """
    if verb in ("have", "be"):
        return {"have": "has", "be": "is"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{verb}es"
    return f"{verb}s"


def _ed(verb: str) -> str:
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}{verb[-1] if _doubles(verb) else ''}ed"


def _ing(verb: str) -> str:
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "be")):
        return f"{verb[:-1]}ing"
    return f"{verb}{verb[-1] if _doubles(verb) else ''}ing"


def _doubles(verb: str) -> bool:
    if verb in _DOUBLING:
        return True
    return (
        len(verb) in (3, 4)
        and verb[-1] not in "aeiouwxyhk"
        and verb[-2] in "aeiou"
        and verb[-3] not in "aeiou"
        and verb not in ("open", "visit")
    )
