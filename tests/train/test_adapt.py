"""What an encoder is taught, and how it is told whether it learned."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from psm_core.model.encoder import HashEncoder
from psm_core.train.adapt import (
    Lesson,
    Recipe,
    gradients,
    lesson,
    nearness,
    stores,
)
from psm_core.train.corpus import Life, Pair, Question, Said
from psm_core.types import Kind, Turn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def life(name, person, *texts, questions=(), pairs=()):
    """A life of one session with turns t1, t2, … of one person."""
    said = tuple(
        Said(
            Turn(text, person, "user", at=NOON, session="s", id=f"t{n}"),
            True,
            Kind.TALK,
            0,
            0,
        )
        for n, text in enumerate(texts, 1)
    )
    people = {person: ""}
    return Life(name, "two people", people, said, tuple(questions), tuple(pairs), ())


ADA = life(
    "ada",
    "Ada",
    "I moved to Lyon",
    "haha",
    "my cat is called Otto",
    questions=[
        Question("Where does Ada live?", "single-hop", ("t1",), "Lyon"),
        Question("What does Ada fear?", "unanswerable", (), ""),
    ],
    pairs=[Pair("Ada", "I moved to Lyon", "I live in Lyon", "duplicate", None)],
)
BOB = life(
    "bob",
    "Bob",
    "Bob here, I bake bread",
    questions=[Question("What does Bob bake?", "single-hop", ("t1",), "bread")],
    pairs=[Pair("Bob", "I bake bread", "I sell cars", "compatible", None)],
)


def test_a_lesson_asks_without_names_and_only_what_can_be_answered():
    """Names of speakers are out, unanswerable questions too; answers say which turn."""
    found = lesson([ADA], 0)

    assert found.turns == ["I moved to Lyon", "haha", "my cat is called Otto"]
    assert found.questions == ["Where does live?"]
    assert found.answers.tolist() == [[1, 0, 0]]


def test_lives_that_share_a_store_are_all_asked_about():
    """The second's turns come under the first's names, and its questions with them."""
    found = lesson([ADA, BOB], 0)

    assert "Ada here, I bake bread" in found.turns
    assert found.questions == ["Where does live?", "What does bake?"]
    assert found.answers.sum(1).tolist() == [1, 1]
    place = found.turns.index("Ada here, I bake bread")
    assert found.answers[1, place] == 1
    assert found.pairs == [*ADA.pairs, *BOB.pairs]


@pytest.mark.parametrize("seed", range(5))
def test_a_store_takes_in_no_life_that_makes_it_too_long(seed):
    """Each life comes once; two share a store where both fit, a long one has its own."""
    long = life("eve", "Eve", *(f"turn {n}" for n in range(9)))
    people = [ADA, BOB, long, life("dan", "Dan", "one", "two")]

    groups = stores(people, Recipe(together=2, turns=4), random.Random(seed))

    assert sorted(x.name for group in groups for x in group) == [
        "ada",
        "bob",
        "dan",
        "eve",
    ]
    assert [long] in groups
    for group in groups:
        assert len(group) <= 2
        assert len(group) == 1 or sum(len(x.turns) for x in group) <= 4


def test_nearness_counts_what_cosine_finds():
    """With fewer turns than places everything is found, and duplicates are nearer."""
    found = nearness(HashEncoder(), [ADA, BOB])

    assert found == {
        "own@10": 1,
        "own@30": 1,
        "own@50": 1,
        "crowded@10": 1,
        "crowded@30": 1,
        "crowded@50": 1,
        "alike": 1,
    }


def test_nearness_sees_what_is_not_found():
    """Evidence behind ten nearer turns is not found at ten, and is at thirty."""
    others = [f"Where does it live, {n}?" for n in range(12)]
    crowd = life("ada", "Ada", *others, "Lyon", questions=ADA.questions[:1])
    asked = dataclasses.replace(
        crowd, questions=(crowd.questions[0]._replace(evidence=("t13",)),)
    )

    found = nearness(HashEncoder(), [asked])

    assert (found["own@10"], found["own@30"]) == (0, 1)
    assert np.isnan(found["alike"])


class Table:
    """A backbone whose vectors are the rows of a table: what is learned can be seen."""

    def __init__(self, texts):
        torch.manual_seed(0)
        self.at = {text: n for n, text in enumerate(texts)}
        self.rows = torch.nn.Parameter(torch.randn(len(texts), 8))

    def vectors(self, texts):
        rows = self.rows[[self.at[text] for text in texts]]
        return torch.nn.functional.normalize(rows, dim=1)


@pytest.fixture
def taught():
    """A lesson with more texts than a sparing training holds at once."""
    pairs = [
        Pair("Ada", "old", "new", "update", None),
        Pair("Ada", "old", "elsewhere", "compatible", None),
    ]
    turns = [f"turn {n}" for n in range(12)] + ["old", "new"]
    answers = torch.zeros(2, 14)
    answers[0, 3] = answers[1, 4] = answers[1, 5] = 1
    return Lesson(turns, ["one?", "two?"], answers, pairs)


@pytest.fixture
def table(taught):
    return Table([*taught.turns, *taught.questions, "elsewhere"])


def test_saving_memory_changes_no_gradient(taught, table):
    """A backbone of billions learns what it would learn with memory to spare."""
    plain = gradients(table, taught, Recipe(sparing=False))
    expected = table.rows.grad.clone()
    table.rows.grad = None

    sparing = gradients(table, taught, Recipe(sparing=True))

    assert sparing == pytest.approx(plain)
    torch.testing.assert_close(table.rows.grad, expected)


def test_a_question_comes_nearer_to_what_answers_it(taught, table):
    """One step along the gradients raises the cosines of evidence over all others."""

    def margins():
        near = table.vectors(taught.questions) @ table.vectors(taught.turns).T
        wanted = (near * taught.answers).sum(1) / taught.answers.sum(1)
        return (wanted - near.mean(1)).tolist()

    before = margins()
    gradients(table, taught, Recipe())
    with torch.no_grad():
        table.rows -= 0.1 * table.rows.grad

    assert all(b > a for a, b in zip(before, margins(), strict=True))


def test_what_belongs_together_counts_by_its_weight(taught, table):
    """The loss of the pair is added with the recipe's weight, and not at all at 0."""
    alone, half, full = (
        gradients(table, taught, Recipe(alike=alike)) for alike in (0, 0.5, 1)
    )

    assert full > half > alone
    assert half - alone == pytest.approx((full - alone) / 2, rel=1e-4)


def test_the_halves_of_a_pair_are_no_wrong_answers(taught, table):
    """That the two statements stand among the turns as well costs nothing."""
    bare = Lesson([t for t in taught.turns if t not in ("old", "new")], *taught[1:])
    bare = bare._replace(answers=taught.answers[:, :12])

    def of_pair(found):
        full = gradients(table, found, Recipe(alike=1))
        return full - gradients(table, found, Recipe(alike=0))

    assert of_pair(taught) == pytest.approx(of_pair(bare), rel=1e-4)
