"""Encoders that did not learn from the people whose questions the heads learn from.

An adapted encoder finds the answers that it was taught.  A ranking that learns from
those would lean on nearness more than nearness deserves with people it never met, so
each half of the train people is encoded by an adapter that learned from the other half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from psm_core.model.adapter import SUFFIX
from psm_core.protocols import Encoder
from psm_core.train.adapt import Recipe, train_adapter
from psm_core.train.backbone import Backbone
from psm_core.train.corpus import Life
from psm_core.train.material import Material, Remembered, Say

FOLDS = 2
"""Groups of people; each is encoded by what learned from the others."""

RECIPE = Recipe(alike=0.0)
"""Of questions alone: it only has to be about as good with strangers as the encoder
that ships."""


def folds(train: Sequence[Life]) -> list[list[Life]]:
    """The people in `FOLDS` groups, either sort of chat in each of them."""
    order = sorted(train, key=lambda life: (life.chat, life.name))
    return [order[n::FOLDS] for n in range(FOLDS)]


def encoders(
    material: Material,
    backbone: Path,
    opened: Callable[[Path], Encoder],
    folder: Path,
    say: Say,
) -> Mapping[str, Remembered]:
    """For each train person an encoder that did not learn from them.

    Args:
        material: The train people and the seed.
        backbone: A folder with the model that learns.
        opened: From an adapter's file to an encoder.
        folder: Where the adapters are kept; those that are there are taken.
        say: Told what is going on.

    Returns:
        Encoders by the name of the life, one for each of `folds`.

    Source:
        Stacking on cross-validated predictions: Wolpert (1992).
    """
    found: dict[str, Remembered] = {}
    for number, held in enumerate(folds(material.train)):
        adapter = folder / f"without-{number}-{material.seed}{SUFFIX}"
        if not adapter.is_file():
            say(f"an encoder that leaves out {len(held)} people, {number + 1}/{FOLDS}")
            names = {life.name for life in held}
            rest = [life for life in material.train if life.name not in names]
            own = Backbone(backbone)
            taught = Material(Remembered(own), material.seed, train=rest, validation=())
            train_adapter(own, taught, say, RECIPE).write(adapter)
        encoder = Remembered(opened(adapter))
        found.update(dict.fromkeys((life.name for life in held), encoder))
    return found
