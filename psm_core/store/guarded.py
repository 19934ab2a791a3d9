"""Somebody's index, held to its contract: whatever goes wrong in it is one fault."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psm_core.types import Tier

if TYPE_CHECKING:
    from psm_core.content import IndexKind, Matrix, Vector

CHROMA = "chroma"
"""The name of the index that ships, and of its folder."""

FOLDERS = (CHROMA, "index")
"""Where an index may lie in a person's folder; no other name is made or removed."""

ROUNDING = 1e-3
"""How far a cosine may lie outside of [-1, 1], no unit."""

_STAMP = "stamp"


class IndexFault(Exception):  # noqa: N818  # never leaves the store
    """What the index has can't be used; the ledger has all that it held."""


class NoIndexError(Exception):
    """This process can't use the index, whatever it has; never leaves the store."""


class Guarded:
    """One person's opened index.  Whoever makes one holds the person's lock.

    Args:
        kind: Which.
        folder: The person's.
        width: D, the numbers in one vector.

    Raises:
        IndexFault: What is there can't be opened.
        NoIndexError: It can't be used by this process.
    """

    def __init__(self, kind: IndexKind, folder: Path, width: int) -> None:
        place = folder_of(kind, folder)
        with foreign():
            place.mkdir(mode=0o700, exist_ok=True)
            try:
                self.index = kind.open(place, width)
            except ImportError as fault:
                missing = fault.name or type(fault).__name__
                raise NoIndexError(f"{missing} can't be imported") from fault

    def count(self, tier: Tier) -> int:
        """How many vectors of this tier are here."""
        with foreign():
            return int(self.index.count(tier))

    def propose(self, tier: Tier, vector: Vector, most: int) -> list[tuple[int, float]]:
        """The *most* memories that may be nearest, each once: (seq, cosine)."""
        with foreign():
            proposed = self.index.propose(tier, vector, most)
            found = {int(seq): float(cosine) for seq, cosine in proposed}
            if not all(_is_cosine(cosine) for cosine in found.values()):
                raise IndexFault("it proposes what is no cosine")
            return list(found.items())

    def put(self, tier: Tier, seqs: Sequence[int], rows: Matrix) -> None:
        """Take in vectors, or put them in the place of those with these numbers."""
        with foreign():
            self.index.put(tier, seqs, rows)

    def drop(self, tier: Tier, seqs: Sequence[int]) -> None:
        """Let go of the vectors with these numbers; those that aren't here too."""
        with foreign():
            self.index.drop(tier, seqs)

    def close(self) -> None:
        """Let go of its files and threads, as far as it does."""
        with contextlib.suppress(IndexFault), foreign():
            self.index.close()


def _is_cosine(number: float) -> bool:
    return math.isfinite(number) and abs(number) <= 1 + ROUNDING


def folder_of(kind: IndexKind, folder: Path) -> Path:
    """Where in a person's *folder* an index of this kind lies."""
    return folder / FOLDERS[kind.name != CHROMA]


def stamp(kind: IndexKind, folder: Path) -> str:
    """Which making of which index is there; the ledger remembers it.  "" if none."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        written = (folder_of(kind, folder) / _STAMP).read_text(encoding="utf-8")
        # Two kinds may take turns in one folder; what the other left is no index.
        return written if written.partition(" ")[2] == kind.name else ""
    return ""


def renew_stamp(kind: IndexKind, folder: Path) -> str:
    """Give the index that is there a stamp that no other has."""
    made = f"{uuid.uuid4().hex} {kind.name}"
    with foreign():
        path = folder_of(kind, folder) / _STAMP
        descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(made)
    return made


def wipe(folder: Path) -> None:
    """Remove the index in a person's *folder* with all its files, of whatever kind.

    Raises:
        IndexFault: Something of it can't be removed.
    """
    for name in FOLDERS:
        with foreign(), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder / name)


@contextlib.contextmanager
def foreign() -> Iterator[None]:
    """Whatever goes wrong in an index is one thing to us: an index to make anew."""
    try:
        yield
    except (IndexFault, NoIndexError):
        raise
    # The errors of an index have no common base; Chroma's come from three languages.
    except Exception as fault:
        raise IndexFault(type(fault).__name__) from fault
    except BaseException as fault:
        # A panic of its Rust part isn't an Exception to Python.
        if type(fault).__name__ != "PanicException":
            raise
        raise IndexFault("PanicException") from fault
