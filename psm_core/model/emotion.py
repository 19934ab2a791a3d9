"""How strongly a text moves whoever says it, by a small list of words."""

from __future__ import annotations

import functools
import re

from psm_core.model.words import TEXT_MAX, words

_WEIGHED = {
    0.9: "died dead death dying suicide murdered raped miscarriage stillborn funeral "
    "cancer terminal widowed devastated heartbroken grief grieving traumatised",
    0.75: "pregnant engaged divorced divorce married wedding born newborn diagnosed "
    "surgery hospitalised coma overdose abused assaulted attacked bankrupt fired "
    "evicted betrayed cheated panic terrified horrified desperate hopeless ecstatic "
    "overjoyed euphoric adopted rehab relapse depressed depression stroke accident "
    "crash collapsed tumour tumor",
    0.55: "cried crying tears sobbed furious rage hate hated scared afraid fear "
    "frightened anxious anxiety ashamed shame humiliated guilty lonely abandoned "
    "jealous miserable broken hurt hurts pain suffering suffer miss missed lost "
    "losing loved thrilled amazing proud passionate dream dreamed blessed grateful "
    "miracle victory won winning triumph promoted graduated sick ill illness "
    "injured injury bullied rejected rejection failed failure broke nightmare "
    "emergency sad sadness",
    0.35: "love loss happy happiness joy joyful excited exciting angry upset worried "
    "worry stressed stress stressful nervous disappointed disappointing frustrated "
    "frustrating annoyed annoying awful terrible horrible grim wonderful fantastic "
    "incredible beautiful inspiring inspired touched relieved hope hopeful regret "
    "sorry embarrassed embarrassing shocked shocking surprised exhausted "
    "overwhelmed struggling struggle birth alone tough awkward cherish treasure "
    "adore delighted fun laugh laughed awesome disgusting disgusted brave courage "
    "celebrate celebrated",
    0.15: "good great nice bad hard fine glad like enjoy enjoyed enjoying liked tired "
    "bored boring weird strange calm peaceful relaxed relaxing cool interesting "
    "cute sweet lovely funny dislike difficult problem trouble cold hungry busy "
    "lucky",
    0.0: "missing",
}
"""Words by how strongly they move the speaker, in [0, 1]; written for this project."""

_WEIGHT = {word: weight for weight, row in _WEIGHED.items() for word in row.split()}
_ENDINGS = ("", "s", "d", "ed", "ing", "ly", "es", "'s")
_STRONG = re.compile(r"(?<!\w)(?:so|very|really|extremely|totally|deeply|never)(?!\w)")
_LOUD = re.compile(r"!{2,}|(?<![A-Z])[A-Z]{4,}(?![A-Z])|[\U0001F600-\U0001F64F❤💔]")

SECOND_SHARE = 0.5
"""What each further moving word adds, as a share of its weight, no unit."""

STRESSED = 1.2
"""Factor where the speaker stresses it (so, very, "!!", capitals), no unit."""


def emotional_weight(text: str) -> float:
    """How strongly *text* moves whoever says it, whether gladly or sadly.

    Args:
        text: Any text; words outside the list weigh nothing.

    Returns:
        In [0, 1], no unit.

    Source:
        Emotional events are remembered longer: Brown and Kulik (1977).

    >>> emotional_weight("My grandmother died on Sunday."), emotional_weight("the bus")
    (0.9, 0.0)
    """
    found = sorted(map(_weight, words(text)), reverse=True)
    calm = 1.0
    for rank, weight in enumerate(found[:4]):
        calm *= 1 - (weight if rank == 0 else weight * SECOND_SHARE)
    short = text[:TEXT_MAX]
    stressed = _STRONG.search(short.casefold()) or _LOUD.search(short)
    return round(min((1 - calm) * (STRESSED if stressed else 1.0), 1.0), 3)


@functools.lru_cache(maxsize=65_536)
def _weight(word: str) -> float:
    stems = (word.removesuffix(end) for end in _ENDINGS if word.endswith(end))
    return next((_WEIGHT[stem] for stem in stems if stem in _WEIGHT), 0.0)
