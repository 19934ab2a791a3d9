"""One person as one file: a zip with a manifest and the whole ledger."""

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
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, get_type_hints

from psm_core.errors import SchemaError, StoreCorruptError, StoreError, StoreFullError
from psm_core.store import schema
from psm_core.store.faults import translated, unreachable
from psm_core.store.ledger import FILE, Ledger

if TYPE_CHECKING:
    from psm_core.store.finding import Finding

FORMAT = 1
"""Of the file as a whole; the ledger inside has a schema of its own."""

MANIFEST = "manifest.json"

_MANIFEST_BYTES = 65_536
_CHUNK = 2**20
_SPARE_BYTES = 2**24
"""What must stay free on the disk after an import."""


class Manifest(NamedTuple):
    """What a parcel says of itself."""

    format: int
    user: str
    encoder: str
    width: int
    schema: int
    sha256: str
    bytes: int
    memories: int


def pack(ledger: Finding, path: Path) -> None:
    """Write the whole person into one file; all of it or nothing.

    Args:
        ledger: Whose content goes in.
        path: Where to; what is there is replaced.

    Raises:
        StoreError: The file can't be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".psm-") as scratch:
            copy, parcel = Path(scratch) / FILE, Path(scratch) / "parcel"
            ledger.run("VACUUM INTO ?", (str(copy),))
            manifest = Manifest(
                format=FORMAT,
                user=ledger.user,
                encoder=ledger.encoder,
                width=ledger.width,
                schema=schema.SCHEMA,
                sha256=_digest(copy),
                bytes=copy.stat().st_size,
                memories=sum(ledger.counts().values()),
            )
            with zipfile.ZipFile(parcel, "w", zipfile.ZIP_DEFLATED) as box:
                box.writestr(MANIFEST, json.dumps(manifest._asdict(), indent=2))
                box.write(copy, FILE)
            parcel.chmod(0o600)
            _sync(parcel)
            parcel.replace(path)
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise unreachable(fault, f"writing {path}") from fault


def unpack(path: Path, folder: Path) -> Manifest:
    """Put the ledger of a parcel into an empty folder, once it is known to be whole.

    Args:
        path: The parcel.
        folder: Where the ledger goes.

    Returns:
        What the parcel says of itself, all of it checked.

    Raises:
        SchemaError: It was written by a newer release.
        StoreFullError: The ledger wouldn't fit on the disk.
        StoreCorruptError: It isn't a parcel, or not as it was written.
        StoreError: The file can't be read.
    """
    try:
        with zipfile.ZipFile(path) as box:
            manifest = _read_manifest(box, path)
            _take_out(box, manifest, folder / FILE, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as fault:
        raise _broken(path, type(fault).__name__) from fault
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise unreachable(fault, f"reading {path}") from fault
    _inspect(folder / FILE, manifest, path)
    return manifest


def adopt(ledger: Ledger, user: str) -> None:
    """Make an unpacked ledger the ledger of *user*, with no index yet."""
    with ledger.transaction():
        ledger.set_meta("user", user)
        ledger.run("DELETE FROM meta WHERE key = 'index'")
        ledger.run("UPDATE memory SET indexed = 0 WHERE indexed = 1")
        ledger.run("DELETE FROM stale")


def _read_manifest(box: zipfile.ZipFile, path: Path) -> Manifest:
    if sorted(box.namelist()) != sorted([MANIFEST, FILE]):
        raise _broken(path, "it holds other files than a manifest and a ledger")
    if box.getinfo(MANIFEST).file_size > _MANIFEST_BYTES:
        raise _broken(path, "its manifest is too long")
    try:
        manifest = Manifest(**json.loads(box.read(MANIFEST)))
    except (ValueError, TypeError, RuntimeError) as fault:
        raise _broken(path, "its manifest can't be read") from fault
    kinds = get_type_hints(Manifest)
    for name, value in manifest._asdict().items():
        if type(value) is not kinds[name]:
            raise _broken(path, f"{name} in its manifest is {value!r}")
    if manifest.format > FORMAT or manifest.schema > schema.SCHEMA:
        raise SchemaError(
            f"{path} has format {manifest.format} and schema {manifest.schema}, this "
            f"release knows up to {FORMAT} and {schema.SCHEMA}; upgrade psm-memory"
        )
    return manifest


def _take_out(box: zipfile.ZipFile, manifest: Manifest, to: Path, path: Path) -> None:
    if box.getinfo(FILE).file_size != manifest.bytes:
        raise _broken(path, "its ledger isn't as long as its manifest says")
    free = shutil.disk_usage(to.parent).free
    if manifest.bytes + _SPARE_BYTES > free:
        raise StoreFullError(
            f"{path} needs {manifest.bytes:,} bytes, {free:,} are free; free some space"
        )
    descriptor = os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with box.open(FILE) as inside, os.fdopen(descriptor, "wb") as outside:
        _copy(inside, outside, manifest, path)
    if _digest(to) != manifest.sha256:
        raise _broken(path, "its ledger has another digest than its manifest says")


def _copy(
    inside: IO[bytes], outside: IO[bytes], manifest: Manifest, path: Path
) -> None:
    left = manifest.bytes
    # What a zip says of its sizes is only a claim.
    while chunk := inside.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise _broken(path, "its ledger is longer than its manifest says")
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
