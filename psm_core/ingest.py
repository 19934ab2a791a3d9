"""Feeding a chat history into a memory: batched, resumable, without a screen."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psm_core
from psm_core.config import Config
from psm_core.errors import PluginError, PSMError, TranscriptError, TurnError
from psm_core.transcripts import Transcript, jsonl, read
from psm_core.transcripts.checks import Choice, Row
from psm_core.types import Action, GateDecision, Turn

if TYPE_CHECKING:
    from psm_core.memory import Memory

BATCH = 100
"""Turns that are heard in one transaction: more adds no speed, and loses more to a
kill."""

NESTED = frozenset({"locomo", "longmemeval"})
"""Formats that name a session ``<conversation>/<session>``."""

STDIN = "standard input"
"""What an error calls lines that come from no file."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a chat history, so far or in the end.

    ``turns`` counts what was read, ``new`` those of them that weren't remembered
    before; ``kept``, ``deferred`` and ``archived`` are what the gate made of the new
    ones.  ``total`` is how many turns there are, where the format tells.
    """

    format: str
    total: int | None = None
    conversations: int = 0
    turns: int = 0
    new: int = 0
    known: int = 0
    kept: int = 0
    deferred: int = 0
    archived: int = 0


class Step(NamedTuple):
    """Some turns that are safe now, what the gate made of each, and where we are."""

    turns: Sequence[Turn]
    decisions: Sequence[GateDecision]
    so_far: Ingested


def ingest(
    memory: Memory,
    source: Path | Iterable[bytes],
    *,
    conversation: str | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Ingested:
    """Let *memory* hear a chat history.

    What was heard before is recognised by its id and stored once, so whoever was
    interrupted says it again.

    Args:
        memory: Whose memory hears it.
        source: A file in any format that `transcripts` knows, or lines of JSON.
        conversation: Only this one; None means all that *source* holds.
        on_step: Told after every batch, when it is safe on the disk.

    Returns:
        What was read, and what was new.

    Raises:
        TranscriptError: A place in *source* isn't what it should be; the message
            names it.  Everything before it is kept.
        TurnError: An id was used before for other words.  Everything before it is
            kept.
        StoreError: The disk is full, or the folder can't be written.

    >>> import tempfile, psm_core
    >>> line = b'{"text": "I moved to Lyon.", "id": "t1"}'
    >>> with psm_core.Memory("ada", home=tempfile.mkdtemp(), encoder="hash") as memory:
    ...     [ingest(memory, [line]).new for _ in range(2)]
    [1, 0]
    """
    transcript = _recognised(source, conversation)
    return _Feed(memory, transcript, on_step).hear_all("stay remembered")


def rehearse(
    user: str,
    source: Path | Iterable[bytes],
    config: Config,
    *,
    conversation: str | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Ingested:
    """The same with a memory that begins empty and is thrown away.

    Args:
        user: Whose memory would hear it.
        source: As for `ingest`.
        config: How the memory would behave; its home isn't touched.
        conversation: Only this one; None means all that *source* holds.
        on_step: Told what the gate would make of each batch.

    Returns:
        What was read, and what would be kept.

    Raises:
        TranscriptError: A place in *source* isn't what it should be.
        TurnError: An id stands before other words than earlier in *source*.
    """
    transcript = _recognised(source, conversation)
    with tempfile.TemporaryDirectory(prefix="psm-dry-run-") as folder:
        elsewhere = replace(config, home=Path(folder))
        with psm_core.Memory(user, config=elsewhere) as memory:
            return _Feed(memory, transcript, on_step).hear_all("were read")


@dataclass(slots=True)
class _Feed:
    """One history on its way into one memory, and how far it has come."""

    memory: Memory
    transcript: Transcript
    on_step: Callable[[Step], None] | None
    conversations: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def so_far(self) -> Ingested:
        return Ingested(
            self.transcript.format,
            self.transcript.total,
            len(self.conversations),
            **self.counts,
        )

    def hear_all(self, fate: str) -> Ingested:
        """Hear it to its end; whatever stops that says what became of the rest."""
        try:
            for batch in _batches(self.transcript.turns):
                self.hear(batch)
        except (TranscriptError, TurnError, PluginError) as fault:
            said = f"{fault}; the {self._count()} before it {fate}"
            raise type(fault)(said) from fault
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"{self._count()} {fate}") from stop
        return self.so_far

    def _count(self) -> str:
        return f"{self.counts['turns']:,} turn(s)"

    def hear(self, batch: Sequence[Turn]) -> None:
        """Remember *batch*; up to the turn that can't be, where there is one."""
        try:
            decisions = self.memory.remember_many(batch)
        except (TurnError, PluginError):
            if len(batch) == 1:
                raise
            # Nothing of the batch was stored; one by one, all before the fault is.
            for turn in batch:
                self.hear([turn])
            return
        self._note(batch, decisions)

    def _note(self, turns: Sequence[Turn], decisions: Sequence[GateDecision]) -> None:
        nested = self.transcript.format in NESTED
        self.conversations |= {
            turn.session.rpartition("/")[0] if nested else turn.session
            for turn in turns
        }
        new = [decision.action for decision in decisions if decision.new]
        self.counts.update(
            turns=len(turns),
            new=len(new),
            known=len(turns) - len(new),
            kept=new.count(Action.KEEP),
            deferred=new.count(Action.DEFER),
            archived=new.count(Action.ARCHIVE),
        )
        if self.on_step is not None:
            self.on_step(Step(turns, decisions, self.so_far))


def _batches(turns: Iterable[Turn]) -> Iterator[list[Turn]]:
    """Batches of turns; what stands before a fault is given before it is raised."""
    batch: list[Turn] = []
    try:
        for turn in turns:
            batch.append(turn)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except (PSMError, OSError) as fault:
        if batch:
            yield batch
        raise _as_ours(fault) from fault
    if batch:
        yield batch


# ------------------------------------------------------------------- the source


def _recognised(source: Path | Iterable[bytes], conversation: str | None) -> Transcript:
    if not isinstance(source, Path):
        return Transcript("json-lines", _lines(source, conversation), None)
    try:
        return read(source, conversation=conversation)
    except OSError as fault:
        raise _as_ours(fault) from fault


def _lines(lines: Iterable[bytes], conversation: str | None) -> Iterator[Turn]:
    choice = Choice("stdin", conversation)
    yield from jsonl.turns(_rows(lines), choice)
    if conversation is not None and not choice.found:
        raise TranscriptError(f"{STDIN} holds no conversation {conversation!r}")


def _rows(lines: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        place = f"{STDIN}, line {number}"
        try:
            text = line.decode("utf-8-sig")
            if text.strip():
                yield Row(place, json.loads(text))
        except UnicodeDecodeError as fault:
            raise TranscriptError(f"{place}: it isn't UTF-8") from fault
        except (ValueError, RecursionError) as fault:
            raise TranscriptError(f"{place}: it isn't JSON: {fault}") from fault


def _as_ours(fault: Exception) -> Exception:
    """A file that can't be read is a fault of the history, not a bug of ours."""
    if isinstance(fault, PSMError) or not isinstance(fault, OSError):
        return fault
    name = Path(str(fault.filename)).name if fault.filename else "the file"
    return TranscriptError(f"{name} can't be read: {fault.strerror or fault}")
