"""Whoever words a fact is held against what was said."""

from datetime import timedelta

import pytest

from psm_core import Tier, Turn
from psm_core.errors import PluginError, WeightsError
from psm_core.hookspecs import hookimpl


class Scripted:
    """An abstractor that says what a test wrote down, and keeps what it was told."""

    def __init__(self, *says):
        self.says = list(says)
        self.told = []

    def word(self, pattern, said):
        self.told.append((pattern.text, tuple(said)))
        text = self.says[min(len(self.told), len(self.says)) - 1]
        if isinstance(text, Exception):
            raise text
        return text


def facts(open_memory, abstractor, *said, speaker="Mira"):
    """The facts that a night on *said* leaves."""
    memory = open_memory(policy="rules", abstractor=abstractor)
    for n, text in enumerate(said):
        memory.remember(Turn(text, speaker=speaker, id=f"t{n}"))
    memory.consolidate()
    return [entry.text for entry in memory.entries(Tier.SEMANTIC)]


SAID = "I'm a nurse at the Klinik am Weiher, and I work nights."
SPAN = "Mira is a nurse at the Klinik am Weiher."


def test_a_wording_in_words_that_were_said_is_taken(open_memory):
    """It may leave out, and put together what the span left apart."""
    wording = "Mira works nights as a nurse at the Klinik am Weiher."
    writer = Scripted(wording)

    assert facts(open_memory, writer, SAID)[0] == wording
    assert writer.told[0] == (SPAN, (SAID,))


@pytest.mark.parametrize(
    "wording",
    [
        "Mira is a surgeon at the Klinik am Weiher.",
        "Mira is a nurse at the Klinik am Weiher since 2019.",
        "Mira is a nurse at the Klinik am Weiher in Berlin.",
        "Mira is not a nurse at the Klinik am Weiher.",
        "",
        "   \n ",
        "Mira " * 40,
    ],
)
def test_a_wording_that_adds_or_denies_is_thrown_away(open_memory, wording):
    """A new word, number, name or denial, nothing at all, or a flood: the span stays."""
    assert facts(open_memory, Scripted(wording), SAID)[0] == SPAN


def test_a_hedge_is_not_polished_away(open_memory):
    """Who might move hasn't moved, however well it reads."""
    memory = facts(
        open_memory,
        Scripted("Mira moves to Lyon."),
        "I want to move to Lyon.",
    )

    assert memory == ["Mira wants to move to Lyon."]


def test_a_denial_is_kept(open_memory):
    """What isn't so doesn't become so by being said better."""
    assert facts(open_memory, Scripted("Mira eats meat."), "I don't eat meat.") == [
        "Mira doesn't eat meat."
    ]


def test_a_writer_that_fails_costs_nothing_but_its_words(open_memory, caplog):
    """The rules' words stand, the sleep goes on, and no log quotes anybody."""
    writer = Scripted(RuntimeError("the model said: Mira is a nurse"))

    assert facts(open_memory, writer, SAID)[0] == SPAN
    assert "RuntimeError" in caplog.text
    assert "nurse" not in caplog.text


def test_slept_twice_nobody_is_asked_twice(open_memory, clock):
    """A night without anything new words nothing anew."""
    writer = Scripted("Mira works nights as a nurse at the Klinik am Weiher.")
    memory = open_memory(policy="rules", abstractor=writer)
    memory.remember(Turn(SAID, speaker="Mira"))
    memory.consolidate()
    asked = len(writer.told)
    clock.move(days=1)

    memory.consolidate()

    assert len(writer.told) == asked


def test_a_plugin_offers_an_abstractor_by_name(open_memory):
    """Settings name it, as they name encoders and policies."""
    writer = Scripted("Mira works nights as a nurse at the Klinik am Weiher.")

    class Plugin:
        @hookimpl
        def psm_register(self, registry):
            registry.add("abstractor", "scripted", lambda: writer)

    memory = open_memory(policy="rules", abstractor="scripted", plugins=[Plugin()])
    memory.remember(Turn(SAID, speaker="Mira"))
    memory.consolidate()

    assert writer.told
    with pytest.raises(PluginError, match="no plugin offers the abstractor 'nobody'"):
        open_memory(abstractor="nobody")


def test_a_causal_language_model_is_asked_and_not_believed(open_memory, llama):
    """A random model says nothing that was said, so the span stays."""
    memory = open_memory(policy="rules", abstractor=str(llama))
    memory.remember(Turn(SAID, speaker="Mira"))

    report = memory.consolidate()

    assert report.facts >= 1
    assert memory.entries(Tier.SEMANTIC)[0].text == SPAN
    assert report.steps["facts"] > 0


def test_a_folder_without_a_model_is_refused_at_once(open_memory, tmp_path):
    """One line says what was found, before anybody is asked to sleep."""
    with pytest.raises(WeightsError, match="holds no causal language model"):
        open_memory(abstractor=str(tmp_path))


def test_what_a_writer_worded_rests_on_the_same_turns(open_memory, clock):
    """Provenance doesn't change with the words, and a repetition merges."""
    writer = Scripted("Mira works nights as a nurse at the Klinik am Weiher.")
    memory = open_memory(policy="rules", abstractor=writer)
    memory.remember(Turn(SAID, speaker="Mira", id="t1", at=clock.now()))
    memory.consolidate()

    (fact,) = memory.entries(Tier.SEMANTIC)[:1]
    assert fact.sources == ("t1",)
    assert fact.said_at == clock.now()
    assert fact.trace.half_life > timedelta(days=30)
