"""Writing: whoever words a fact is held against what was said, and invents nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace

from psm_core.content import Store
from psm_core.protocols import Abstractor
from psm_core.types import Entry, Pattern

log = logging.getLogger(__name__)

LONGER = 2.0
"""A wording may have so many times the words of the span it stands for, no more."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_DENIAL = re.compile(r"\b(?:not|never|no|none|nobody|nothing|without|\w+n['\u2019]t)\b")
_HEDGES = re.compile(
    r"\b(?:might|may|maybe|perhaps|probably|possibly|could|would|thinks?|hopes?|plans?|"
    r"planning|wants?|guess(?:es)?|considering|unsure|likely|if|almost|used)\b"
)


def worded(
    pattern: Pattern,
    rests_on: Sequence[Entry],
    abstractor: Abstractor | None,
    store: Store,
) -> Pattern:
    """*pattern* in the words of *abstractor*, where they say no more than was said.

    Args:
        pattern: In the words that the rules found for it.
        rests_on: The episodes it was drawn from.
        abstractor: Whoever may word it; None leaves it as it is.
        store: Cuts words to their stems.

    Returns:
        The pattern; its own words where the others can't be held against the
        episodes, or whoever writes them fails.
    """
    if abstractor is None:
        return pattern
    said = [entry.text for entry in rests_on]
    try:
        text = " ".join(abstractor.word(pattern, said).split())
    except Exception as fault:
        # Somebody's model is down; the rules' words are there.
        log.warning("an abstractor raised %s; the span stays", type(fault).__name__)
        return pattern
    if text and supported(text, pattern.text, said, store):
        return replace(pattern, text=text)
    return pattern


def supported(text: str, span: str, said: Sequence[str], store: Store) -> bool:
    """Whether *text* says what *span* says, in words that were said.

    Every word that carries something, every number and name must stand in the
    episodes or the span; the denials and hedges of the span must be kept, and no
    denial may be new.

    Args:
        text: One sentence, worded anew.
        span: The same in words that are known to be right.
        said: The episodes.
        store: Cuts words to their stems.
    """
    spoken, known = _words(text), _words(span)
    if not known or not 0 < len(spoken) <= LONGER * len(known) + 2:
        return False
    stems = set(store.terms(text)) - set(store.terms(span))
    told = {stem for episode in said for stem in store.terms(episode)}
    denied = bool(_DENIAL.search(text.casefold()))
    return (
        stems <= told
        and denied == bool(_DENIAL.search(span.casefold()))
        and set(_HEDGES.findall(span.casefold())) <= set(spoken)
    )


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
