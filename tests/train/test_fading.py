"""Training of half-lives: what a life's questions teach about forgetting."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import torch

from psm_core.model import fading as rules
from psm_core.model.encoder import HashEncoder
from psm_core.model.heads import FADING, LOG_FACTOR_MAX, Fading
from psm_core.model.kinds import LASTING_FIRST
from psm_core.model.network import PSM, Shape
from psm_core.strength import retained
from psm_core.train import fading
from psm_core.train.corpus import Correction, Life, Question, Said, lives
from psm_core.train.fading import (
    DAY,
    Course,
    Judged,
    as_heard,
    course,
    heard,
    kept,
    lived,
    train_fading,
)
from psm_core.train.material import Material, Remembered
from psm_core.types import Kind, Outcome, Tier, Turn

T0 = datetime(2024, 1, 1, tzinfo=UTC)

TEXTS = ("my sister lives in Porto", "nice", "I sold the red kayak", "ah, good")


@pytest.fixture(scope="module")
def encoder():
    return Remembered(HashEncoder(64))


def life(questions=(), corrections=(), name="ada"):
    """Four turns, ten days apart."""
    said = tuple(
        Said(
            Turn(text, "Ada", at=T0 + n * 10 * DAY, session=f"s{n}", id=f"t{n}"),
            keep=n % 2 == 0,
            kind=Kind.TALK,
            valence=0.0,
            arousal=0.0,
        )
        for n, text in enumerate(TEXTS)
    )
    asked = tuple(Question(text, "single-hop", ids, "") for text, ids in questions)
    return Life(name, "two people", {"Ada": ""}, said, asked, (), tuple(corrections))


ASKED = (("Where does Ada's sister live?", ("t0",)), ("What was sold?", ("t2",)))


def entries(of, strength=0.5):
    return [as_heard(turn, Kind.EVENT, strength, 0.0) for turn in of.turns]


def test_one_seed_is_one_course(encoder):
    """The same seed draws the same course, another one another."""
    one, same, other = (course(life(ASKED), encoder, n) for n in (1, 1, 2))

    assert one == same
    assert other.now != one.now


def test_what_answered_was_used_and_what_lay_near_was_shown_in_vain(encoder):
    """Each question of the past marks its evidence used, and others ignored."""
    drawn = [course(life(ASKED), encoder, n, again=0.0) for n in range(30)]

    for one in drawn:
        used = {e.row for e in one.judged if e.outcome is Outcome.USED}
        past = {n for n in (0, 1) if n not in one.needed and 2 * n < one.heard}
        assert used == {2 * n for n in past}
        assert all(e.at <= one.now for e in one.judged)
    assert any(e.outcome is Outcome.IGNORED for one in drawn for e in one.judged)


def test_a_question_is_needed_again_only_where_questions_come_again(encoder):
    """With *again* 1 each question is needed after the moment, with 0 only new ones."""
    every = [course(life(ASKED), encoder, n, again=1.0) for n in range(20)]
    new = [course(life(ASKED), encoder, n, again=0.0) for n in range(20)]

    assert all(0 in one.needed for one in every)
    assert not all(0 in one.needed for one in new)


def test_nothing_is_used_before_it_is_said(encoder):
    """A life of which only a part was heard holds outcomes and needs of that part."""
    for seed in range(30):
        one = course(life(ASKED), encoder, seed)

        assert all(e.at >= T0 + e.row * 10 * DAY for e in one.judged)
        assert all(row < one.heard for rows in one.needed.values() for row in rows)


def test_what_was_taken_back_counts_as_corrected(encoder):
    """A correction is an outcome of the turn that was wrong, when it is said."""
    one = course(life(corrections=[Correction("t1", "t0")]), encoder, 0)

    assert one.judged == (Judged(T0 + 10 * DAY, 0, Outcome.CORRECTED),)


def test_outcomes_change_strength_counts_and_half_life():
    """A use restores 30 % of what is missing, and the half-life is decided anew."""
    own = life()
    one = Course(own, T0 + 100 * DAY, 4, (Judged(T0, 0, Outcome.USED),), {})

    used, *rest = lived(entries(own), one, lambda e: (1 + e.used) * DAY)

    assert used.trace.strength == pytest.approx(0.65)
    assert (used.used, used.recalled, used.trace.half_life) == (1, 1, 2 * DAY)
    assert [e.recalled for e in rest] == [0, 0, 0]


def test_the_strongest_are_kept():
    """Of four turns a budget of one half keeps two; a question counts by its share."""
    one = Course(life(), T0, 4, (), {0: (0, 1), 1: (3,)})

    assert kept([0.9, 0.1, 0.8, 0.2], one, 0.5) == {0: 0.5, 1: 0.0}


@pytest.fixture(scope="module")
def trained(encoder):
    torch.manual_seed(0)
    material = Material(
        encoder, train=lives("train")[:3], validation=lives("train")[3:5]
    )
    network, said = PSM(Shape(64)), []
    before = {k: v.clone() for k, v in network.state_dict().items()}
    thresholds = train_fading(network, material, said.append)
    return network, before, said, thresholds, material


def test_learning_and_living_share_one_arithmetic(trained, encoder):
    """What training takes for retained is what the entries of a lived life retain."""
    network, *_, material = trained
    batch = fading._batch(network, material.train[:1], encoder, 0, 2)
    told, reading = heard(network, material.train[0], encoder)
    rows = {e.id: n for n, e in enumerate(told)}
    doubt = Fading.between(reading.kind, [e.kind for e in told]).exp().tolist()

    def half_life(entry):
        row = rows[entry.id]
        became = torch.tensor([Fading.became(entry)])
        factor = network.fading(reading.state[row : row + 1], became).exp().item()
        return min(rules.half_life(entry) * doubt[row] * factor, timedelta(days=3650))

    began = [replace(e, trace=replace(e.trace, half_life=half_life(e))) for e in told]
    lived_through = [
        retained(entry, one.now)
        for one in batch.courses
        for entry in lived(began, one, half_life)
    ]

    assert any(one.judged for one in batch.courses)
    assert fading._retained(network.fading, batch).tolist() == pytest.approx(
        lived_through, abs=1e-4
    )


def test_only_the_head_of_half_lives_learns(trained):
    """Reader, ranking and relation stay as they were, and no threshold is needed."""
    network, before, _, thresholds, _ = trained
    changed = {
        name.split(".")[0]
        for name, now in network.state_dict().items()
        if not torch.equal(now, before[name])
    }

    assert changed == {"fading"}
    assert thresholds == {}


def test_what_is_needed_is_missed_less_than_with_the_rules(trained, encoder):
    """On the validation people the trained head loses less than the rules."""
    network, *_, material = trained
    held = fading._batch(network, material.validation, encoder, 0, 2)
    rules_alone = Fading(network.shape.state)
    one = torch.tensor(1.0)

    with torch.no_grad():
        learned = fading._missed(network.fading, held, one)
        assert learned < fading._missed(rules_alone, held, one) - 0.1


def test_one_seed_trains_one_head(trained):
    """Trained again from the same seed, the head is the same."""
    network, *_, material = trained
    again = PSM(Shape(64))
    again.reader.load_state_dict(network.reader.state_dict())

    train_fading(again, material, lambda _: None)

    assert torch.equal(again.fading.out.weight, network.fading.out.weight)


def test_progress_is_said(trained):
    """One line every twenty epochs, beginning with the rules."""
    said = trained[2]

    assert len(said) == fading.EPOCHS // fading.EVERY + 1
    assert said[0].startswith("fading, epoch 0: ")


def test_a_use_never_shortens_and_no_other_outcome_lengthens(trained):
    """For any memory: used, longer; shown in vain or corrected, shorter."""
    head = trained[0].fading
    state = torch.zeros(1, head.out.in_features - len(FADING))
    entry = as_heard(life().turns[0], Kind.EVENT, 0.5, 0.0)

    def days(**counts):
        now = replace(entry, **counts)
        factor = head(state, torch.tensor([Fading.became(now)])).exp().item()
        return rules.half_life(now) / DAY * factor

    assert days(used=1, recalled=1) > days()
    assert days(recalled=1) < days()
    assert days(recalled=20) < days(recalled=10)
    assert days(recalled=1, corrected=1) < days(recalled=1)


def test_an_untrained_head_is_the_rules_and_a_trained_one_stays_in_bounds(trained):
    """The factor is 1 before training and at most twentyfold after."""
    state = torch.full((1, Fading(8).out.in_features - len(FADING)), 100.0)
    became = torch.zeros(1, len(FADING))
    far = Fading(8)
    torch.nn.init.ones_(far.out.weight)

    assert Fading(8)(state, became).item() == 0.0
    assert far(state, became).item() == pytest.approx(LOG_FACTOR_MAX)


def test_what_became_of_a_memory_is_told_in_numbers():
    """Uses, vain showings and corrections as logs of 1 + n, mentions as log, then fact."""
    entry = replace(
        as_heard(life().turns[0], Kind.EVENT, 0.5, 0.25),
        tier=Tier.SEMANTIC,
        recalled=6,
        used=3,
        corrected=1,
        mentions=2,
    )

    assert Fading.became(entry) == pytest.approx(
        (1.3863, 1.0986, 0.6931, 0.6931, 1.0, 0.25), abs=1e-4
    )


def test_a_text_between_two_kinds_lasts_between_them():
    """Sure of its kind it keeps that half-life; in doubt it gets their geometric mean."""
    sure = torch.full((1, 6), -50.0)
    sure[0, LASTING_FIRST.index(Kind.QUESTION)] = 0.0
    torn = sure.clone()
    torn[0, LASTING_FIRST.index(Kind.PLAN)] = 0.0

    assert Fading.between(sure, [Kind.QUESTION]).item() == pytest.approx(0.0, abs=1e-5)
    # 5 and 45 days: three times 5 is 15, the geometric mean.
    assert Fading.between(torn, [Kind.QUESTION]).exp().item() == pytest.approx(
        3.0, abs=1e-4
    )
    assert Fading.between(torn, [Kind.PLAN]).exp().item() == pytest.approx(
        1 / 3, abs=1e-4
    )
