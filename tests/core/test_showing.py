"""Showing: what a conversation that is kept elsewhere holds of its memories."""

import pytest

from psm_core import Turn, showing
from psm_core.showing import Showing

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"


@pytest.fixture
def ada(memory):
    memory.remember(Turn(LYON, id="lyon", session="earlier"))
    return memory


def test_a_showing_is_names_that_can_be_read_again(ada):
    """The context is made from ids alone, as often as it is needed."""
    shown = showing.show(ada, WHERE)

    assert shown.memories == ("lyon",)
    assert LYON in showing.context(ada, Showing(shown.recall, ("lyon",)))
    assert ada.entry("lyon").recalled == 1


def test_what_was_forgotten_since_is_shown_no_more(ada):
    """A name that leads nowhere is left out, and nothing is learned of it."""
    shown = showing.show(ada, WHERE)
    ada.forget("lyon")

    assert showing.context(ada, shown) == ""
    showing.answered(ada, shown, WHERE, "To Lyon.")


def test_limit_budget_view_and_refuted_are_kept_to(ada):
    """What is in view, what was refuted, and what doesn't fit is left out."""
    assert showing.show(ada, WHERE, without={"lyon"}).memories == ()
    assert showing.show(ada, WHERE, refuted={"lyon"}).memories == ()
    assert showing.show(ada, WHERE, budget=1).memories == ()
    assert showing.show(ada, WHERE, limit=0).memories == ()


def test_an_answer_tells_what_was_used_however_often_it_is_told(ada):
    """Twice the same outcome is one; a sleep applies it once."""
    shown = showing.show(ada, WHERE)
    for _ in range(2):
        showing.answered(ada, shown, WHERE, "You moved to Lyon.")

    ada.consolidate()

    assert ada.entry("lyon").used == 1


def test_what_is_taken_back_is_learned_at_once(ada):
    """The ids come back, so that they aren't shown again; again, once more the same."""
    shown = showing.show(ada, WHERE)
    showing.answered(ada, shown, WHERE, "You moved to Lyon.")
    told = (shown, WHERE, "You moved to Lyon.")

    assert showing.taken_back(ada, *told, "Thanks!") == ()
    for _ in range(2):
        assert showing.taken_back(ada, *told, "No, I moved to Paris.") == ("lyon",)

    lyon = ada.entry("lyon")
    assert (lyon.corrected, lyon.used) == (1, 0)


def test_a_branch_that_was_left_is_what_came_after_and_is_out_of_view(memory):
    """After the first turn in view, what isn't in view was left; before it, trimmed."""
    ids = ["a1", "a2", "a3", "a4"]
    memory.remember_many([Turn(f"Word {i}.", id=i, session="s") for i in ids])
    memory.remember(Turn("Elsewhere.", id="x", session="t"))

    assert showing.left_behind(memory, "s", {"a3", "a4"}) == set()
    assert showing.left_behind(memory, "s", {"a2", "new"}) == {"a3", "a4"}
    assert showing.left_behind(memory, "s", {"a2", "a4"}) == {"a3"}
    assert showing.left_behind(memory, "s", {"new"}) == set()
    again = showing.left_behind(memory, "s", {"b2"}, lambda turn: turn[1:])
    assert again == {"a2", "a3", "a4"}


def test_what_was_trimmed_isnt_left_where_it_is_known_what_was(memory):
    """After the last turn in view it was left, between those in view it was trimmed.

    What was left before and what was written anew stays left, unless it is seen again.
    """
    ids = ["a1", "a2", "a3", "a4", "a5"]
    memory.remember_many([Turn(f"Word {i}.", id=i, session="s") for i in ids])

    def left(in_view, earlier=(), message_of=str, **heard):
        return showing.left_behind(
            memory, "s", in_view, message_of, earlier=earlier, **heard
        )

    assert left({"a1", "a5", "new"}) == set()
    assert left({"a1", "a4", "new"}) == {"a5"}
    assert left({"a1", "a5", "new"}, earlier=["a2"]) == {"a2"}
    assert left({"a2", "a5", "new"}, earlier=["a2"]) == set()
    assert left({"new"}, earlier=["a2"]) == {"a2"}
    assert left({"a1", "b2", "a5"}, message_of=lambda turn: turn[1:]) == {"a2"}
    assert left({"a1", "b4"}, message_of=lambda turn: turn[1:]) == {"a4", "a5"}
    assert left({"a1", "a4"}, heard={"a4"}) == {"a2", "a3", "a5"}
