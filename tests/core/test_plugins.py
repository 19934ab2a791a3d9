"""Plugins may add, decide and watch; they can't break a walk unseen."""

import logging

import pytest

from psm_core import Memory, Turn, hookimpl
from psm_core.errors import PluginError
from psm_core.plugins import REDACTED, Plugins


class Shout:
    """A redactor that raises its voice."""

    @hookimpl
    def psm_redact(self, text):
        return text.upper()


class Count:
    """A redactor that says how much it was given."""

    @hookimpl
    def psm_redact(self, text, user):
        return f"{text} {len(text)} {user}"


class Broken:
    """A redactor that fails with the text in its message."""

    @hookimpl
    def psm_redact(self, text):
        raise RuntimeError(text)


def plugins(*given):
    return Plugins(given, autoload=False)


def test_redactors_are_a_pipe():
    """Each is given what the one before it returned, the last registered first."""
    assert plugins(Shout(), Count()).redact("hi", "ada") == "HI 2 ADA"


def test_tryfirst_and_trylast_move_a_redactor():
    """The order of the pipe is that of the calls, not that of the list."""

    class First:
        @hookimpl(tryfirst=True)
        def psm_redact(self, text):
            return f"{text}1"

    class Last:
        @hookimpl(trylast=True)
        def psm_redact(self, text):
            return f"{text}9"

    assert plugins(First(), Shout(), Last()).redact("a", "ada") == "A19"


@pytest.mark.parametrize("answer", [b"hi", 0, False, ["hi"]])
def test_a_redactor_that_answers_with_no_text_fails_closed(answer):
    """An empty answer isn't taken for leave to store the words."""

    class Odd:
        @hookimpl
        def psm_redact(self, text):
            return answer

    kind = type(answer).__name__
    with pytest.raises(PluginError, match=f"Odd returned {kind}, not str; the turn"):
        plugins(Odd()).redact("my card is 4111", "ada")


def test_a_failing_redactor_fails_closed_and_keeps_the_secret():
    """The caller is told, and the text doesn't stand in the error."""
    with pytest.raises(PluginError, match="wasn't stored") as caught:
        plugins(Broken()).redact("my card is 4111", "ada")

    assert "4111" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_turn_of_which_nothing_is_left_says_so():
    """Redacting everything leaves a mark, not an empty text."""

    class Censor:
        @hookimpl
        def psm_redact(self):
            return " "

    assert plugins(Censor()).redact("hi", "ada") == REDACTED == "[redacted]"


def test_the_first_opinion_decides_the_gate():
    """None lets the next plugin speak; without any the policy decides."""

    class Undecided:
        @hookimpl
        def psm_gate(self):
            return None

    class Never:
        @hookimpl
        def psm_gate(self, turn, user):
            return False

    assert plugins(Undecided()).gate(Turn("hi"), "ada") is None
    assert plugins(Never(), Undecided()).gate(Turn("hi"), "ada") is False


@pytest.mark.parametrize("verdict", ["no", 0, 1])
def test_an_opinion_of_the_gate_is_yes_or_no(verdict):
    """What is neither isn't guessed at."""

    class Odd:
        @hookimpl
        def psm_gate(self):
            return verdict

    with pytest.raises(PluginError, match="must be True, False or None"):
        plugins(Odd()).gate(Turn("hi"), "ada")


def test_a_gate_that_raises_stores_nothing(open_memory):
    """The caller is told which hook failed, without what was said."""

    class Broken:
        @hookimpl
        def psm_gate(self, turn):
            raise KeyError(turn.text)

    memory = open_memory(plugins=[Broken()])
    with pytest.raises(PluginError, match="psm_gate raised KeyError") as caught:
        memory.remember(Turn("my card is 4111"))

    assert "4111" not in str(caught.value)
    assert memory.entries() == []


