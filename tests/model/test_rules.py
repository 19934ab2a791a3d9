"""RulePolicy: five verbs behind one door, the same for everybody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from psm_core.model.rules import RulePolicy
from psm_core.protocols import GateContext, Policy
from psm_core.types import Action, ConflictKind, Turn


def test_the_five_verbs_answer(entry, candidate, cue):
    """Whoever speaks to the protocol gets an answer to each of its verbs."""
    policy: Policy = RulePolicy()
    context = GateContext("mira", (), None, cue("x").vector, lambda k: [])
    home, moved = entry("I live in Rome.", id="a"), entry("I moved to Oslo.", id="b")

    assert policy.name == "rules"
    assert policy.gate(Turn("I live in Rome."), context).action is Action.KEEP
    assert policy.weigh(cue("Rome"), [candidate("x", cosine=0.9)]).scores[0] > 0
    assert policy.abstract([home])[0].text == "Mira lives in Rome."
    assert policy.interferes(moved, home).kind is ConflictKind.UPDATE
    assert policy.half_life(home).days == 540


def test_the_rules_load_no_torch():
    """Formulas need no network: the floor is there at once, everywhere."""
    code = "import sys, psm_core.model.rules; print('torch' in sys.modules)"
    root = Path(__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(root)},
    )

    assert done.stdout == "False\n"


def test_the_skill_never_imports_the_content():
    """No module of the skill knows the acts or the store."""
    folder = Path(__file__).parents[2] / "psm_core/model"

    for file in folder.glob("*.py"):
        source = file.read_text("utf-8")
        assert "psm_core.store" not in source
        assert "psm_core.acts" not in source
