"""What a recall has to choose from: each question's candidates, from real stores."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import numpy as np

from psm_core.memory import Memory
from psm_core.model.pool import learned_features
from psm_core.protocols import Candidate, Cue, Encoder, Policy, Weighting
from psm_core.train.corpus import Life
from psm_core.train.lives import crowded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = NDArray[np.float32]
    Mask = NDArray[np.bool_]

FULL = 900
"""From so many turns on a store takes in no other life: a year of chat is crowded
by itself, and a training should end within the hour."""


Seen: TypeAlias = tuple[Cue, Sequence[Candidate]]
"""What a policy was shown for one cue."""


class Asked(NamedTuple):
    """One question, what was proposed for it, and which of that answers it.

    ``features`` (K, F) float32 as `learned_features` gives them, ``relevant`` (K,)
    True where a candidate rests on evidence, ``sources`` the evidence itself.
    """

    person: str
    sort: str
    cue: Cue
    candidates: Sequence[Candidate]
    features: Table
    relevant: Mask
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asking:
    """How the stores are filled before they are asked.

    Args:
        crowd: Other lives at most whose sessions happen to the same people; see `FULL`.
        depth: Candidates that each retriever proposes.
        slept: Whether the memory has consolidated.
        after: From the last turn to the questions.
        seed: Of the choice of other lives.
    """

    crowd: int = 0
    depth: int = 50
    slept: bool = False
    after: timedelta = timedelta(days=30)
    seed: int = 0


class _Watching:
    """A policy that decides like another, and keeps what it was shown."""

    encoder = None
    """Of any encoder's vectors: stores may be encoded by another than the policy's own,
    one that did not learn from their people."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.seen: list[Seen] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def weigh(self, cue: Cue, pool: Sequence[Candidate]) -> Weighting:
        self.seen.append((cue, pool))
        return self._policy.weigh(cue, pool)


class _Standing:
    """A clock that stands still."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


def asked(
    lives: Sequence[Life], encoder: Encoder, policy: Policy, asking: Asking
) -> list[Asked]:
    """Every question of every life, put to a real store that heard that life.

    Args:
        lives: Whose questions; with a crowd, they fill each other's stores.
        encoder: Encodes turns and cues.
        policy: Gates what is heard.
        asking: How the stores are filled.
    """
    found: list[Asked] = []
    for life in lives:
        found += _asked(_filled(life, lives, asking), encoder, policy, asking)
    return found


def _filled(life: Life, lives: Sequence[Life], asking: Asking) -> Life:
    others = [o for o in lives if o.chat == life.chat and o.name != life.name]
    random.Random(f"{asking.seed} {life.name}").shuffle(others)  # noqa: S311
    crowd, turns = [], len(life.turns)
    for other in others[: asking.crowd]:
        if turns >= FULL:
            break
        crowd.append(other)
        turns += len(other.turns)
    return crowded(life, crowd, asking.seed) if crowd else life


def _asked(
    life: Life, encoder: Encoder, policy: Policy, asking: Asking
) -> Iterable[Asked]:
    last = life.turns[-1].at
    assert last is not None
    now = last + asking.after
    watching = _Watching(policy)
    with (
        tempfile.TemporaryDirectory() as home,
        Memory(
            life.name,
            home=home,
            encoder=encoder,
            policy=cast("Policy", watching),
            clock=_Standing(now),
        ) as memory,
    ):
        memory.remember_many(life.turns)
        if asking.slept:
            memory.consolidate()
        for question in life.questions:
            memory.recall(question.text, limit=asking.depth, budget=None)
        yield from _judged(life, watching.seen)


def _judged(life: Life, seen: Sequence[Seen]) -> Iterable[Asked]:
    by_cue = {cue.text: (cue, pool) for cue, pool in seen}
    for question in life.questions:
        if question.text not in by_cue:
            continue
        cue, pool = by_cue[question.text]
        sources = frozenset(question.evidence)
        yield Asked(
            person=life.name,
            sort=question.sort,
            cue=cue,
            candidates=pool,
            features=learned_features(cue, pool),
            relevant=np.array([not sources.isdisjoint(c.entry.sources) for c in pool]),
            sources=sources,
        )
