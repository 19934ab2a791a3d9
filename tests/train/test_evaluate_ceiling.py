"""What the heads reach if they learn from like people: never from whom they judge."""

from dataclasses import replace

import pytest
import torch

from psm_core.model.encoder import HashEncoder
from psm_core.model.rules import RulePolicy
from psm_core.train.calibrate import logistic
from psm_core.train.corpus import lives
from psm_core.train.evaluate.asking import System
from psm_core.train.evaluate.ceiling import TAUGHT, evaluate_ceiling
from psm_core.train.material import Remembered

QUIET = lambda _: None  # noqa: E731


@pytest.fixture(scope="module")
def system():
    return System("psm", RulePolicy(), Remembered(HashEncoder(64)))


@pytest.fixture(scope="module")
def people():
    """Two people with twenty questions each."""
    return [
        replace(life, questions=tuple(q for q in life.questions if q.evidence)[:20])
        for life in lives("train")[:2]
    ]


def figures(rows):
    return {(row.measure, row.system): row for row in rows}


def test_every_figure_is_there_for_each_conversation(system, people):
    """R@5, R@10, nDCG@10 and the gate's two shares, by turns and by questions."""
    rows = figures(evaluate_ceiling(system, people, QUIET))

    assert {m for m, s in rows if s == TAUGHT} >= {"R@5", "R@10", "nDCG@10"}
    for seeing in ("signs", "signs and meaning"):
        for share in ("30%", "50%"):
            row = rows[f"evidence kept, {share} turned away", f"{TAUGHT}, {seeing}"]
            assert 0.0 <= row.value <= 1.0
            asked = rows[
                f"evidence kept, {share} turned away, by questions",
                f"{TAUGHT}, {seeing}",
            ]
            assert asked.n == sum(len(q.evidence) for p in people for q in p.questions)
    assert set(rows["R@10", TAUGHT].people) == {life.name for life in people}
    assert rows["R@10", TAUGHT].n == 40


def test_nobody_is_judged_by_what_was_learned_from_them(system, people):
    """Other questions about one person change nothing of how their own turns rank.

    What the first is worth is learned from the second alone, so the first's evidence
    may be anything.
    """
    one, other = people
    turned = replace(
        one, questions=(one.questions[0]._replace(evidence=(one.turns[0].id,)),)
    )

    before = figures(evaluate_ceiling(system, [one, other], QUIET))
    after = figures(evaluate_ceiling(system, [turned, other], QUIET))

    name = f"{TAUGHT}, signs"
    kept = "evidence kept, 50% turned away"
    # The second one's judge learned from the first, whose evidence is another now.
    assert before[kept, name].people[other.name] != after[kept, name].people[other.name]
    assert after[kept, name].people[one.name] in (0.0, 1.0)


def test_one_conversation_has_no_others_to_learn_from(system, people):
    """With one conversation there is no ceiling, and no error either."""
    assert evaluate_ceiling(system, people[:1], QUIET) == []


def test_a_logistic_regression_finds_what_tells_two_groups_apart():
    """It leans on the number that tells, not on the one that doesn't."""
    torch.manual_seed(0)
    seen = torch.randn(200, 2)
    head = torch.nn.Linear(2, 1)

    logistic(head, seen, (seen[:, 0] > 0).float(), ridge=1e-3)

    telling, silent = head.weight[0].abs().tolist()
    assert telling > 10 * silent
