"""From a file to JSON values: encodings, lines, zips. It knows no format."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from psm_core.errors import TranscriptError
from psm_core.transcripts.checks import Row, few

ZIP_BYTES_MAX = 2 * 1024**3
"""Most bytes that a zip's conversations may unpack to; ten times a large export."""

_CONVERSATIONS = re.compile(r"(.*/)?conversations(-\d+)?\.json")
"""Large ChatGPT exports come in parts: conversations-000.json, -001.json, ..."""

_SPOILT = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class Peek(NamedTuple):
    """How a file begins.

    ``start`` is its first character that isn't a space ("" in an empty file),
    ``first`` the object on its first line, or None where that line isn't a whole one,
    and ``more`` whether lines follow that object.
    """

    start: str
    first: object = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or one member of a zip.

    Args:
        path: The file, or the zip.
        member: The name inside the zip; "" for a plain file.
    """

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """What an error message calls it."""
        return f"{self.path.name}/{self.member}" if self.member else self.path.name

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The bytes, from the start.

        Raises:
            TranscriptError: The zip is damaged.
        """
        if not self.member:
            with self.path.open("rb") as raw:
                yield raw
            return
        try:
            with zipfile.ZipFile(self.path) as held, held.open(self.member) as raw:
                yield raw
        except _SPOILT as error:
            raise _damaged(self.path, error) from error

    def lines(self) -> Generator[tuple[int, str], None, None]:
        """Each line that isn't blank, with its number, one at a time.

        Raises:
            TranscriptError: A line isn't UTF-8 (or UTF-16 with a byte order mark).
        """
        number = 0
        try:
            with self.opened() as raw:
                for number, line in enumerate(_decoded(raw), 1):
                    if line.strip():
                        yield number, line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise _undecodable(self.name, number + 1, error) from error

    def rows(self) -> Iterator[Row]:
        """The value on each line, one at a time; what stands before a fault is given.

        Raises:
            TranscriptError: A line isn't JSON; the message names line and column.
        """
        for number, line in self.lines():
            yield Row(f"{self.name}, line {number}", _parsed(line, self.name, number))

    def peek(self) -> Peek:
        """How the file begins, without reading more of it than that takes.

        Raises:
            TranscriptError: The first line isn't UTF-8 (or UTF-16).
        """
        with closing(self.lines()) as lines:
            number, line = next(lines, (0, ""))
            start = line.lstrip()[:1]
            if start != "{":
                return Peek(start)
            try:
                first = _parsed(line, self.name, number)
            except TranscriptError:
                # The first line of an indented document, which `document` judges.
                return Peek(start)
            try:
                return Peek(start, first, more=next(lines, None) is not None)
            except TranscriptError:
                # A spoilt second line is one too; `rows` comes to it in time.
                return Peek(start, first, more=True)

    def document(self) -> object:
        """The whole file as one JSON value.

        Raises:
            TranscriptError: It isn't JSON; the message names line and column.
        """
        with self.opened() as raw:
            content = raw.read()
        utf16 = content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
        try:
            text = content.decode("utf-16" if utf16 else "utf-8-sig")
        except UnicodeDecodeError as error:
            number = content.count(b"\n", 0, error.start) + 1
            raise _undecodable(self.name, number, error) from error
        return _parsed(text, self.name)


def sources(path: Path) -> list[Source]:
    """The file itself, or the conversations that a zip holds, in order of their names.

    Raises:
        TranscriptError: The zip is damaged, locked, too large, or holds none.
        OSError: The file can't be opened.
    """
    with path.open("rb") as raw:
        zipped = raw.read(4) == b"PK\x03\x04"
    if not zipped:
        return [Source(path)]
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _SPOILT as error:
        raise _damaged(path, error) from error
    held = [m for m in members if _CONVERSATIONS.fullmatch(m.filename)]
    if not held:
        raise TranscriptError(
            f"{path.name} holds no conversations.json, as a ChatGPT or Claude export "
            f"does; found {few([m.filename for m in members])}"
        )
    size = sum(m.file_size for m in held)
    if size > ZIP_BYTES_MAX:
        raise TranscriptError(
            f"{path.name} would unpack to {size:,} bytes; at most {ZIP_BYTES_MAX:,} "
            "are read from a zip, so unpack it and read the file itself"
        )
    if any(m.flag_bits & 1 for m in held):
        raise TranscriptError(
            f"{path.name} is locked with a password; unpack it and read the file itself"
        )
    return [Source(path, name) for name in sorted(m.filename for m in held)]


def _decoded(raw: IO[bytes]) -> Iterator[str]:
    mark = raw.read(2)
    raw.seek(0)
    if mark in (BOM_UTF16_LE, BOM_UTF16_BE):
        with io.TextIOWrapper(raw, encoding="utf-16", newline="\n") as text:
            yield from text
        return
    # Line by line, so that a spoilt byte can't take the good lines before it along.
    for line in raw:
        yield line.decode("utf-8-sig")


def _parsed(text: str, name: str, line: int | None = None) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TranscriptError(
            f"{name}, line {line or error.lineno}, column {error.colno}: it isn't "
            f"JSON: {error.msg}"
        ) from error
    except (RecursionError, ValueError) as error:
        # Valid JSON, but nested a thousand deep, or a number of 5,000 digits.
        place = name if line is None else f"{name}, line {line}"
        raise TranscriptError(f"{place}: it is no chat: {error}") from error


def _undecodable(name: str, line: int, error: UnicodeDecodeError) -> TranscriptError:
    return TranscriptError(
        f"{name}, line {line}: it isn't {error.encoding.upper()}; save it as UTF-8"
    )


def _damaged(path: Path, error: Exception) -> TranscriptError:
    return TranscriptError(f"{path.name} is a damaged zip: {error}; download it again")
