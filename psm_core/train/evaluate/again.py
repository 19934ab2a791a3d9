"""Who says again what they said last, in a life that no store has heard."""

from __future__ import annotations

from collections.abc import Iterable

from psm_core.store.archive import said
from psm_core.types import Turn


def said_before(turns: Iterable[Turn]) -> list[str | None]:
    """For each turn the id of what its speaker said last, if it was the same words.

    >>> told = [Turn("Hi.", "Ada", id="a"), Turn("hi.", "Ada", id="b")]
    >>> said_before(told)
    [None, 'a']
    """
    last: dict[str, tuple[bytes, str]] = {}
    found: list[str | None] = []
    for turn in turns:
        words = said(turn.speaker, turn.text)
        before, named = last.get(turn.speaker, (b"", ""))
        found.append(named if before == words else None)
        last[turn.speaker] = (words, turn.id)
    return found
