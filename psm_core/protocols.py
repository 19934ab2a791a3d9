"""What a part of the skill must be able to do; `content` says it of the store.

The walks know these two, and nothing behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    NamedTuple,
    Protocol,
    TypeAlias,
    runtime_checkable,
)

from psm_core.types import (
    Conflict,
    Entry,
    GateDecision,
    Lesson,
    Pattern,
    Turn,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from psm_core.content import Matrix, Vector

CountTokens: TypeAlias = Callable[[str], int]
"""How many tokens a text costs the reader's model."""


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> datetime:
        """The present, as an aware datetime."""
        ...


class Encoder(Protocol):
    """Turns text into vectors whose nearness is nearness of meaning."""

    @property
    def name(self) -> str:
        """Which encoder it is; a store remembers it and refuses another."""
        ...

    @property
    def width(self) -> int:
        """D, the numbers in one vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Matrix:
        """One row for each text: (N, D) float32, each of length 1."""
        ...


# ------------------------------------------------------------------ the skill


@dataclass(frozen=True, slots=True)
class GateContext:
    """What is known when a turn is heard.

    Args:
        user: Whose memory it is.
        recent: The last turns of the same session, oldest first.
        said_before: The id of what the same speaker said last, if it was the same
            words, that day.  Later, or with other words between, it is news.
        vector: The turn's own vector, (D,) float32 of length 1.
        nearest: Asks the store for the k memories nearest to the turn, best first.
            A call costs a search; rules that don't need it don't pay for it.
    """

    user: str
    recent: Sequence[Turn]
    said_before: str | None
    vector: Vector
    nearest: Callable[[int], list[tuple[Entry, float]]]


@dataclass(frozen=True, slots=True)
class Cue:
    """A question to the memory, taken apart.

    Args:
        text: As it was asked.
        vector: (D,) float32 of length 1.
        named: Names of known speakers that the text mentions, in lower case.
        terms: Stems of its content words, and how rare each is (idf; 0 for unknown).
        at: When it is asked.
        present: When the person was last heard; what has faded is counted to *at*.
        leaning: What sets this person apart, by name; see `Leaning`.  Empty is off.
    """

    text: str
    vector: Vector
    named: frozenset[str]
    terms: Mapping[str, float]
    at: datetime
    present: datetime
    leaning: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A memory that may surface, with every raw signal a policy may weigh.

    Scores are as they come (cosine in [-1, 1], BM25 from 0 up); scaling is the
    policy's business.  The window is the turn before, the memory itself and the turn
    after; ``cosine_before`` and ``cosine_after`` are those of the neighbours, or the
    memory's own where it has none.  ``covered`` is the share of the cue's rarity
    found in it, ``covered_window`` the same over the window, ``words`` its length.
    ``vector`` is the memory's own, (D,) of length 1, for comparing candidates.
    """

    entry: Entry
    cosine: float
    bm25: float
    bm25_window: float
    bm25_session: float
    covered: float
    covered_window: float
    retention: float
    words: int
    cosine_before: float
    cosine_after: float
    vector: NDArray[np.float32] | None = None


class Weighting(NamedTuple):
    """How strongly each candidate should surface, and from what.

    ``scores`` (K,) float32 in [0, 1]; 0 means that it must not surface, and all
    zeros that nothing fits.  ``features`` (K, F) float32 are what the policy saw, in
    the order of ``names``; ``propensities`` (K,) float32 the probability in (0, 1]
    with which each was let through, or put first where the policy says so.  ``shares``
    (K, F) float32 say what each feature added to the score, in a unit of the policy's
    own, for explanations; None where a policy can't tell.  ``digest`` changes with the
    list of features, its order, meaning and scale; whoever learns from what was logged
    knows by it which list the numbers are of.
    """

    scores: NDArray[np.float32]
    features: NDArray[np.float32]
    names: tuple[str, ...]
    propensities: NDArray[np.float32]
    shares: NDArray[np.float32] | None = None
    digest: str = ""


class Policy(Protocol):
    """The skill of memory: five verbs.  `RulePolicy` answers with formulas."""

    @property
    def name(self) -> str:
        """Which policy decided; stands in every journal row."""
        ...

    def gate(self, turn: Turn, context: GateContext) -> GateDecision:
        """Is this worth keeping, how strongly, and for how long?"""
        ...

    def weigh(self, cue: Cue, candidates: Sequence[Candidate]) -> Weighting:
        """How strongly should each candidate surface for this cue?"""
        ...

    def abstract(self, episodes: Sequence[Entry]) -> list[Pattern]:
        """Which lasting facts do these episodes of one person's life hold?"""
        ...

    def interferes(self, new: Entry, old: Entry) -> Conflict | None:
        """Can both be true now?  None where they are compatible."""
        ...

    def half_life(self, entry: Entry) -> timedelta:
        """In what time should this memory lose half of its strength?"""
        ...


@runtime_checkable
class Leaning(Protocol):
    """A policy that can lean towards what one person's own log asks for."""

    def leaning(self, lessons: Sequence[Lesson]) -> Mapping[str, float]:
        """Numbers by name that `Cue.leaning` brings back to `weigh`; empty is off."""
        ...


@runtime_checkable
class Condensing(Protocol):
    """A policy that can tell which of somebody's words carry what they said."""

    def gist(self, episode: Entry) -> str:
        """The sentences of *episode* that carry it, verbatim and in their order."""
        ...


class Abstractor(Protocol):
    """Whoever words a fact better than by a span of what was said: mostly an LLM.

    What it says is held against the episodes; see `acts.writing`.
    """

    def word(self, pattern: Pattern, said: Sequence[str]) -> str:
        """What *pattern* says, as one sentence in the third person.

        Args:
            pattern: In the words that the rules found.
            said: The episodes that it rests on.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that one `Memory` is made of."""

    encoder: Encoder
    policy: Policy
    clock: Clock
    count_tokens: CountTokens
    abstractor: Abstractor | None = None
