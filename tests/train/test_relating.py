"""Training of interference: a head that knows nothing learns what can't both hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from psm_core.model.encoder import HashEncoder
from psm_core.model.interference import compare
from psm_core.model.network import PSM, Shape
from psm_core.model.pairs import PAIR_NAMES
from psm_core.model.parts import parts
from psm_core.model.relation import RELATIONS, conflict
from psm_core.train import relating
from psm_core.train.apart import SAME, SENTENCES, TURNS, unlabelled
from psm_core.train.corpus import lives
from psm_core.train.evaluate.figures import auc, paired
from psm_core.train.everyday import everyday
from psm_core.train.material import Material, Remembered
from psm_core.train.relating import judged, labelled, lessons, train_relating


@pytest.fixture(scope="module")
def encoder():
    """Vectors without weights; the same texts come back in every test."""
    return Remembered(HashEncoder())


@pytest.fixture(scope="module")
def material(encoder, shortened):
    """Six people to learn from, and one to choose on, each cut short."""
    train, validation = (
        [shortened(life) for life in lives(split)[:most]]
        for split, most in (("train", 6), ("validation", 1))
    )
    return Material(encoder, train=train, validation=validation, test=[])


def trained(material):
    """A network trained from nothing, its thresholds, and what was said of it."""
    torch.manual_seed(7)
    network, said = PSM(Shape(material.encoder.width)), []
    thresholds = train_relating(network, material, said.append)
    return network.eval(), thresholds, said


@pytest.fixture(scope="module")
def learned(material):
    """One training of a few epochs that several tests look at."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(relating, "EPOCHS", 10)
        return trained(material)


def said_of(network, pairs):
    """The logits (N, 4) of some pairs."""
    with torch.no_grad():
        return network.relation(*pairs[:3])


def test_conflicts_of_people_it_hasnt_met_are_told_from_the_rest(learned, encoder):
    """On another person conflicts are ranked above look-alikes, hedges and repeats."""
    network, _, _ = learned
    pairs = labelled(lives("validation")[1:2], encoder)

    ranked = auc(paired(conflict(said_of(network, pairs)), pairs.conflicts))

    assert ranked > 0.75


def test_the_thresholds_keep_what_they_promise(learned, material):
    """On the people they were chosen on: nine of ten right, hardly a look-alike."""
    network, thresholds, _ = learned
    pairs = labelled(material.validation, material.encoder)
    logits = said_of(network, pairs)

    flagged = network.calibrated("relation", conflict(logits)) >= thresholds["conflict"]
    merged = logits.exp()[:, 1] >= thresholds["duplicate"]

    fits = pairs.relation == RELATIONS.index("compatible")
    assert pairs.conflicts[flagged].sum() >= 0.9 * flagged.sum()
    assert flagged[fits].float().mean() <= 0.02
    assert (pairs.relation[merged] == 1).sum() >= 0.95 * merged.sum()


def test_nobodys_neighbours_are_merged(learned, material):
    """Of what nobody put together nothing is merged, and next to nothing flagged."""
    network, thresholds, _ = learned
    drawn = [
        pair
        for life in material.validation
        for pair in unlabelled(life, material.encoder, material.seed)
    ]
    logits = said_of(network, judged(drawn, material.encoder))

    sure = network.calibrated("relation", conflict(logits))
    assert (sure >= thresholds["conflict"]).float().mean() <= 0.01
    assert not (logits.exp()[:, 1] >= thresholds["duplicate"]).any()


def test_training_twice_gives_the_same_head(material, monkeypatch):
    """One seed, one result, bit for bit."""
    monkeypatch.setattr(relating, "EPOCHS", 2)
    one, chosen, _ = trained(material)
    other, again, _ = trained(material)

    assert chosen == again
    for name, weight in one.relation.state_dict().items():
        assert torch.equal(weight, other.relation.state_dict()[name]), name


def test_progress_is_said_without_any_words_of_a_life(learned):
    """The loss is told now and then; no line holds what somebody said."""
    _, _, said = learned

    assert [line.split(":")[0] for line in said] == ["relating, epoch 10 of 10"]


# --------------------------------------------------------------------- the material


def test_a_hedge_counts_as_compatible(encoder):
    """Pairs are numbered by what they are, and a mere possibility fits."""
    pairs = lives("train")[0].pairs

    rows = judged(pairs, encoder, 0.5)

    stands = ["compatible" if p.relation == "hedge" else p.relation for p in pairs]
    assert [RELATIONS[n] for n in rows.relation] == stands
    assert rows.signs.shape == (len(pairs), len(PAIR_NAMES))
    assert set(rows.weight.tolist()) == {0.5}


def test_no_pairs_are_no_rows(encoder):
    """Where there is nothing to judge there are tables without rows."""
    rows = judged([], encoder)

    assert [len(column) for column in rows] == [0] * 5


def test_lessons_hold_more_than_was_labelled(encoder, shortened):
    """Turned pairs, plain ones and unlabelled ones are learned too, and count less."""
    life = shortened(lives("train")[0])

    rows = lessons([life], encoder, 0)

    turned = ("compatible", "duplicate", "contradiction")
    expected = Counter[np.float32]()
    for origin, pairs in (
        ("labelled", life.pairs),
        ("swapped", [p for p in life.pairs if p.relation in turned and not p.ids]),
        ("everyday", everyday()),
        ("unlabelled", unlabelled(life, encoder, 0)),
    ):
        expected[np.float32(relating.WEIGHTS[origin])] += len(pairs)
    assert Counter(rows.weight.numpy().tolist()) == {
        float(weight): count for weight, count in expected.items()
    }


def test_what_nobody_put_together_is_of_one_speaker(encoder):
    """Drawn pairs are of one person's words, in order, and none that was labelled."""
    life = lives("train")[0]

    drawn = unlabelled(life, encoder, 0)

    assert drawn == unlabelled(life, encoder, 0) != unlabelled(life, encoder, 1)
    assert 0 < len(drawn) <= 2 * SENTENCES + TURNS
    assert {pair.speaker for pair in drawn} <= set(life.people)
    assert not {(p.old, p.new) for p in life.pairs} & {(p.old, p.new) for p in drawn}
    nearness = [float(a @ b) for a, b in zip(*sides(drawn, encoder), strict=True)]
    assert max(nearness) < SAME


def sides(pairs, encoder):
    """The vectors of both sides."""
    return encoder.encode([p.old for p in pairs]), encoder.encode(
        [p.new for p in pairs]
    )


def test_a_life_without_turns_gives_no_unlabelled_pairs(encoder):
    """Nothing is drawn where nothing was said."""
    assert unlabelled(replace(lives("train")[0], said=()), encoder, 0) == []


def test_the_rules_are_fooled_by_no_plain_pair():
    """Of 667 plain pairs that fit they take none for a conflict."""
    fooled = []
    for pair in everyday():
        new, old = (parts(text, pair.speaker).claims for text in (pair.new, pair.old))
        found = {c.kind.value for n in new for o in old if (c := compare(n, o))}
        if pair.relation in ("compatible", "hedge") and found - {"duplicate"}:
            fooled.append(pair.new)

    assert fooled == []
