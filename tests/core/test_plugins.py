"""Plugins may add, decide and watch; they can't break a walk unseen."""

import logging

import pytest

from psm_core import Turn, hookimpl
from psm_core.errors import MissingExtraError, PluginError
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


def test_two_offers_of_one_name_are_refused():
    """Which one is meant can't be guessed."""

    class Twice:
        @hookimpl
        def psm_register(self, registry):
            registry.add("encoder", "hash", object)

    with pytest.raises(PluginError, match="two plugins offer the encoder 'hash'"):
        plugins(Twice())


def test_an_unknown_offer_names_the_known_ones():
    """The error lists what could have been meant."""
    with pytest.raises(
        PluginError, match="the policy 'magic'; offered: psm-mini, rules"
    ):
        plugins().offers.get("policy", "magic")


def test_a_missing_extra_is_named():
    """What isn't installed is an ImportError with the command that brings it."""

    class Exotic:
        @hookimpl
        def psm_register(self, registry):
            target = "psm_no_such_module:Thing"
            registry.add("integration", "exotic", target, extra="exotic")

    offers = plugins(Exotic()).offers

    with pytest.raises(MissingExtraError, match=r"pip install 'psm-memory\[exotic\]'"):
        offers.get("integration", "exotic")
    assert issubclass(MissingExtraError, ImportError)


def test_built_ins_are_ordinary_plugins():
    """What ships with the package stands in the same registry as everything else."""
    offers = plugins().offers

    assert offers.names("encoder") == ["all-MiniLM-L6-v2", "hash", "psm-mini"]
    assert offers.names("policy") == ["psm-mini", "rules"]
    assert all(isinstance(offer.target, str) for offer in offers.all())
