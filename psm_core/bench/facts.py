"""The facts that sleeps leave, drawn at random, beside the turns they rest on."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from psm_core.config import Config
from psm_core.memory import Memory
from psm_core.model.policy import PSMPolicy
from psm_core.plugins import Plugins
from psm_core.train.corpus import lives
from psm_core.train.evaluate.asking import Later
from psm_core.train.material import Remembered
from psm_core.types import Tier


class Drawn(NamedTuple):
    """A fact, how sure the sleep was of it in [0, 1], and what was said."""

    life: str
    text: str
    confidence: float
    said: tuple[str, ...]


def facts(
    count: int = 100, seed: int = 4, on_step: Callable[[str], None] | None = None
) -> tuple[list[Drawn], int]:
    """Let every written life be heard and slept on, and draw from its facts.

    Args:
        count: At most so many.
        seed: Of the draw.
        on_step: Is told whose turn it is.

    Returns:
        Facts in the order of the draw, and how many there were to draw from.
    """
    say = on_step or (lambda _: None)
    encoder = Remembered(Plugins().encoder(Config().encoder))
    policy = PSMPolicy()
    found: list[Drawn] = []
    for life in lives():
        say(f"{life.name} sleeps")
        turns = {turn.id: turn.text for turn in life.turns}
        with (
            tempfile.TemporaryDirectory(prefix="psm-bench-") as home,
            Memory(
                life.name, home=home, encoder=encoder, policy=policy, clock=Later(life)
            ) as memory,
        ):
            memory.remember_many(life.turns)
            memory.consolidate()
            found += [
                Drawn(
                    life.name,
                    fact.text,
                    fact.confidence,
                    tuple(turns[source] for source in fact.sources),
                )
                for fact in memory.entries(Tier.SEMANTIC)
            ]
    draw = random.Random(seed)  # noqa: S311 - not a secret
    return draw.sample(found, min(count, len(found))), len(found)
