"""The third chapter of a `Shard`: what was shown, and what became of it."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from psm_core.content import Access, Shown
from psm_core.errors import FeedbackError, UnknownMemoryError
from psm_core.store.ledger import Ledger
from psm_core.store.rows import micros, moment
from psm_core.store.tables import PENDING
from psm_core.types import Lesson, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

CODES = {Outcome.USED: 1, Outcome.IGNORED: 2, Outcome.CORRECTED: 3}
"""How outcomes stand in the journal; numbers that are never given a new meaning."""

LESSONS = (
    "SELECT j.number, a.recall, j.at, j.policy, j.rank, j.score, j.propensity,"
    " j.features, j.outcome, j.reward"
    " FROM journal j LEFT JOIN access a ON a.number = j.access"
)
"""Rows of the journal, each with its recall as long as the showing is remembered."""

LEANING = "leaning"
"""The line of the ledger that says how the person leans."""

_OUTCOMES = {code: outcome for outcome, code in CODES.items()}


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

    def lessons(self, *, after: int = 0, last: int | None = None) -> list[Lesson]:
        """The rows of the journal after number *after*: all that training may see.

        Args:
            after: The number of a row.
            last: Most rows, the latest ones; None means all.
        """
        with self.reading():
            found = self.rows(
                f"{LESSONS} WHERE j.number > ? ORDER BY j.number DESC LIMIT ?",
                (after, -1 if last is None else last),
            )
        return [lesson(row) for row in reversed(found)]

    def leaning(self, policy: str) -> dict[str, float]:
        """How this person leans, as *policy* learned it; empty where it is off.

        What another policy learned says nothing about this one.
        """
        noted = json.loads(self.meta(LEANING) or "{}")
        found: dict[str, float] = noted.get(policy, {})
        return found

    def set_leaning(self, policy: str, leaning: Mapping[str, float]) -> None:
        """Note how this person leans; empty turns it off.

        Args:
            policy: Which learned it.
            leaning: Numbers by name.
        """
        if self.leaning(policy) == leaning:
            return
        with self.transaction():
            self.set_meta(LEANING, json.dumps({policy: dict(leaning)}))

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


def lesson(row: Sequence[Any]) -> Lesson:
    """One row that `LESSONS` selects."""
    number, recall, at, policy, rank, score, propensity, features, outcome, reward = row
    return Lesson(
        number,
        recall,
        moment(at),
        policy,
        rank,
        score,
        propensity,
        np.frombuffer(features, np.float32),
        _OUTCOMES[outcome],
        reward,
    )
