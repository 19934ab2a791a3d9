"""Working memory: the turns of a session that stay in view."""

from __future__ import annotations

from dataclasses import replace

from psm_core.acts.wellformed import wellformed
from psm_core.content import Store
from psm_core.types import Entry, Turn


def working(session: str, limit: int, *, store: Store) -> list[Turn]:
    """The last *limit* turns of *session*, oldest first, archived small talk included.

    Args:
        session: Which conversation.
        limit: Most turns, at least 1.
        store: Whose conversation.

    Returns:
        Turns; the passages of a long one are joined again.
    """
    entries = store.listing(session=wellformed(session), limit=limit, newest_first=True)
    turns: dict[str, Turn] = {}
    for entry in sorted(store.as_heard(entries), key=lambda e: e.seq):
        if len(entry.sources) != 1 or not entry.id.startswith(entry.sources[0]):
            continue
        turn_id = entry.sources[0]
        before = turns.get(turn_id)
        turns[turn_id] = _turn(entry) if before is None else _longer(before, entry)
    return list(turns.values())


def _turn(entry: Entry) -> Turn:
    return Turn(
        text=entry.text,
        speaker=entry.speaker,
        role=entry.role,
        at=entry.said_at,
        session=entry.session,
        id=entry.sources[0],
    )


def _longer(turn: Turn, passage: Entry) -> Turn:
    return replace(turn, text=f"{turn.text} {passage.text}")
