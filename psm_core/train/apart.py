"""Statements of one speaker that nobody put together; nearly all of them fit."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from psm_core.model import words
from psm_core.model.clauses import clauses
from psm_core.model.wording import worded
from psm_core.train.corpus import Life, Pair
from psm_core.train.material import Remembered
from psm_core.types import Turn

SENTENCES = 80
"""Sentences drawn in each life to be put beside others that nobody put there."""

TURNS = 30
"""The same of whole turns."""

LEAST, MOST = 4, 30
"""Words of a sentence that tells something by itself."""

AS_FACTS = 0.7
"""Share of the sentences that can be put into the third person, and are."""

SAME = 0.8
"""Nearness from which on two sentences that nobody judged may say the same."""

_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


def unlabelled(life: Life, encoder: Remembered, seed: int) -> list[Pair]:
    """Pairs of statements of one speaker in *life* that nobody put together.

    Args:
        life: Whose turns and single sentences are drawn from; some of the sentences
            are put into the third person, as facts are.
        encoder: Finds what is near.
        seed: Of the draw.

    Returns:
        Pairs taken for compatible: of sentences, each with the nearest before it and
        with any before it, and of whole turns, each with any before it.
    """
    draw = random.Random(f"{seed} {life.name}")  # noqa: S311 - not a secret
    turns = [turn for turn in life.turns if turn.role == "user"]
    single = [(t.speaker, s) for t in turns for s in _sentences(t, draw)]
    known = {(p.old, p.new) for p in life.pairs}
    alone = _taken(single, SENTENCES, draw)
    whole = _taken([(turn.speaker, turn.text) for turn in turns], TURNS, draw)
    found = [*_beside(alone, encoder, draw, near=True)]
    found += _beside(whole, encoder, draw, near=False)
    return [pair for pair in found if (pair.old, pair.new) not in known]


def _beside(
    told: Sequence[tuple[str, str]],
    encoder: Remembered,
    draw: random.Random,
    *,
    near: bool,
) -> Iterable[Pair]:
    """Each statement beside one before it by chance, and beside the nearest."""
    vectors = encoder.encode([text for _, text in told])
    for at, (who, text) in enumerate(told):
        close = {
            before: float(vectors[before] @ vectors[at])
            for before in range(at)
            if told[before][0] == who
        }
        # What is nearer may well say the same.
        fits = [before for before, nearness in close.items() if nearness < SAME]
        if fits:
            chosen = {draw.choice(fits), *([max(fits, key=close.__getitem__)] * near)}
            for before in sorted(chosen):
                yield Pair(who, told[before][1], text, "compatible", None)


def _sentences(turn: Turn, draw: random.Random) -> Iterable[str]:
    """The sentences of a turn that tell something, every other one as a fact."""
    for sentence in words.sentences(turn.text):
        if not LEAST <= len(words.words(sentence)) <= MOST or words.asks(sentence):
            continue
        facts = [
            worded(clause, turn.speaker, turn.at or _SOME_DAY, frozenset())
            for clause in clauses(sentence, turn.speaker)
        ]
        told = [fact for fact in facts if fact]
        yield told[0] if told and draw.random() < AS_FACTS else sentence


def _taken(
    told: Sequence[tuple[str, str]], most: int, draw: random.Random
) -> list[tuple[str, str]]:
    """At most so many of them, in the order in which they were said."""
    chosen = draw.sample(range(len(told)), min(most, len(told)))
    return [told[n] for n in sorted(chosen)]
