"""Training of recall: it starts as the rules, and learns what the rules don't see."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import PSMPolicy
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.model.rules import RulePolicy
from psm_core.model.weigh import weigh
from psm_core.train import ranking as training
from psm_core.train.corpus import lives
from psm_core.train.material import Material, Remembered
from psm_core.train.pools import Asked, Asking, asked
from psm_core.train.ranking import (
    FEATURE_DROP,
    MEMBERS,
    NAME_DROP,
    NAMED,
    UNTAUGHT,
    dropped,
    imitate,
    learn_lists,
    learn_together,
    list_loss,
    padded,
    points_of,
    ranked,
    train_ranking,
)

TELLING = LEARNED_NAMES.index("number_told")


@pytest.fixture(scope="module")
def encoder():
    return Remembered(HashEncoder(64))


@pytest.fixture(scope="module")
def people(shortened):
    """Two people to learn from, and one to choose on, cut short."""
    pairs = [life for life in lives("train") if life.chat == "two people"][:2]
    held = [life for life in lives("validation") if life.chat == "two people"][:1]
    return [shortened(life, sessions=2, questions=6) for life in (*pairs, *held)]


@pytest.fixture(scope="module")
def questions(people, encoder):
    """What the first two were asked, in stores of their own."""
    return asked(people[:2], encoder, RulePolicy(), Asking())


def fresh():
    """A ranking that knows nothing yet."""
    torch.manual_seed(0)
    return Ranking(len(LEARNED_NAMES), 16)


def toy(count=60, candidates=12, seed=0):
    """Questions whose evidence alone is worth 1, which the rules don't weigh."""
    draw = np.random.default_rng(seed)
    found = []
    for n in range(count):
        features = draw.random((candidates - n % 3, len(LEARNED_NAMES))) / 10
        relevant = np.arange(len(features)) == draw.integers(len(features))
        features[relevant, TELLING] = 1.0
        found.append(
            Asked("ada", "single-hop", None, (), features.astype("f"), relevant, {"t"})
        )
    return found


def first(ranking, questions):
    """The share of the questions whose evidence has most points."""
    return np.mean(
        [q.relevant[points_of(ranking, q.features).argmax()] for q in questions]
    )


# ------------------------------------------------------------------------ imitation


def test_imitation_gives_the_rules_points(questions):
    """For each candidate of each real pool, what the rules' signals add up to."""
    learner = fresh().eval()

    imitate(learner, questions)

    for one in questions:
        ruled = weigh(one.cue, one.candidates).shares.sum(axis=1)
        np.testing.assert_allclose(
            points_of(learner, one.features), ruled, rtol=1e-4, atol=1e-4
        )


def test_imitation_forgets_what_was_learned_before(questions):
    """It is where a training starts, not a step of one."""
    learner, again = fresh().eval(), fresh().eval()
    imitate(learner, questions)

    learn_lists(again, toy(), seed=0, epochs=1)
    imitate(again, questions)

    for one in questions:
        np.testing.assert_array_equal(
            points_of(again, one.features), points_of(learner, one.features)
        )


# ------------------------------------------------------------------ learning from lists


def test_what_the_rules_do_not_see_is_learned():
    """On lists of a new draw, the evidence comes first far more often than before."""
    learner, held = fresh(), toy(seed=1)
    imitate(learner, toy())
    before = first(learner.eval(), held)

    learn_lists(learner, toy(), seed=0, epochs=20)

    assert before < 0.3
    assert first(learner, held) > 0.7


def test_real_questions_are_learned_too(questions):
    """The loss on the lists that it learns from falls below the rules'."""
    learner = fresh()
    imitate(learner, questions)
    lists = padded([q for q in questions if q.relevant.any()])

    def loss():
        with torch.no_grad():
            return float(
                list_loss(learner.eval()(lists.features), lists.relevant, lists.there)
            )

    before = loss()
    learn_lists(learner, questions, seed=0)

    assert loss() < before


def test_one_seed_is_one_ranking():
    """Same start, same lists, same seed: same weights; another seed gives others."""
    learned = []
    for seed in (3, 3, 4):
        learner = fresh()
        imitate(learner, toy())
        learn_lists(learner, toy(), seed=seed, epochs=2)
        learned.append(learner.state_dict())

    assert all(torch.equal(learned[0][name], w) for name, w in learned[1].items())
    assert not all(torch.equal(learned[0][name], w) for name, w in learned[2].items())


def test_a_trained_ranking_is_ready_to_answer():
    """Nothing is dropped by chance any more, and the scale is as it was measured."""
    learner = fresh()
    imitate(learner, toy())
    scale = learner.scale.clone()

    learn_lists(learner, toy(), seed=0, epochs=1)

    assert not learner.training
    assert torch.equal(learner.scale, scale)


