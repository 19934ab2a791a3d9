"""Working memory: the turns of a session that stay in view."""

from __future__ import annotations

from dataclasses import replace

from psm_core.acts.passages import is_passage
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
        Turns, each of them whole; the passages of a long one are joined again.
    """
    most = limit
    while True:
        rows = store.listing(session=wellformed(session), limit=most, newest_first=True)
        # Facts stand in a session, too.
        said = [e for e in rows if is_passage(e)]
        # The earliest that is listed may go on in what isn't.
        if len(rows) < most or len({e.sources[0] for e in said}) > limit:
            break
        most *= 4
    turns: dict[str, Turn] = {}
    for entry in sorted(store.as_heard(said), key=lambda e: e.seq):
        turn_id = entry.sources[0]
        before = turns.get(turn_id)
        turns[turn_id] = _turn(entry) if before is None else _longer(before, entry)
    return list(turns.values())[-limit:]


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
