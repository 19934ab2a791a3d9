"""The third chapter of a `Shard`: what was shown, and what became of it."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psm_core.errors import FeedbackError, UnknownMemoryError
from psm_core.protocols import Access, Shown
from psm_core.store.ledger import Ledger
from psm_core.store.rows import micros, moment
from psm_core.store.tables import PENDING
from psm_core.types import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

CODES = {Outcome.USED: 1, Outcome.IGNORED: 2, Outcome.CORRECTED: 3}
"""How outcomes stand in the journal; numbers that are never given a new meaning."""

_OUTCOMES = {code: outcome for outcome, code in CODES.items()}


class Lesson(NamedTuple):
    """One row of the journal: what a policy saw, did, and got for it. Numbers only.

    ``features`` (F,) float32 are as the policy named in ``policy`` orders them.
    """

    number: int
    at: datetime
    policy: str
    rank: int
    score: float
    propensity: float
    features: NDArray[np.float32]
    outcome: Outcome
    reward: float


class Judging(Ledger):
    """The access log, and the journal that the skill learns from."""

    def log_recall(
        self, recall_id: str, at: datetime, policy: str, shown: Sequence[Shown]
    ) -> None:
        """Append one recall to the access log and count each showing.

        A recall that is logged already stays as it is.  What was forgotten since
        it was found leaves no line.
        """
        with self.transaction():
            made = self.rows(
                "INSERT INTO recall(id, at, policy) VALUES (?, ?, ?)"
                " ON CONFLICT(id) DO NOTHING RETURNING number",
                (recall_id, micros(at), policy),
            )
            if not made:
                return
            self.run_each(
                "INSERT INTO access(recall, seq, rank, score, propensity, features)"
                " SELECT ?, seq, ?, ?, ?, ? FROM memory WHERE seq = ?",
                [
                    (
                        made[0][0],
                        s.rank,
                        float(s.score),
                        float(s.propensity),
                        _packed(s.features),
                        int(s.seq),
                    )
                    for s in shown
                ],
            )
            self.run_each(
                "UPDATE memory SET recalled = recalled + 1 WHERE seq = ?",
                [(int(s.seq),) for s in shown],
            )

    def shown(self, recall_id: str) -> dict[str, int]:
        """Memory id -> seq of what a recall showed, best first.

        Raises:
            UnknownMemoryError: No recall of this id was logged.
        """
        with self.reading():
            number = self._recall(recall_id)
            found = self.rows(
                "SELECT m.id, a.seq FROM access a JOIN memory m USING (seq)"
                " WHERE a.recall = ? ORDER BY a.rank",
                (number,),
            )
        return {name: seq for name, seq in found}

    def log_feedback(
        self,
        recall_id: str,
        outcomes: Mapping[int, Outcome],
        rewards: Mapping[Outcome, float],
        at: datetime,
    ) -> None:
        """Note outcomes on a recall and append one journal row each, numbers only.

        The same outcome said twice counts once; another one takes its place, in the
        journal too, and is applied by the next sleep.

        Args:
            recall_id: Which recall.
            outcomes: What became of each memory, by its ``seq``.
            rewards: What each outcome is worth, no unit.
            at: When it was judged.

        Raises:
            UnknownMemoryError: No recall of this id was logged.
            FeedbackError: A memory wasn't shown by it.
        """
        with self.transaction():
            number = self._recall(recall_id)
            there = self.rows(
                "SELECT seq, number, outcome FROM access WHERE recall = ?", (number,)
            )
            showings = {seq: (showing, before) for seq, showing, before in there}
            if strange := sorted(set(outcomes) - set(showings)):
                raise FeedbackError(
                    f"feedback on recall {recall_id} names {len(strange)} memories "
                    f"that it didn't show (numbers {strange}); take the ids from its "
                    "hits"
                )
            for seq, outcome in outcomes.items():
                showing, before = showings[seq]
                if before != str(outcome):
                    self._judge(showing, outcome, float(rewards[outcome]), at)

    def judged(self) -> list[Access]:
        """Outcomes that no sleep has applied yet, oldest first.

        ``at`` is when the memory was shown, which is when it was of use or not.
        """
        with self.reading():
            found = self.rows(
                "SELECT a.number, a.seq, a.outcome, r.at"
                " FROM access a JOIN recall r ON r.number = a.recall"
                f" WHERE {PENDING} ORDER BY r.at, a.number"
            )
        return [
            Access(number, seq, Outcome(outcome), moment(at))
            for number, seq, outcome, at in found
        ]

    def applied(self, numbers: Iterable[int]) -> None:
        """Mark judged accesses as applied."""
        wanted = json.dumps([int(number) for number in numbers])
        with self.transaction():
            self.run(
                "UPDATE access SET applied = 1 WHERE outcome IS NOT NULL"
                " AND number IN (SELECT value FROM json_each(?))",
                (wanted,),
            )

    def lessons(self, *, after: int = 0) -> list[Lesson]:
        """The rows of the journal after number *after*: all that training may see."""
        with self.reading():
            found = self.rows(
                "SELECT number, at, policy, rank, score, propensity, features,"
                " outcome, reward FROM journal WHERE number > ? ORDER BY number",
                (after,),
            )
        return [_lesson(row) for row in found]

    def _recall(self, recall_id: str) -> int:
        found = self.rows("SELECT number FROM recall WHERE id = ?", (recall_id,))
        if not found:
            raise UnknownMemoryError(
                f"{self._user} has no recall {recall_id}; take the id from the Recall "
                "that was answered"
            )
        return int(found[0][0])

    def _judge(
        self, showing: int, outcome: Outcome, reward: float, at: datetime
    ) -> None:
        self.run(
            "UPDATE access SET outcome = ?, judged_at = ?, applied = 0"
            " WHERE number = ?",
            (str(outcome), micros(at), showing),
        )
        *line, features = self.rows(
            "SELECT r.policy, a.rank, a.score, a.propensity, a.features"
            " FROM access a JOIN recall r ON r.number = a.recall WHERE a.number = ?",
            (showing,),
        )[0]
        digest = hashlib.blake2b(features, digest_size=8).digest()
        self.run(
            "INSERT OR REPLACE INTO journal(access, at, policy, rank, score,"
            " propensity, features, digest, outcome, reward)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (showing, micros(at), *line, features, digest, CODES[outcome], reward),
        )


def _packed(features: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(features, np.float32).tobytes()


def _lesson(row: Sequence[Any]) -> Lesson:
    *before, features, outcome, reward = row
    number, at, policy, rank, score, propensity = before
    seen = np.frombuffer(features, np.float32)
    done = _OUTCOMES[outcome]
    return Lesson(
        number, moment(at), policy, rank, score, propensity, seen, done, reward
    )
