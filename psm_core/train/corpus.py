"""The written lives: people who talk over months, and what is asked of them later.

One file a life, one JSON object a line, in the order in which things happened:

    {"life": "nadia", "chat": "two people", "people": {"Nadia": "…", "Tom": "…"}}
    {"session": "s1", "at": "2023-03-04T18:40:00+00:00"}
    {"id": "s1.1", "who": "Nadia", "keep": 1, "kind": "event", "valence": 0.4,
     "arousal": 0.5, "text": "…"}
    {"correction": "s5.4", "of": "s2.3"}
    {"ask": "…", "sort": "multi-hop", "evidence": ["s1.3", "s4.2"], "answer": "…"}
    {"old": "s1.3", "new": "s4.2", "is": "update"}
    {"who": "Nadia", "old_text": "…", "new_text": "…", "is": "compatible"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, NamedTuple, cast

from psm_core.errors import TranscriptError
from psm_core.types import Kind, Turn

Sort = Literal[
    "single-hop",
    "multi-hop",
    "temporal",
    "preference",
    "update",
    "who",
    "unanswerable",
]
"""What a question asks for."""

Relation = Literal["update", "contradiction", "duplicate", "compatible", "hedge"]
"""How the later of two statements stands to the earlier one."""

SORTS: tuple[Sort, ...] = (
    "single-hop",
    "multi-hop",
    "temporal",
    "preference",
    "update",
    "who",
    "unanswerable",
)
RELATIONS: tuple[Relation, ...] = (
    "update",
    "contradiction",
    "duplicate",
    "compatible",
    "hedge",
)
CHATS = ("two people", "assistant")

BETWEEN_TURNS = timedelta(seconds=40)
"""Time from one turn of a session to the next."""

VALIDATION = frozenset(
    {
        "allison",
        "anke",
        "arjun",
        "carla",
        "colin",
        "fatima",
        "gary",
        "gwen",
        "hank",
        "pilar",
        "tessa",
        "tomasz",
    }
)
"""Lives on which choices are made: epochs, features, thresholds."""

TEST = frozenset(
    {
        "denise",
        "hyejin",
        "kofi",
        "monica",
        "nora",
        "priya",
        "rashid",
        "rosa",
        "spencer",
        "walter",
    }
)
"""Lives that are read by `psm eval` alone."""


class Said(NamedTuple):
    """One turn and what a careful reader says of it.

    ``keep``: whether it is worth keeping.  ``valence`` in [-1, 1] and ``arousal`` in
    [0, 1]: how the speaker feels as they say it.
    """

    turn: Turn
    keep: bool
    kind: Kind
    valence: float
    arousal: float


class Question(NamedTuple):
    """What is asked later, and the ids of the turns that answer it, if any do."""

    text: str
    sort: Sort
    evidence: tuple[str, ...]
    answer: str


class Pair(NamedTuple):
    """Two statements of one speaker; ``ids`` where they are turns of the life."""

    speaker: str
    old: str
    new: str
    relation: Relation
    ids: tuple[str, str] | None


class Correction(NamedTuple):
    """A turn that takes back what another one said."""

    turn: str
    of: str


@dataclass(frozen=True, slots=True)
class Life:
    """What two people, or a person and an assistant, told each other over months."""

    name: str
    chat: str
    people: Mapping[str, str]
    said: tuple[Said, ...]
    questions: tuple[Question, ...]
    pairs: tuple[Pair, ...]
    corrections: tuple[Correction, ...]

    @property
    def turns(self) -> list[Turn]:
        """The turns in the order in which they were said."""
        return [said.turn for said in self.said]

    @property
    def split(self) -> str:
        """Which people these are: train, validation or test."""
        if self.name in TEST:
            return "test"
        return "validation" if self.name in VALIDATION else "train"


def lives(split: str | None = None) -> list[Life]:
    """The written lives of one split, or all, by name.

    >>> sorted({life.chat for life in lives()})
    ['assistant', 'two people']
    """
    folder = resources.files("psm_core.train") / "written"
    files = sorted(
        (f for f in folder.iterdir() if f.name.endswith(".jsonl")), key=lambda f: f.name
    )
    found = [read(file) for file in files]
    return [life for life in found if split in (None, life.split)]


def read(file: Traversable) -> Life:
    """One life from its file.

    Raises:
        TranscriptError: A line is no JSON, or lacks what its kind of line needs.
    """
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as fault:
            raise TranscriptError(
                f"{file.name}, line {number}: no JSON ({fault.msg}); one object a line"
            ) from fault
    try:
        return _life(rows)
    except (KeyError, ValueError, TypeError) as fault:
        raise TranscriptError(
            f"{file.name}: {type(fault).__name__}: {fault}; the lines of a life are "
            "shown at the top of psm_core/train/corpus.py"
        ) from fault


def _life(rows: list[dict[str, Any]]) -> Life:
    head = rows[0]
    people: dict[str, str] = head["people"]
    said = tuple(_said(rows, people, head["chat"]))
    by_id = {s.turn.id: s.turn for s in said}
    return Life(
        name=head["life"],
        chat=head["chat"],
        people=people,
        said=said,
        questions=tuple(
            Question(r["ask"], r["sort"], tuple(r["evidence"]), r["answer"])
            for r in rows
            if "ask" in r
        ),
        pairs=tuple(_pair(row, by_id) for row in rows if "is" in row),
        corrections=tuple(
            Correction(r["correction"], r["of"]) for r in rows if "correction" in r
        ),
    )


def _said(
    rows: list[dict[str, Any]], people: Mapping[str, str], chat: str
) -> Iterable[Said]:
    session, at = "", datetime.min.replace(tzinfo=UTC)
    first = next(iter(people))
    for row in rows:
        if "session" in row:
            session, at = row["session"], datetime.fromisoformat(row["at"])
        elif "text" in row:
            helping = chat == "assistant" and row["who"] != first
            turn = Turn(
                text=row["text"],
                speaker=row["who"],
                role="assistant" if helping else "user",
                at=at,
                session=session,
                id=row["id"],
            )
            at += BETWEEN_TURNS
            yield Said(
                turn,
                bool(row["keep"]),
                Kind(row["kind"]),
                float(row["valence"]),
                float(row["arousal"]),
            )


def _pair(row: dict[str, Any], turns: Mapping[str, Turn]) -> Pair:
    relation = cast("Relation", row["is"])
    if "old_text" in row:
        return Pair(row["who"], row["old_text"], row["new_text"], relation, None)
    old, new = turns[row["old"]], turns[row["new"]]
    return Pair(new.speaker, old.text, new.text, relation, (old.id, new.id))