def test_an_observer_that_raises_silences_nobody(caplog):
    """The others still hear it, and the log names the fault without its words."""
    heard = []

    class Deaf:
        @hookimpl
        def psm_forgot(self, user, memory_id):
            raise ValueError("secret words")

    class Keen:
        @hookimpl
        def psm_forgot(self, memory_id):
            heard.append(memory_id)

    with caplog.at_level(logging.WARNING):
        plugins(Keen(), Deaf()).notify("psm_forgot", user="ada", memory_id="t1")

    assert heard == ["t1"]
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_hook_of_an_unknown_name_is_refused():
    """A slip in a hook's name would otherwise never be called."""

    class Typo:
        @hookimpl
        def psm_redakt(self, text):
            return text

    with pytest.raises(PluginError, match="psm_redakt"):
        plugins(Typo())


def test_an_argument_that_no_hook_has_is_refused():
    """A slip in an argument's name is found when the plugin comes."""

    class Typo:
        @hookimpl
        def psm_redact(self, txt):
            return txt

    with pytest.raises(PluginError, match="txt"):
        plugins(Typo())


class Lamp:
    """A plugin that offers a policy; any number may be made."""

    @hookimpl
    def psm_register(self, registry):
        registry.add("policy", "lamp", object)


def test_a_plugin_that_comes_late_is_asked_for_its_offers():
    """Registering is remembered: who comes after the opening is heard as well."""
    known = plugins()
    assert "lamp" not in known.offers.names("policy")

    known.register(Lamp())

    assert known.offers.get("policy", "lamp") is object


def test_a_plugin_that_is_refused_takes_no_part():
    """Neither its offers nor its hooks stay, and the others go on."""

    class Greedy(Count):
        @hookimpl
        def psm_register(self, registry):
            registry.add("policy", "mine", object)
            registry.add("encoder", "hash", object)

    class Slip(Count):
        @hookimpl
        def psm_redakt(self, text):
            return text

    class Bug(Count):
        @hookimpl
        def psm_register(self, registry):
            raise ZeroDivisionError("secret")

    known = plugins(Shout())
    for bad, why in (
        (Greedy(), "two plugins offer"),
        (Slip(), "Slip can't be registered: .*psm_redakt"),
        (Bug(), "Bug can't be registered: it raised ZeroDivisionError$"),
    ):
        with pytest.raises(PluginError, match=why):
            known.register(bad)

    assert known.offers.names("policy") == ["psm-mini", "rules"]
    assert known.redact("hi", "ada") == "HI"
    assert [plugin.name for plugin in known.listing()] == ["psm_core.builtin", "Shout"]


def test_a_plugin_that_is_given_twice_takes_part_once():
    """The same object is the same plugin; two of one class are two."""
    twice, other = Count(), Count()
    known = plugins(twice, twice, other)

    assert known.redact("hi", "ada") == "hi 2 ada 8 ada"
    assert [p.name for p in known.listing()[1:]] == ["Count", "Count (2)"]


def test_each_memory_has_plugins_of_its_own(open_memory):
    """What one memory was given does nothing in another, of the same process."""
    loud, quiet = open_memory("ada", plugins=[Shout()]), open_memory("bob")
    for memory in (loud, quiet):
        memory.remember(Turn("I live in Lyon."))

    assert loud.entries()[0].text == "I LIVE IN LYON."
    assert quiet.entries()[0].text == "I live in Lyon."


def test_a_memory_takes_a_part_by_the_name_that_a_plugin_gave_it(home):
    """An abstractor is registered, named in the settings, and made."""
    made = []

    class Plain:
        def __init__(self):
            made.append(self)

        def word(self, pattern, said):
            return pattern.text

    class Offer:
        @hookimpl
        def psm_register(self, registry):
            registry.add("abstractor", "plain", Plain)

    for named in ({"abstractor": "plain"}, {}):
        with Memory("ada", home=home, encoder="hash", plugins=[Offer()], **named):
            pass
    assert len(made) == 1
