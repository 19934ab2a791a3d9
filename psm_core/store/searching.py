"""The eighth chapter of a `Shard`: what is near."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from psm_core.store import archive, exact
from psm_core.store.guarded import Guarded, IndexFault
from psm_core.store.indexing import Indexing
from psm_core.store.rows import LIVE
from psm_core.types import Tier

if TYPE_CHECKING:
    from psm_core.content import Vector

TRY_AGAIN_SECONDS = 5.0
"""How often a recall asks whether the holder of the index has gone."""

SPARE = 16
"""How many more are asked of the index than wanted, no unit."""

Hits = list[tuple[int, float]]


class Searching(Indexing):
    """The index proposes, the ledger decides and scores."""

    def nearest(
        self, vector: Vector, k: int, tiers: Sequence[Tier] = LIVE
    ) -> list[tuple[int, float]]:
        """The *k* memories nearest to *vector*: (seq, cosine), best first.

        Args:
            vector: (D,) float32 of length 1.
            k: At most so many.
            tiers: Where to look.  EPISODIC and SEMANTIC are looked up in the index as
                far as it has them, the rest and ARCHIVAL are compared one by one.

        Returns:
            Cosines in [-1, 1].

        Raises:
            EncoderMismatchError: *vector* has another width than the store's.
        """
        cue = archive.checked(vector, self.width, self._user, self.encoder)
        with self._lock:
            self._require_open()
            if time.monotonic() - self._asked > TRY_AGAIN_SECONDS:
                self._take_index(renew=False)
            try:
                return self._nearest(cue, k, tiers)
            except IndexFault as fault:
                self._distrust(fault)
                return self._nearest(cue, k, tiers)

    def _nearest(self, cue: Vector, k: int, tiers: Sequence[Tier]) -> Hits:
        found: Hits = []
        with self.reading():
            for tier in dict.fromkeys(tiers):
                found += self._exactly(tier, cue, k)
                if self._index is not None and tier in LIVE:
                    found += self._through_index(self._index, tier, cue, k)
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[: max(k, 0)]

    def _exactly(self, tier: Tier, cue: Vector, k: int) -> Hits:
        kept = self._rows[tier]
        if kept.version != (version := self._changes(tier)):
            kept.clear(version)
        beyond = []
        held = self._index is not None
        for seqs, rows in self._unread(tier, kept.last, waiting=held):
            if kept.full:
                beyond.append((seqs, rows @ cue))
            else:
                kept.extend(seqs, rows)
        parts = [kept.scores(cue), *beyond]
        seqs, cosines = (np.concatenate(part) for part in zip(*parts, strict=True))
        return exact.best(seqs, cosines, k) if k > 0 and len(seqs) else []

    def _through_index(self, index: Guarded, tier: Tier, cue: Vector, k: int) -> Hits:
        # More than k, because some of what it has may have left the tier since.
        most = k + SPARE
        while True:
            proposed = index.propose(tier, cue, most)
            found = self.rows(
                "SELECT m.seq FROM json_each(?) j CROSS JOIN memory m"
                " ON m.seq = j.value WHERE m.tier = ? AND m.indexed = 1",
                (json.dumps([seq for seq, _ in proposed]), str(tier)),
            )
            if len(found) >= k or len(proposed) < most:
                break
            most *= 4
        there = {seq for (seq,) in found}
        return [(seq, cosine) for seq, cosine in proposed if seq in there][:k]
