"""One person as one file: a zip with a manifest, the ledger, and what is beside it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, get_type_hints

from psm_core.errors import SchemaError, StoreCorruptError, StoreError, StoreFullError
from psm_core.store import beside, schema
from psm_core.store.faults import translated, unreachable
from psm_core.store.ledger import FILE, Ledger

if TYPE_CHECKING:
    from psm_core.store.shard import Shard

FORMAT = 2
"""Of the file as a whole; the ledger inside has a schema of its own.

Since 2, files that stand beside the ledger come along.
"""

MANIFEST = "manifest.json"

_MANIFEST_BYTES = 65_536
_CHUNK = 2**20
_SPARE_BYTES = 2**24
"""What must stay free on the disk after an import."""


class Part(NamedTuple):
    """One file of a parcel, as its manifest describes it."""

    name: str
    bytes: int
    sha256: str


class Manifest(NamedTuple):
    """What a parcel says of itself; ``files`` are those beside the ledger."""

    format: int
    user: str
    encoder: str
    width: int
    schema: int
    sha256: str
    bytes: int
    memories: int
    files: tuple[Part, ...] = ()

    @property
    def parts(self) -> list[Part]:
        """All files but the manifest; the ledger comes first."""
        return [Part(FILE, self.bytes, self.sha256), *self.files]


def pack(ledger: Shard, path: Path) -> None:
    """Write the whole person into one file; all of it or nothing.

    Args:
        ledger: Whose content goes in.
        path: Where to; what is there is replaced.

    Raises:
        StoreError: The file can't be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".psm-") as scratch:
            manifest = _copied(ledger, Path(scratch))
            parcel = Path(scratch) / "parcel"
            with zipfile.ZipFile(parcel, "w", zipfile.ZIP_DEFLATED) as box:
                files = [part._asdict() for part in manifest.files]
                told = manifest._asdict() | {"files": files}
                box.writestr(MANIFEST, json.dumps(told, indent=2))
                for part in manifest.parts:
                    box.write(Path(scratch) / part.name, part.name)
            parcel.chmod(0o600)
            _sync(parcel)
            parcel.replace(path)
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise unreachable(fault, f"writing {path}") from fault


def _copied(ledger: Shard, to: Path) -> Manifest:
    """Copy all that travels, as it is at one moment, and describe it."""
    folder, user = ledger.folder, ledger.user
    with beside.held(folder, user, ledger.config.busy_seconds) as names:
        memories = ledger.copy(to / FILE)
        for name in names:
            beside.copy(folder / name, to / name, user)
    return Manifest(
        format=FORMAT,
        user=user,
        encoder=ledger.encoder,
        width=ledger.width,
        schema=schema.SCHEMA,
        sha256=_digest(to / FILE),
        bytes=(to / FILE).stat().st_size,
        memories=memories,
        files=tuple(
            Part(name, (to / name).stat().st_size, _digest(to / name)) for name in names
        ),
    )


