"""Consolidation's figures: which patterns are facts, and what becomes of the words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import torch

from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import PSMPolicy
from psm_core.model.rules import RulePolicy
from psm_core.train.corpus import Life, Question, Said, lives
from psm_core.train.evaluate.asking import System
from psm_core.train.evaluate.consolidation import evaluate_consolidation
from psm_core.train.evaluate.patterns import (
    EVERYTHING,
    Found,
    evaluate_patterns,
    patterns_in,
)
from psm_core.train.material import Remembered
from psm_core.types import Entry, Kind, Pattern, Tier, Trace, Turn

T0 = datetime(2024, 5, 1, tzinfo=UTC)
THRESHOLDS = {"answer": 0.0, "archive": 0.1, "defer": 0.2, "fact": 0.3}
SUREST = "labelled a fact, of the surest 3 in 100 turns"
WRITTEN = "labelled a fact, of what is written"
DISTANCE = "distance of confidence from what is so"


def figures(rows):
    """Values by (measure, system)."""
    found = {(row.measure, row.system): row.value for row in rows}
    assert len(found) == len(rows)
    return found


def told(kind, *, keep=True, n=1):
    """One turn, and the labels of a careful reader."""
    turn = Turn("I swim.", "Ada", at=T0, session="s1", id=f"t{n}")
    return Said(turn, keep=keep, kind=kind, valence=0.0, arousal=0.0)


def episode(said):
    turn = said.turn
    return Entry(
        id=f"e-{turn.id}",
        tier=Tier.EPISODIC,
        kind=Kind.STATE,
        text=turn.text,
        speaker=turn.speaker,
        role="user",
        session="s1",
        said_at=T0,
        sources=(turn.id,),
        trace=Trace(0.5, T0 - datetime(2024, 4, 1, tzinfo=UTC), T0),
    )


class OnePattern(RulePolicy):
    """Puts all episodes into one pattern, and is four fifths sure of it."""

    def abstract(self, episodes):
        ids = tuple(e.id for e in episodes)
        return [Pattern("Ada swims.", Kind.STATE, "Ada", 0.8, ids)]


@pytest.mark.parametrize(
    ("said", "so"),
    [
        ([told(Kind.STATE)], 1.0),
        ([told(Kind.PREFERENCE)], 1.0),
        ([told(Kind.PLAN)], 0.0),
        ([told(Kind.EVENT)], 0.0),
        ([told(Kind.STATE, keep=False)], 0.0),
        ([told(Kind.STATE), told(Kind.PREFERENCE, n=2)], 1.0),
        ([told(Kind.STATE), told(Kind.TALK, n=2)], 0.0),
    ],
)
def test_a_pattern_is_a_fact_where_all_its_turns_are_labelled_so(said, so):
    """A kept state or preference is; one turn of another kind, and it isn't."""
    found = patterns_in(OnePattern(), [episode(s) for s in said], said)

    assert found == Found(len(said), [(0.8, so)])


HALF = [(0.9, 1.0), (0.7, 0.0), (0.65, 1.0), (0.5, 0.0), (0.5, 1.0), (0.1, 0.0)]


def test_order_precision_and_count_are_those_of_the_confidences():
    """From 0.6 on it is written: three of six, two of them facts; two are surest."""
    rows = figures(evaluate_patterns({"psm": {"ada": Found(60, HALF)}}))

    assert rows["AUC of confidence", "psm"] == pytest.approx(6.5 / 9)
    assert rows[WRITTEN, "psm"] == pytest.approx(2 / 3)
    assert rows[SUREST, "psm"] == 0.5
    assert rows["written in 100 turns", "psm"] == 5.0


def test_whoever_knows_is_first_and_whoever_is_wrong_is_last():
    """The figures tell a policy that knows from one that has it the wrong way round."""
    knows = [(so, so) for _, so in HALF]
    errs = [(1 - so, so) for _, so in HALF]
    rows = figures(
        evaluate_patterns(
            {"psm": {"ada": Found(60, knows)}, "rules": {"ada": Found(60, errs)}}
        )
    )

    for measure in ("AUC of confidence", WRITTEN, SUREST):
        assert (rows[measure, "psm"], rows[measure, "rules"]) == (1.0, 0.0)
    assert (rows[DISTANCE, "psm"], rows[DISTANCE, "rules"]) == (0.0, 1.0)


