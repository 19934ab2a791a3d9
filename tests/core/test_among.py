"""recall(among=): a recall that is among certain turns alone."""

import pytest

from psm_core import Tier, Turn


@pytest.fixture
def crowded(memory):
    """Two notes, and three hundred turns that are nearer to what will be asked."""
    memory.remember_many(
        [
            Turn("The red kayak is in the cellar of the house.", id="note"),
            Turn("A bicycle stands there as well.", id="other"),
            *(Turn(f"My red kayak, number {n}.", session="chat") for n in range(300)),
        ]
    )
    return memory


def test_among_finds_what_a_crowd_would_hide(crowded):
    """However much else is nearer to the cue, the turns asked for are weighed."""
    cue = "my red kayak"
    assert "note" not in {hit.id for hit in crowded.recall(cue, limit=20).hits}

    found = crowded.recall(cue, limit=20, among={"note", "other"})

    assert found.hits[0].id == "note"
    assert {hit.id for hit in found.hits} <= {"note", "other"}
    assert "number" not in found.as_context()


def test_only_what_came_back_counts_as_shown(crowded):
    """What was left out isn't in the access log."""
    crowded.recall("my red kayak", among={"note"})

    shown = {entry.id: entry.recalled for entry in crowded.entries() if entry.recalled}
    assert shown == {"note": 1}


def test_among_none_of_them_is_nothing(crowded):
    """No turn, or one that isn't there, brings nothing back and logs nothing."""
    assert crowded.recall("my red kayak", among=()).hits == ()
    assert crowded.recall("my red kayak", among={"unknown"}).hits == ()
    assert sum(entry.recalled for entry in crowded.entries()) == 0


def test_a_fact_is_among_the_turns_that_it_rests_on(memory):
    """After a sleep, the fact that was drawn from a turn comes back for it."""
    memory.remember(Turn("I live in Lyon.", id="lyon"))
    memory.remember(Turn("I live with my sister Mia.", id="mia"))
    memory.consolidate()

    (hit,) = memory.recall("Where do I live?", among={"lyon"}).hits

    assert (hit.tier, hit.sources) == (Tier.SEMANTIC, ("lyon",))


def test_more_turns_than_are_all_weighed(memory):
    """Beyond a thousand the retrievers propose, and the limit still holds."""
    memory.remember_many([Turn(f"I own kayak number {n}.") for n in range(1100)])
    memory.remember(Turn("A kayak of somebody else.", id="else"))
    own = {entry.id for entry in memory.entries()} - {"else"}

    found = memory.recall("kayak", limit=5, among=own)

    assert len(found.hits) == 5
    assert "else" not in {hit.id for hit in found.hits}
