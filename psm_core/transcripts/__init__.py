"""Reading other people's chat histories, one file per format, into turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from psm_core.errors import TranscriptError
from psm_core.transcripts import (
    chatgpt,
    claude,
    jsonl,
    langchain,
    locomo,
    longmemeval,
)
from psm_core.transcripts.checks import Choice, Row, described, few
from psm_core.transcripts.source import Source, sources
from psm_core.types import Turn

__all__ = ["FORMATS", "Transcript", "read"]


class Format(NamedTuple):
    """How one format is recognised and read.

    ``row`` is what an error calls one value of the file, ``matches`` looks at the
    first object, and ``turns`` reads them all.
    """

    name: str
    row: str
    matches: Callable[[dict[str, object]], bool]
    turns: Callable[[Iterable[Row], Choice], Iterator[Turn]]


LINES = Format("json-lines", "turn", jsonl.matches, jsonl.turns)

FORMATS = (
    Format("locomo", "conversation", locomo.matches, locomo.turns),
    Format("chatgpt", "conversation", chatgpt.matches, chatgpt.turns),
    Format("claude", "conversation", claude.matches, claude.turns),
    Format("longmemeval", "conversation", longmemeval.matches, longmemeval.turns),
    Format(
        "langchain", "conversation", langchain.matches_many, langchain.turns_of_many
    ),
    Format("langchain", "message", langchain.matches, langchain.turns),
    LINES,
)
"""Every format that is known; the first that matches reads, so the loosest is last."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A chat history that was recognised, and is read as its turns are asked for.

    Args:
        format: The name of its format, as in `FORMATS`.
        turns: Oldest first within a conversation; to be gone through once.
        total: How many turns will come; None where only reading can tell, as with
            lines and with files that hold a fault.
    """

    format: str
    turns: Iterator[Turn]
    total: int | None


def read(path: Path, *, conversation: str | None = None) -> Transcript:
    """Recognise a chat history by what it holds, and give its turns.

    Every turn has an id, and reading the same file twice gives the same ids.  Lines
    are read one at a time; other files, and zips of exports, are loaded whole.

    Args:
        path: The file; its name doesn't matter.
        conversation: Read only this one: an id, or a title where the format has
            titles.

    Returns:
        The format and the turns.  What a fault lies behind is given before it is
        raised.

    Raises:
        TranscriptError: The format isn't known, or the file isn't JSON; later, from
            the turns, a place isn't what it should be, or the conversation is nowhere.
        OSError: The file can't be opened.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "chat.jsonl")
    ...     _ = path.write_text('{"text": "I moved to Lyon."}')
    ...     transcript = read(path)
    ...     transcript.format, [turn.text for turn in transcript.turns]
    ('json-lines', ['I moved to Lyon.'])
    """
    parts = sources(path)
    streamed = _streamed(parts[0])
    if streamed is not None:
        turns = _turns(streamed, parts[0].rows(), path, conversation)
        return Transcript(streamed.name, turns, None)
    loaded = [(part.name, _listed(part.document())) for part in parts]
    found = [value for _, values in loaded for value in values]
    known = _recognised(found)
    if known is None:
        raise _unknown(path.name, _outlined(found))
    rows = [
        Row(f"{name}, {known.row} {n}", value)
        for name, values in loaded
        for n, value in enumerate(values, 1)
    ]
    total = _count(_turns(known, rows, path, conversation))
    return Transcript(known.name, _turns(known, rows, path, conversation), total)


def _streamed(source: Source) -> Format | None:
    """The format of a file that has one object a line; None for one document."""
    start, first, more = source.peek()
    if start not in ("{", "["):
        raise _unknown(source.name, "text that isn't JSON" if start else "nothing")
    known = _recognised([first])
    if more and known is None:
        raise _unknown(source.name, _outlined([first]))
    return known if more or known is LINES else None


def _recognised(values: list[object]) -> Format | None:
    sample = next((value for value in values if isinstance(value, dict)), None)
    if sample is None:
        return None
    return next((known for known in FORMATS if known.matches(sample)), None)


def _listed(document: object) -> list[object]:
    return document if isinstance(document, list) else [document]


def _turns(
    known: Format, rows: Iterable[Row], path: Path, conversation: str | None
) -> Iterator[Turn]:
    choice = Choice(path.stem, conversation)
    yield from known.turns(rows, choice)
    if conversation is not None and not choice.found:
        raise TranscriptError(
            f"{path.name} holds no conversation {conversation!r}; found "
            f"{few(list(choice.met)) or 'none'}"
        )


def _count(turns: Iterator[Turn]) -> int | None:
    try:
        return sum(1 for _ in turns)
    except TranscriptError:
        # The reader meets it again at its place, after all that stands before it.
        return None


def _outlined(values: list[object]) -> str:
    sample = next((value for value in values if isinstance(value, dict)), None)
    if sample is not None:
        return f"an object with the keys {few(list(sample)) or '(none)'}"
    return described(values[0]) if values else "an empty list"


def _unknown(name: str, found: str) -> TranscriptError:
    names = ", ".join(dict.fromkeys(known.name for known in FORMATS))
    return TranscriptError(
        f"{name} is in no format that is known ({names}); found {found}; write it as "
        'lines like {"text": "Hello.", "speaker": "Mira", '
        '"at": "2026-03-03T20:12:07+01:00"}'
    )
