"""psm learn: what it reads, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import torch
from typer.testing import CliRunner

from psm_core import Feedback, Memory, Turn
from psm_core.cli import app
from psm_core.model.adapter import SUFFIX
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.policy import PSMPolicy
from psm_core.train.proposing import LEAST

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLOURS = ("red", "blue", "green", "brown")
THINGS = ("kettle", "bicycle", "lantern")
ENCODER = HashEncoder(64)


def put(folder, worth):
    """Weights that put first what shares words with the cue, or last."""
    torch.manual_seed(0)
    network = PSM(Shape(64)).eval()
    with torch.no_grad():
        network.recall.linear.weight.zero_()
        network.recall.linear.weight[0, 3] = worth  # bm25
    thresholds = {"archive": 0.0, "defer": 0.0, "fact": 0.5, "answer": 0.0}
    network.save(folder, Card("toy", ENCODER.name, thresholds=thresholds))
    return folder / "toy.json"


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Weights that put first what shares no word with the cue, and an adapter."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / f"toy{SUFFIX}").write_bytes(b"the adapter")
    return put(folder, -1.0)


def asked(home, user, policy, *, times=9):
    """A person with a dozen things, asked where each is, who says what was of use."""
    turns = [
        Turn(f"My {colour} {thing} is in the cellar.", "Ada", id=f"{colour} {thing}")
        for colour in COLOURS
        for thing in THINGS
    ]
    with Memory(user, home=home, encoder=ENCODER, policy=policy) as memory:
        memory.remember_many(
            [
                Turn(t.text, t.speaker, id=t.id, at=T0 + n * timedelta(minutes=1))
                for n, t in enumerate(turns)
            ]
        )
        for turn in turns * times:
            recall = memory.recall(f"Where is the {turn.id}?", limit=12, budget=None)
            ids = [hit.id for hit in recall.hits]
            used = [i for i in ids if i == turn.id]
            memory.learn(
                Feedback(recall.id, used, ignored=[i for i in ids if i not in used])
            )


@pytest.fixture(scope="module")
def home(bad, tmp_path_factory):
    """Ada was asked 108 times by those weights, Bob a dozen times by the rules."""
    folder = tmp_path_factory.mktemp("home")
    asked(folder, "ada", PSMPolicy("toy", bad.parent, encoder=ENCODER))
    asked(folder, "bob", "rules", times=1)
    return folder


def learn(*arguments):
    return CliRunner().invoke(app, ["learn", *map(str, arguments)])


@pytest.fixture(scope="module")
def learned(home, bad, tmp_path_factory):
    """One run that several tests look at, and where it wrote."""
    out = tmp_path_factory.mktemp("out")
    run = learn("--home", home, "--weights", bad, "--out", out, "--json")
    return run, out


def test_better_weights_are_written_with_card_and_adapter(learned, bad):
    """They earn more on what was held out, and say on which recalls they rest."""
    run, out = learned
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)

    proof = found["proof"]
    assert proof["new"] > 0.9 > proof["old"]
    assert 0 < proof["low"] <= proof["new"] - proof["old"] <= proof["high"]
    assert found["card"] == str(out / "toy.json")
    assert found["refused"] == ""
    network, card = PSM.load(out, "toy")
    assert card.data["journals"] == "108 recalls of 1 people, numbers only"
    assert card.metrics == {"earned on what was held out": proof}
    assert card.thresholds == Card.read(bad.parent, "toy").thresholds
    assert network.recall.linear.weight[0, 3] > -1.0
    assert (out / f"toy{SUFFIX}").read_bytes() == b"the adapter"


def test_rows_of_other_features_are_counted_and_left_out(learned):
    """Bob's store was asked by the rules, who see other things."""
    found = json.loads(learned[0].stdout)

    assert found["people"] == 1
    assert found["recalls"] == 108
    assert found["foreign"] == 12 * 12
    assert found["rows"] == 108 * 12 + 12 * 12
    assert found["alone"] == 0


def test_learned_weights_are_used_like_any(learned, home):
    """A policy reads them from their folder, and finds at once what it is asked for."""
    policy = PSMPolicy("toy", learned[1], encoder=ENCODER)

    with Memory("ada", home=home, encoder=ENCODER, policy=policy) as memory:
        hits = memory.recall("Where is the blue lantern?").hits

    assert hits[0].id == "blue lantern"


def test_a_person_reads_counts_and_both_figures(home, bad, tmp_path):
    """Without --json they stand in lines."""
    run = learn("--home", home, "--weights", bad, "--out", tmp_path / "out")

    assert run.exit_code == 0
    for words in ("108    recalls tell", "144    left out: they hold", "gain"):
        assert words in run.stdout
    assert "proof 5 of 5" in run.stderr


def test_weights_that_are_no_better_are_refused(home, tmp_path):
    """Exit code 1, both figures, and nothing on the disk."""
    good = put(tmp_path / "good", 3.0)

    run = learn("--home", home, "--weights", good, "--out", tmp_path / "o", "--json")

    assert run.exit_code == 1
    assert "nothing was written" in run.stderr
    assert "may be chance" in run.stderr
    found = json.loads(run.stdout)
    assert found["card"] is None
    assert found["proof"]["old"] == pytest.approx(1.0, abs=0.01)
    assert not (tmp_path / "o").exists()


def test_too_few_recalls_are_refused_with_both_numbers(bad, tmp_path):
    """It says how many there are and how many it needs."""
    home = tmp_path / "home"
    asked(home, "ada", PSMPolicy("toy", bad.parent, encoder=ENCODER), times=1)

    run = learn("--home", home, "--weights", bad, "--out", tmp_path / "out")

    assert run.exit_code == 1
    assert f"12 recalls tell of an order, and {LEAST} are needed" in run.stderr
    assert not (tmp_path / "out").exists()


def test_an_empty_home_is_refused(bad, tmp_path):
    """And isn't made by asking."""
    run = learn("--home", tmp_path / "nowhere", "--weights", bad, "--out", tmp_path)

    assert run.exit_code == 1
    assert "0 recalls" in run.stderr
    assert not (tmp_path / "nowhere").exists()


def test_the_old_weights_are_never_overwritten(home, bad):
    """--out may not be the folder that they lie in."""
    before = bad.read_bytes()

    run = learn("--home", home, "--weights", bad, "--out", bad.parent)

    assert run.exit_code == 1
    assert "give another --out" in run.stderr
    assert bad.read_bytes() == before


def test_no_store_is_changed_by_learning_from_it(home, bad, tmp_path):
    """Every ledger is what it was, byte for byte."""
    files = sorted(home.rglob("ledger.sqlite"))
    before = [f.read_bytes() for f in files]

    learn("--home", home, "--weights", bad, "--out", tmp_path / "out")

    assert [f.read_bytes() for f in files] == before
    assert len(files) == 2
