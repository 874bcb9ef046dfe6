"""Reads IDX, the file format of MNIST and its kin: a big-endian header with the sizes, then bytes.

Source: LeCun, Cortes and Burges, *The MNIST database of handwritten digits* (the section on the file format).
"""

import gzip
import hashlib
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from polydnn.datasets.reading import reading
from polydnn.errors import DataFileError

__all__ = ["read_idx"]

UNSIGNED_BYTES = 0x08
CHUNK = 1 << 20


def read_idx(
    path: Path, *, axes: int, sha256: str | None = None, origin: str | None = None
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The unsigned bytes in an IDX file with ``axes`` axes, plain or packed by gzip; read-only.

    ``sha256`` is the expected checksum of the unpacked file; ``origin`` is what messages call it, by default its path.
    Raises DataFileError for another magic number, for more or fewer bytes than the sizes say and for a checksum that
    differs, StorageError where the file cannot be read.
    """
    origin = origin or str(path)
    with reading(origin):
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with _opened(path, packed) as file:
            return _parse(file, axes, sha256, origin)


def _opened(path: Path, packed: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _parse(file: BinaryIO, axes: int, sha256: str | None, origin: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    header = file.read(4 + 4 * axes)
    magic = (UNSIGNED_BYTES << 8) + axes
    if len(header) < 4 or struct.unpack(">I", header[:4]) != (magic,):
        msg = f"{origin}: expected the magic number 0x{magic:08x} of an IDX file of bytes with {axes} axes, "
        msg += f"found 0x{header[:4].hex()}."
        raise DataFileError(msg)
    if len(header) < 4 + 4 * axes:
        msg = f"{origin}: the file ends within the header, after {len(header)} bytes."
        raise DataFileError(msg)
    shape = struct.unpack(f">{axes}I", header[4:])
    content = _exactly(file, math.prod(shape), shape, origin)
    if sha256 is not None:
        _check_sha256(header, content, sha256, origin)
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _exactly(file: BinaryIO, expected: int, shape: tuple[int, ...], origin: str) -> bytes:
    """The rest of the file, never more than a chunk beyond what the header announces, whatever a gzip stream holds."""
    chunks: list[bytes] = []
    found = 0
    while found <= expected and (chunk := file.read(CHUNK)):
        chunks.append(chunk)
        found += len(chunk)
    if found != expected:
        amount = f"{found}" if found < expected else "more"
        msg = f"{origin}: the sizes {' x '.join(map(str, shape))} ask for {expected} bytes, found {amount}."
        raise DataFileError(msg)
    return b"".join(chunks)


def _check_sha256(header: bytes, content: bytes, expected: str, origin: str) -> None:
    digest = hashlib.sha256(header)
    digest.update(content)
    if digest.hexdigest() != expected:
        msg = (
            f"{origin}: the unpacked content has the sha256 {digest.hexdigest()}, expected {expected}; "
            f"the file is damaged or belongs to another data set."
        )
        raise DataFileError(msg)
