"""The nouns of memory. Frozen, small, and free of behaviour that needs a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from psm_core.errors import FeedbackError, TurnError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROLES = ("user", "assistant", "system", "tool")
"""Who may speak in a turn; the words that chat models use."""

TURN_CHARS_MAX = 4_000_000
"""Longest text of one turn, in characters: a book, not a disk image."""

YEARS = range(1000, 9001)
"""Years in which a turn may be said; at their ends times can't be reckoned with."""


class Tier(StrEnum):
    """Where a memory lives, from the moment of hearing to cold storage."""

    SENSORY = "sensory"
    WORKING = "working"
    EPISODIC = "episodic"
    SEMANTIC = "semantic"
    ARCHIVAL = "archival"


class Kind(StrEnum):
    """What sort of thing a memory says. States can be contradicted, events can't."""

    STATE = "state"
    PREFERENCE = "preference"
    EVENT = "event"
    PLAN = "plan"
    QUESTION = "question"
    TALK = "talk"


class Action(StrEnum):
    """What the gate does with a turn. Nothing is ever thrown away."""

    KEEP = "keep"
    DEFER = "defer"
    ARCHIVE = "archive"


class ConflictKind(StrEnum):
    """How a new memory stands to an old one about the same thing."""

    DUPLICATE = "duplicate"
    UPDATE = "update"
    CONTRADICTION = "contradiction"


class Outcome(StrEnum):
    """What became of a memory that was shown."""

    USED = "used"
    IGNORED = "ignored"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that somebody said.

    Args:
        text: The words, 1 to 4,000,000 characters.
        speaker: Who said it.  Empty means the person the memory belongs to, or
            "assistant" where *role* says so.
        role: One of user, assistant, system, tool.
        at: Aware datetime at which it was said; None means now.
        session: The conversation it belongs to.
        id: Unique within the person.  Empty means derived from the rest, so that
            one turn heard twice is one turn.

    Raises:
        TurnError: The text is empty or too long, the role unknown, *at* naive or
            beyond `YEARS`, or something is of another type.

    >>> Turn("I moved to Lyon last week.").role
    'user'
    """

    text: str
    speaker: str = ""
    role: str = "user"
    at: datetime | None = None
    session: str = "default"
    id: str = ""

    def __post_init__(self) -> None:
        for name in ("text", "speaker", "role", "session", "id"):
            if not isinstance(value := getattr(self, name), str):
                raise TurnError(
                    f"the {name} of a turn is {type(value).__name__}; it must be a str"
                )
        if not self.text.strip(" \t\r\n\0"):
            raise TurnError(
                "the text of a turn is empty; leave the turn out, or say something"
            )
        if len(self.text) > TURN_CHARS_MAX:
            raise TurnError(
                f"the text of a turn has {len(self.text):,} characters; at most "
                f"{TURN_CHARS_MAX:,} fit, so split it into several turns"
            )
        if self.role not in ROLES:
            raise TurnError(
                f"the role of a turn is {self.role!r}; it must be one of "
                f"{', '.join(ROLES)}"
            )
        if self.at is not None:
            _check_time(self.at)


def _check_time(at: object) -> None:
    if not isinstance(at, datetime):
        raise TurnError(
            f"the time of a turn is {type(at).__name__}; it must be a datetime"
        )
    if at.tzinfo is None:
        raise TurnError(
            f"the time of a turn is naive ({at.isoformat()}); give it a "
            "timezone, for example at.replace(tzinfo=datetime.UTC)"
        )
    if at.year not in YEARS:
        raise TurnError(
            f"the time of a turn is in the year {at.year}; it must lie between "
            f"{YEARS[0]} and {YEARS[-1]}, so leave it out where it isn't known"
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """How strong a memory was, when, and how fast it fades.

    Args:
        strength: In [0, 1], as of *anchored_at*.
        half_life: The time in which what lies above *floor* halves; positive.
        anchored_at: Aware datetime.
        floor: In [0, strength]; the strength that time alone can't take.
    """

    strength: float
    half_life: timedelta
    anchored_at: datetime
    floor: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One memory with all that is known of it: an episode, a fact, or an archived one.

    An *episode* is an entry of tier EPISODIC (one passage of one turn); a *fact* is
    one of tier SEMANTIC.  ``seq`` is its number in the ledger, 0 before it is stored.
    ``sources`` are the ids of the turns it rests on.  ``said_at`` is when it was said
    (facts: first said), ``about_at`` when it is about, if known.  ``emotion`` and
    ``confidence`` lie in [0, 1].  ``vector`` is a row of length 1, (D,) float32, or
    None where it wasn't asked for.  ``reason`` says why it was kept or turned away.
    """

    id: str
    tier: Tier
    kind: Kind
    text: str
    speaker: str
    role: str
    session: str
    said_at: datetime
    sources: tuple[str, ...]
    trace: Trace
    seq: int = 0
    emotion: float = 0.0
    confidence: float = 1.0
    mentions: int = 1
    last_said_at: datetime | None = None
    about_at: datetime | None = None
    valid_until: datetime | None = None
    superseded_by: str | None = None
    recalled: int = 0
    used: int = 0
    corrected: int = 0
    pinned: bool = False
    expires_at: datetime | None = None
    reason: str = ""
    vector: NDArray[np.float32] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What the gate made of one turn, and why.

    Args:
        id: The memory's id (the turn's id).
        action: Keep, defer (kept weakly until a sleep decides) or archive.
        strength: Initial strength in [0, 1].
        half_life: How fast it fades.
        emotion: Emotional weight in [0, 1].
        confidence: Of the decision, in [0, 1].
        kind: What sort of thing was said.
        reason: One sentence a person can read; never the turn's own words.
        propensity: Probability with which this action was taken, in (0, 1].
        new: False where the same turn had been remembered before.
    """

    id: str
    action: Action
    strength: float
    half_life: timedelta
    emotion: float
    confidence: float
    kind: Kind
    reason: str
    propensity: float = 1.0
    new: bool = True

    @property
    def kept(self) -> bool:
        """Whether the turn can surface in an ordinary recall."""
        return self.action is not Action.ARCHIVE


@dataclass(frozen=True, slots=True)
class Pattern:
    """What several episodes say: a fact about to be written.

    ``episodes`` are the ids of the entries it was drawn from, ``covers`` those of
    them whose words it says in full, so that they may leave the index.  ``recurs``
    names what happens again and again, whichever occasions are known; a pattern of it
    replaces the fact of fewer occasions.  "" is what is true once.
    """

    text: str
    kind: Kind
    speaker: str
    confidence: float
    episodes: tuple[str, ...]
    covers: tuple[str, ...] = ()
    emotion: float = 0.0
    recurs: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two memories that may not both hold; flagged, linked and weakened, never deleted.

    ``new`` and ``old`` are memory ids, *confidence* lies in [0, 1].  ``status`` is
    "open" until somebody resolves it, then what they kept.
    """

    kind: ConflictKind
    new: str
    old: str
    confidence: float
    reason: str
    id: str = ""
    found_at: datetime | None = None
    status: str = "open"


