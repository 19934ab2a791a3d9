"""The written lives are sound, as many as the documents say, and kept apart."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from psm_core.errors import TranscriptError
from psm_core.train.corpus import (
    RELATIONS,
    SORTS,
    TEST,
    VALIDATION,
    Pair,
    Question,
    lives,
    read,
)
from psm_core.train.validate import (
    SHARED_WORDS,
    counts,
    faults,
    figures,
    overlap,
    report,
    shared_runs,
    summary,
)

ALL = lives()
ROOT = Path(__file__).parents[2]
WRITTEN = ROOT / "psm_core" / "train" / "written"

SPLITS = ("train", "validation", "test")

LEAST = {
    "lives": 32,
    "turns": 4_000,
    "questions": 1_000,
    "pairs": 1_400,
    "corrections": 64,
}
"""What the lives must hold together."""


@pytest.mark.parametrize("life", ALL, ids=lambda life: life.name)
def test_every_life_passes_the_validator(life):
    """Ids, references, balance and repeats: nothing is wrong with any life."""
    assert faults(life) == []


def test_the_lives_hold_enough():
    """Thirty-two lives or more hold the turns, questions and pairs asked for."""
    found = counts(ALL)

    for what, least in LEAST.items():
        assert found[what] >= least, what
    assert {q.sort for life in ALL for q in life.questions} == set(SORTS)
    assert {p.relation for life in ALL for p in life.pairs} == set(RELATIONS)


def test_no_two_lives_share_a_template():
    """Eight words in a row stand in one life at most."""
    assert shared_runs(ALL) == []


def test_nobody_is_in_two_splits():
    """Train, validation and test share no life, and together they are all."""
    names = {split: {life.name for life in lives(split)} for split in SPLITS}

    assert names["validation"] == VALIDATION
    assert names["test"] == TEST
    assert VALIDATION.isdisjoint(TEST)
    assert sum(map(len, names.values())) == len(ALL)
    assert set.union(*names.values()) == {life.name for life in ALL}


def test_no_name_stands_in_two_splits():
    """Whoever is learned from, nobody of that name is asked about."""
    named = [{n for life in lives(s) for n in life.people} for s in SPLITS]

    assert sum(map(len, named)) == len(set.union(*named))


def test_the_document_counts_what_is_there():
    """docs/corpus.md has the rows that the validator prints when it is given no file."""
    text = (ROOT / "docs" / "corpus.md").read_text(encoding="utf-8")
    rows = [row for row in figures(ALL).splitlines() if row.startswith("|")]

    assert [row.split()[1] for row in rows] == [*SPLITS, "all"]
    assert all(row in text for row in rows), "\n".join(rows)


def test_the_document_counts_every_label():
    """Kinds, sorts, relations and shared words stand in docs/corpus.md as they are."""
    text = " ".join((ROOT / "docs" / "corpus.md").read_text(encoding="utf-8").split())
    labels = [r for r in figures(ALL).splitlines() if r.startswith(("sorts", "rel"))]

    for named in (n for row in labels for n in row.split(": ")[1].split(", ")):
        assert named in text, "\n".join(labels)


# ------------------------------------------------------------ the validator itself


@pytest.fixture(scope="module")
def life():
    return ALL[0]


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        (
            Question("Why?", "single-hop", ("nowhere",), ""),
            "unknown turns nowhere: Why?",
        ),
        (Question("Why?", "odd", (), ""), "unknown sort odd: Why?"),
        (Question("Why?", "who", (), ""), "who with 0 turns: Why?"),
    ],
)
def test_a_question_about_nothing_is_a_fault(life, question, fault):
    """A question must be of a known sort and name turns that were said."""
    wrong = replace(life, questions=(*life.questions, question))

    assert fault in faults(wrong)


def test_an_unanswerable_question_names_no_turn(life):
    """Evidence of what was never said is a fault; so is a chain of one link."""
    turn = life.turns[0].id
    asked = [
        Question("So?", sort, (turn,), "") for sort in ("unanswerable", "multi-hop")
    ]

    found = faults(replace(life, questions=(*life.questions, *asked)))

    assert found == ["unanswerable with 1 turns: So?", "multi-hop with one turn: So?"]


def test_a_pair_has_one_speaker(life):
    """Two people don't contradict each other; one person does."""
    one, other = (
        next(t for t in life.turns if t.speaker == name) for name in life.people
    )
    pair = Pair(one.speaker, one.text, other.text, "update", (one.id, other.id))

    found = faults(replace(life, pairs=(*life.pairs, pair)))

    assert found == [f"a pair of two speakers: {(one.id, other.id)}"]


