"""One record (a description and named arrays) to a file and back; models and checkpoints are records of two kinds."""

import errno
import os
import stat
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError
from polydnn.storage import strict_json
from polydnn.storage.atomic import storage_error, write_atomically
from polydnn.storage.layout import (
    DTYPES,
    MAX_HEADER,
    Arrays,
    Header,
    checksum_of,
    encode,
    parse_header,
    stated_checksum,
)
from polydnn.storage.refusal import NewerFormat, Refusal, shown

__all__ = ["encode_record", "not_finite", "read_record", "write_record"]

_CHUNK = 2**20  # read and checksummed at a time, while the bytes are still in the processor's cache
_POSSIBLE = set(DTYPES.values())
_FORBIDDEN = {
    stat.S_IFLNK: "a symbolic link; give the path of the file itself",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def write_record(path: str | os.PathLike[str], description: dict[str, Any], arrays: Mapping[str, Any]) -> int:
    """Write a record atomically; returns the bytes written. Raises InvalidArgumentError and StorageError."""
    return write_atomically(path, encode_record(description, arrays))


def encode_record(description: dict[str, Any], arrays: Mapping[str, Any]) -> list[Any]:
    """The bytes of a record as chunks; raises InvalidArgumentError for what a reader would refuse."""
    text = strict_json.dumps(description, "description")
    checked = {name: _host_array(name, array) for name, array in arrays.items()}
    try:
        return encode(text, checked)
    except Refusal as error:
        msg = f"this cannot be stored, because no reader would take the file: {error}."
        raise InvalidArgumentError(msg) from None


def read_record(path: Path, check: Callable[[Header], None]) -> tuple[dict[str, Any], Arrays]:
    """Read a record under every rule of the format; ``check`` judges its header before any data is read.

    Memory beyond the arrays stays below 64 MB. The arrays are new and writable, in the header's order. Raises Refusal
    with the reason, or StorageError where the file system does not give the file.
    """
    try:
        _refuse_special(os.lstat(path))  # before opening: to open a device or a pipe may already do something
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        msg = f"cannot open '{path}': {os.strerror(error.errno or 0)}. Check the path and the permissions."
        raise storage_error(msg, error) from error
    try:
        facts = os.fstat(descriptor)
        _refuse_special(facts)
        return _read(descriptor, facts.st_size, check)
    except OSError as error:
        # a sector that cannot be read is a damaged file to us: there may be an earlier one
        msg = f"the disk could not read it ({errno.errorcode.get(error.errno or 0)})"
        raise Refusal(msg) from error
    finally:
        os.close(descriptor)


def not_finite(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array of real numbers holds a NaN or an infinity (least and greatest item tell, without a copy).

    >>> not_finite(np.asarray([1.0, float("nan")])), not_finite(np.asarray([1, 2]))
    (True, False)
    """
    if array.dtype.kind != "f" or not array.size:
        return False
    with np.errstate(invalid="ignore"):
        return not (np.isfinite(array.min()) and np.isfinite(array.max()))


def _host_array(name: object, array: Any) -> np.ndarray[Any, Any]:
    if not isinstance(name, str) or name == "__metadata__":
        msg = f"an array has the name {shown(name)}; names must be strings other than '__metadata__'."
        raise InvalidArgumentError(msg)
    if not isinstance(array, np.ndarray | np.generic):
        msg = f"array '{name}' is a {type(array).__name__}; bring it to the host first, with backend.to_numpy(array)."
        raise InvalidArgumentError(msg)
    if array.dtype.newbyteorder("<") not in _POSSIBLE:
        names = ", ".join(dtype.name for dtype in DTYPES.values())
        msg = f"array '{name}' has dtype {array.dtype}; possible: {names}."
        raise InvalidArgumentError(msg)
    return np.asarray(array)


def _refuse_special(facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        msg = f"it is {_FORBIDDEN.get(stat.S_IFMT(facts.st_mode), 'no regular file')}"
        raise Refusal(msg)


def _read(descriptor: int, size: int, check: Callable[[Header], None]) -> tuple[dict[str, Any], Arrays]:
    length = int.from_bytes(_take(descriptor, 8)[0], "little")
    if length > min(size - 8, MAX_HEADER):
        msg = f"its header would have {length} bytes, the file has {size}, and {MAX_HEADER} are allowed; "
        msg += "it is no .safetensors file, or only a part of one"
        raise Refusal(msg)
    raw = bytes(_take(descriptor, length)[0])
    try:
        header = parse_header(raw, size - 8 - length)
    except NewerFormat:  # or a changed bit in the version's digit
        _compare(raw, _take(descriptor, size - 8 - length)[1])
        raise
    check(header)
    found, crc = {}, 0
    for name, tensor in sorted(header.tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        data, crc = _take(descriptor, tensor.end - tensor.begin, crc)
        found[name] = data.view(tensor.dtype).reshape(tensor.shape)
    _compare(raw, crc)
    for name, array in found.items():
        if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            msg = f"array '{name}' has dtype BOOL and holds a byte other than 0 and 1"
            raise Refusal(msg)
    return header.description, {name: _native(found[name]) for name in header.tensors}


def _compare(header: bytes, crc: int) -> None:
    if checksum_of(header, crc) != stated_checksum(header):
        msg = "its checksum does not match its contents: the file was damaged or changed after it was written"
        raise Refusal(msg)


def _take(descriptor: int, length: int, crc: int = 0) -> tuple[np.ndarray[Any, Any], int]:
    """The next bytes of the file, as an array of uint8 of that length, and the CRC-32 carried on over them."""
    try:
        buffer = np.empty(length, dtype=np.uint8)
    except MemoryError:
        msg = f"{length} bytes of it do not fit into the memory"
        raise Refusal(msg) from None
    view = memoryview(buffer.data)
    while view:
        taken = os.readv(descriptor, [view[:_CHUNK]])
        if not taken:
            msg = f"it is cut off: {len(view)} bytes are missing"
            raise Refusal(msg)
        crc = zlib.crc32(view[:taken], crc)
        view = view[taken:]
    return buffer, crc


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(array.dtype.newbyteorder("="), copy=False)
