"""The journals of all people in a home: what everybody's skill may learn from."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from psm_core.errors import StoreError
from psm_core.store import schema
from psm_core.store.folder import GONE
from psm_core.store.judging import LESSONS, lesson
from psm_core.store.ledger import FILE
from psm_core.types import Lesson

logger = logging.getLogger(__name__)


def journals(home: Path) -> Iterator[list[Lesson]]:
    """The journal of each person whose folder lies in *home*, in a lasting order.

    Nothing but the journal is read, nothing is written, and nobody is named.  A ledger
    that can't be read is left out, with a warning.

    Args:
        home: The folder that holds the people's folders.
    """
    for ledger in sorted((home / "people").glob(f"??/*/{FILE}")):
        if GONE in ledger.parent.name:
            continue
        try:
            yield _read(ledger)
        except (sqlite3.Error, StoreError) as fault:
            name = type(fault).__name__
            logger.warning("the journal in %s can't be read (%s)", ledger.parent, name)


def _read(ledger: Path) -> list[Lesson]:
    uri = f"{ledger.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as driver:
        if schema.version(driver, "somebody") == schema.ERASED:
            return []
        return [lesson(row) for row in driver.execute(f"{LESSONS} ORDER BY j.number")]
