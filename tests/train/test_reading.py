"""Training of the gate: a reader that knows nothing learns what is worth keeping."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from psm_core.model.encoder import HashEncoder
from psm_core.model.heads import Reading
from psm_core.model.network import PSM, Shape
from psm_core.train import feelings
from psm_core.train.corpus import lives
from psm_core.train.evaluate.figures import auc, paired
from psm_core.train.feelings import FEELINGS, emobank, felt_elsewhere, goemotions
from psm_core.train.material import Material, Remembered
from psm_core.train.reading import evidence, heard, labelled, train_reading


@pytest.fixture(scope="module")
def encoder():
    """Vectors without weights; the same texts come back in every test."""
    return Remembered(HashEncoder())


@pytest.fixture(scope="module")
def material(encoder):
    """Three people to learn from, and one to choose on."""
    return Material(
        encoder, train=lives("train")[:3], validation=lives("validation")[:1], test=[]
    )


def trained(material):
    """A network trained from nothing, its thresholds, and what was said of it."""
    torch.manual_seed(7)
    network, said = PSM(Shape(material.encoder.width)), []
    thresholds = train_reading(network, material, said.append)
    return network, thresholds, said


@pytest.fixture(scope="module")
def learned(material):
    """One training that several tests look at."""
    return trained(material)


def test_what_a_turn_is_worth_is_learned_from_other_people(learned, encoder):
    """On a person it has not met, what is worth keeping is ranked above what isn't."""
    network, _, _ = learned
    turns = labelled(lives("validation")[1:2], encoder)

    with torch.no_grad():
        reading = network.reader(turns.vectors, turns.signs)

    assert auc(paired(reading.worth, turns.keep)) > 0.85
    assert auc(paired(reading.fact, turns.fact)) > 0.6
    guessed = (reading.kind.argmax(1) == turns.kind).float().mean()
    assert guessed > turns.kind.bincount().max() / len(turns.kind)


def test_the_thresholds_lose_no_more_evidence_than_promised(learned, material):
    """On the people it was chosen on, 1 % of the evidence lies below "archive" at most."""
    network, thresholds, _ = learned
    turns = labelled(material.validation, material.encoder)

    with torch.no_grad():
        reading = network.reader(turns.vectors, turns.signs)
        worth = network.calibrated("keep", reading.worth)[turns.evidence]

    assert (worth < thresholds["archive"]).float().mean() <= 0.01
    assert (worth < thresholds["defer"]).float().mean() <= 0.05
    assert 0 < thresholds["archive"] <= thresholds["defer"] < 1
    assert set(thresholds) == {"archive", "defer", "fact"}


def test_a_probability_of_keeping_is_about_right(learned, material):
    """Where it was calibrated, the mean of what is said is the share that is so."""
    network, _, _ = learned
    turns = labelled(material.validation, material.encoder)

    with torch.no_grad():
        reading = network.reader(turns.vectors, turns.signs)
        said = network.calibrated("keep", reading.worth)

    assert float(said.mean()) == pytest.approx(float(turns.keep.mean()), abs=0.02)


def test_one_seed_gives_one_reader(learned, material):
    """Training twice from one start gives the same weights."""
    again, thresholds, _ = trained(material)

    assert thresholds == learned[1]
    for name, weight in again.reader.state_dict().items():
        assert torch.equal(weight, learned[0].reader.state_dict()[name]), name


def test_other_heads_are_left_alone(material):
    """Training the reader changes no weight of recall, interference or fading."""
    torch.manual_seed(7)
    before = PSM(Shape(material.encoder.width)).state_dict()

    after = trained(material)[0].state_dict()

    changed = {n for n in before if not torch.equal(before[n], after[n])}
    assert {n.split(".")[0] for n in changed} == {"reader", "calibration"}
    assert {n for n in changed if n.startswith("calibration")} == {
        "calibration.keep",
        "calibration.fact",
    }


def test_progress_is_said_without_the_words_of_anybody(learned):
    """Every few epochs one line says how far it is, in numbers."""
    _, _, said = learned

    assert [line.split(":")[0] for line in said] == [
        f"reading, epoch {n} of 20" for n in (5, 10, 15, 20)
    ]


def test_a_turn_is_heard_with_the_past_of_its_own_session():
    """The first turn of a session has none before it, the second has the first."""
    life = lives("train")[0]

    rows = heard(life)

    for n, turn in enumerate(life.turns):
        first = n == 0 or life.turns[n - 1].session != turn.session
        assert rows[n].before == (None if first else life.turns[n - 1])


