"""The passages of a long turn: how it is cut into them, and what they are called."""

from __future__ import annotations

import itertools
import re

from psm_core.content import Store
from psm_core.types import Entry

# A run of marks is tried from its beginning alone, or a long one would be tried from
# each mark on.
_SENTENCE = re.compile(r".+?(?:(?<![.!?])[.!?]++[\"')\]]*+(?=\s)|\n|\Z)\s*", re.DOTALL)
_WORD = re.compile(r"\S+\s*")


def passages(text: str, words: int) -> list[str]:
    """*text* in pieces of about *words* words, cut between sentences where it can be.

    Args:
        text: Any text that isn't blank.
        words: Most words of a passage, at least 1.

    Returns:
        Verbatim pieces in order; joined, they are the text, outer space aside.

    >>> passages("One two. Three four. Five.", 4)
    ['One two. Three four.', 'Five.']
    """
    if len(text.split(maxsplit=words)) <= words:
        return [text.strip()]
    pieces: list[str] = []
    held, count = "", 0
    for sentence in _sentences(text, words):
        size = len(sentence.split())
        if held and count + size > words:
            pieces.append(held)
            held, count = "", 0
        held, count = held + sentence, count + size
    return [p for p in (piece.strip() for piece in [*pieces, held]) if p]


def _sentences(text: str, words: int) -> list[str]:
    """Sentences with the space behind them; one that is too long is cut at a word."""
    cut: list[str] = []
    for sentence in _SENTENCE.findall(text):
        if len(sentence.split(maxsplit=words)) <= words:
            cut.append(sentence)
            continue
        pieces = _WORD.findall(sentence) or [sentence]
        cut += ["".join(pieces[i : i + words]) for i in range(0, len(pieces), words)]
    return cut


def passage_id(turn: str, number: int) -> str:
    """The id of the passage of *turn* with this number, from 1 on.

    >>> passage_id("t1", 1), passage_id("t1", 2)
    ('t1', 't1~2')
    """
    return turn if number == 1 else f"{turn}~{number}"


def is_passage(entry: Entry) -> bool:
    """Whether *entry* is what somebody said; facts go by names of their own."""
    if len(entry.sources) != 1:
        return False
    turn = entry.sources[0]
    return entry.id == turn or entry.id.startswith(f"{turn}~")


def passages_of(turn: str, store: Store) -> list[str]:
    """The ids of all passages of *turn* that are there.

    Another turn may go by such a name: it rests on itself.
    """
    found: list[str] = []
    for start in itertools.count(1, 64):
        numbers = range(start, start + 64)
        names = [passage_id(turn, n) for n in numbers]
        there = store.known(names)
        found += [n for n in names if n in there and there[n].sources == (turn,)]
        if len(there) < len(names):
            break
    return found
