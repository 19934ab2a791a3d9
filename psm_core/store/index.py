"""Chroma: proposes which vectors are near. It holds numbers, and never a word."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psm_core.content import IndexKind
from psm_core.store.guarded import CHROMA, IndexFault, NoIndexError, foreign
from psm_core.types import Tier

if TYPE_CHECKING:
    from psm_core.content import Matrix, Vector

BATCH = 2000
"""Rows in one call; Chroma takes 5,461."""

PROBE = 32
"""Neighbours that a newly opened collection must be able to name."""

_COSINE = {"hnsw": {"space": "cosine"}}


class ChromaIndex:
    """One person's vectors in Chroma: a collection for each live tier.

    Implements `psm_core.content.Index`.  Opening leaves a mark until the
    collections have answered, because a damaged file can kill the process: the next
    opening finds the mark, and makes the index anew instead of dying too.

    Args:
        folder: Where Chroma keeps its files.
        width: D, the numbers in one vector.

    Raises:
        IndexFault: What is there doesn't answer.
        NoIndexError: Chroma can't be used by this process.
    """

    def __init__(self, folder: Path, width: int) -> None:
        chromadb = _chroma()
        self._folder = folder
        self._collections: dict[Tier, Any] = {}
        self._client: Any = None
        mark = folder / "opening"
        if mark.exists():
            raise IndexFault("the last opening didn't come to its end")
        mark.touch(mode=0o600)
        try:
            path = _process.spelled(folder)
            _process.opened = True
            self._client = chromadb.PersistentClient(path, _settings())
            _process.clients.append(self._client)
            self._find_collections()
            self._probe(width)
        except BaseException:
            self.close()
            _process.failed()
            raise
        mark.unlink()
        self._tighten()

    def count(self, tier: Tier) -> int:
        """How many vectors of this tier are here."""
        found = self._collections.get(tier)
        return 0 if found is None else int(found.count())

    def propose(self, tier: Tier, vector: Vector, most: int) -> list[tuple[int, float]]:
        """The *most* memories that may be nearest: (seq, cosine), best first."""
        collection = self._collections.get(tier)
        if collection is None:
            return []
        found = collection.query(
            query_embeddings=[vector], n_results=most, include=["distances"]
        )
        names, distances = found["ids"][0], found["distances"][0]
        return [(int(n), 1.0 - d) for n, d in zip(names, distances, strict=True)]

    def put(self, tier: Tier, seqs: Sequence[int], rows: Matrix) -> None:
        """Take in vectors, or put them in the place of those with these numbers."""
        if tier not in self._collections:
            self._collections[tier] = self._client.get_or_create_collection(
                str(tier), embedding_function=None, configuration=_COSINE
            )
        for start in range(0, len(seqs), BATCH):
            names = [str(seq) for seq in seqs[start : start + BATCH]]
            self._collections[tier].upsert(names, rows[start : start + BATCH])
        self._tighten()

    def drop(self, tier: Tier, seqs: Sequence[int]) -> None:
        """Let go of the vectors with these numbers; those that aren't here too."""
        if tier not in self._collections:
            return
        for start in range(0, len(seqs), BATCH):
            names = [str(seq) for seq in seqs[start : start + BATCH]]
            self._collections[tier].delete(names)

    def close(self) -> None:
        """Let go of Chroma's files and threads."""
        if self._client is not None:
            with contextlib.suppress(IndexFault), foreign():
                self._client.close()
            _process.clients.remove(self._client)
        self._client = None
        self._collections = {}

    def _find_collections(self) -> None:
        known = {str(tier): tier for tier in (Tier.EPISODIC, Tier.SEMANTIC)}
        for found in self._client.list_collections():
            if found.name in known:
                self._collections[known[found.name]] = self._client.get_collection(
                    found.name, embedding_function=None
                )

    def _probe(self, width: int) -> None:
        for collection in self._collections.values():
            most = min(PROBE, collection.count())
            anywhere = np.full((1, width), width**-0.5, np.float32)
            if most == 0:
                continue
            found = collection.query(query_embeddings=anywhere, n_results=most)
            if len(found["ids"][0]) < most / 2:
                raise IndexFault("vectors that it counts can't be found")

    def _tighten(self) -> None:
        with contextlib.suppress(OSError):
            for path in self._folder.rglob("*"):
                path.chmod(0o700 if path.is_dir() else 0o600)


KIND = IndexKind(CHROMA, ChromaIndex)
"""The index of a store that isn't told of another."""


class _Process:
    """What this process has gone through with Chroma."""

    def __init__(self) -> None:
        self.opened = self.orphaned = False
        self.clients: list[Any] = []
        self._failures = 0

    def forked(self) -> None:
        """Called in a child; Chroma's threads stayed with the parent."""
        self.orphaned |= self.opened or _opened_by_others()
        for client in self.clients:
            # Collected at exit, it would wait for those threads without end.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))

    def failed(self) -> None:
        """Called when an opening failed."""
        self._failures += 1

    def spelled(self, folder: Path) -> str:
        """The path of *folder*, as Chroma hasn't seen it in a failed opening.

        It shares what is open by the spelling of the path, what is broken too.
        """
        return str(folder) + "/." * self._failures


_process = _Process()
os.register_at_fork(after_in_child=_process.forked)


def _opened_by_others() -> bool:
    """Whether some other part of this program has Chroma open."""
    module = sys.modules.get("chromadb.api.shared_system_client")
    shared = getattr(module, "SharedSystemClient", None)
    return bool(getattr(shared, "_identifier_to_system", None))


def _chroma() -> Any:
    if _process.orphaned:
        raise NoIndexError("a forked child can't go on with its parent's Chroma")
    try:
        # Takes two seconds, and many people never have enough to need it.
        import chromadb  # noqa: PLC0415
    except ImportError as fault:
        raise NoIndexError(f"chromadb can't be imported ({fault.name})") from fault
    return chromadb


def _settings() -> Any:
    from chromadb.config import Settings  # noqa: PLC0415

    # Chroma reads ./.env and unprefixed variables unless it is told not to.
    return Settings(  # type: ignore[call-arg]
        _env_file=None,
        anonymized_telemetry=False,
        allow_reset=False,
        is_persistent=True,
    )
