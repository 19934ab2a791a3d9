"""How one memory stands to another, as the network tells it. Loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from psm_core.model import words
from psm_core.model.amounts import amounts
from psm_core.model.interference import comparable
from psm_core.model.interference import interferes as by_rule
from psm_core.model.network import PSM
from psm_core.model.pairs import Statement, pair_signs
from psm_core.model.relation import RELATIONS, conflict
from psm_core.types import Conflict, ConflictKind, Entry

if TYPE_CHECKING:
    from psm_core.content import Matrix, Vector

    Encode = Callable[[Sequence[str]], Matrix]

DENIED = 0.1
"""Calibrated chance of a conflict below which one that the rules found doesn't stand.

They find few, and hardly ever a wrong one; the network knows little of plain sentences
that differ in a name ("lives in Lyon", "lives in Oslo").
"""

DOUBTED = 0.5
"""The same chance from which on nothing is a duplicate."""

_REASONS = {
    ConflictKind.UPDATE: "the later one reads as a change of what was so",
    ConflictKind.CONTRADICTION: "the two read as if they can't both be so",
    ConflictKind.DUPLICATE: "the two read as one thing said twice",
}


class Related(NamedTuple):
    """How the later of two memories stands to the earlier one, in [0, 1].

    ``conflict`` is the calibrated chance that both can't hold, ``kind`` how they then
    clash, and ``duplicate`` what the head gives for one thing said twice.
    """

    conflict: float
    kind: ConflictKind
    duplicate: float


def relate(network: PSM, encode: Encode, new: Entry, old: Entry) -> Related:
    """How the later said of two memories stands to the other one.

    Args:
        network: Trained, in evaluation mode.
        encode: Gives the vectors of entries that come without.
        new: One memory; of two said at one time, the later one.
        old: The other one.
    """
    if new.said_at < old.said_at:
        new, old = old, new
    one, other = (_statement(entry, encode) for entry in (new, old))
    with torch.inference_mode():
        rows = (one.vector, other.vector, pair_signs(one, other))
        logits = network.relation(*(torch.from_numpy(row)[None] for row in rows))
        sure = network.calibrated("relation", conflict(logits))[0]
    chances = dict(zip(RELATIONS, logits.exp()[0].tolist(), strict=True))
    clashes = (ConflictKind.UPDATE, ConflictKind.CONTRADICTION)
    return Related(
        conflict=float(sure),
        kind=max(clashes, key=lambda kind: chances[kind.value]),
        duplicate=chances["duplicate"],
    )


def interferes(
    network: PSM,
    thresholds: Mapping[str, float],
    encode: Encode,
    new: Entry,
    old: Entry,
) -> Conflict | None:
    """Whether both can be true now, as the network tells it; None where they can.

    It finds what no rule can; what a rule found stands unless the network doubts it.

    Args:
        network: Trained, in evaluation mode.
        thresholds: From which chance on it flags ("conflict") and merges
            ("duplicate"); without them the rules decide.
        encode: Gives the vectors of entries that come without.
        new: The memory that was said later.
        old: The one that was there before.

    Returns:
        A conflict whose confidence is the calibrated chance of it, or a duplicate,
        with a reason that quotes nothing.
    """
    ruled = by_rule(new, old)
    if "conflict" not in thresholds or not comparable(new, old):
        return ruled
    found = relate(network, encode, new, old)
    if not _mergeable(new, old):
        found = found._replace(duplicate=0.0)
    kind = _kind(found, ruled.kind if ruled else None, thresholds)
    if kind is None:
        return None
    clash = kind is not ConflictKind.DUPLICATE
    chance = found.conflict if clash else max(found.duplicate, DOUBTED)
    reason = _REASONS[kind]
    if ruled is not None and ruled.kind is kind:
        chance, reason = max(chance, ruled.confidence), ruled.reason
    return Conflict(kind, new.id, old.id, round(chance, 2), reason)


def _mergeable(new: Entry, old: Entry) -> bool:
    """Whether nothing speaks against merging, which destroys text."""
    numbers, before = amounts(new.text), amounts(old.text)
    told = not (numbers and before and numbers.isdisjoint(before))
    return told and words.negated(new.text) == words.negated(old.text)


def _kind(
    found: Related, ruled: ConflictKind | None, thresholds: Mapping[str, float]
) -> ConflictKind | None:
    by_rules = ruled in (ConflictKind.UPDATE, ConflictKind.CONTRADICTION)
    if found.conflict >= (DENIED if by_rules else thresholds["conflict"]):
        return ruled if by_rules else found.kind
    repeats = found.duplicate >= thresholds["duplicate"] or ruled is not None
    if repeats and not by_rules and found.conflict < DOUBTED:
        return ConflictKind.DUPLICATE
    return None


def _statement(entry: Entry, encode: Encode) -> Statement:
    vector: Vector = encode([entry.text])[0] if entry.vector is None else entry.vector
    return Statement(entry.text, entry.speaker, np.asarray(vector, np.float32))