def test_questions_without_evidence_teach_nothing():
    """A list of which nothing is relevant changes no weight, however long it is."""
    silent = [
        q._replace(relevant=np.zeros_like(q.relevant)) for q in toy(20, 30, seed=5)
    ]
    alone, beside = fresh(), fresh()
    for learner, given in ((alone, toy()), (beside, [*toy(), *silent])):
        imitate(learner, toy())
        learn_lists(learner, given, seed=0, epochs=1)

    state = beside.state_dict()
    assert all(torch.equal(state[name], w) for name, w in alone.state_dict().items())


def test_the_loss_is_the_cross_entropy_of_the_evidence():
    """Two of three equal candidates are relevant, the fourth place is empty: log 3."""
    points = torch.tensor([[1.0, 1.0, 1.0, 99.0]])
    relevant = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    there = torch.tensor([[True, True, True, False]])

    assert list_loss(points, relevant, there).item() == pytest.approx(np.log(3))


def test_pools_of_any_size_stand_side_by_side():
    """The short ones are filled up with what isn't there, and isn't relevant."""
    three, two, one = toy(3, 3)

    lists = padded([three, two, one])

    assert lists.there.tolist() == [
        [True, True, True],
        [True, True, False],
        [True, False, False],
    ]
    assert not lists.features[~lists.there].any()
    assert not lists.relevant[~lists.there].any()
    np.testing.assert_array_equal(lists.features[1, :2], two.features)
    np.testing.assert_array_equal(lists.relevant[0], three.relevant)


# ------------------------------------------------------------------------- dropping


def test_names_are_dropped_together_and_often_enough():
    """About a third of the questions do without both columns of names, as promised."""
    torch.manual_seed(0)
    named = [LEARNED_NAMES.index(name) for name in NAMED]

    left = dropped(torch.ones(4000, 2, len(LEARNED_NAMES)))[:, :, named]

    nameless = (left == 0).all(dim=(1, 2)).float().mean()
    assert float(nameless) == pytest.approx(NAME_DROP, abs=0.03)


def test_a_feature_is_dropped_for_a_whole_question():
    """A column is there for all candidates of a question or for none; a tenth is gone."""
    torch.manual_seed(0)
    rest = [n for n, name in enumerate(LEARNED_NAMES) if name not in NAMED]

    left = dropped(torch.ones(2000, 3, len(LEARNED_NAMES)))[:, :, rest]

    assert torch.equal(left[:, 0], left[:, 1])
    assert torch.equal(left[:, 0], left[:, 2])
    assert set(left.unique().tolist()) == {0.0, 1.0}
    assert float((left == 0).float().mean()) == pytest.approx(FEATURE_DROP, abs=0.01)


def test_dropping_leaves_the_numbers_alone():
    """What isn't dropped is neither scaled nor moved."""
    torch.manual_seed(0)
    table = torch.rand(50, 4, len(LEARNED_NAMES)) + 1

    left = dropped(table)

    assert torch.equal(left[left != 0], table[left != 0])


# ------------------------------------------------------------------ how well, and silence


def test_a_ranking_is_judged_on_questions_that_have_an_answer(questions):
    """One row for each answerable question, with shares in [0, 1]."""
    learner = fresh().eval()
    imitate(learner, questions)

    rows = ranked(learner, questions)

    assert len(rows) == sum(bool(q.sources) for q in questions)
    assert all(0 <= share <= 1 for row in rows for share in row)
    assert all(row.recall_5 <= row.recall_10 for row in rows)


@pytest.fixture(scope="module")
def trained(people, encoder):
    """All of recall trained on two people, its thresholds, and what was said."""
    material = Material(encoder, train=people[:2], validation=people[2:], test=[])
    torch.manual_seed(0)
    network = PSM(Shape(64, state=16, recall=8, project=8, pair=6)).eval()
    before, said = copy.deepcopy(network.state_dict()), []
    thresholds = train_ranking(network, material, RulePolicy(), said.append)
    return network, thresholds, said, before


def test_recall_alone_is_trained(trained):
    """Ranking, abstention and their calibration change; reading and fading don't."""
    network, _, _, before = trained

    changed = {
        name
        for name, weight in network.state_dict().items()
        if not torch.equal(weight, before[name])
    }
    assert {name.split(".")[0] for name in changed} == {"recall", "fit", "calibration"}
    assert {name for name in changed if name.startswith("calibration")} == {
        "calibration.recall",
        "calibration.fit",
    }


