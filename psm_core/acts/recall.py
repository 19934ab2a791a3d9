"""Recall: from a cue to what surfaces. It reads, and appends to the access log."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from psm_core.acts import bm25
from psm_core.acts.context import Context
from psm_core.config import Config
from psm_core.protocols import (
    Candidate,
    Cue,
    Parts,
    Place,
    Shown,
    Store,
    Weighting,
)
from psm_core.strength import retained
from psm_core.types import Entry, Hit, Recall, Tier

Key = TypeVar("Key")

_WORD = re.compile(r"\w+(?:'\w+)?")

REASONS = 3
"""How many signals an explanation names."""


class _Ranked(NamedTuple):
    entry: Entry
    row: int
    score: float


def recall(
    text: str,
    *,
    store: Store,
    parts: Parts,
    config: Config,
    limit: int | None,
    budget: int | None,
    deep: bool = False,
) -> Recall:
    """What surfaces for *text*, best first, within *limit* memories and *budget* tokens.

    Args:
        text: The cue, as it was asked.  Blank brings nothing back.
        store: Whose memory is asked.
        parts: Encoder, policy, clock and token counter.
        config: How many candidates are drawn.
        limit: Most memories; None means as many as surface.
        budget: Most tokens of the context; None means no end.
        deep: Whether the archive is searched too.

    Returns:
        Hits and context; both empty where nothing fits.
    """
    now = parts.clock.now()
    recall_id = f"r-{secrets.token_hex(8)}"
    if not text.strip() or limit == 0:
        return Recall(recall_id, text, now, ())
    cue, candidates = _candidates(text, store, parts, config, deep, now)
    if not candidates:
        return Recall(recall_id, text, now, ())
    weighting = parts.policy.weigh(cue, candidates)
    ranked = _ranked(candidates, weighting)
    context = Context(store.user, budget, parts.count_tokens)
    chosen = _chosen(ranked, context, limit)
    _log(store, recall_id, now, parts.policy.name, chosen, weighting)
    hits = tuple(_hit(r, candidates[r.row], weighting) for r in chosen)
    return Recall(recall_id, text, now, hits, context.text())


# --------------------------------------------------------------- the candidates


def _candidates(
    text: str, store: Store, parts: Parts, config: Config, deep: bool, now: datetime
) -> tuple[Cue, list[Candidate]]:
    """Everything that either retriever proposes, with every raw signal."""
    named, bare = unnamed(text, store.speakers())
    vector = parts.encoder.encode([bare])[0]
    tiers = [Tier.EPISODIC, Tier.SEMANTIC] + [Tier.ARCHIVAL] * deep
    dense = store.nearest(vector, config.candidates, tiers)
    words = _lexical(bare, store, config)
    windows = store.at_places(_best(words.window, config.candidates))
    seqs = {seq for seq, _ in dense} | set(_best(words.turn, config.candidates))
    seqs |= set(windows.values())
    entries = {
        seq: entry
        for seq, entry in store.entries(seqs, vectors=True).items()
        if entry.tier in tiers and not _expired(entry, now)
    }
    cue = Cue(text, vector, named, words.idf, now, store.present() or now)
    return cue, _signals(cue, entries, words, store)


def _lexical(text: str, store: Store, config: Config) -> bm25.Lexical:
    terms = store.terms(text)
    if not terms:
        return bm25.NOTHING
    postings = store.postings(terms, config.postings)
    sessions = store.sessions({int(s) for s in postings.session})
    return bm25.lexical(postings, sessions, store.session_count())


def _signals(
    cue: Cue, entries: Mapping[int, Entry], words: bm25.Lexical, store: Store
) -> list[Candidate]:
    places = store.places(entries)
    around = _windows(places, store)
    candidates = []
    for seq, entry in entries.items():
        place = places.get(seq, Place(0, 0, 0))
        spot = (place.session, place.place)
        vector = entry.vector
        candidates.append(
            Candidate(
                entry=entry,
                cosine=0.0 if vector is None else float(vector @ cue.vector),
                bm25=words.turn.get(seq, 0.0),
                bm25_window=words.window.get(spot, words.turn.get(seq, 0.0)),
                bm25_session=words.session.get(place.session, 0.0),
                covered=words.covered.get(seq, 0.0),
                covered_window=words.covered_window.get(
                    spot, words.covered.get(seq, 0.0)
                ),
                retention=retained(entry, cue.at),
                words=place.words,
                window=around.get(seq, (entry,)),
            )
        )
    return candidates


def _windows(
    places: Mapping[int, Place], store: Store
) -> dict[int, tuple[Entry, ...]]:
    """The turns around each candidate, in order, itself among them."""
    reach = range(-bm25.REACH, bm25.REACH + 1)
    spots = {
        seq: [(p.session, p.place + shift) for shift in reach]
        for seq, p in places.items()
    }
    at = store.at_places({spot for each in spots.values() for spot in each})
    entries = store.entries(set(at.values()), vectors=True)
    return {
        seq: tuple(
            entries[at[spot]] for spot in each if spot in at and at[spot] in entries
        )
        for seq, each in spots.items()
    }


def unnamed(text: str, speakers: Iterable[str]) -> tuple[frozenset[str], str]:
    """The known names in *text*, and *text* without them.

    A speaker's name draws the cue towards turns spoken *to* them; who spoke is a
    signal of its own, so the words that are compared do without it.

    Args:
        text: The cue.
        speakers: Names of everybody who was ever heard.

    Returns:
        Names in lower case, and the rest; all of *text* where nothing else is left.

    >>> unnamed("Where does Ada live?", ["Ada Lovelace"])
    (frozenset({'ada'}), 'Where does live?')
    """
    names = {word.lower() for name in speakers for word in _WORD.findall(name)}
    named = frozenset(
        word
        for word in (w.lower().removesuffix("'s") for w in _WORD.findall(text))
        if word in names
    )
    if not named:
        return named, text
    pattern = rf"\b(?:{'|'.join(map(re.escape, sorted(named)))})\b(?:['’]s\b)?"
    bare = " ".join(re.sub(pattern, " ", text, flags=re.IGNORECASE).split())
    return named, bare if _WORD.search(bare) else text


def _best(scores: Mapping[Key, float], k: int) -> list[Key]:
    return sorted(scores, key=scores.__getitem__, reverse=True)[:k]


def _expired(entry: Entry, now: datetime) -> bool:
    return entry.expires_at is not None and entry.expires_at <= now


# --------------------------------------------------------------------- the hits


def _ranked(candidates: Sequence[Candidate], weighting: Weighting) -> list[_Ranked]:
    """What surfaces, best first; equals in the order in which they were said."""
    scored = [
        _Ranked(c.entry, row, float(score))
        for row, (c, score) in enumerate(zip(candidates, weighting.scores, strict=True))
        if score > 0
    ]
    return sorted(scored, key=lambda r: (-r.score, r.entry.seq))


def _chosen(
    ranked: Sequence[_Ranked], context: Context, limit: int | None
) -> list[_Ranked]:
    """The best that fit.  A long one that doesn't fit leaves room for shorter ones."""
    chosen: list[_Ranked] = []
    for one in ranked:
        if limit is not None and len(chosen) >= limit:
            break
        if context.offer(one.entry):
            chosen.append(one)
    return chosen


