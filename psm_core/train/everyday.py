"""Pairs of everyday statements, written by hand (CC0), beside those of the lives.

The pairs of the lives are paraphrases and allusions, and those people are few.  A store
holds plain sentences too, and two that begin alike may well be at odds.
"""

from __future__ import annotations

from importlib import resources
from typing import cast

from psm_core.train.corpus import Pair, Relation

SPEAKER = "Ada"
"""Who says all of this."""


def everyday() -> list[Pair]:
    """All pairs in ``written/pairs``, old and new, in the words of one speaker.

    A line is a relation, the old statement and the new one, with tabs between them.

    >>> sorted({pair.relation for pair in everyday()})
    ['compatible', 'contradiction', 'duplicate', 'hedge', 'update']
    """
    folder = resources.files("psm_core.train") / "written" / "pairs"
    found = []
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        for line in file.read_text(encoding="utf-8").splitlines():
            relation, old, new = line.split("\t")
            found.append(Pair(SPEAKER, old, new, cast("Relation", relation), None))
    return found
