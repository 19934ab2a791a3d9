"""The gate's figures: what they count, and that they can tell good from bad."""

from __future__ import annotations

import pytest
import torch

from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.signs import SIGN_NAMES
from psm_core.train.corpus import lives
from psm_core.train.evaluate.figures import auc, macro_f1, spearman
from psm_core.train.evaluate.gate import evaluate_gate, evaluate_worth
from psm_core.train.material import Remembered
from psm_core.types import Turn


@pytest.fixture(scope="module")
def encoder():
    """Vectors without weights."""
    return Remembered(HashEncoder())


def reading_words(encoder, factor=1.0):
    """A network that holds a turn worth more the more words it has (times *factor*)."""
    network = PSM(Shape(encoder.width))
    with torch.no_grad():
        for head in (network.reader.keep, network.reader.needed):
            head.weight.zero_()
            head.bias.zero_()
            head.weight[0, encoder.width + SIGN_NAMES.index("words")] = factor
    return network


SHORT = [Turn("hi", id=f"short{n}", session="s") for n in range(5)]
LONG = [
    Turn(
        f"I moved to a house by the sea, number {n}, in May.",
        id=f"long{n}",
        session="s",
    )
    for n in range(5)
]
TOLD = {"ada": ([*SHORT, *LONG], {"long0": 1, "long1": 3})}


def figures(rows):
    """Rows by (measure, system)."""
    found = {(row.measure, row.system): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_what_was_needed_stays_when_the_rest_goes(encoder):
    """A gate that ranks evidence on top loses none of it; one turned round loses all."""
    good = figures(evaluate_worth(reading_words(encoder), 0.6, TOLD, encoder))
    bad = figures(evaluate_worth(reading_words(encoder, -1.0), 0.6, TOLD, encoder))

    kept = ("evidence kept, 50% turned away", "psm")
    assert good[kept].value == 1.0
    assert bad[kept].value == 0.0
    assert good["AUC of evidence", "psm"].value == pytest.approx(13 / 16)
    assert bad["AUC of evidence", "psm"].value == pytest.approx(3 / 16)


def test_what_is_asked_for_often_counts_as_often(encoder):
    """Of a turn that one question needs and one that three do, a quarter stays."""
    told = {"ada": ([*SHORT, *LONG], {"long0": 1, "short0": 3})}

    rows = figures(evaluate_worth(reading_words(encoder), 0.6, told, encoder))

    kept = "evidence kept, 50% turned away"
    assert rows[kept, "psm"].value == 1 / 2
    assert rows[f"{kept}, by questions", "psm"].value == 1 / 4


def test_the_threshold_decides_what_is_turned_away(encoder):
    """At 0 nothing goes and all evidence stays, at 1 everything goes and none does."""
    for archive, away, kept in ((0.0, 0.0, 1.0), (1.0, 1.0, 0.0)):
        rows = figures(evaluate_worth(reading_words(encoder), archive, TOLD, encoder))

        assert rows["share turned away", "psm"].value == away
        assert rows["evidence kept", "psm"].value == kept


def test_the_rules_are_judged_by_what_they_turn_away_themselves(encoder):
    """Greetings go, what somebody tells of themselves stays."""
    rows = figures(evaluate_worth(reading_words(encoder), 0.5, TOLD, encoder))

    assert rows["share turned away", "rules"].value == 0.5
    assert rows["evidence kept", "rules"].value == 1.0
    assert {system for _, system in rows} == {"psm", "rules", "length", "first person"}


def test_the_report_has_every_figure_beside_its_baselines(encoder):
    """Order, labels, feelings and honesty, each in its range and for each person."""
    people = lives("validation")[:2]

    rows = figures(evaluate_gate(reading_words(encoder), 0.5, people, encoder))

    for measure, systems in (
        ("AUC of keep", {"psm", "rules", "length"}),
        ("kind, macro F1", {"psm", "rules"}),
        ("kind, accuracy", {"psm", "rules"}),
        ("Spearman of valence", {"psm"}),
        ("Spearman of arousal", {"psm", "lexicon"}),
        ("Spearman of emotional weight", {"psm", "lexicon"}),
    ):
        assert {s for m, s in rows if m == measure} == systems
    for row in rows.values():
        assert row.operation == "gate"
        assert -1 <= row.low <= row.value <= row.high <= 1
    assert set(rows["AUC of keep", "psm"].people) == {life.name for life in people}


def test_longer_turns_are_kept_more_often_by_people_too(encoder):
    """A network that counts words does as well as length, for it is length."""
    # An assistant's longest turns are the least worth keeping.
    people = [life for life in lives("validation") if life.chat == "two people"][:2]
    rows = figures(evaluate_gate(reading_words(encoder), 0.5, people, encoder))

    by_words = rows["AUC of keep", "psm"].value
    assert by_words == pytest.approx(rows["AUC of keep", "length"].value, abs=0.01)
    assert by_words > 0.7


def test_every_turn_stands_in_one_bin_of_honesty(encoder):
    """The bins hold all turns, and what was said of a bin stands in its name."""
    people = lives("validation")[:1]

    rows = evaluate_gate(reading_words(encoder), 0.5, people, encoder)

    bins = [row for row in rows if row.measure.startswith("worth keeping where")]
    assert sum(row.n for row in bins) == len(people[0].turns)
    kept = sum(round(row.value * row.n) for row in bins)
    assert kept == sum(said.keep for said in people[0].said)


def test_feelings_are_read_elsewhere_where_a_folder_is_given(encoder, tmp_path):
    """EmoBank and GoEmotions come in with their own test texts, beside the lexicon."""
    (tmp_path / "emobank").mkdir()
    (tmp_path / "emobank/emobank.csv").write_text(
        "id,split,V,A,D,text\na,test,4.0,4.0,3.0,We won!\nb,test,3.0,2.0,3.0,A chair.\n"
    )
    (tmp_path / "goemotions").mkdir()
    (tmp_path / "goemotions/labels.txt").write_text("joy\nneutral\n")
    (tmp_path / "goemotions/test.tsv").write_text(
        "My heart is broken\t0\tx1\nA chair stands there\t1\tx2\n"
    )

    rows = figures(
        evaluate_gate(
            reading_words(encoder), 0.5, lives("validation")[:1], encoder, tmp_path
        )
    )

    assert rows["Spearman of arousal, EmoBank", "psm"].n == 2
    measure = "AUC of emotional against neutral, GoEmotions"
    assert rows[measure, "lexicon"].value == 1.0
    assert rows[measure, "psm"].n == 2


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([(0.9, 1), (0.1, 0)], 1.0),
        ([(0.1, 1), (0.9, 0)], 0.0),
        ([(0.5, 1), (0.5, 0)], 0.5),
        ([(0.5, 1), (0.6, 1)], 0.5),
    ],
)
def test_auc_counts_pairs_in_the_right_order(cases, expected):
    """Right order 1, wrong order 0, a tie half; chance where there is nothing to rank."""
    assert auc(cases) == expected


def test_spearman_sees_ranks_alone():
    """Any rising curve is 1, any falling one -1, and what never changes 0."""
    rising = [(1.0, 1.0), (2.0, 10.0), (3.0, 1000.0)]

    assert spearman(rising) == 1.0
    assert spearman([(-said, true) for said, true in rising]) == -1.0
    assert spearman([(1.0, true) for _, true in rising]) == 0.0


def test_macro_f1_counts_rare_classes_alike():
    """One class in perfect order and one never found make a half."""
    assert macro_f1([(0, 0), (0, 0), (2, 1)]) == 0.5
