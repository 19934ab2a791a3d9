"""What a person's content must be able to do: the store, its index, their nouns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from psm_core.types import (
    Change,
    Conflict,
    Entry,
    Erasure,
    Fault,
    Lesson,
    Outcome,
    Tier,
    Turn,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[np.float32]
    """(D,) float32, length 1."""
    Matrix: TypeAlias = NDArray[np.float32]
    """(N, D) float32, rows of length 1."""
    Numbers: TypeAlias = NDArray[np.int64]


class Index(Protocol):
    """Proposes which of one person's vectors are near.  Numbers only, never a word.

    The ledger has all that an index holds, and has the last word: one that raises,
    whatever it raises, is made anew, and until then the ledger is searched instead.
    It is used by one process and one thread at a time.  All that it keeps lies in its
    folder, for erasing a person erases that.
    """

    def count(self, tier: Tier) -> int:
        """How many vectors of this tier are here."""
        ...

    def propose(
        self, tier: Tier, vector: Vector, most: int
    ) -> Sequence[tuple[int, float]]:
        """The *most* memories that may be nearest: (seq, cosine), best first.

        Fewer than *most* mean that there are no more.
        """
        ...

    def put(self, tier: Tier, seqs: Sequence[int], rows: Matrix) -> None:
        """Take in vectors, or put them in the place of those with these numbers.

        When this returns, a kill of the process can't lose them.
        """
        ...

    def drop(self, tier: Tier, seqs: Sequence[int]) -> None:
        """Let go of the vectors with these numbers; some may not be here."""
        ...

    def close(self) -> None:
        """Let go of files and threads."""
        ...


class IndexKind(NamedTuple):
    """Which index a store uses, and what opens one person's.

    ``open`` is called with a folder and with D, the numbers in one vector.  In an
    empty folder it begins an empty index.  An ImportError means that it can't be used
    here: the ledger is searched then.
    """

    name: str
    open: Callable[[Path, int], Index]


class Sensory(Protocol):
    """What was heard in the last moments, session by session; in the process only."""

    def recent(self, session: str) -> list[Turn]:
        """The last turns of a session, oldest first; empty where none was heard."""
        ...

    def hear(self, turn: Turn) -> None:
        """Take in one turn, and let go of the oldest where there are too many."""
        ...


class Postings(NamedTuple):
    """Where the words of a cue stand.  One row for each (term, memory); arrays (P,).

    ``term`` indexes *terms*; ``session`` and ``place`` number the session and the
    memory's place in it.  ``df`` (T,) counts the memories with each term; a term too
    common to be worth its rows has df but no rows.  ``memories`` is how many can be
    found by their words, ``words`` their mean length.
    """

    terms: tuple[str, ...]
    df: Numbers
    term: Numbers
    seq: Numbers
    frequency: Numbers
    length: Numbers
    session: Numbers
    place: Numbers
    memories: int
    words: float


class Place(NamedTuple):
    """Where a memory stands: in which session, and as which of its turns."""

    session: int
    place: int
    words: int


class SessionSize(NamedTuple):
    """How much was said in one session."""

    memories: int
    words: int


class Shown(NamedTuple):
    """One memory as a recall showed it; numbers only, apart from the id."""

    seq: int
    rank: int
    score: float
    propensity: float
    features: NDArray[np.float32]


class Access(NamedTuple):
    """One judged showing: which memory, what became of it, when."""

    number: int
    seq: int
    outcome: Outcome
    at: datetime


class Weight(NamedTuple):
    """What one episode costs the index, in words; and what it is worth, in [0, 1]."""

    id: str
    strength: float
    words: int


class Former(NamedTuple):
    """What a change put an end to: of which memory, and its values before.

    ``what`` and ``reason`` are the change's own.  ``later`` numbers the changes that
    set one of the same fields since; ``values`` are names of `Entry` fields.
    """

    memory: str
    what: str
    reason: str
    values: Mapping[str, Any]
    later: tuple[int, ...]


class Store(Protocol):
    """One person's content.  The ledger is the truth, the index can be rebuilt.

    Every method may be called from any thread.  Each write is one transaction, and
    is durable against a kill of the process when it returns.  Vectors that come back
    are float32 of length 1.
    """

    @property
    def user(self) -> str:
        """Whose content it is."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are one; nested ones join the outer."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """All reads inside see the store at one moment."""
        ...

    # --- hearing
    def known(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Those of *ids* that are remembered, in any tier, without vectors."""
        ...

    def forgotten(self, ids: Iterable[str]) -> set[str]:
        """Those of *ids* that the person had forgotten on purpose."""
        ...

    def said_last(self, speaker: str, text: str, since: datetime) -> str | None:
        """The id of what this speaker said last, if it was these words, not before."""
        ...

    def add(self, entries: Sequence[Entry]) -> list[Entry]:
        """Store new entries (tier as given); return those that weren't known, numbered.

        Each must carry a vector.  Entries of tier ARCHIVAL are compressed and
        not indexed.
        """
        ...

    # --- finding
    def nearest(
        self,
        vector: Vector,
        k: int,
        tiers: Sequence[Tier] = (Tier.EPISODIC, Tier.SEMANTIC),
    ) -> list[tuple[int, float]]:
        """The *k* memories nearest to *vector*: (seq, cosine), best first.

        The index where this process holds it, exact over the ledger where it
        doesn't and for what isn't indexed yet.  ARCHIVAL is searched exactly.
        """
        ...

    def terms(self, text: str) -> list[str]:
        """Stems of the content words of *text*, as the lexical index has them."""
        ...

    def postings(self, terms: Sequence[str], most: int) -> Postings:
        """Where *terms* stand, rarest first, until *most* rows are read."""
        ...

    def places(self, seqs: Iterable[int]) -> dict[int, Place]:
        """Where each of these memories stands in its session."""
        ...

    def at_places(
        self, places: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], int]:
        """Which memory (seq) stands at (session, place); archived turns too."""
        ...

    def sessions(self, numbers: Iterable[int]) -> dict[int, SessionSize]:
        """How much was said in each of these sessions."""
        ...

    def session_count(self) -> int:
        """How many sessions there are; facts stand in none."""
        ...

    def entries(
        self, seqs: Iterable[int], *, vectors: bool = False
    ) -> dict[int, Entry]:
        """Those of *seqs* that still exist, in any tier."""
        ...

    def vectors(self, seqs: Sequence[int]) -> tuple[Numbers, Matrix]:
        """Numbers (N,) ascending and vectors (N, D) of those of *seqs* that exist."""
        ...

    def find(self, memory_id: str) -> Entry:
        """The entry of this id, with its vector.  Raises `UnknownMemoryError`."""
        ...

    def listing(
        self,
        *,
        tiers: Sequence[Tier] | None = None,
        session: str | None = None,
        after: int = 0,
        limit: int | None = None,
        newest_first: bool = False,
        vectors: bool = False,
    ) -> list[Entry]:
        """Entries in the order of their numbers, after number *after*."""
        ...

    def speakers(self) -> frozenset[str]:
        """Everybody who was ever heard here."""
        ...

    def counts(self) -> dict[Tier, int]:
        """How many memories each tier holds."""
        ...

    def present(self) -> datetime | None:
        """When the person was last heard; None in an empty store."""
        ...

    # --- accesses and rewards
    def log_recall(
        self, recall_id: str, at: datetime, policy: str, shown: Sequence[Shown]
    ) -> None:
        """Append one recall to the access log and count each showing."""
        ...

    def shown(self, recall_id: str) -> dict[str, int]:
        """Memory id -> seq of what a recall showed.  Raises `UnknownMemoryError`."""
        ...

    def log_feedback(
        self,
        recall_id: str,
        outcomes: Mapping[int, Outcome],
        rewards: Mapping[Outcome, float],
        at: datetime,
    ) -> None:
        """Note outcomes on a recall and append one journal row each, numbers only."""
        ...

    def judged(self) -> list[Access]:
        """Outcomes that no sleep has applied yet, oldest first."""
        ...

    def applied(self, numbers: Iterable[int]) -> None:
        """Mark judged accesses as applied."""
        ...

    def lessons(self, *, after: int = 0, last: int | None = None) -> list[Lesson]:
        """The rows of the journal after number *after*, the *last* of them if given."""
        ...

    def leaning(self, policy: str) -> Mapping[str, float]:
        """How this person leans, as *policy* learned it; empty where it is off."""
        ...

    def set_leaning(self, policy: str, leaning: Mapping[str, float]) -> None:
        """Note how this person leans; empty turns it off."""
        ...

    # --- changing
    def change(
        self, memory_id: str, at: datetime, what: str, reason: str, **values: object
    ) -> None:
        """Set fields of one entry, and note the old values in its history.

        *values* are names of `Entry` fields, with ``trace`` for the whole trace.
        Setting ``tier`` moves text and vector between index and archive.
        """
        ...

    def flag(self, conflict: Conflict) -> bool:
        """Note a conflict once; False where this pair was flagged before."""
        ...

    def conflicts(self, *, status: str | None = "open") -> list[Conflict]:
        """Conflicts of this status, oldest first; None means all."""
        ...

    def settle(self, conflict_id: str, status: str, at: datetime) -> Conflict:
        """Close a conflict.  Raises `UnknownMemoryError`."""
        ...

    def undone(self, memory_id: str) -> set[str]:
        """What was done to a memory and taken back, by the words of its history."""
        ...

    def before(self, number: int) -> Former:
        """What change *number* put an end to.  Raises `UnknownMemoryError`."""
        ...

    # --- condensing
    def fading(
        self, at: datetime, below: float, most: int, more: int = 0
    ) -> tuple[list[tuple[str, float]], int]:
        """The unpinned episodes that retain least at a moment, and how many there are.

        Those that retain less than *below*, those beyond *most*, and *more*.
        """
        ...

    def ripe(self, before: datetime, most: int) -> list[Entry]:
        """Episodes said before a moment that no sleep has condensed, oldest first."""
        ...

    def condense(
        self, memory_id: str, text: str, at: datetime, reason: str = ""
    ) -> None:
        """Let *text* stand for an episode's words, and keep those aside."""
        ...

    def as_heard(self, entries: Sequence[Entry]) -> list[Entry]:
        """*entries*, those that were condensed in the words that were heard."""
        ...

    def heard(self, before: datetime) -> int:
        """How many words were heard before a moment, whatever became of them."""
        ...

    def indexed(self, before: datetime) -> int:
        """Words in the index of what was said before a moment, facts included."""
        ...

    def weakest(self, before: datetime, most: int) -> Sequence[Weight]:
        """The unpinned episodes that were said before a moment, the weakest first."""
        ...

    # --- sleeping
    def revision(self) -> tuple[int, ...]:
        """Changes when anything is decided, judged or forgotten; not by hearing."""
        ...

    def watermark(self) -> int:
        """The number of the last entry that a sleep has read."""
        ...

    def set_watermark(self, seq: int) -> None:
        """Move the watermark; the last write of a sleep."""
        ...

    def history(self, memory_id: str) -> list[Change]:
        """All that happened to one memory, oldest first."""
        ...

    def forget(self, memory_id: str, at: datetime, *, for_good: bool = True) -> None:
        """Delete one memory from ledger, words, index, archive, log and WAL.

        Unless it is for good, the same may be stored again.
        """
        ...

    # --- keeping house
    def flush(self) -> int:
        """Let the index catch up, if this process holds it; how many rows went in."""
        ...

    def check(self) -> list[Fault]:
        """What is missing, stale or corrupt; empty where all is well."""
        ...

    def rebuild(self) -> int:
        """Make the index anew from the ledger; how many rows it holds."""
        ...

    def export(self, path: Path) -> None:
        """Write the whole person into one file that `Home.import_person` reads."""
        ...

    def erase(self, at: datetime) -> Erasure:
        """Delete the person everywhere, and prove it."""
        ...

    def close(self) -> None:
        """Let go of files and lock."""
        ...
