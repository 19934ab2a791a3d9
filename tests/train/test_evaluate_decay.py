"""The report card of forgetting: what it counts, and that it can tell systems apart."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from psm_core.errors import TranscriptError
from psm_core.model.encoder import HashEncoder
from psm_core.model.rules import RulePolicy
from psm_core.train.corpus import lives
from psm_core.train.evaluate import decay
from psm_core.train.evaluate.decay import asked_of, evaluate_decay, half_lives
from psm_core.train.fading import DAY, Course, Judged
from psm_core.train.material import Remembered
from psm_core.types import Action, Kind, Outcome


class Knowing(RulePolicy):
    """Knows which turns will be needed, and keeps those alone."""

    def __init__(self, needed, *, name="knowing"):
        self._needed = needed
        self._name = name

    @property
    def name(self):
        return self._name

    def gate(self, turn, context):
        decision = super().gate(turn, context)
        strength = 0.9 if turn.id in self._needed else 0.1
        return replace(
            decision,
            action=Action.KEEP,
            kind=Kind.TALK,
            strength=strength,
            half_life=timedelta(days=3650),
        )

    def half_life(self, entry):
        return timedelta(days=3650)


@pytest.fixture(scope="module")
def encoder():
    return Remembered(HashEncoder(64))


@pytest.fixture(scope="module")
def one():
    """A person of whom so little is asked that 40 % of the turns hold all evidence."""
    life = lives("train")[0]
    return [replace(life, questions=life.questions[:38])]


@pytest.fixture(scope="module")
def rows(encoder, one):
    needed = {i for q in one[0].questions for i in q.evidence}
    policies = [Knowing(needed), RulePolicy()]
    found = evaluate_decay(policies, one, encoder, chosen_on=lives("train")[1:2])
    return {(row.measure, row.system): row for row in found}


def test_who_knows_what_is_needed_keeps_it(rows):
    """With room for all evidence an omniscient policy keeps nearly all, chance 40 %."""
    measure = "needed kept in 40% of the turns"

    assert rows[measure, "knowing"].value > 0.98
    assert rows[measure, "no decay"].value == pytest.approx(0.4, abs=0.12)


def test_each_system_has_each_budget(rows):
    """Two policies and eight baselines are measured within 10, 20 and 40 %."""
    for budget in ("10%", "20%", "40%"):
        measure = f"needed kept in {budget} of the turns"
        assert sum(m == measure for m, _ in rows) == 10
    assert all(row.low <= row.value <= row.high for row in rows.values())


def test_a_greater_budget_keeps_more(rows):
    """What is kept in 10 % of the turns is kept in 40 % of them."""
    for system in ("rules", "ACT-R", "FSRS", "length", "age"):
        small, large = (
            rows[f"needed kept in {b} of the turns", system].value
            for b in ("10%", "40%")
        )
        assert small < large


def test_the_gain_is_that_over_the_fixed_exponential(rows):
    """The ratio is one share over the other, on the same questions."""
    measure = "needed kept in 20% of the turns"
    times = f"{measure}, times that of the fixed exponential"

    own, fixed = (
        rows[measure, "knowing"].value,
        rows[measure, "fixed exponential"].value,
    )
    assert rows[times, "knowing"].value == pytest.approx(own / fixed)


def test_what_fades_too_early_is_counted(rows, encoder, one):
    """A policy that lets all go within an hour has archived whatever is needed."""

    class Hasty(Knowing):
        def gate(self, turn, context):
            decision = super().gate(turn, context)
            return replace(decision, half_life=timedelta(hours=1), strength=0.1)

        def half_life(self, entry):
            return timedelta(hours=1)

    found = evaluate_decay([Hasty(set())], one, encoder, chosen_on=one)
    gone = next(row for row in found if row.measure == "needed and archived")

    assert gone.value > 0.8
    assert rows["needed and archived", "knowing"].value == 0.0


def test_a_use_starts_the_clock_anew(one):
    """Recency of use is counted from the last use, age from the telling."""
    life = one[0]
    told = life.turns[0].at
    course = Course(
        life, told + 30 * DAY, 1, (Judged(told + 20 * DAY, 0, Outcome.USED),), {}
    )

    assert decay._since_use(course) == [-10.0]
    assert decay._age(course) == [-30.0]
    assert decay._act_r(course) == [pytest.approx(30**-0.5 + 10**-0.5)]


def test_half_lives_are_given_by_kind(encoder, one):
    """Rules give small talk three days and states eighteen months at the median."""
    found = half_lives(RulePolicy(), one, encoder)

    assert len(found[Kind.TALK]) == 9
    assert found[Kind.TALK][4] == pytest.approx(3.0, abs=0.5)
    assert found[Kind.STATE][4] == pytest.approx(540, abs=60)


def locomo(folder, conversation, questions):
    item = {"sample_id": "c1", "conversation": conversation, "qa": questions}
    file = folder / "locomo.json"
    file.write_text(json.dumps([item]), encoding="utf-8")
    return file


TALK = {
    "speaker_a": "Ada",
    "speaker_b": "Ben",
    "session_1_date_time": "1:56 pm on 8 May, 2023",
    "session_1": [
        {"speaker": "Ada", "dia_id": "D1:1", "text": "I sold the kayak."},
        {"speaker": "Ben", "dia_id": "D1:2", "text": "Good."},
    ],
}


def test_conversations_become_lives_with_their_questions(tmp_path):
    """Questions without evidence, and those about what was never said, are left out."""
    asked = [
        {"question": "What was sold?", "evidence": ["D1:1"], "category": 4},
        {"question": "Who bought it?", "evidence": ["D1:1"], "category": 5},
        {"question": "Why?", "evidence": [], "category": 4},
        {"question": "Where?", "evidence": ["D9:9"], "category": 4},
    ]

    (life,) = asked_of(locomo(tmp_path, TALK, asked))

    assert [turn.id for turn in life.turns] == ["c1/D1:1", "c1/D1:2"]
    assert [(q.text, q.evidence) for q in life.questions] == [
        ("What was sold?", ("c1/D1:1",))
    ]
    assert list(life.people) == ["Ada", "Ben"]


def test_a_transcript_without_questions_is_refused(tmp_path):
    """Turns alone ask nothing, so there is nothing to measure."""
    file = tmp_path / "turns.jsonl"
    file.write_text('{"text": "I sold the kayak.", "speaker": "Ada"}\n')

    with pytest.raises(TranscriptError, match="questions come with LoCoMo's format"):
        asked_of(file)
