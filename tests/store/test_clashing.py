"""Conflicts are noted once and settled by somebody."""

from datetime import timedelta

import pytest

from psm_core.errors import UnknownMemoryError
from psm_core.types import Conflict, ConflictKind

from .conftest import T0


def clash(new="t2", old="t1", **fields):
    return Conflict(ConflictKind.UPDATE, new, old, 0.9, "a later state", **fields)


def test_a_pair_is_flagged_once_whichever_is_the_newer(shard, make):
    """The first flag stands; the same two the other way round are the same two."""
    shard.add(make.many(3))

    assert shard.flag(clash(found_at=T0))
    assert not shard.flag(clash())
    assert not shard.flag(clash("t1", "t2"))
    assert shard.flag(clash("t3", "t1", id="c-3", status="old"))

    (first,) = shard.conflicts()
    assert first == clash(found_at=T0, id=first.id)
    assert first.id
    assert [c.id for c in shard.conflicts(status=None)] == [first.id, "c-3"]
    assert [c.id for c in shard.conflicts(status="old")] == ["c-3"]


def test_a_conflict_needs_two_memories(shard, make):
    """Flagging what isn't remembered is refused."""
    shard.add([make()])

    with pytest.raises(UnknownMemoryError, match="no memory t2"):
        shard.flag(clash())


def test_a_settled_conflict_is_no_longer_open(shard, make):
    """It keeps what was decided; an unknown one is named."""
    shard.add(make.many(2))
    shard.flag(clash(id="c-1"))

    settled = shard.settle("c-1", "new", T0 + timedelta(days=1))

    assert settled == clash(id="c-1", status="new")
    assert shard.conflicts() == []
    assert shard.conflicts(status="new") == [settled]
    with pytest.raises(UnknownMemoryError, match="ada has no conflict c-9"):
        shard.settle("c-9", "new", T0)
