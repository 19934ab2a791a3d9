"""Cutting a long text into passages that can be found and read one by one."""

from __future__ import annotations

import re

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