def test_progress_is_said_in_figures(trained, people):
    """Imitation, then what was learned, then the threshold; no word of anybody."""
    _, thresholds, said, _ = trained

    assert [line.split(":")[0] for line in said[:2]] == [
        "recall, imitating the rules",
        "recall, learned from evidence",
    ]
    assert said[-1] == f"recall answers from {thresholds['answer']:.2f} on"
    names = {name for life in people for name in life.people}
    assert not any(name in line for line in said for name in names)


def test_the_threshold_leaves_few_questions_without_an_answer(trained, people, encoder):
    """Of the people it was chosen on, as many are silenced as promised and no more."""
    network, thresholds, _, _ = trained
    card = Card("tiny", encoder.name, thresholds=thresholds)
    policy = PSMPolicy(network=(network, card), encoder=encoder)
    held = [
        one
        for how in training.STORES
        for one in asked(people[2:], encoder, RulePolicy(), how)
        if one.relevant.any()
    ]

    silent = [not policy.weigh(one.cue, one.candidates).scores.any() for one in held]

    assert 0 < thresholds["answer"] < 1
    # The share is a quantile: the least sure one may stand just below it.
    assert sum(silent) <= 1 + training.EMPTY_MOST * len(held)


def test_where_the_answer_was_taken_out_it_is_less_sure(trained, questions, encoder):
    """The same pool without its evidence is held for less likely to answer."""
    network, _, _, _ = trained
    card = Card("tiny", encoder.name, thresholds={"answer": 0.5})
    policy = PSMPolicy(network=(network, card), encoder=encoder)
    seen = [one for one in questions if one.relevant.any() and not one.relevant.all()]

    def answered(one, kept):
        pool = [c for c, keep in zip(one.candidates, kept, strict=True) if keep]
        return policy.weigh(one.cue, pool).scores.any()

    with_it = np.mean([answered(one, one.relevant | True) for one in seen])
    without = np.mean([answered(one, ~one.relevant) for one in seen])

    assert with_it > without


def test_a_probability_of_being_of_use_is_about_right(trained, people, encoder):
    """Where it was calibrated, the mean of what is said is the share that is so."""
    network, _, _, _ = trained
    held = [
        one
        for how in training.STORES
        for one in asked(people[2:], encoder, RulePolicy(), how)
    ]
    points = np.concatenate([points_of(network.recall, one.features) for one in held])
    relevant = np.concatenate([one.relevant for one in held])

    with torch.no_grad():
        said = network.calibrated("recall", torch.from_numpy(points))

    assert float(said.mean()) == pytest.approx(relevant.mean(), abs=0.02)


def test_names_can_be_done_without(trained, questions, encoder):
    """A question whose names are taken away still has its evidence in the pool's top."""
    network, _, _, _ = trained
    nameless = []
    for one in questions:
        table = one.features.copy()
        table[:, [LEARNED_NAMES.index(name) for name in NAMED]] = 0
        cue = replace(one.cue, named=frozenset())
        nameless.append(one._replace(features=table, cue=cue))

    with_names = np.mean([row.recall_10 for row in ranked(network.recall, questions)])
    without = np.mean([row.recall_10 for row in ranked(network.recall, nameless)])

    assert without > with_names / 2


def test_several_learn_apart_and_answer_with_their_mean():
    """Points are the mean of what each would give that learned from its own seed."""
    together = Ranking(len(LEARNED_NAMES), 2 * MEMBERS)
    questions = toy(40)
    imitate(together, questions)
    start = copy.deepcopy(together)

    learn_together(together, questions, seed=3)

    alone = []
    for seed in range(3 * MEMBERS, 4 * MEMBERS):
        torch.manual_seed(seed)
        member = Ranking(len(LEARNED_NAMES), 2)
        imitate(member, questions)
        learn_lists(member, questions, seed=seed)
        alone.append(points_of(member, questions[0].features))
    assert not np.allclose(alone[0], alone[1])
    np.testing.assert_allclose(
        points_of(together, questions[0].features), np.mean(alone, axis=0), rtol=1e-4
    )
    assert torch.equal(together.scale, start.scale)
    assert not together.training


def test_what_lives_can_t_teach_is_set_by_hand():
    """Strength, pins and corrections count after training what `UNTAUGHT` says."""
    ranking = Ranking(len(LEARNED_NAMES), 4)
    questions = toy(40)
    imitate(ranking, questions)
    before = ranking.linear.weight.detach().clone()

    learn_lists(ranking, questions, seed=0)

    columns = [LEARNED_NAMES.index(name) for name in UNTAUGHT]
    set_by_hand = torch.tensor([*UNTAUGHT.values()])
    assert torch.equal(ranking.linear.weight[0, columns], set_by_hand)
    assert not ranking.hidden.weight[:, columns].any()
    assert not torch.equal(ranking.linear.weight, before)
