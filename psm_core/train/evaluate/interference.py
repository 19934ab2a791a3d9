"""Interference, beside its baselines: are conflicts told from what only looks so?"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

import numpy as np

from psm_core.model import words
from psm_core.model.kinds import kind_of
from psm_core.model.policy import PSMPolicy
from psm_core.protocols import Policy
from psm_core.train.apart import unlabelled
from psm_core.train.calibrate import reliability
from psm_core.train.corpus import RELATIONS, Life, Pair
from psm_core.train.evaluate.figures import Case, accuracy, auc
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.material import Remembered
from psm_core.types import Conflict, ConflictKind, Entry, Tier, Trace

T = TypeVar("T")

OPERATION = "interference"

CONFLICTS = ("update", "contradiction")
"""What can't both hold."""

LOOK_ALIKES = ("compatible", "hedge")
"""What is on one matter, and can: a hedge conflicts with nothing."""

OTHERS = "unlabelled"
"""Two statements of one speaker that nobody put together."""

PRECISE = 0.9
"""Precision at which recall is read."""

MARKED = 0.25
"""What a marker of change or a denial on one side adds to cosine, in the baseline."""

_BEFORE = datetime(2024, 1, 1, 12, tzinfo=UTC)
_LATER = timedelta(days=30)


class _Row(NamedTuple):
    """One pair: how it stands, whether its sides are turns, and what is said of it.

    ``said`` gives, by system, how sure it is of a conflict; ``found`` what each policy
    answers.
    """

    relation: str
    turns: bool
    said: Mapping[str, float]
    found: Mapping[str, Conflict | None]


_People = Mapping[str, Sequence[_Row]]


def evaluate_interference(
    policies: Sequence[Policy], lives: Sequence[Life], encoder: Remembered
) -> list[Measured]:
    """How well conflicts are told from the rest, and what is flagged.

    A conflict is an update or a contradiction.  "AUC" holds all of them against all
    other labelled pairs: duplicates, look-alikes that are compatible, and hedges.
    "hard AUC" holds them against look-alikes and hedges alone.  A trained policy is
    ranked by the chance that it gives, below any threshold; another one by the
    confidence of the conflict that it answers, 0 where it answers none.

    Args:
        policies: Who is measured.
        lives: People whom they haven't met; their pairs are the cases.
        encoder: Gives the vectors; the baselines' cosine is that of its vectors.

    Returns:
        For each policy and the baselines cosine, and cosine with change words and
        denials: both AUCs, the same of each relation, of statements and of turns, and
        against pairs that nobody labelled; recall at precision .9.  For each policy:
        accuracy over the four kinds, and what is found and flagged by its own lights.
        For a trained one: a row for each bin of the chance that it gives.
    """
    people = {life.name: _rows(policies, life, encoder) for life in lives}
    found = []
    for system in (*(p.name for p in policies), "cosine", "cosine and markers"):
        found += _told_apart(system, people)
    for policy in policies:
        found += _flagged(policy.name, people)
        if isinstance(policy, PSMPolicy):
            found += _honesty(policy.name, people)
    return found


# ----------------------------------------------------------------- what systems say


def _rows(
    policies: Sequence[Policy], life: Life, encoder: Remembered
) -> Sequence[_Row]:
    drawn = [(OTHERS, pair) for pair in unlabelled(life, encoder, 1)]
    pairs = [*((pair.relation, pair) for pair in life.pairs), *drawn]
    return [_row(policies, relation, pair, encoder) for relation, pair in pairs]


def _row(
    policies: Sequence[Policy], relation: str, pair: Pair, encoder: Remembered
) -> _Row:
    vectors = encoder.encode([pair.old, pair.new])
    old = _entry("old", pair.old, pair.speaker, _BEFORE, vectors[0])
    new = _entry("new", pair.new, pair.speaker, _BEFORE + _LATER, vectors[1])
    found = {policy.name: policy.interferes(new, old) for policy in policies}
    near = float(vectors[0] @ vectors[1])
    denied = words.negated(pair.new) != words.negated(pair.old)
    said = {p.name: _said(p, new, old, found[p.name]) for p in policies}
    said["cosine"] = near
    said["cosine and markers"] = near + MARKED * (denied + words.changed(pair.new))
    return _Row(relation, pair.ids is not None, said, found)


def _said(policy: Policy, new: Entry, old: Entry, found: Conflict | None) -> float:
    if isinstance(policy, PSMPolicy):
        return policy.relate(new, old).conflict
    return found.confidence if found and found.kind.value in CONFLICTS else 0.0


def _entry(
    name: str, text: str, speaker: str, at: datetime, vector: np.ndarray
) -> Entry:
    return Entry(
        id=name,
        tier=Tier.EPISODIC,
        kind=kind_of(text),
        text=text,
        speaker=speaker,
        role="user",
        session=name,
        said_at=at,
        sources=(name,),
        trace=Trace(1.0, timedelta(days=90), at),
        vector=vector,
    )


# --------------------------------------------------------------- how well they rank


