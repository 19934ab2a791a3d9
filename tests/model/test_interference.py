"""Which two memories can't both hold, and which only look as if."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model.claims import claims
from psm_core.model.interference import interferes
from psm_core.types import ConflictKind

# Loaded by path: under importlib mode a test can't import its neighbour by name.
_spec = importlib.util.spec_from_file_location(
    "pairs", Path(__file__).with_name("pairs.py")
)
pairs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pairs)

SPOKEN = [text for pair in pairs.CLASHES + pairs.MISSED for text in pair[:2]]
SPOKEN += [text for pair in pairs.COMPATIBLE for text in pair]


@pytest.fixture
def clash(entry):
    """What the second text, said a month later, is to the first."""

    def find(old, new, **fields):
        return interferes(
            entry(new, id="new", days=30, **fields), entry(old, id="old", **fields)
        )

    return find


@pytest.mark.parametrize(("old", "new", "kind"), pairs.CLASHES)
def test_what_cant_both_hold_is_found(old, new, kind, clash):
    """Moves, quits, denials and repeats are told apart, and named by their ids."""
    found = clash(old, new)

    assert found is not None
    assert (found.kind, found.new, found.old) == (kind, "new", "old")
    assert 0.5 <= found.confidence <= 1


@pytest.mark.parametrize(("old", "new"), pairs.COMPATIBLE)
def test_look_alikes_are_left_alone(old, new, clash):
    """Two events of one kind, two things liked, a plan and a fact: all compatible."""
    assert clash(old, new) is None
    assert clash(new, old) is None


def test_what_rules_miss_is_known():
    """The list of misses is short, and stays a list of misses."""
    assert len(pairs.MISSED) <= 0.15 * len(pairs.CLASHES)


@pytest.mark.parametrize(("old", "new", "kind"), pairs.CLASHES)
def test_a_clash_is_seen_from_both_sides(old, new, kind, clash):
    """Whichever was said first, the two can't both hold."""
    assert clash(new, old) is not None


@pytest.mark.parametrize(("role", "speaker"), [("assistant", "Mira"), ("user", "Juno")])
def test_only_one_persons_own_words_are_compared(role, speaker, entry):
    """What the assistant got wrong, or somebody else says, contradicts nobody."""
    old = entry("I drink tea, never coffee.", id="old")
    new = entry("I drink coffee.", id="new", role=role, speaker=speaker)

    assert interferes(new, old) is None


def test_a_memory_doesnt_contradict_itself(entry):
    """A memory held against itself is compatible."""
    one = entry("I'm not a nurse. I'm a nurse.")

    assert interferes(one, one) is None


def test_facts_and_episodes_are_compared_alike(clash):
    """A fact in the third person clashes with what is said in the first."""
    found = clash("Mira lives in Berlin, in Neukölln.", "I moved to Lyon last week.")

    assert found.kind is ConflictKind.UPDATE


def test_the_same_day_another_place_is_a_contradiction(entry):
    """Nobody moves between two sentences without saying so."""
    old, new = entry("I live in Rome.", id="o"), entry("I live in Oslo.", id="n")

    assert interferes(new, old).kind is ConflictKind.CONTRADICTION


def test_reasons_quote_nothing(clash):
    """A reason can be logged: it says which slot, not which words."""
    for old, new, _ in pairs.CLASHES:
        reason = set(clash(old, new).reason.split())
        names = {w.strip(".,!'") for w in f"{old} {new}".split() if w[:1].isupper()}
        assert not names & reason


EXPECTED = {
    ("s06-03", "s01-07"): "update",
    ("s08-03", "s01-07"): "update",
    ("s08-05", "s01-07"): "update",
    ("s09-11", "s03-13"): "contradiction",
    ("s05-14", "s02-14"): "duplicate",
    ("s06-09", "s01-13"): "duplicate",
}


def test_the_demo_life_holds_just_these(life):
    """Of all pairs in the demo, six clash: the move, the job, the allergy, repeats."""
    found = {
        (new.id, old.id): clash.kind.value
        for at, new in enumerate(life)
        for old in life[:at]
        if (clash := interferes(new, old)) is not None
    }

    assert found == EXPECTED


@given(
    new=st.text(max_size=80) | st.sampled_from(SPOKEN),
    old=st.text(max_size=80) | st.sampled_from(SPOKEN),
    days=st.integers(-400, 400),
)
def test_any_two_texts_can_be_compared(new, old, days, entry):
    """No text makes it raise, and who is held against whom changes no detection."""
    first = entry(new or "x", id="a", days=days)
    second = entry(old or "x", id="b")

    there, back = interferes(first, second), interferes(second, first)

    assert (there is None) == (back is None)
    if there is not None:
        assert there.confidence <= 1


@pytest.mark.parametrize(
    "text",
    [
        "I might move to Lyon.",
        "If I lived in Lyon I'd run.",
        "Do I live in Lyon?",
        'He said "I live in Lyon."',
        "I wish I lived in Lyon.",
        "I lived in Lyon ten years ago.",
        "Imagine: I live in Lyon.",
        "I rarely eat meat.",
        "I eat meat, but only on Sundays.",
        "here:\n\nDear Mira,\n\nI live in Lyon.\n\nWith kind regards, X",
    ],
)
def test_what_isnt_held_claims_nothing(text):
    """Wishes, conditions, questions, quotations and old times claim nothing for now."""
    assert claims(text, "Mira") == ()


def test_slots_are_read_as_a_person_would(entry):
    """One clause, one claim: who, what, and whether."""
    found = claims("My sister Ines doesn't live in Lyon anymore.", "Mira")

    assert [c[:5] for c in found] == [
        ("ines", "residence", frozenset({"lyon"}), False, True)
    ]


def test_a_day_apart_is_later(entry):
    """From one day on, another place is an update."""
    old = entry("I live in Rome.", id="o")
    new = entry("I live in Oslo.", id="n", days=1)

    assert new.said_at - old.said_at == timedelta(days=1)
    assert interferes(new, old).kind is ConflictKind.UPDATE