def test_to_write_down_everything_is_a_baseline():
    """It writes all that the rules can word, and is right as often as there are facts."""
    rows = figures(evaluate_patterns({"rules": {"ada": Found(60, HALF)}}))

    assert rows[WRITTEN, EVERYTHING] == 0.5
    assert rows["written in 100 turns", EVERYTHING] == 10.0
    assert rows["AUC of confidence", EVERYTHING] == 0.5
    assert rows[DISTANCE, EVERYTHING] == 0.5


def test_every_pattern_stands_in_one_bin_of_honesty():
    """The bins hold all patterns; their names say what was said of them."""
    rows = evaluate_patterns({"psm": {"ada": Found(60, HALF[:4])}})

    bins = {
        row.measure: (row.value, row.n)
        for row in rows
        if row.system == "psm" and " where " in row.measure
    }
    assert bins == {
        "labelled a fact where 0.50 was said": (0.0, 1),
        "labelled a fact where 0.65 was said": (1.0, 1),
        "labelled a fact where 0.70 was said": (0.0, 1),
        "labelled a fact where 0.90 was said": (1.0, 1),
    }


def test_people_without_patterns_are_counted_as_silent():
    """Who says nothing that can be worded gets no precision, and writes nothing."""
    rows = evaluate_patterns({"psm": {"ada": Found(60, HALF), "bob": Found(40, [])}})

    by_measure = {row.measure: row for row in rows if row.system == "psm"}
    assert set(by_measure[WRITTEN].people) == {"ada"}
    assert by_measure["written in 100 turns"].people == {"ada": 5.0, "bob": 0.0}
    assert evaluate_patterns({"psm": {"bob": Found(40, [])}}) == []


# ----------------------------------------------------------------- a whole night


@pytest.fixture(scope="module")
def rows(shortened):
    """A sleep of one short life, as an untrained network and as the rules decide."""
    encoder = Remembered(HashEncoder(64))
    torch.manual_seed(1)
    network = PSM(Shape(64)).eval()
    card = Card("tiny", encoder.name, thresholds=THRESHOLDS)
    policy = PSMPolicy(network=(network, card), encoder=encoder)
    systems = [
        System("psm", policy, encoder, network),
        System("rules", RulePolicy(), encoder),
    ]
    life = shortened(lives("train")[0], sessions=4, questions=4)
    return figures(evaluate_consolidation(systems, [life], lambda _: None))


def test_what_is_written_becomes_a_fact(rows):
    """Each pattern from 0.6 on is a fact in the store, unless it was there before."""
    for system in ("psm", "rules"):
        written = rows["written in 100 turns", system]
        assert 0 <= rows["facts in 100 turns", system] <= written


def test_trust_differs_and_words_do_not(rows):
    """A network orders the same patterns otherwise; none writes more than everything."""
    assert rows["AUC of confidence", "psm"] != rows["AUC of confidence", "rules"]
    for system in ("psm", "rules"):
        written = rows["written in 100 turns", system]
        assert written < rows["written in 100 turns", EVERYTHING]


def test_what_facts_cover_can_be_read_in_them():
    """An episode that left the index for a fact lives on in it, word by word."""
    said = ("I live in Lyon.", "I live in Lyon, and oh, the stairs!")
    turns = [
        Turn(text, "Ada", at=T0, session="s1", id=f"t{n}")
        for n, text in enumerate(said)
    ]
    life = Life(
        name="ada",
        chat="assistant",
        people={"Ada": "", "Juno": ""},
        said=tuple(
            Said(t, keep=True, kind=Kind.STATE, valence=0.0, arousal=0.0) for t in turns
        ),
        questions=(Question("Where does Ada live?", "single-hop", ("t0",), "Lyon"),),
        pairs=(),
        corrections=(),
    )
    system = System("rules", RulePolicy(), Remembered(HashEncoder(64)))

    rows = evaluate_consolidation([system], [life], lambda _: None)

    (covered,) = (r for r in rows if r.measure == "own words of what facts cover")
    assert (covered.value, covered.n) == (1.0, 1)
