"""Consolidation as the network does it: what is a fact, and what says the same fact.

How a fact is worded, and what a sleep may drop for it, is left to the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from psm_core.model import words
from psm_core.model.abstraction import ELSE, Span, habits, patterns, spans
from psm_core.model.network import PSM
from psm_core.model.pairs import Statement, pair_signs
from psm_core.model.parts import Parts, parts
from psm_core.model.relation import RELATIONS
from psm_core.model.signs import Heard, known_names, signs
from psm_core.types import Entry, Kind, Pattern

if TYPE_CHECKING:
    from psm_core.content import Matrix, Vector

NEAR = 5
"""Earlier spans that each span is held against: the nearest of the same speaker.

Being near makes a pair worth asking about, and never the same."""

SHARED = 2
"""Content words that two spans share at least, unless they claim the same thing."""

BLOCK = 512
"""Spans whose distances are computed at once; bounds the memory of a long night."""

Encode = Callable[[Sequence[str]], "Matrix"]
"""Texts to vectors, (N, D) float32."""

Key = tuple[object, ...]
"""What spans of one fact share; see `Span`."""


class _Read(NamedTuple):
    """A span that is read by itself, and the vector of its own words, (D,)."""

    span: Span
    vector: Vector


def abstract(
    episodes: Sequence[Entry],
    network: PSM,
    thresholds: Mapping[str, float],
    encode: Encode,
) -> list[Pattern]:
    """Which lasting facts these episodes hold, and how likely each is one.

    A residence, an allergy, a birthday is a fact in whatever tone it is told, and a
    possibility is none: there the rules know.  Of all else, which is most, they know
    nothing, and the network says how likely it is.

    Args:
        episodes: Entries of one person's life, in any order.
        network: Trained.
        thresholds: Of its card.  From "fact" on the spans of a turn are read one by
            one; from "duplicate" on two spans say one fact.  Without the latter the
            rules alone tell what is said twice.
        encode: Gives the vectors of spans, and of episodes that come without.

    Returns:
        Facts in the words that the rules find for them, in the order of their last
        mention.
    """
    duplicate = thresholds.get("duplicate")
    with torch.inference_mode():
        told, read = _judged(spans(episodes), network, thresholds, encode)
        same = {} if duplicate is None else _same(read, network, duplicate)
    facts = patterns(span._replace(key=same.get(span.key, span.key)) for span in told)
    return [*facts, *habits(episodes)]


# --------------------------------------------------------------------- factness


def _judged(
    told: Sequence[Span], network: PSM, thresholds: Mapping[str, float], encode: Encode
) -> tuple[list[Span], list[_Read]]:
    """The spans, as sure as they are; and those that were read by themselves."""
    whole = _turns(told, network, encode)
    likely = network.calibrated("fact", whole) >= thresholds.get("fact", 0.0)
    linked = "duplicate" in thresholds
    asked = [
        n
        for n, span in enumerate(told)
        if (likely[n] if span.confidence == ELSE else linked)
    ]
    vectors = encode([told[n].said for n in asked])
    own = _facts([(told[n].said, told[n].entry) for n in asked], [*vectors], network)
    # A turn may hold a fact among other things, and a span that is torn out of its
    # turn may mean less than it seems to: each alone is right less often.
    said = whole.clone()
    said[asked] = (whole[asked] + own) / 2
    sure = network.calibrated("fact", said).tolist()
    found = [
        span._replace(confidence=chance) if span.confidence == ELSE else span
        for span, chance in zip(told, sure, strict=True)
    ]
    read = [_Read(found[n], vector) for n, vector in zip(asked, vectors, strict=True)]
    return found, read


def _turns(told: Sequence[Span], network: PSM, encode: Encode) -> torch.Tensor:
    """For each span the logit (N,) that the turn around it holds a fact."""
    turns = list({span.entry.id: span.entry for span in told}.values())
    bare = [turn for turn in turns if turn.vector is None]
    found = dict(zip((t.id for t in bare), encode([t.text for t in bare]), strict=True))
    found |= {t.id: t.vector for t in turns if t.vector is not None}
    vectors = [found[turn.id] for turn in turns]
    whole = _facts([(turn.text, turn) for turn in turns], vectors, network)
    at = {turn.id: n for n, turn in enumerate(turns)}
    return whole[[at[span.entry.id] for span in told]]


def _facts(
    texts: Sequence[tuple[str, Entry]], vectors: Sequence[Vector], network: PSM
) -> torch.Tensor:
    """The logit (N,) of each text being a fact, heard without what stood before."""
    if not texts:
        return torch.zeros(0)
    known = known_names(sorted({entry.speaker for _, entry in texts}))
    rows = [signs(Heard(t, e.speaker, e.role, None, known)) for t, e in texts]
    seen = np.asarray(np.stack(vectors), np.float32)
    read = network.reader(torch.from_numpy(seen), torch.from_numpy(np.stack(rows)))
    fact: torch.Tensor = read.fact
    return fact


# -------------------------------------------------------------------- same facts


def _same(read: Sequence[_Read], network: PSM, duplicate: float) -> Mapping[Key, Key]:
    """By the key of a fact that was told before in other words: that one's key.

    What joins another stands for nobody else: in a chain each link may be right, and
    its two ends say something else.
    """
    first: dict[Key, _Read] = {}
    for each in read:
        first.setdefault(each.span.key, each)
    pairs = [pair for pair in _near([*first.values()]) if _may_be_same(*pair)]
    same: dict[Key, Key] = {}
    for (new, old), sure in zip(pairs, _duplicates(pairs, network), strict=True):
        free = new.span.key not in same and old.span.key not in same
        if free and sure >= duplicate:
            same[new.span.key] = old.span.key
    return same


def _near(read: Sequence[_Read]) -> Iterable[tuple[_Read, _Read]]:
    """Each span with earlier ones of its speaker, in order; the nearest come first."""
    speakers: dict[str, list[_Read]] = {}
    for each in read:
        speakers.setdefault(each.span.entry.speaker.casefold(), []).append(each)
    for own in speakers.values():
        vectors = np.stack([each.vector for each in own])
        for start in range(0, len(own), BLOCK):
            cosines = vectors[start : start + BLOCK] @ vectors.T  # (BLOCK, N)
            for new, row in enumerate(cosines, start):
                nearest = np.argsort(-row[:new], kind="stable")[:NEAR]
                yield from ((own[new], own[old]) for old in nearest)


def _may_be_same(new: _Read, old: _Read) -> bool:
    """Whether nothing in the words speaks against it, and something for it.

    What happened can happen twice; a denial, a possibility, another number, name or
    relative says something else, however alike the rest is.  And the head learned
    from whole statements: of spans that have little in common it knows too little.
    """
    one, other = (parts(r.span.said, r.span.entry.speaker) for r in (new, old))
    alike = (one.negated, one.values, one.names, one.kin)
    return (
        new.span.kind is old.span.kind is not Kind.EVENT
        and alike == (other.negated, other.values, other.names, other.kin)
        and words.hedged(new.span.said) == words.hedged(old.span.said)
        and (len(one.stems & other.stems) >= SHARED or bool(_told(one) & _told(other)))
    )


def _told(one: Parts) -> set[tuple[str, str, str]]:
    """What is claimed of whom, thing by thing: liking tea isn't liking jazz."""
    return {(c.subject, c.slot, item) for c in one.claims for item in c.items}


def _duplicates(pairs: Sequence[tuple[_Read, _Read]], network: PSM) -> list[float]:
    """How likely each pair says the same of the same, in [0, 1]."""
    if not pairs:
        return []
    new, old = (
        [Statement(r.span.said, r.span.entry.speaker, r.vector) for r in side]
        for side in zip(*pairs, strict=True)
    )
    rows = np.stack([pair_signs(n, o) for n, o in zip(new, old, strict=True)])
    said = network.relation(
        torch.from_numpy(np.stack([s.vector for s in new])),
        torch.from_numpy(np.stack([s.vector for s in old])),
        torch.from_numpy(rows),
    )  # (N, 4)
    chances: list[float] = said.exp()[:, RELATIONS.index("duplicate")].tolist()
    return chances
