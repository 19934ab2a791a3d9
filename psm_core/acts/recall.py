"""Recall: from a cue to what surfaces. It reads, and appends to the access log."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from psm_core.acts.candidates import candidates, depth
from psm_core.acts.context import Context
from psm_core.config import Config
from psm_core.content import Shown, Store
from psm_core.protocols import Candidate, Parts, Weighting
from psm_core.types import Entry, Hit, Recall

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
    among: Collection[str] | None = None,
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
        among: Ids of turns; what rests on none of them is left out.  None means all.

    Returns:
        Hits and context; both empty where nothing fits.
    """
    now = parts.clock.now()
    recall_id = f"r-{secrets.token_hex(8)}"
    if not text.strip() or limit == 0:
        return Recall(recall_id, text, now, ())
    cue, pool = candidates(
        text,
        store,
        parts,
        most=depth(limit, budget, config),
        postings_read=config.postings,
        deep=deep,
        among=among,
        now=now,
    )
    in_view = set(without)
    # Out before anything is weighed: words that were just heard fit their own cue best
    # of all, and beside them what fits hardly at all would seem worth showing.
    pool = [one for one in pool if not in_view.issuperset(one.entry.sources)]
    if not pool:
        return Recall(recall_id, text, now, ())
    weighting = parts.policy.weigh(cue, pool)
    ranked = _ranked(pool, weighting)
    context = Context(store.user, budget, parts.count_tokens)
    if deep:
        ranked = _as_heard(ranked, store)
    chosen = _chosen(ranked, context, limit)
    _log(store, recall_id, now, parts.policy.name, chosen, weighting)
    hits = tuple(_hit(r, pool[r.row], weighting) for r in chosen)
    return Recall(recall_id, text, now, hits, context.text())


# --------------------------------------------------------------------- the hits


def _ranked(candidates: Sequence[Candidate], weighting: Weighting) -> list[_Ranked]:
    """What surfaces, best first; equals in the order in which they were said."""
    scored = [
        _Ranked(c.entry, row, float(score))
        for row, (c, score) in enumerate(zip(candidates, weighting.scores, strict=True))
        if score > 0
    ]
    return sorted(scored, key=lambda r: (-r.score, r.entry.seq))


def _as_heard(ranked: Sequence[_Ranked], store: Store) -> list[_Ranked]:
    """Who looks into the archive is shown all the words that were heard."""
    whole = store.as_heard([one.entry for one in ranked])
    return [one._replace(entry=e) for one, e in zip(ranked, whole, strict=True)]


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
    store.log_recall(recall_id, now, f"{policy}/{weighting.digest}", shown)


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
    told = weighting.features if weighting.shares is None else weighting.shares
    values = told[row]
    order = sorted(range(len(values)), key=lambda i: -abs(float(values[i])))
    named = [
        f"{weighting.names[i].replace('_', ' ')} {float(values[i]):+.1f}"
        for i in order[:REASONS]
        if values[i]
    ]
    return ", ".join([*named, f"retained {candidate.retention:.2f}"])
