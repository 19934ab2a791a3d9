"""How words and vectors are packed for the disk. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from psm_core.errors import EncoderError, EncoderMismatchError

if TYPE_CHECKING:
    from psm_core.content import Matrix, Vector

LEVEL = 9
"""Of zstd; a turn is small, so a high level costs microseconds."""


def plain(text: str) -> bytes:
    """The bytes of *text*; half of a character (a lone surrogate) survives too.

    >>> plain("Lyon")
    b'Lyon'
    """
    return text.encode("utf-8", "surrogatepass")


def unplain(stored: bytes) -> str:
    """The text that `plain` made *stored* of."""
    return stored.decode("utf-8", "surrogatepass")


def packed(text: str) -> bytes:
    """The bytes of *text*, compressed for the archive."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(plain(text))


def unpacked(stored: bytes) -> str:
    """The text that `packed` made *stored* of."""
    return unplain(zstandard.ZstdDecompressor().decompress(stored))


def digest(*parts: str) -> bytes:
    """16 bytes that stand for *parts* and can't be turned back into them."""
    whole = "\0".join(parts)
    return hashlib.blake2b(plain(whole), digest_size=16).digest()


def said(speaker: str, text: str) -> bytes:
    """What two sayings of one speaker share when case and space alone differ.

    >>> said("ada", "I moved  to Lyon") == said("ada", "i moved to lyon ")
    True
    """
    return digest(speaker, " ".join(text.casefold().split()))


def halves(vectors: Matrix) -> list[bytes]:
    """Each row of (N, D) float32 as D float16: how live memories keep theirs."""
    return [row.tobytes() for row in vectors.astype(np.float16)]


def eighths(vector: Vector) -> tuple[bytes, float]:
    """(D,) float32 as D int8 and the scale that undoes it: how archived ones do."""
    scale = float(np.abs(vector).max()) / 127 or 1.0
    return np.rint(vector / scale).astype(np.int8).tobytes(), scale


def vectors(
    stored: Sequence[bytes], scales: Sequence[float | None], width: int
) -> Matrix:
    """The rows that `halves` and `eighths` made *stored* of.

    Args:
        stored: N blobs.
        scales: For each its scale, None for float16.
        width: D, the numbers in each.

    Returns:
        (N, D) float32, rows of length 1 (a row of zeros stays one).
    """
    rows = np.empty((len(stored), width), np.float32)
    small = [scale is not None for scale in scales]
    if not any(small):
        rows[:] = np.frombuffer(b"".join(stored), np.float16).reshape(-1, width)
    else:
        for n, blob in enumerate(stored):
            rows[n] = np.frombuffer(blob, np.int8 if small[n] else np.float16)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    lengths[lengths == 0] = 1
    rows /= lengths[:, None]
    return rows


def checked(vector: object, width: int, whose: str, encoder: str) -> Vector:
    """*vector* as (*width*,) float32.

    Raises:
        EncoderMismatchError: It has another width than the store's vectors.
        EncoderError: It is missing, or not made of finite numbers.
    """
    if vector is None:
        raise EncoderError("a memory came without its vector; encode its text first")
    numbers = np.asarray(vector, np.float32)
    if numbers.shape != (width,):
        raise EncoderMismatchError(
            f"the store of {whose} was written by {encoder!r} ({width} numbers a "
            f"text), this vector has the shape {numbers.shape}; encode with the first"
        )
    if not np.isfinite(numbers).all():
        raise EncoderError(
            "a vector holds numbers that aren't finite; the encoder's weights may be "
            "damaged, so load them anew"
        )
    return numbers