def unpack(path: Path, folder: Path) -> Manifest:
    """Put the files of a parcel into an empty folder, once they are known to be whole.

    Args:
        path: The parcel.
        folder: Where they go.

    Returns:
        What the parcel says of itself, all of it checked.

    Raises:
        SchemaError: It was written by a newer release.
        StoreFullError: They wouldn't fit on the disk.
        StoreCorruptError: It isn't a parcel, or not as it was written.
        StoreError: The file can't be read.
    """
    try:
        with zipfile.ZipFile(path) as box:
            manifest = _read_manifest(box, path)
            _require_space(manifest, folder, path)
            for part in manifest.parts:
                _take_out(box, part, folder, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as fault:
        raise _broken(path, type(fault).__name__) from fault
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise unreachable(fault, f"reading {path}") from fault
    _inspect(folder / FILE, manifest, path)
    for part in manifest.files:
        if not beside.is_sound(folder / part.name, manifest.user):
            why = f"{part.name} is damaged, or has more than tables and indexes"
            raise _broken(path, why)
    return manifest


def adopt(ledger: Ledger, user: str) -> None:
    """Make an unpacked ledger the ledger of *user*, with no index yet."""
    with ledger.transaction():
        ledger.set_meta("user", user)
        ledger.run("DELETE FROM meta WHERE key = 'index'")
        ledger.run("UPDATE memory SET indexed = 0 WHERE indexed = 1")
        ledger.run("DELETE FROM stale")


def _read_manifest(box: zipfile.ZipFile, path: Path) -> Manifest:
    inside = box.namelist()
    if len(set(inside)) < len(inside) or not {MANIFEST, FILE} <= set(inside):
        raise _broken(path, "it holds other files than a manifest and a ledger, once")
    if box.getinfo(MANIFEST).file_size > _MANIFEST_BYTES:
        raise _broken(path, "its manifest is too long")
    try:
        told: dict[str, Any] = json.loads(box.read(MANIFEST))
        _require_known(told, path)
        manifest = Manifest(**told | {"files": _parts(told.get("files", []))})
    except (ValueError, TypeError, AttributeError, RuntimeError) as fault:
        raise _broken(path, "its manifest can't be read") from fault
    _require_kinds(manifest, "its manifest", path)
    for part in manifest.files:
        _require_kinds(part, "a file in its manifest", path)
    names = [part.name for part in manifest.files]
    if len(names) > beside.MOST or not all(map(beside.travels, names)):
        raise _broken(path, "its manifest names files that don't belong to a person")
    if sorted(inside) != sorted([MANIFEST, FILE, *names]):
        raise _broken(path, "it holds other files than its manifest names")
    return manifest


def _require_known(told: dict[str, Any], path: Path) -> None:
    """See that this release knows what it is about to read."""
    found = told.get("format"), told.get("schema")
    newest = FORMAT, schema.SCHEMA
    if any(type(n) is int and n > most for n, most in zip(found, newest, strict=True)):
        raise SchemaError(
            f"{path} has format {found[0]} and schema {found[1]}, this release knows "
            f"up to {FORMAT} and {schema.SCHEMA}; upgrade psm-memory"
        )


def _parts(told: Sequence[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(**one) for one in told)


def _require_kinds(found: Manifest | Part, of: str, path: Path) -> None:
    kinds = get_type_hints(type(found))
    for name, value in found._asdict().items():
        if name != "files" and type(value) is not kinds[name]:
            raise _broken(path, f"{name} in {of} is {value!r}")


def _require_space(manifest: Manifest, folder: Path, path: Path) -> None:
    free = shutil.disk_usage(folder).free
    needed = sum(part.bytes for part in manifest.parts)
    if needed + _SPARE_BYTES > free:
        raise StoreFullError(
            f"{path} needs {needed:,} bytes, {free:,} are free; free some space"
        )


def _take_out(box: zipfile.ZipFile, part: Part, folder: Path, path: Path) -> None:
    if box.getinfo(part.name).file_size != part.bytes:
        raise _broken(path, f"{part.name} isn't as long as its manifest says")
    to = folder / part.name
    descriptor = os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with box.open(part.name) as inside, os.fdopen(descriptor, "wb") as outside:
        _copy(inside, outside, part, path)
    if _digest(to) != part.sha256:
        raise _broken(path, f"{part.name} has another digest than its manifest says")


def _copy(inside: IO[bytes], outside: IO[bytes], part: Part, path: Path) -> None:
    left = part.bytes
    # What a zip says of its sizes is only a claim.
    while chunk := inside.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise _broken(path, f"{part.name} is longer than its manifest says")
        outside.write(chunk)


def _inspect(file: Path, manifest: Manifest, path: Path) -> None:
    """Hold an unpacked ledger against what this release would have written."""
    try:
        driver = sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            made = set(driver.execute("SELECT type, name, sql FROM sqlite_master"))
            sound = driver.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = driver.execute(schema.VERSION).fetchone()
        finally:
            driver.close()
    except sqlite3.Error as fault:
        raise translated(fault, manifest.user) from fault
    if sound != "ok":
        raise _broken(path, "its ledger is damaged")
    if version != (str(manifest.schema),):
        raise _broken(path, "its ledger has another schema than its manifest says")
    # A foreign trigger or view would run with the rights of whoever imports it.
    if manifest.schema == schema.SCHEMA and made != _expected():
        raise _broken(path, "its ledger has tables that PSM doesn't make")


def _expected() -> set[tuple[str, str, str | None]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as driver:
        schema.prepare(driver, "nobody")
        return set(driver.execute("SELECT type, name, sql FROM sqlite_master"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _broken(path: Path, why: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"{path} isn't a whole export: {why}; make it again with 'psm export'"
    )
