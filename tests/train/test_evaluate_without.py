"""What each head is worth: one verb at a time by the rules."""

from dataclasses import replace

import pytest

from psm_core.model.encoder import HashEncoder
from psm_core.model.rules import RulePolicy
from psm_core.train.corpus import lives
from psm_core.train.evaluate.asking import System
from psm_core.train.evaluate.without import HEADS, Without, evaluate_heads
from psm_core.train.material import Remembered
from psm_core.types import Action


class Deaf(RulePolicy):
    """A policy whose gate turns everything away, and which is fine otherwise."""

    @property
    def name(self):
        return "deaf"

    def gate(self, turn, context):
        decision = super().gate(turn, context)
        return replace(decision, action=Action.ARCHIVE)


@pytest.fixture(scope="module")
def life():
    one = next(x for x in lives("validation") if x.name == "pilar")
    said = one.said[:40]
    ids = {s.turn.id for s in said}
    asked = [q for q in one.questions if q.evidence and ids.issuperset(q.evidence)]
    return replace(one, said=said, questions=tuple(asked[:6]))


def test_every_verb_of_a_policy_can_be_given_to_the_rules():
    """The heads that are taken off are the five verbs of a policy, no more: a gist is
    the rules' own."""
    verbs = {n for n in vars(RulePolicy) if not n.startswith("_")} - {"name", "gist"}

    assert set(HEADS) == verbs


def test_the_rules_answer_for_the_head_that_is_off():
    """Without its gate a deaf policy hears; everything else is still its own."""
    deaf = Deaf()

    cut = Without(deaf, "gate")

    assert cut.gate.__self__ is not deaf
    assert cut.weigh.__self__ is deaf
    assert cut.name == "deaf"


def test_a_bad_head_is_found_out(life):
    """With its gate by the rules a deaf policy finds again what it was asked for."""
    system = System("deaf", Deaf(), Remembered(HashEncoder(64)))

    rows = list(evaluate_heads(system, [life], lambda _: None))

    ranked = {r.system: r.value for r in rows if r.measure == "R@10 after a sleep"}
    assert len(ranked) == 1 + len(HEADS)
    assert ranked["deaf"] == ranked["deaf, half-lives by the rules"] == 0.0
    assert ranked["deaf, gate by the rules"] > 0.3
