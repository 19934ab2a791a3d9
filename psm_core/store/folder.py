"""A person's folder: its name, its rights, what is in it, and its end."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path

from psm_core.errors import StoreError, UserError
from psm_core.store.faults import unreachable

USER_CHARS_MAX = 1000
"""Longest user id, in characters."""

GONE = ".gone-"
"""In the name of a folder that is being deleted."""


def named(user: str) -> Path:
    """Where a person's folder lies below that of the people.

    Its name is a digest, so that no user id can lead out of the home, and none is
    too long for a disk.

    Args:
        user: In the spelling of `proper`.

    >>> str(named("ada"))
    'fd/fdee430d40bd57deeac186cd9790033d'
    """
    name = hashlib.sha256(user.encode()).hexdigest()[:32]
    return Path(name[:2]) / name


def proper(user: str) -> str:
    """*user* in the one spelling that Unicode has for it.

    Raises:
        UserError: It can't name a person.
    """
    if not isinstance(user, str):
        raise UserError(f"a user id is {type(user).__name__}; it must be a str")
    if not user.strip():
        raise UserError("a user id is empty; give each person an id of their own")
    if len(user) > USER_CHARS_MAX:
        raise UserError(
            f"a user id has {len(user):,} characters; at most {USER_CHARS_MAX:,} fit"
        )
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in user):
        raise UserError(
            "a user id holds a NUL or half of a character (a lone surrogate); it was "
            "probably decoded wrongly, so look where it comes from"
        )
    return unicodedata.normalize("NFC", user)


def make(folder: Path) -> None:
    """Make a folder that is its owner's alone, whatever the umask says."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)
    if not folder.is_dir():
        raise NotADirectoryError(20, "something that isn't a folder is there")


@contextlib.contextmanager
def reaching(what: str) -> Iterator[None]:
    """Say in our words why the system refuses *what* is tried inside.

    Raises:
        StoreError: The system refused.
    """
    try:
        yield
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise unreachable(fault, what) from fault


def contents(folder: Path) -> tuple[tuple[str, ...], int]:
    """The files below *folder*, by relative path, and their bytes in all."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    names = tuple(str(p.relative_to(folder)) for p in files)
    return names, sum(p.stat().st_size for p in files)


def remove(folder: Path) -> tuple[str, ...]:
    """Delete a folder with all that is in it; the paths that are still there."""
    gone = folder.with_name(f"{folder.name}{GONE}{uuid.uuid4().hex[:8]}")
    # It vanishes at once, so that nobody opens the half of it.
    with contextlib.suppress(OSError):
        folder.rename(gone)
    # Those of an earlier deletion too, which may have been cut off.
    doomed = [*folder.parent.glob(f"{folder.name}{GONE}*"), folder]
    for path in doomed:
        shutil.rmtree(path, ignore_errors=True)
    return tuple(str(p) for path in doomed for p in _what_is_left(path))


def _what_is_left(folder: Path) -> Iterator[Path]:
    if folder.exists():
        yield folder
        yield from folder.rglob("*")
