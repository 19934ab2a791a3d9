"""The sixth chapter of a `Shard`: which memories may not both hold."""

# ruff: noqa: S608  # only constants of ours stand in a statement, values are bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psm_core.errors import UnknownMemoryError
from psm_core.store import archive, rows
from psm_core.store.finding import Finding
from psm_core.types import Conflict, ConflictKind

_CONFLICT = (
    "SELECT c.id, c.kind, n.id, o.id, c.confidence, c.reason, c.found_at, c.status"
    " FROM conflict c JOIN memory n ON n.seq = c.new JOIN memory o ON o.seq = c.old"
)


class Clashing(Finding):
    """Noting conflicts, and closing them."""

    def flag(self, conflict: Conflict) -> bool:
        """Note a conflict once; False where this pair was flagged before.

        Which of the two is called new makes no difference.

        Raises:
            UnknownMemoryError: One of the two isn't remembered.
        """
        with self.transaction():
            new, old = self._number(conflict.new), self._number(conflict.old)
            pair = (new, old, old, new)
            seen = "(new = ? AND old = ?) OR (new = ? AND old = ?)"
            if self.rows(f"SELECT 1 FROM conflict WHERE {seen}", pair):
                return False
            name = conflict.id or archive.digest(conflict.new, conflict.old).hex()
            found_at = conflict.found_at
            self.run(
                "INSERT INTO conflict(id, kind, new, old, confidence, reason, found_at,"
                " status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    str(conflict.kind),
                    new,
                    old,
                    float(conflict.confidence),
                    conflict.reason,
                    None if found_at is None else rows.micros(found_at),
                    conflict.status,
                ),
            )
        return True

    def conflicts(self, *, status: str | None = "open") -> list[Conflict]:
        """Conflicts of this status, oldest first; None means all."""
        with self.reading():
            found = self.rows(
                f"{_CONFLICT} WHERE ? IS NULL OR c.status = ? ORDER BY c.number",
                (status, status),
            )
        return [_conflict(r) for r in found]

    def settle(self, conflict_id: str, status: str, at: datetime) -> Conflict:
        """Close a conflict, or open it again.

        Raises:
            UnknownMemoryError: No conflict has this id.
        """
        with self.transaction():
            changed = self.run(
                "UPDATE conflict SET status = ?, settled_at = ? WHERE id = ?",
                (status, None if status == "open" else rows.micros(at), conflict_id),
            )
            if not changed:
                raise UnknownMemoryError(
                    f"{self._user} has no conflict {conflict_id}; take the id from "
                    "the list of conflicts"
                )
            found = self.rows(f"{_CONFLICT} WHERE c.id = ?", (conflict_id,))
            return _conflict(found[0])


def _conflict(found: Sequence[Any]) -> Conflict:
    name, kind, new, old, confidence, reason, at, status = found
    return Conflict(
        kind=ConflictKind(kind),
        new=new,
        old=old,
        confidence=confidence,
        reason=reason,
        id=name,
        found_at=None if at is None else rows.moment(at),
        status=status,
    )
