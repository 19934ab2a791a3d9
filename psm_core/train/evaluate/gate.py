"""The gate, beside its baselines: does what is turned away turn out to be needed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from psm_core.model import words
from psm_core.model.emotion import emotional_weight
from psm_core.model.heads import ROUTINE, Reading
from psm_core.model.kinds import LASTING_FIRST
from psm_core.model.network import PSM
from psm_core.model.rules import RulePolicy
from psm_core.model.signs import Heard, signs
from psm_core.protocols import GateContext
from psm_core.train.calibrate import reliability
from psm_core.train.corpus import Life
from psm_core.train.evaluate.again import said_before
from psm_core.train.evaluate.figures import (
    accuracy,
    auc,
    macro_f1,
    paired,
    spearman,
)
from psm_core.train.evaluate.measured import Measured, measured
from psm_core.train.feelings import FEELINGS, emobank, felt, goemotions
from psm_core.train.material import Remembered
from psm_core.train.reading import RECENT
from psm_core.types import Action, Entry, GateDecision, Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float64]
    Mask = NDArray[np.bool_]

AWAY = (0.3, 0.5)
"""Shares of the turns, those of least worth, that are turned away."""

ASKED = "by questions"
"""How evidence is counted where a turn that three questions need counts three times."""

ELSEWHERE = 2_000
"""Texts of each other corpus that are read; encoding them takes its time."""

OPERATION = "gate"

Told = Mapping[str, tuple[Sequence[Turn], Mapping[str, int]]]
"""By person: what was said, in order, and by id how many questions need which turn."""


class _Person(NamedTuple):
    """One person's turns as every system sees them; columns are (N,).

    ``asked`` counts the questions that need a turn, ``needed`` is True where any does.
    """

    worth: Mapping[str, Column]
    asked: NDArray[np.int64]
    needed: Mask
    away: Mapping[str, Mask]
    decided: Sequence[GateDecision]
    reading: Reading
    said: Column


def evaluate_gate(
    network: PSM,
    archive: float,
    lives: Sequence[Life],
    encoder: Remembered,
    feelings: Path | None = None,
) -> list[Measured]:
    """What the gate is worth on *lives*: order, labels, feelings, and honesty.

    Args:
        network: The trained network.
        archive: Calibrated worth in [0, 1] below which it turns away.
        lives: People whom it has not met.
        encoder: The encoder that the network was trained on.
        feelings: The folder of EmoBank and GoEmotions, if they are to be read too.

    Returns:
        The figures of `evaluate_worth`, those of the labels of the lives, those of the
        other corpora, and a row for each bin of the probability that a turn is kept.
    """
    told = {life.name: (life.turns, needed(life)) for life in lives}
    people = _read(network, archive, told, encoder)
    found = _worth(people)
    found += _labels(people, {life.name: life for life in lives})
    found += _honesty(people, {life.name: life for life in lives})
    return found + (_elsewhere(network, feelings, encoder) if feelings else [])


def needed(life: Life) -> dict[str, int]:
    """By id, how many questions about *life* need which turn."""
    return dict(Counter(turn for q in life.questions for turn in q.evidence))


def evaluate_worth(
    network: PSM, archive: float, told: Told, encoder: Remembered
) -> list[Measured]:
    """How much of what was needed stays when the turns of least worth go.

    Args:
        network: The trained network.
        archive: Calibrated worth in [0, 1] below which it turns away.
        told: By person, what was said, and what was needed.
        encoder: The encoder that the network was trained on.

    Returns:
        For PSM, the rules, length, and first person with content words: the evidence
        kept at each share of `AWAY`, once with each turn counted once and once with
        each counted for every question that needs it, and the AUC of evidence.  For
        PSM and the rules:
        the share that each turns away by its own lights, and the evidence it keeps.
    """
    return _worth(_read(network, archive, told, encoder))


# ----------------------------------------------------------------- what systems say


def _read(
    network: PSM, archive: float, told: Told, encoder: Remembered
) -> dict[str, _Person]:
    found = {}
    for name, (turns, counted) in told.items():
        asked = np.array([counted.get(turn.id, 0) for turn in turns])
        decided, rows = _decided(turns)
        vectors = torch.tensor(encoder.encode([turn.text for turn in turns]))
        with torch.no_grad():
            reading = network.eval().reader(vectors, torch.tensor(np.stack(rows)))
            said = network.calibrated("keep", reading.worth).double().numpy()
        found[name] = _Person(
            worth={
                "psm": said,
                "rules": np.array([_rank(d) for d in decided]),
                "length": np.array([float(len(words.words(t.text))) for t in turns]),
                "first person": np.array([_by_first_person(t.text) for t in turns]),
            },
            asked=asked,
            needed=asked > 0,
            away={
                "psm": said < archive,
                "rules": np.array([d.action is Action.ARCHIVE for d in decided]),
            },
            decided=decided,
            reading=reading,
            said=said,
        )
    return found


def _decided(turns: Sequence[Turn]) -> tuple[list[GateDecision], list[Any]]:
    """What the rules make of each turn, and its signs; each hears the past alone."""
    rules, past = RulePolicy(), dict[str, list[Turn]]()
    decided, rows = [], []
    for turn, same in zip(turns, said_before(turns), strict=True):
        recent = past.setdefault(turn.session, [])[-RECENT:]
        context = GateContext(
            user="",
            recent=recent,
            said_before=same,
            vector=np.zeros(1, np.float32),
            nearest=_nothing,
        )
        decided.append(rules.gate(turn, context))
        rows.append(signs(Heard.turn(turn, recent)))
        past[turn.session].append(turn)
    return decided, rows


def _nothing(_: int) -> list[tuple[Entry, float]]:
    return []


def _rank(decision: GateDecision) -> float:
    """The rules as an order: what is kept before what is deferred, then strength."""
    order = {Action.ARCHIVE: 0.0, Action.DEFER: 2.0, Action.KEEP: 4.0}
    return order[decision.action] + decision.strength


def _by_first_person(text: str) -> float:
    return 100.0 * words.first_person(text) + min(words.content_count(text), 99)


# ------------------------------------------------------------------ what it is worth


def _worth(people: Mapping[str, _Person]) -> list[Measured]:
    found = []
    for system in next(iter(people.values())).worth:
        for share in AWAY:
            measure = f"evidence kept, {share:.0%} turned away"
            kept = {n: stays(p.worth[system], share) for n, p in people.items()}
            cases = {n: kept[n][p.needed].tolist() for n, p in people.items()}
            found.append(measured(OPERATION, measure, system, cases))
            cases = {n: kept[n].repeat(p.asked).tolist() for n, p in people.items()}
            found.append(measured(OPERATION, f"{measure}, {ASKED}", system, cases))
        ranked = {n: paired(p.worth[system], p.needed) for n, p in people.items()}
        found.append(measured(OPERATION, "AUC of evidence", system, ranked, auc))
    for system in ("psm", "rules"):
        away = {n: p.away[system].tolist() for n, p in people.items()}
        found.append(measured(OPERATION, "share turned away", system, away))
        stayed = {n: (~p.away[system])[p.needed].tolist() for n, p in people.items()}
        found.append(measured(OPERATION, "evidence kept", system, stayed))
    return found


def stays(worth: Column, share: float) -> Column:
    """(N,) 1 for each turn that stays where the least of (N,) *worth* go, else 0.

    Args:
        worth: What orders them; ties go by chance.
        share: Of the turns that go, in [0, 1].
    """
    chance = np.random.default_rng(1).random(len(worth))
    away = np.lexsort((chance, worth))[: int(len(worth) * share)]
    left = np.ones(len(worth))
    left[away] = 0.0
    return left


# ------------------------------------------------------------- the labels of the lives


def _labels(people: Mapping[str, _Person], lives: Mapping[str, Life]) -> list[Measured]:
    said = {n: life.said for n, life in lives.items()}
    found = []
    for system in ("psm", "rules", "length"):
        cases = {
            n: paired(p.worth[system], [s.keep for s in said[n]])
            for n, p in people.items()
        }
        found.append(measured(OPERATION, "AUC of keep", system, cases, auc))
    true = {n: [LASTING_FIRST.index(s.kind) for s in said[n]] for n in people}
    kinds = {
        "psm": {n: p.reading.kind.argmax(1).tolist() for n, p in people.items()},
        "rules": {
            n: [LASTING_FIRST.index(d.kind) for d in p.decided]
            for n, p in people.items()
        },
    }
    for system, guessed in kinds.items():
        cases = {n: paired(guessed[n], true[n]) for n in people}
        found.append(measured(OPERATION, "kind, macro F1", system, cases, macro_f1))
        found.append(measured(OPERATION, "kind, accuracy", system, cases, accuracy))
    valence = {n: [s.valence for s in said[n]] for n in people}
    arousal = {n: [s.arousal for s in said[n]] for n in people}
    weight = {n: [_weight(s.valence, s.arousal) for s in said[n]] for n in people}
    read = {n: p.reading for n, p in people.items()}
    lexicon = {n: [emotional_weight(s.turn.text) for s in said[n]] for n in people}
    for what, system, guess, label in (
        ("valence", "psm", {n: r.feeling[:, 0] for n, r in read.items()}, valence),
        ("arousal", "psm", {n: r.feeling[:, 1] for n, r in read.items()}, arousal),
        ("arousal", "lexicon", lexicon, arousal),
        ("emotional weight", "psm", {n: r.emotion for n, r in read.items()}, weight),
        ("emotional weight", "lexicon", lexicon, weight),
    ):
        cases = {n: paired(guess[n], label[n]) for n in people}
        measure = f"Spearman of {what}"
        found.append(measured(OPERATION, measure, system, cases, spearman))
    return found


def _weight(valence: float, arousal: float) -> float:
    """As `Reading.emotion`, of what a careful reader said."""
    return (abs(valence) + max(arousal - ROUTINE, 0.0) / (1 - ROUTINE)) / 2


def _honesty(
    people: Mapping[str, _Person], lives: Mapping[str, Life]
) -> list[Measured]:
    """For each bin of what was said of keeping: the share that was worth keeping."""
    said = np.concatenate([people[n].said for n in lives])
    true = np.array([s.keep for life in lives.values() for s in life.said])
    found = []
    for each in reliability(said, true):
        hits = round(each.true * each.n)
        cases = {"all": [1.0] * hits + [0.0] * (each.n - hits)}
        measure = f"worth keeping where {each.said:.2f} was said"
        found.append(measured(OPERATION, measure, "psm", cases))
    return found


# ------------------------------------------------------------ what others wrote down


def _elsewhere(network: PSM, feelings: Path, encoder: Remembered) -> list[Measured]:
    found = []
    for corpus, read in (("EmoBank", emobank), ("GoEmotions", goemotions)):
        rows = read(feelings, "test")[:ELSEWHERE]
        texts = felt(rows, encoder)
        with torch.no_grad():
            reading = network.eval().reader(texts.vectors, texts.signs)
        lexicon = [emotional_weight(text) for text, _, _ in rows]
        for what, system, said, true in (
            ("valence", "psm", reading.feeling[:, 0], texts.feeling[:, 0]),
            ("arousal", "psm", reading.feeling[:, 1], texts.feeling[:, 1]),
            ("arousal", "lexicon", lexicon, texts.feeling[:, 1]),
        ):
            cases = {corpus: paired(said, true)}
            measure = f"Spearman of {what}, {corpus}"
            found.append(measured(OPERATION, measure, system, cases, spearman))
        if read is goemotions:
            moved = [(v, a) != FEELINGS["neutral"] for _, v, a in rows]
            for system, said in (("psm", reading.emotion), ("lexicon", lexicon)):
                cases = {corpus: paired(said, moved)}
                measure = "AUC of emotional against neutral, GoEmotions"
                found.append(measured(OPERATION, measure, system, cases, auc))
    return found
