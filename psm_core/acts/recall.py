"""Recall: from a cue to what surfaces. It reads, and appends to the access log."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from psm_core.acts import bm25
from psm_core.acts.context import Context
from psm_core.config import Config
from psm_core.protocols import (
    Candidate,
    Cue,
    Parts,
    Place,
    Postings,
    Shown,
    Store,
    Weighting,
)
from psm_core.strength import retained
from psm_core.types import Entry, Hit, Recall, Tier

_WORD = re.compile(r"\w+(?:'\w+)?")

NOWHERE = Place(0, 0, 0)
"""Where a memory stands whose place another process has just taken away."""

DEPTH_MAX = 200
"""Most memories that each retriever proposes, however many are asked for."""

TOKENS_MIN = 20
"""Tokens of a short memory in a context: how many fit is guessed from it."""

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
    without: Collection[str] = (),
) -> Recall:
    """What surfaces for *text*, best first, within *limit* and *budget*.

    Args:
        text: The cue, as it was asked.  Blank brings nothing back.
        store: Whose memory is asked.
        parts: Encoder, policy, clock and token counter.
        config: How many candidates are drawn.
        limit: Most memories; None means as many as surface.
        budget: Most tokens of the context; None means no end.
        deep: Whether the archive is searched too.
        without: Ids of turns that are in view already; what rests on them alone is
            left out.

    Returns:
        Hits and context; both empty where nothing fits.
    """
    now = parts.clock.now()
    recall_id = f"r-{secrets.token_hex(8)}"
    if not text.strip() or limit == 0:
        return Recall(recall_id, text, now, ())
    depth = _depth(limit, budget, config)
    cue, candidates = _candidates(text, store, parts, config, deep, depth, now)
    if not candidates:
        return Recall(recall_id, text, now, ())
    weighting = parts.policy.weigh(cue, candidates)
    ranked = _ranked(candidates, weighting, set(without))
    context = Context(store.user, budget, parts.count_tokens)
    chosen = _chosen(ranked, context, limit)
    _log(store, recall_id, now, parts.policy.name, chosen, weighting)
    hits = tuple(_hit(r, candidates[r.row], weighting) for r in chosen)
    return Recall(recall_id, text, now, hits, context.text())


# --------------------------------------------------------------- the candidates


def _depth(limit: int | None, budget: int | None, config: Config) -> int:
    """How many memories each retriever proposes: enough to fill what was asked for."""
    shown = DEPTH_MAX if limit is None else limit
    if budget is not None:
        shown = min(shown, budget // TOKENS_MIN)
    return max(config.candidates, min(shown, DEPTH_MAX))


def _candidates(
    text: str,
    store: Store,
    parts: Parts,
    config: Config,
    deep: bool,
    depth: int,
    now: datetime,
) -> tuple[Cue, list[Candidate]]:
    """Everything that either retriever proposes, with every raw signal."""
    named, bare = unnamed(text, store.speakers())
    vector = parts.encoder.encode([bare])[0]
    tiers = [Tier.EPISODIC, Tier.SEMANTIC] + [Tier.ARCHIVAL] * deep
    # One moment of the store: a sleep is seen whole or not at all.
    with store.reading():
        dense = store.nearest(vector, depth, tiers)
        postings = store.postings(store.terms(bare), config.postings)
        words = bm25.lexical(postings)
        centres = map(bm25.place_of, words.window.best(depth))
        windows = store.at_places(centres)
        seqs = {seq for seq, _ in dense} | set(words.turn.best(depth))
        found = store.entries(seqs | set(windows.values()))
        entries = {
            seq: entry
            for seq, entry in found.items()
            if entry.tier in tiers and not _expired(entry, now)
        }
        cue = Cue(text, vector, named, words.idf, now, store.present() or now)
        return cue, _signals(cue, entries, words, postings, store)


def _signals(
    cue: Cue,
    entries: Mapping[int, Entry],
    words: bm25.Lexical,
    postings: Postings,
    store: Store,
) -> list[Candidate]:
    seqs = list(entries)
    standing = store.places(seqs)
    places = [standing.get(seq, NOWHERE) for seq in seqs]
    before, after = _neighbours(standing, store)
    cosine = _cosines(cue, {*seqs, *before.values(), *after.values()}, store)
    turn, covered = words.turn.at(seqs)
    spots = [bm25.spot(p.session, p.place) for p in places]
    window, covered_window = words.window.at(spots)
    sizes = store.sessions({p.session for p in places})
    in_session = bm25.by_session(postings, sizes, store.session_count())
    session, _ = in_session.at([p.session for p in places])
    return [
        Candidate(
            entry=entry,
            cosine=(own := cosine.get(seq, 0.0)),
            bm25=turn[n],
            bm25_window=window[n],
            bm25_session=session[n],
            covered=covered[n],
            covered_window=covered_window[n],
            retention=retained(entry, cue.at),
            words=places[n].words,
            cosine_before=cosine.get(before.get(seq, seq), own),
            cosine_after=cosine.get(after.get(seq, seq), own),
        )
        for n, (seq, entry) in enumerate(entries.items())
    ]


def _neighbours(
    places: Mapping[int, Place], store: Store
) -> tuple[dict[int, int], dict[int, int]]:
    """Which turn stands before and which after each candidate, where one does."""
    before, after = (
        {seq: (p.session, p.place + shift) for seq, p in places.items()}
        for shift in (-1, 1)
    )
    at = store.at_places({*before.values(), *after.values()})
    return (
        {seq: at[spot] for seq, spot in before.items() if spot in at},
        {seq: at[spot] for seq, spot in after.items() if spot in at},
    )


def _cosines(cue: Cue, seqs: set[int], store: Store) -> dict[int, float]:
    numbers, vectors = store.vectors(sorted(seqs))
    return dict(zip(numbers.tolist(), (vectors @ cue.vector).tolist(), strict=True))


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
    pattern = rf"\b(?:{'|'.join(map(re.escape, sorted(named)))})\b(?:['\u2019]s\b)?"
    bare = " ".join(re.sub(pattern, " ", text, flags=re.IGNORECASE).split())
    return named, bare if _WORD.search(bare) else text


def _expired(entry: Entry, now: datetime) -> bool:
    return entry.expires_at is not None and entry.expires_at <= now


# --------------------------------------------------------------------- the hits


def _ranked(
    candidates: Sequence[Candidate], weighting: Weighting, in_view: set[str]
) -> list[_Ranked]:
    """What surfaces, best first; equals in the order in which they were said."""
    scored = [
        _Ranked(c.entry, row, float(score))
        for row, (c, score) in enumerate(zip(candidates, weighting.scores, strict=True))
        if score > 0 and not in_view.issuperset(c.entry.sources)
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
    while chosen and not context.fits():
        context.withdraw(chosen.pop().entry)
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
    # Whoever learns from the journal must know which list the features are of.
    seen = hashlib.blake2b("\n".join(weighting.names).encode(), digest_size=4)
    store.log_recall(recall_id, now, f"{policy}/{seen.hexdigest()}", shown)


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
        valid_until=entry.valid_until,
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