def _told_apart(system: str, people: _People) -> list[Measured]:
    def row(
        measure: str,
        figure: Callable[[Sequence[Case]], float],
        relations: Collection[str],
        *,
        turns: bool | None = None,
    ) -> list[Measured]:
        cases = {
            name: [
                (r.said[system], float(r.relation in CONFLICTS))
                for r in rows
                if r.relation in relations and turns in (None, r.turns)
            ]
            for name, rows in people.items()
        }
        return _measured(measure, system, cases, figure)

    rest = ("duplicate", *LOOK_ALIKES)
    at_precision = functools.partial(recall_at, precision=PRECISE)
    return [
        *row("AUC", auc, RELATIONS),
        *row("hard AUC", auc, (*CONFLICTS, *LOOK_ALIKES)),
        *row("recall at precision .9", at_precision, RELATIONS),
        *row("AUC of updates", auc, ("update", *rest)),
        *row("AUC of contradictions", auc, ("contradiction", *rest)),
        *(x for n in rest for x in row(f"AUC against {n}", auc, (*CONFLICTS, n))),
        *row("AUC against pairs nobody labelled", auc, (*CONFLICTS, OTHERS)),
        *row("AUC of statements", auc, RELATIONS, turns=False),
        *row(
            "recall at precision .9, statements", at_precision, RELATIONS, turns=False
        ),
        *row("AUC of turns", auc, RELATIONS, turns=True),
    ]


def recall_at(cases: Sequence[Case], precision: float) -> float:
    """The largest share of what is so that can be had at *precision*.

    Args:
        cases: What a system said, and 1 for what is so, else 0; ties go together.
        precision: Least share of the flagged that are so, in [0, 1].

    >>> recall_at([(0.9, 1), (0.8, 1), (0.7, 0), (0.6, 1)], 0.9)
    0.6666666666666666
    """
    said, true = np.array(sorted(cases, reverse=True)).T
    hits = true.cumsum()
    last = np.append(np.diff(said) != 0, [True])
    safe = last & (hits / np.arange(1, len(said) + 1) >= precision)
    return float(hits[safe].max() / hits[-1]) if safe.any() and hits[-1] else 0.0


# ------------------------------------------------------------------ what they answer


def _flagged(system: str, people: _People) -> list[Measured]:
    def shares(
        measure: str, relations: Collection[str], right: Callable[[str, str], bool]
    ) -> list[Measured]:
        cases = {
            name: [
                float(right(_answer(r, system), r.relation))
                for r in rows
                if r.relation in relations
            ]
            for name, rows in people.items()
        }
        return _measured(measure, system, cases)

    kinds = {
        name: [
            (_KINDS.index(_answer(r, system)), _KINDS.index(_kind(r.relation)))
            for r in rows
            if r.relation != OTHERS
        ]
        for name, rows in people.items()
    }
    return [
        measured(OPERATION, "accuracy over four kinds", system, kinds, accuracy),
        *shares("updates found", ("update",), _flags),
        *shares("contradictions found", ("contradiction",), _flags),
        *shares("compatible pairs flagged", LOOK_ALIKES, _flags),
        *shares("pairs nobody labelled flagged", (OTHERS,), _flags),
        *shares("duplicates found", ("duplicate",), _merges),
        *shares("others merged", (*CONFLICTS, *LOOK_ALIKES, OTHERS), _merges),
        *_precision(system, people),
    ]


_KINDS = ("compatible", "duplicate", "update", "contradiction")


def _kind(relation: str) -> str:
    return "compatible" if relation == "hedge" else relation


def _answer(row: _Row, system: str) -> str:
    found = row.found[system]
    return found.kind.value if found else "compatible"


def _flags(answer: str, _: str) -> bool:
    return answer in CONFLICTS


def _merges(answer: str, _: str) -> bool:
    return answer == ConflictKind.DUPLICATE.value


def _precision(system: str, people: _People) -> list[Measured]:
    cases = {
        name: [
            float(r.relation in CONFLICTS)
            for r in rows
            if r.relation != OTHERS and _answer(r, system) in CONFLICTS
        ]
        for name, rows in people.items()
    }
    return _measured("conflicts among the flagged", system, cases)


def _measured(
    measure: str,
    system: str,
    cases: Mapping[str, Sequence[T]],
    figure: Callable[[Sequence[T]], float] = statistics.fmean,  # type: ignore[assignment]
) -> list[Measured]:
    """One row, or none where there is nothing to count."""
    if not any(cases.values()):
        return []
    return [measured(OPERATION, measure, system, cases, figure)]


def _honesty(system: str, people: _People) -> list[Measured]:
    """For each bin of the chance that was given: the share that did conflict."""
    told = [r for rows in people.values() for r in rows if r.relation != OTHERS]
    said = np.array([r.said[system] for r in told], np.float32)
    true = np.array([r.relation in CONFLICTS for r in told])
    found = []
    for each in reliability(said, true):
        hits = round(each.true * each.n)
        cases = {"all": [1.0] * hits + [0.0] * (each.n - hits)}
        measure = f"conflicts where {each.said:.2f} was said"
        found.append(measured(OPERATION, measure, system, cases))
    return found
