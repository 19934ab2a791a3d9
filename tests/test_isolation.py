"""Ada never sees what Bob said: over all walks, in one process and in two."""

import json
import subprocess
import sys
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from psm_core import Feedback, Memory, Turn

WORDS = [f"{a}{b}o" for a in "bdfgklmnprst" for b in "aeiou"]
ACTS = ("remember", "recall", "consolidate", "learn", "deep", "reopen")

lives = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob", "../ada", "ADA"]),
        st.sampled_from(ACTS),
        st.lists(st.sampled_from(WORDS), min_size=2, max_size=5),
    ),
    min_size=5,
    max_size=25,
)


def owned(person, words):
    """Words that name their owner, so that a leak is seen in any text."""
    mark = {"ada": "q", "bob": "x", "../ada": "j", "ADA": "w"}[person]
    return " ".join(f"{word}{mark}" for word in words)


def marks_in(text):
    return {m for m in "qxjw" if any(w.endswith(m) for w in text.lower().split())}


@settings(max_examples=25, deadline=None)
@given(lives)
def test_nobody_ever_sees_what_another_said(life):
    """Four people with treacherous names, all acts in any order: no word crosses over."""
    with tempfile.TemporaryDirectory() as home:
        people = {}

        def memory_of(person):
            if person not in people:
                people[person] = Memory(
                    person, home=home, encoder="hash", open_people=2
                )
            return people[person]

        for n, (person, act, words) in enumerate(life):
            memory = memory_of(person)
            text = owned(person, words)
            own = marks_in(text)
            if act == "remember":
                memory.remember(Turn(f"I own {text} .", id=f"t{n}"))
            elif act == "consolidate":
                memory.consolidate()
            elif act == "reopen":
                people.pop(person).close()
            else:
                # Asking for another's words is the point.
                asked = " ".join(owned(p, words) for p in ("ada", "bob", "../ada"))
                recall = memory.recall(asked, limit=None, deep=act == "deep")
                shown = recall.as_context().partition("\n")[2]
                assert marks_in(shown.replace(".", " ")) <= own
                if act == "learn" and recall.hits:
                    memory.learn(Feedback(recall.id, used=[recall.hits[0].id]))
        for person, memory in people.items():
            said = " ".join(e.text for e in memory.entries())
            assert marks_in(said) <= marks_in(owned(person, ["bao"]))
            memory.close()


CHILD = """
import json, sys
from psm_core import Memory, Turn
user, home, mark = sys.argv[1:]
with Memory(user, home=home, encoder="hash") as memory:
    for n in range(20):
        memory.remember(Turn(f"My locker holds {mark} thing {n}.", id=f"t{n}"))
    memory.consolidate()
    hits = memory.recall("what does the locker hold?", limit=None, budget=None).hits
    print(json.dumps([hit.text for hit in hits]))
"""


def test_two_processes_of_two_people_share_nothing(tmp_path):
    """Side by side in one home, each process finds its own person's words only."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, user, str(tmp_path), mark],
            stdout=subprocess.PIPE,
            text=True,
        )
        for user, mark in (("ada", "amber"), ("bob", "basalt"))
    ]
    ada, bob = (json.loads(p.communicate(timeout=120)[0]) for p in running)

    assert len(ada) >= 20
    assert all("amber" in text for text in ada)
    assert all("basalt" in text for text in bob)