def test_a_repeated_run_of_words_is_a_fault(life):
    """Seven words that were said before look like a template."""
    said = life.said[5]
    again = said._replace(
        turn=replace(life.said[6].turn, text="ba du mi no ki la fu and more")
    )
    first = said._replace(turn=replace(said.turn, text="well ba du mi no ki la fu"))
    wrong = replace(life, said=(*life.said[:5], first, again, *life.said[7:]))

    ids = again.turn.id, first.turn.id
    assert f"{ids[0]} repeats {ids[1]}: ba du mi no ki la fu" in faults(wrong)


def test_shared_runs_names_both_lives(life):
    """A line that stands in two lives is found, and who has it."""
    line = "we had them all in a row of nine on the shelf"
    told = life.said[0]._replace(turn=replace(life.turns[0], text=line))
    other = replace(life, name="other", said=(told,))

    found = shared_runs([replace(life, said=(told,)), other])

    assert len(found) == len(line.split()) - SHARED_WORDS + 1
    assert found[0] == f"other and {life.name}: we had them all in a row of nine on"


def test_a_life_that_is_too_short_says_what_it_lacks(life):
    """Each count that is too low is one line with the least that will do."""
    short = replace(life, said=life.said[:10], questions=(), pairs=(), corrections=())

    found = faults(short)

    assert "10 turns; at least 110" in found
    assert "0 multi-hop questions; at least 6" in found
    assert "0 hedge pairs; at least 4" in found


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("Who bought a sailboat?", "none"),
        ("Where did the old dog sleep?", "some"),
        ("A dog?", "most"),
    ],
)
def test_overlap_counts_content_words_without_names(life, text, shared):
    """Stems count, names and little words don't."""
    said = life.said[0]
    turn = replace(said.turn, text=f"The dog ran off, {next(iter(life.people))}.")
    own = replace(life, said=(said._replace(turn=turn), *life.said[1:]))

    assert overlap(Question(text, "who", (turn.id,), ""), own) == shared


def test_the_summary_is_one_line_of_figures(life):
    """Name, turns, questions by overlap, pairs, share kept, words a turn."""
    said = summary(life)

    assert said.startswith(f"{life.name}: {len(life.turns)} turns, ")
    assert f"{len(life.pairs)} pairs" in said


def test_the_validator_counts_the_faults_of_a_file(tmp_path):
    """What is wrong stands under the life's summary, and is counted."""
    lines = (WRITTEN / "nora.jsonl").read_text(encoding="utf-8").splitlines()
    file = tmp_path / "nora.jsonl"
    asked = {"ask": "Why?", "sort": "who", "evidence": ["s99.1"], "answer": ""}
    file.write_text("\n".join([*lines, json.dumps(asked)]), encoding="utf-8")

    said, wrong = report([file])

    assert wrong == 1
    assert said[0].startswith("nora: ")
    assert said[1] == "  unknown turns s99.1: Why?"


def test_the_command_exits_with_1_where_a_life_is_faulty(tmp_path):
    """python -m psm_core.train.validate FILE tells a script whether all is well."""
    lines = (WRITTEN / "nora.jsonl").read_text(encoding="utf-8").splitlines()
    file = tmp_path / "nora.jsonl"
    file.write_text("\n".join(lines[:40]), encoding="utf-8")
    command = [sys.executable, "-m", "psm_core.train.validate"]

    wrong = subprocess.run(
        [*command, file], check=False, capture_output=True, text=True
    )

    assert wrong.returncode == 1
    assert "turns; at least 110" in wrong.stdout


def test_a_line_that_is_no_json_is_named(tmp_path):
    """A broken file says which line it is."""
    file = tmp_path / "broken.jsonl"
    file.write_text('{"life": "x"}\nnot json', encoding="utf-8")

    with pytest.raises(TranscriptError, match="line 2: no JSON"):
        read(file)
