"""The journals of a home are read side by side, and nothing but them."""

from __future__ import annotations

import logging
from datetime import timedelta

import numpy as np

from psm_core.content import Shown
from psm_core.store.folder import GONE
from psm_core.store.journals import journals
from psm_core.strength import REWARD
from psm_core.types import Outcome

from .conftest import T0


def lived(home, user, make, times=1):
    """A person whose recalls each showed one memory that was used."""
    with home.open(user) as shard:
        (entry,) = shard.add([make()])
        for n in range(times):
            seen = np.array([n, 0.5], np.float32)
            name, at = f"r{n}", T0 + timedelta(minutes=n)
            shard.log_recall(name, at, "toy/1a", [Shown(entry.seq, 0, 0.9, 0.5, seen)])
            shard.log_feedback(name, {entry.seq: Outcome.USED}, REWARD, at)


def test_each_person_s_journal_is_read_in_its_order(open_home, make):
    """Two people, three rows and one, as their own stores tell them."""
    home = open_home()
    lived(home, "ada", make, 3)
    lived(home, "bob", make)
    with home.open("ada") as ada, home.open("bob") as bob:
        wanted = [[(x.number, x.at) for x in s.lessons()] for s in (ada, bob)]

    found = list(journals(home._people.parent))

    told = [[(row.number, row.at) for row in rows] for rows in found]
    assert sorted(told) == sorted(wanted)
    assert sorted(len(rows) for rows in found) == [1, 3]
    assert [list(r.features) for r in max(found, key=len)] == [
        [0, 0.5],
        [1, 0.5],
        [2, 0.5],
    ]


def test_people_come_in_a_lasting_order(open_home, make):
    """Whoever splits them by chance splits them alike the next time."""
    home = open_home()
    for n in range(5):
        lived(home, f"person {n}", make, n)

    one, other = ([len(rows) for rows in journals(home._people.parent)] for _ in "ab")

    assert one == other
    assert sorted(one) == [0, 1, 2, 3, 4]


def test_who_was_erased_or_can_not_be_read_is_left_out(open_home, make, caplog):
    """With a warning that names a folder and no person."""
    home = open_home()
    for user in ("ada", "bob", "eve"):
        lived(home, user, make)
    with home.open("ada") as ada:
        ada.erase(T0)
    home.close()
    (home.folder("bob") / "ledger.sqlite").write_bytes(b"no ledger at all" * 300)
    gone = home.folder("eve").with_name(f"x{GONE}1")
    gone.mkdir()
    (gone / "ledger.sqlite").write_bytes(b"")

    with caplog.at_level(logging.WARNING):
        found = list(journals(home._people.parent))

    assert [len(rows) for rows in found] == [1]
    assert "can't be read" in caplog.text
    assert "bob" not in caplog.text


def test_a_home_that_is_not_there_has_no_journals(tmp_path):
    """And isn't made by asking."""
    assert list(journals(tmp_path / "nowhere")) == []
    assert not (tmp_path / "nowhere").exists()