def _log(
    store: Store,
    recall_id: str,
    now: datetime,
    policy: str,
    chosen: Sequence[_Ranked],
    weighting: Weighting,
) -> None:
    if not chosen:
        return
    shown = [
        Shown(
            seq=one.entry.seq,
            rank=rank,
            score=one.score,
            propensity=float(weighting.propensities[one.row]),
            features=weighting.features[one.row],
        )
        for rank, one in enumerate(chosen)
    ]
    store.log_recall(recall_id, now, policy, shown)


def _hit(one: _Ranked, candidate: Candidate, weighting: Weighting) -> Hit:
    entry = one.entry
    return Hit(
        id=entry.id,
        text=entry.text,
        score=one.score,
        tier=entry.tier,
        strength=candidate.retention,
        sources=entry.sources,
        explanation=_explained(one.row, candidate, weighting),
        kind=entry.kind,
        speaker=entry.speaker,
        session=entry.session,
        said_at=entry.said_at,
        pinned=entry.pinned,
    )


def _explained(row: int, candidate: Candidate, weighting: Weighting) -> str:
    """The strongest signals, and what the memory has retained."""
    values = weighting.features[row]
    order = sorted(range(len(values)), key=lambda i: -abs(float(values[i])))
    named = [
        f"{weighting.names[i].replace('_', ' ')} {float(values[i]):+.1f}"
        for i in order[:REASONS]
        if values[i]
    ]
    return ", ".join([*named, f"retained {candidate.retention:.2f}"])
