"""What was heard in the last moments, session by session. In the process only."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from psm_core.types import Turn

SESSIONS = 64
"""Sessions that are kept at once; the one longest unheard is let go."""


class Sensory:
    """The last turns of each session.  Implements `psm_core.content.Sensory`.

    Args:
        turns: How many turns of a session are kept.
    """

    def __init__(self, turns: int) -> None:
        self._turns = turns
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, deque[Turn]] = OrderedDict()

    def recent(self, session: str) -> list[Turn]:
        """The last turns of a session, oldest first; empty where none was heard."""
        with self._lock:
            return list(self._sessions.get(session, ()))

    def hear(self, turn: Turn) -> None:
        """Take in one turn, and let go of the oldest where there are too many."""
        with self._lock:
            heard = self._sessions.setdefault(turn.session, deque(maxlen=self._turns))
            heard.append(turn)
            self._sessions.move_to_end(turn.session)
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)

    def clear(self) -> None:
        """Let go of all, as after something was forgotten."""
        with self._lock:
            self._sessions.clear()
