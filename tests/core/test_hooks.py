"""Every hook is documented as it is, and is called by a life."""

import inspect
import re
from pathlib import Path

import pytest

from psm_core import Feedback, hookimpl, hookspecs

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
SPECS = {
    name: spec
    for name, spec in vars(hookspecs).items()
    if hasattr(spec, f"{hookspecs.PROJECT}_spec")
}


def signature(spec):
    """How a hook is called, as a reader writes it."""
    whole = inspect.signature(spec)
    named = (f"{p.name}: {p.annotation}" for p in whole.parameters.values())
    return f"{spec.__name__}({', '.join(named)}) -> {whole.return_annotation}"


def chapters():
    """What stands under each heading that names a hook."""
    parts = re.split(r"^#{2,3} (.*)$", DOCUMENT, flags=re.MULTILINE)[1:]
    return {
        title.strip("`"): text
        for title, text in zip(parts[::2], parts[1::2], strict=True)
        if title.startswith("`psm_")
    }


def test_the_document_names_every_hook_as_it_is():
    """Names, arguments and types agree, both ways and in the same order."""
    assert list(chapters()) == [signature(spec) for spec in SPECS.values()]


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_says_when_it_is_called_and_shows_how(name):
    """Each section says when, what may be returned, and has an example that is run."""
    (text,) = (text for title, text in chapters().items() if title.startswith(name))

    assert "**Called** " in text
    assert "**May return** " in text
    assert re.search(rf"```python\n[^`]*def {name}\(self", text)


def test_the_document_prints_the_example_as_it_is():
    """What stands under "To ship one" is examples/plugin, and nothing else."""
    source = (ROOT / "examples" / "plugin" / "psm_redact_pii.py").read_text("utf-8")

    assert source.partition("\n\n")[2].strip() in DOCUMENT


def test_the_document_names_every_kind_of_offer():
    """The table of kinds is the list of those that can be registered."""
    from psm_core.offers import KINDS

    text = DOCUMENT.partition("| kind |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE)) == KINDS


# ------------------------------------------------------------------ one life


class Everything:
    """A plugin with every hook, which notes what it is told."""

    def __init__(self):
        self.told = []

    @hookimpl
    def psm_register(self, registry):
        self.told.append(("psm_register", ()))

    @hookimpl
    def psm_redact(self, text, user):
        self.told.append(("psm_redact", (user,)))
        return text.replace("4111", "[card]")

    @hookimpl
    def psm_gate(self, turn, user):
        assert "4111" not in turn.text
        self.told.append(("psm_gate", (user, turn.id)))

    @hookimpl
    def psm_remembered(self, user, decision):
        self.told.append(("psm_remembered", (user, decision.id, decision.new)))

    @hookimpl
    def psm_recalled(self, user, recall):
        self.told.append(("psm_recalled", (user, len(recall.hits))))

    @hookimpl
    def psm_corrected(self, user, memory_id):
        self.told.append(("psm_corrected", (user, memory_id)))

    @hookimpl
    def psm_conflict(self, user, conflict):
        self.told.append(("psm_conflict", (user, conflict.new, conflict.old)))

    @hookimpl
    def psm_slept(self, user, report):
        self.told.append(("psm_slept", (user, report.conflicts)))

    @hookimpl
    def psm_forgot(self, user, memory_id):
        self.told.append(("psm_forgot", (user, memory_id)))


def test_one_life_calls_every_hook(open_memory, say):
    """Each is told what it should be, in the order in which it happened; a hook that
    nobody calls would be found here."""
    plugin = Everything()
    memory = open_memory(plugins=[plugin], policy="rules")
    memory.remember(say("I live in Lyon."))
    memory.remember(say("I live in Paris, card 4111."))
    recall = memory.recall("Where do I live?")
    memory.consolidate()
    memory.learn(Feedback(recall.id, corrected=["t1"]))
    memory.forget("t1")

    names = [name for name, _ in plugin.told]
    assert set(names) == set(SPECS)
    assert names == [
        "psm_register",
        *["psm_redact", "psm_gate", "psm_remembered"] * 2,
        "psm_recalled",
        "psm_conflict",
        "psm_slept",
        "psm_corrected",
        "psm_forgot",
    ]
    told = dict(plugin.told)
    assert told["psm_remembered"] == ("ada", "t2", True)
    assert told["psm_recalled"] == ("ada", 2)
    assert told["psm_slept"] == ("ada", 1)
    assert told["psm_corrected"] == told["psm_forgot"] == ("ada", "t1")


def test_what_a_person_settles_a_conflict_with_is_redacted(open_memory, say):
    """The sentence is stored as any other: without the secret."""
    plugin = Everything()
    memory = open_memory(plugins=[plugin], policy="rules")
    memory.remember(say("I live in Lyon."))
    memory.remember(say("I live in Paris."))
    memory.consolidate()
    (conflict,) = memory.conflicts()

    memory.resolve(conflict.id, keep="I live in Rome, card 4111.")

    texts = [entry.text for entry in memory.entries()]
    assert "I live in Rome, card [card]." in texts
    assert not any("4111" in text for text in texts)