@dataclass(frozen=True, slots=True)
class Hit:
    """One memory that surfaced.

    ``score`` in [0, 1] is how strongly it surfaced for this cue, ``strength`` in
    [0, 1] what it has retained by now, ``sources`` the ids of the turns it rests on,
    ``explanation`` why it surfaced.  ``valid_until`` is when it ceased to hold, None
    for what holds.
    """

    id: str
    text: str
    score: float
    tier: Tier
    strength: float
    sources: tuple[str, ...]
    explanation: str
    kind: Kind
    speaker: str
    session: str
    said_at: datetime
    valid_until: datetime | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Recall:
    """What came back for a cue, best first, and the text that goes into a prompt."""

    id: str
    cue: str
    at: datetime
    hits: tuple[Hit, ...]
    context: str = field(default="", repr=False)

    def as_context(self) -> str:
        """What goes into the prompt: fenced as data, dated, deduplicated.

        Returns:
            The passages within the budget that was asked for; "" where nothing fits.
        """
        return self.context


@dataclass(frozen=True, slots=True)
class Feedback:
    """What became of the memories that a recall showed; ids are those of its hits.

    Raises:
        FeedbackError: One id stands under two outcomes.

    >>> Feedback("r1", used=["t1"]).outcomes()
    {'t1': <Outcome.USED: 'used'>}
    """

    recall_id: str
    used: tuple[str, ...] | list[str] = ()
    ignored: tuple[str, ...] | list[str] = ()
    corrected: tuple[str, ...] | list[str] = ()

    def __post_init__(self) -> None:
        named = [*set(self.used), *set(self.ignored), *set(self.corrected)]
        twice = sorted({i for i in named if named.count(i) > 1})
        if twice:
            raise FeedbackError(
                f"feedback on recall {self.recall_id} names {', '.join(twice)} under "
                "two outcomes; a memory was used, ignored or corrected, not two of them"
            )

    def outcomes(self) -> dict[str, Outcome]:
        """Each id that is named, and what became of it."""
        return {
            **dict.fromkeys(self.used, Outcome.USED),
            **dict.fromkeys(self.ignored, Outcome.IGNORED),
            **dict.fromkeys(self.corrected, Outcome.CORRECTED),
        }


class Lesson(NamedTuple):
    """One row of the journal: what a policy saw, did, and got for it. Numbers only.

    ``recall`` numbers the recall within its store, so that what was shown together can
    be told; None where the memory was forgotten since.  ``features`` (F,) float32 are
    as the list orders them whose digest ends ``policy``; see ``Weighting.digest``.
    """

    number: int
    recall: int | None
    at: datetime
    policy: str
    rank: int
    score: float
    propensity: float
    features: NDArray[np.float32]
    outcome: Outcome
    reward: float


class Change(NamedTuple):
    """One thing that happened to one memory: when, what, and why.

    ``number`` is by what it can be undone; 0 where it can't.
    """

    at: datetime
    memory: str
    what: str
    reason: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class SleepReport:
    """What one sleep did, in counts and, change by change, with reasons.

    ``episodes`` counts what was read since the watermark, ``rehearsed`` the older ones
    that were read beside it, ``reinforced`` the memories that feedback strengthened
    or weakened, ``condensed`` those of which fewer words stand in the index,
    ``indexed`` the rows that the index took over.  ``steps`` are the milliseconds of
    each step, by name.
    """

    user: str
    at: datetime
    milliseconds: float
    episodes: int = 0
    rehearsed: int = 0
    facts: int = 0
    merged: int = 0
    conflicts: int = 0
    reinforced: int = 0
    condensed: int = 0
    archived: int = 0
    indexed: int = 0
    steps: Mapping[str, float] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()


class Fault(NamedTuple):
    """One thing that `psm doctor` found, and what mends it."""

    what: str
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """The proof that a person was erased: what was there, and that nothing is left."""

    user: str
    at: datetime
    memories: int
    files: tuple[str, ...]
    bytes: int
    left: tuple[str, ...] = ()
