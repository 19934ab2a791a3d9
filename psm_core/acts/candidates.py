"""Candidates: what may surface for a cue, with every raw signal about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from psm_core.acts import bm25
from psm_core.acts.wellformed import wellformed
from psm_core.config import Config
from psm_core.content import Place, Postings, Store
from psm_core.protocols import Candidate, Cue, Parts
from psm_core.strength import expired, retained
from psm_core.types import Entry, Tier

_WORD = re.compile(r"\w+(?:'\w+)?")

NOWHERE = Place(0, 0, 0)
"""Where a memory stands whose place another process has just taken away."""

DEPTH_MAX = 200
"""Most memories that each retriever proposes, however many are asked for."""

AMONG_MAX = 1000
"""Most turns that are all weighed where a recall is among them alone; of more than
that, those which a retriever proposes."""

TOKENS_MIN = 20
"""Tokens of a short memory in a context: how many fit is guessed from it."""


def depth(limit: int | None, budget: int | None, config: Config) -> int:
    """How many memories each retriever proposes: enough to fill what was asked for."""
    shown = DEPTH_MAX if limit is None else limit
    if budget is not None:
        shown = min(shown, budget // TOKENS_MIN)
    return max(config.candidates, min(shown, DEPTH_MAX))


def candidates(
    text: str,
    store: Store,
    parts: Parts,
    *,
    most: int,
    postings_read: int,
    deep: bool,
    among: Collection[str] | None = None,
    now: datetime,
) -> tuple[Cue, list[Candidate]]:
    """Everything that either retriever proposes, with every raw signal.

    Args:
        text: The cue, as it was asked.
        store: Whose memories.
        parts: The encoder.
        most: How many memories each retriever proposes.
        postings_read: Most rows of the lexical index that are read.
        deep: Whether the archive is searched too.
        among: Ids of turns; nothing else is a candidate.  None means no such limit.
        now: To when strength is counted.

    Returns:
        The cue, taken apart, and the candidates in no order.
    """
    named, bare = unnamed(wellformed(text), store.speakers())
    vector = parts.encoder.encode([bare])[0]
    tiers = [Tier.EPISODIC, Tier.SEMANTIC] + [Tier.ARCHIVAL] * deep
    wanted = set(among or ())
    # One moment of the store: a sleep is seen whole or not at all.
    with store.reading():
        dense = store.nearest(vector, most, tiers)
        postings = store.postings(store.terms(bare), postings_read)
        words = bm25.lexical(postings)
        centres = map(bm25.place_of, words.window.best(most))
        windows = store.at_places(centres)
        seqs = {seq for seq, _ in dense} | set(words.turn.best(most))
        seqs |= _all_of(among, store)
        found = store.entries(seqs | set(windows.values()))
        entries = {
            seq: entry
            for seq, entry in found.items()
            if entry.tier in tiers
            and not expired(entry, now)
            and (among is None or not wanted.isdisjoint(entry.sources))
        }
        cue = Cue(
            text,
            vector,
            named,
            words.idf,
            now,
            store.present() or now,
            store.leaning(parts.policy.name),
        )
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
    near = {*seqs, *before.values(), *after.values()}
    numbers, vectors = store.vectors(sorted(near))
    rows = {seq: row for row, seq in enumerate(numbers.tolist())}
    nearness = (vectors @ cue.vector).tolist()
    cosine = {seq: nearness[row] for seq, row in rows.items()}
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
            vector=vectors[rows[seq]] if seq in rows else None,
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


def _all_of(among: Collection[str] | None, store: Store) -> set[int]:
    """The turns that are asked for, so that no other can take their places."""
    if among is None or len(among) > AMONG_MAX:
        return set()
    return {entry.seq for entry in store.known(among).values()}
