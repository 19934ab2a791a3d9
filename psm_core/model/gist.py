"""The gist of what was said: the sentences that carry it, never reworded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from psm_core.model import lexicon, words
from psm_core.model.talk import follow_up, small_talk

CARRIED = 0.72
"""Share of the words of a text, `LIGHT` ones aside, that its gist has at least.

Whoever reads the gist should find the text in it; who asks whether a text is still
there commonly asks for seven words of ten.
"""

LIGHT = lexicon.listed(
    "a an and are as at be been but by can could did do does for from had has have he "
    "her him his how i if in into is it its it's i'm me my no not of on or our she so "
    "than that the their them then there these they this to too up us was we were what "
    "when where which while who why will with would you your"
)
"""Words that carry nothing by themselves; fewer than elsewhere, to be careful."""


def gist(text: str, known: frozenset[str] = frozenset()) -> str:
    """The sentences that carry *text*, verbatim and in their order.

    Greetings, thanks and questions back go first, then the sentences that say least
    for their length.  A denial stays: without it, the rest may say the contrary.

    Args:
        text: A turn.
        known: Names of those who speak, in lower case.

    Returns:
        Some of its sentences; *text* itself where none can be spared.

    >>> gist("Hey Mel! Last week I moved to Lyon with my sister Ines.")
    'Last week I moved to Lyon with my sister Ines.'
    """
    said = words.sentences(text)
    if len(said) < 2 or len(text) > words.TEXT_MAX or words.pasted(text):
        return text
    told = [{*words.words(sentence)} - LIGHT for sentence in said]
    least = CARRIED * len(set().union(*told))
    kept = list(range(len(said)))
    for n in sorted(kept, key=lambda n: _worth(said[n], told[n], known)):
        rest = [m for m in kept if m != n]
        carried = set().union(*(told[m] for m in rest))
        if rest and carried and len(carried) >= least and _spared(said[n]):
            kept = rest
    if len(kept) == len(said):
        return text
    whole = _verbatim(said, text)
    return "".join(whole[n] for n in kept).strip()


def _verbatim(said: Sequence[str], text: str) -> list[str]:
    """The sentences with their own quotation marks, and with what parts them.

    A line without a stop would run into the next one otherwise.
    """
    plain, end, starts = words.plain(text), 0, []
    for sentence in said:
        starts.append(plain.index(sentence, end))
        end = starts[-1] + len(sentence)
    return [text[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def _worth(sentence: str, told: set[str], known: frozenset[str]) -> float:
    """What a sentence says for its length, in [-1, 1]."""
    polite = small_talk(sentence, known) or follow_up(sentence, known)
    return len(told) / max(len(words.words(sentence)), 1) - polite


def _spared(sentence: str) -> bool:
    return not words.negated(sentence) and not words.numbers(sentence)
