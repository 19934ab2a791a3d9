"""Observers can neither change nor break anything; nobody can be wrapped unseen."""

import dataclasses
import threading
import types
import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum

import pytest

from psm_core import Feedback, Turn, hookimpl, hookspecs
from psm_core import types as nouns
from psm_core.errors import PluginError

OBSERVERS = [
    name
    for name, spec in vars(hookspecs).items()
    if hasattr(spec, "psm_spec")
    and name not in ("psm_register", "psm_redact", "psm_gate")
]


class Rude:
    """An observer that does what it can with all that it is told."""

    def __init__(self):
        self.refused = 0

    def _spoil(self, noun):
        for field in dataclasses.fields(noun):
            try:
                setattr(noun, field.name, None)
            except dataclasses.FrozenInstanceError:
                self.refused += 1
        if isinstance(noun, nouns.SleepReport):
            noun.steps.clear()
        raise RuntimeError("and then it fails")

    @hookimpl
    def psm_remembered(self, decision):
        self._spoil(decision)

    @hookimpl
    def psm_recalled(self, recall):
        self._spoil(recall)

    @hookimpl
    def psm_slept(self, report):
        self._spoil(report)

    @hookimpl
    def psm_conflict(self, conflict):
        self._spoil(conflict)

    @hookimpl
    def psm_corrected(self, memory_id):
        raise SystemError(memory_id)

    @hookimpl
    def psm_forgot(self, memory_id):
        raise SystemError(memory_id)


class Polite:
    """An observer that notes which hooks it hears."""

    def __init__(self):
        self.heard = []

    @hookimpl
    def psm_remembered(self):
        self.heard.append("remembered")

    @hookimpl
    def psm_recalled(self):
        self.heard.append("recalled")

    @hookimpl
    def psm_slept(self, report):
        assert report.steps
        self.heard.append("slept")

    @hookimpl
    def psm_conflict(self):
        self.heard.append("conflict")

    @hookimpl
    def psm_corrected(self):
        self.heard.append("corrected")

    @hookimpl
    def psm_forgot(self):
        self.heard.append("forgot")


def test_an_observer_changes_nothing_and_breaks_nothing(open_memory, say, caplog):
    """A life with a rude observer ends as one without: same answers, same memories, and
    the polite observer beside it hears all."""
    rude, polite = Rude(), Polite()
    ends = []
    for user, plugins in (("ada", []), ("bob", [polite, rude])):
        memory = open_memory(user, plugins=plugins, policy="rules")
        decision = memory.remember(say("I live in Lyon.", id="a"))
        memory.remember(say("I live in Paris.", id="b"))
        recall = memory.recall("Where do I live?")
        report = memory.consolidate()
        assert report.steps
        memory.learn(Feedback(recall.id, corrected=["a"]))
        memory.forget("a")
        ends.append(
            (
                decision.kept,
                [hit.id for hit in recall.hits],
                report.conflicts,
                [(e.id, e.tier, e.corrected) for e in memory.entries()],
            )
        )

    assert ends[0] == ends[1]
    assert rude.refused > 20
    assert " ".join(polite.heard) == (
        "remembered remembered recalled conflict slept corrected forgot"
    )
    warned = [r for r in caplog.records if r.name == "psm_core.plugins"]
    assert {r.args[1] for r in warned} == set(OBSERVERS)
    assert {r.args[0] for r in warned} == {"Rude"}
    assert "then it fails" not in caplog.text


PLAIN = (str, int, float, bool, datetime, timedelta, types.NoneType)


def is_frozen(kind):
    if dataclasses.is_dataclass(kind):
        return kind.__dataclass_params__.frozen
    return isinstance(kind, type) and issubclass(kind, tuple)


def unfrozen(kind, place):
    """Where a value of this type could be changed by whoever holds it."""
    if kind in PLAIN or (isinstance(kind, type) and issubclass(kind, Enum)):
        return
    origin = typing.get_origin(kind)
    parts = [part for part in typing.get_args(kind) if part is not Ellipsis]
    if origin in (tuple, typing.Union, types.UnionType):
        for part in parts:
            yield from unfrozen(part, place)
    elif is_frozen(kind):
        for name, field in typing.get_type_hints(kind).items():
            yield from unfrozen(field, f"{place}.{name}")
    else:
        yield place, origin or kind


@pytest.mark.parametrize("name", OBSERVERS)
def test_what_an_observer_is_given_is_frozen(name):
    """All the way down, but for the steps of a sleep, of which it gets a copy."""
    space = vars(hookspecs) | vars(nouns)
    hints = typing.get_type_hints(getattr(hookspecs, name), space)
    hints.pop("return")

    open_places = [each for n, kind in hints.items() for each in unfrozen(kind, n)]

    expected = [("report.steps", Mapping)] if name == "psm_slept" else []
    assert open_places == expected


@pytest.mark.parametrize("name", [*OBSERVERS, "psm_redact"])
def test_a_wrapper_is_refused_where_it_would_not_be_called(name, open_memory):
    """Whoever wraps a hook that is told or piped learns that it would have no effect."""
    scope = {"hookimpl": hookimpl}
    code = f"class Wrap:\n    @hookimpl(wrapper=True)\n    def {name}(self):\n"
    exec(f"{code}        return (yield)\n", scope)

    with pytest.raises(
        PluginError, match=f"the plugin Wrap wraps {name}; only psm_gate"
    ):
        open_memory(plugins=[scope["Wrap"]()])


def test_the_gate_may_be_wrapped(open_memory):
    """A wrapper sees what the others decided, and has the last word."""

    class Never:
        @hookimpl
        def psm_gate(self):
            return False

    class Appeal:
        @hookimpl(wrapper=True)
        def psm_gate(self, turn):
            verdict = yield
            return True if "please" in turn.text else verdict

    memory = open_memory(plugins=[Appeal(), Never()])

    assert memory.remember(Turn("I live in Lyon, please keep it.")).kept
    assert not memory.remember(Turn("I live in Lyon.")).kept


def test_a_hook_may_call_the_memory(open_memory, say):
    """From another thread too, which would wait for ever if a lock were held."""
    seen = []

    def ask(words):
        answers = []
        asking = threading.Thread(
            target=lambda: answers.append(len(memory.recall(words).hits)), daemon=True
        )
        asking.start()
        asking.join(timeout=20)
        seen.extend(answers or ["it waits"])

    class Curious:
        @hookimpl
        def psm_redact(self, text):
            ask(text)

        @hookimpl
        def psm_gate(self, turn):
            ask(turn.text)

        @hookimpl
        def psm_remembered(self):
            ask("Lyon?")

        @hookimpl
        def psm_slept(self):
            ask("Lyon?")

        @hookimpl
        def psm_forgot(self):
            ask("Lyon?")

    memory = open_memory(plugins=[Curious()])
    memory.remember(say("I moved to Lyon."))
    memory.consolidate()
    memory.forget("t1")

    assert seen == [0, 0, 1, 1, 0]


def test_an_async_hook_is_refused_with_the_way_out(open_memory):
    """Nobody would await it, so it would seem to work and never run."""

    class Late:
        @hookimpl
        async def psm_forgot(self, user, memory_id):
            raise AssertionError("never")

    with pytest.raises(PluginError, match="Late has an async psm_forgot"):
        open_memory(plugins=[Late()])
