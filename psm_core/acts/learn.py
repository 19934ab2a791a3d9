"""Learn: what became of the memories that a recall showed, and of those in conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from psm_core.content import Access, Store
from psm_core.errors import FeedbackError
from psm_core.protocols import Parts
from psm_core.strength import REWARD, judged
from psm_core.types import Entry, Feedback, Outcome, Tier


def learn(feedback: Feedback, *, store: Store, parts: Parts) -> None:
    """Note what was used, ignored and corrected; a correction takes effect at once.

    Uses and misses wait in the access log for the next sleep.  Whoever takes back
    what was shown shouldn't be shown it again before that.

    Args:
        feedback: Outcomes of one recall's hits, by their ids.
        store: Whose memory learns.
        parts: The clock.

    Raises:
        UnknownMemoryError: No recall of this id showed anything.
        FeedbackError: It names a memory that this recall didn't show.
    """
    outcomes = feedback.outcomes()
    if not outcomes:
        return
    shown = store.shown(feedback.recall_id)
    # What was forgotten since it was shown has nothing left to learn, nor has a fact
    # that went with what it rested on.
    missing = set(outcomes) - set(shown)
    facts = {i for i in missing if i.startswith("f-")}
    gone = store.forgotten(missing) | facts - set(store.known(facts))
    outcomes = {i: outcome for i, outcome in outcomes.items() if i not in gone}
    strange = sorted(set(outcomes) - set(shown))
    if strange:
        raise FeedbackError(
            f"recall {feedback.recall_id} didn't show {', '.join(strange)}; "
            f"it showed {', '.join(sorted(shown))}"
        )
    now = parts.clock.now()
    with store.transaction():
        by_seq = {shown[i]: outcome for i, outcome in outcomes.items()}
        store.log_feedback(feedback.recall_id, by_seq, REWARD, now)
        apply_judged(store, parts, only=Outcome.CORRECTED)


class Judging(Protocol):
    """What is asked of a store, or of a draft of it, where outcomes are applied."""

    def transaction(self) -> AbstractContextManager[None]:
        """See `Store.transaction`."""

    def judged(self) -> list[Access]:
        """See `Store.judged`."""

    def applied(self, numbers: Sequence[int]) -> None:
        """See `Store.applied`."""

    def entries(
        self, seqs: Iterable[int], *, vectors: bool = False
    ) -> Mapping[int, Entry]:
        """See `Store.entries`."""

    def change(
        self, memory_id: str, at: datetime, what: str, reason: str, **values: Any
    ) -> object:
        """See `Store.change`."""


def apply_judged(
    store: Judging, parts: Parts, only: Outcome | None = None
) -> list[str]:
    """Let outcomes that wait in the access log strengthen and weaken, each once.

    Args:
        store: Whose memories.
        parts: The policy, which decides anew how fast each fades.
        only: Apply those of memories alone that have such an outcome among them;
            None means all.

    Returns:
        The ids of the memories that changed, in the order of their outcomes.
    """
    changed: list[str] = []
    with store.transaction():
        waiting = store.judged()
        wanted = {a.seq for a in waiting if only in (None, a.outcome)}
        # What came before it is applied before it, as if they had slept in between.
        waiting = [a for a in waiting if a.seq in wanted]
        later = Counter(access.seq for access in waiting)
        for access in waiting:
            later[access.seq] -= 1
            # Read one by one: a memory may have been judged more than once.
            entry = store.entries([access.seq], vectors=True).get(access.seq)
            if entry is not None:
                _apply(entry, access, later[access.seq], store, parts)
                changed.append(entry.id)
        store.applied([access.number for access in waiting])
    return changed


_COUNTED: Mapping[Outcome, str] = {
    Outcome.USED: "used",
    Outcome.CORRECTED: "corrected",
}


def _apply(
    entry: Entry, access: Access, later: int, store: Judging, parts: Parts
) -> None:
    """Let one outcome take effect, *later* showings of the same memory aside."""
    outcome, at = access.outcome, access.at
    trace = entry.trace if entry.pinned else judged(entry.trace, outcome, at)
    counted = _COUNTED.get(outcome)
    counts = {counted: getattr(entry, counted) + 1} if counted else {}
    # It faded on from there as what was known by then, however late one sleeps on it.
    shown = max(entry.recalled - later, 0)
    after = replace(entry, trace=trace, recalled=shown, **counts)
    trace = replace(trace, half_life=parts.policy.half_life(after))
    reason = f"shown and {outcome}"
    if entry.pinned:
        reason += "; its strength is pinned"
    store.change(entry.id, at, str(outcome), reason, trace=trace, **counts)
    if entry.tier is Tier.ARCHIVAL and outcome is Outcome.USED:
        why = "found in the archive and used"
        store.change(entry.id, at, "reinstated", why, tier=Tier.EPISODIC)