def test_needed_is_what_a_question_or_a_change_rests_on(encoder):
    """Evidence is needed, and so are both halves of an update or a correction."""
    life = lives("train")[0]
    turns = labelled([life], encoder)
    numbers = {turn.id: n for n, turn in enumerate(life.turns)}

    assert {life.turns[n].id for n in turns.evidence.nonzero()} == evidence(life)
    for correction in life.corrections:
        assert turns.needed[numbers[correction.turn]] == 1
        assert turns.needed[numbers[correction.of]] == 1
    assert (turns.needed >= turns.evidence.float()).all()
    assert turns.needed.sum() < turns.keep.sum()


def reading_of(valence, arousal):
    """What a reader says of one text that is felt so."""
    nothing = torch.zeros(1)
    felt = torch.tensor([[valence, arousal]])
    return Reading(nothing, nothing, nothing, felt, torch.zeros(1, 6), nothing)


@pytest.mark.parametrize(
    ("valence", "arousal", "expected"),
    [
        (0.0, 0.2, 0.0),
        (0.0, 0.0, 0.0),
        (-0.8, 0.6, 0.65),
        (0.8, 0.6, 0.65),
        (0.5, 0.2, 0.25),
        (0.0, 1.0, 0.5),
        (1.0, 1.0, 1.0),
    ],
)
def test_emotional_weight_is_half_valence_half_arousal(valence, arousal, expected):
    """Grief weighs as much as joy, and calm routine nothing."""
    assert float(reading_of(valence, arousal).emotion) == pytest.approx(expected)


@pytest.fixture
def written(tmp_path):
    """A folder with a few lines of both corpora of feelings, invented here."""
    (tmp_path / "emobank").mkdir()
    (tmp_path / "emobank/emobank.csv").write_text(
        "id,split,V,A,D,text\n"
        'a,train,5.0,3.0,3.0,"We won, at last!"\n'
        "b,test,3.0,1.0,3.0,The shop shuts at six.\n"
        "c,train,1.0,5.0,3.0, \n"
    )
    (tmp_path / "goemotions").mkdir()
    (tmp_path / "goemotions/labels.txt").write_text("joy\nfear\nneutral\n")
    (tmp_path / "goemotions/train.tsv").write_text(
        "So glad!\t0\tx1\nGlad and scared\t0,1\tx2\nIt is a chair\t2\tx3\n"
    )
    return tmp_path


def test_readers_of_emobank_are_put_on_the_scale_of_the_lives(written):
    """1 to 5 becomes -1 to 1 for valence, 0 to 1 for arousal; blank lines are left."""
    assert emobank(written, "train") == [("We won, at last!", 1.0, 0.5)]
    assert emobank(written, "test") == [("The shop shuts at six.", 0.0, 0.0)]


def test_labels_of_goemotions_become_valence_and_arousal(written):
    """Each label stands in our table, and several count by their mean."""
    glad, both, calm = goemotions(written, "train")

    assert glad == ("So glad!", *FEELINGS["joy"])
    assert both[1:] == pytest.approx(
        np.mean([FEELINGS["joy"], FEELINGS["fear"]], axis=0)
    )
    assert calm == ("It is a chair", 0.0, 0.2)


def test_every_label_of_the_table_lies_in_range():
    """27 feelings and neutral, each with valence in [-1, 1] and arousal in [0, 1]."""
    assert len(FEELINGS) == 28
    assert all(-1 <= v <= 1 and 0 <= a <= 1 for v, a in FEELINGS.values())


def test_feelings_of_others_are_a_seeded_sample(written, encoder, monkeypatch):
    """At most so many of each corpus, the same for one seed; none without a folder."""
    monkeypatch.setattr(feelings, "GOEMOTIONS", 2)
    material = Material(encoder, feelings=written, train=[], validation=[], test=[])

    bank, comments = felt_elsewhere(material)
    again = felt_elsewhere(material)[1]

    assert len(bank.feeling) == 1
    assert len(comments.feeling) == 2
    assert torch.equal(comments.feeling, again.feeling)
    assert felt_elsewhere(Material(encoder, train=[], validation=[], test=[])) == []


def test_feelings_of_others_are_learned_from(written, material):
    """With the folder the feelings come out otherwise, and worth as before."""
    torch.manual_seed(7)
    with_others = PSM(Shape(material.encoder.width))
    few = Material(
        material.encoder,
        feelings=written,
        train=material.train[:1],
        validation=material.validation,
        test=[],
    )
    train_reading(with_others, few, lambda _: None)
    torch.manual_seed(7)
    without = PSM(Shape(material.encoder.width))
    alone = Material(few.encoder, train=few.train, validation=few.validation, test=[])
    train_reading(without, alone, lambda _: None)

    one, other = with_others.reader, without.reader
    assert torch.equal(one.keep.weight, other.keep.weight)
    assert not torch.equal(one.feeling.weight, other.feeling.weight)
