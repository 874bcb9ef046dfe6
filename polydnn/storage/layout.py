"""The bytes of a polydnn file: a .safetensors file whose header begins with a checksum over the whole file.

    8 bytes     length of the header, little-endian
    header      {"__metadata__":{"checksum":"<64 hexadecimal digits>","polydnn":"<description as JSON text>"},
                 "<name>":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]}, ...}   and up to 7 spaces
    data        the arrays, little-endian, in C order, without gaps, largest item size first so that all are aligned

The checksum is the SHA-256 of the length, the header with the checksum's own digits as zeros, and the CRC-32 of the
data (4 bytes, little-endian). The CRC notices every changed bit, and all but one in 4 billion of other damages, in a
third of the time that SHA-256 would take for the data; that time would be most of the cost of saving. It is no
signature. Its place and its meaning are the same in every version of the format, so a file of a later version can be
told from a damaged one.

The reader here trusts nothing: what it does not expect it refuses, before it takes memory for it.
"""

import hashlib
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from polydnn.storage import strict_json
from polydnn.storage.refusal import NewerFormat, Refusal, shown

__all__ = [
    "DTYPES",
    "FORMAT",
    "MAX_HEADER",
    "Arrays",
    "Header",
    "Tensor",
    "checksum_of",
    "encode",
    "parse_header",
    "stated_checksum",
]

Arrays: TypeAlias = dict[str, np.ndarray[Any, Any]]

FORMAT = 1
"""The version of the format that is written, and the newest that is read."""

MAX_HEADER = 4 * 2**20
"""Bytes of the longest header that is written or read."""

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
}
MAX_RANK = 8
_CODES = {dtype: code for code, dtype in DTYPES.items()}
_BEGIN = re.compile(rb'\{"__metadata__":\{"checksum":"[0-9a-f]{64}","polydnn":"')
_DIGITS = slice(8 + 29, 8 + 29 + 64)  # where _BEGIN finds them, counted from the first byte of the file
_NAME = re.compile(r"[A-Za-z0-9_./:-]{1,200}")
_HEADER_INTEGERS = (-(2**53), 2**53)
_DESCRIPTION_INTEGERS = (-(2**63), 2**64 - 1)  # seeds go up to 2**64 - 1, and Python reads them exactly


@dataclass(frozen=True)
class Tensor:
    """Where an array stands in the data: its dtype and shape, and its first byte and the one after its last."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a header says, after every rule about it held."""

    description: dict[str, Any]
    tensors: dict[str, Tensor]  # in the order of the header


def encode(description: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> list[Any]:
    """The file as chunks: length and header first, then the data of each array.

    ``description`` is JSON text of ``strict_json.dumps``; the arrays have dtypes of ``DTYPES``. Raises Refusal where
    the reader would refuse the result.
    """
    placed = sorted(arrays.items(), key=lambda item: -item[1].itemsize)
    chunks = [_little_endian_bytes(array) for _, array in placed]
    ends = np.cumsum([0] + [chunk.nbytes for chunk in chunks]).tolist()
    offsets = {name: ends[place : place + 2] for place, (name, _) in enumerate(placed)}
    header = {"__metadata__": {"checksum": "0" * 64, "polydnn": description}} | {
        name: {"dtype": _code(array), "shape": list(array.shape), "data_offsets": offsets[name]}
        for name, array in arrays.items()
    }
    text = strict_json.dumps(header, "header").encode("ascii")
    text += b" " * (-len(text) % 8)
    parse_header(text, ends[-1])
    crc = 0
    for chunk in chunks:
        crc = zlib.crc32(chunk.data, crc)
    first = bytearray(len(text).to_bytes(8, "little") + text)
    first[_DIGITS] = checksum_of(text, crc).encode("ascii")
    return [first, *chunks]


def checksum_of(header: bytes, crc: int) -> str:
    """The 64 digits that belong to a header and the CRC-32 of the data behind it."""
    first = bytearray(len(header).to_bytes(8, "little") + header)
    first[_DIGITS] = b"0" * 64
    return hashlib.sha256(first + crc.to_bytes(4, "little")).hexdigest()


def stated_checksum(raw: bytes) -> str:
    """The 64 digits in a header that begins as it should."""
    return raw[_DIGITS.start - 8 : _DIGITS.stop - 8].decode("ascii")


def parse_header(raw: bytes, data_size: int) -> Header:
    """Read a header under every rule of the format; ``data_size`` is the number of bytes behind it.

    Raises Refusal with the reason, NewerFormat where the file asks for a later version of polydnn.
    """
    if len(raw) > MAX_HEADER:
        msg = f"its header has {len(raw)} bytes, of {MAX_HEADER} allowed; long columns belong into arrays"
        raise Refusal(msg)
    if not raw.startswith(b"{"):
        msg = "its header does not begin with '{', so it is no .safetensors file"
        raise Refusal(msg)
    if not _BEGIN.match(raw):
        msg = "its header does not begin with polydnn's checksum, so polydnn did not write it"
        raise Refusal(msg)
    text = raw.rstrip(b" ")
    if not text.endswith(b"}") or len(raw) - len(text) > 7:
        msg = "its header does not end with '}' and at most 7 spaces"
        raise Refusal(msg)
    header = strict_json.loads(text, "its header", _HEADER_INTEGERS)
    description = _description(header.pop("__metadata__"))
    tensors = {name: _tensor(name, entry) for name, entry in header.items()}
    _check_ranges(tensors, data_size)
    return Header(description, tensors)


def _code(array: np.ndarray[Any, Any]) -> str:
    return _CODES[array.dtype.newbyteorder("<")]


def _little_endian_bytes(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(np.uint8)


def _description(metadata: dict[str, str]) -> dict[str, Any]:
    if set(metadata) != {"checksum", "polydnn"}:
        msg = f"its metadata has the keys {shown(sorted(metadata))}; expected are 'checksum' and 'polydnn'"
        raise Refusal(msg)
    text = metadata["polydnn"].encode("utf-8", "surrogatepass")
    description = strict_json.loads(text, "its description", _DESCRIPTION_INTEGERS)
    if not isinstance(description, dict):
        msg = f"its description is {shown(description)}; expected is a JSON object"
        raise Refusal(msg)
    _check_version(description)
    return description


def _check_version(description: dict[str, Any]) -> None:
    version = description.get("format")
    if type(version) is not int or version < 1:
        msg = f"its format version is {shown(version)}; expected is an integer from 1 to {FORMAT}"
        raise Refusal(msg)
    if version > FORMAT:
        msg = (
            f"it has format version {version}, written by polydnn {shown(description.get('polydnn'))}; "
            f"this polydnn reads up to version {FORMAT}. Upgrade polydnn"
        )
        raise NewerFormat(msg)


def _tensor(name: str, entry: Any) -> Tensor:
    if not _NAME.fullmatch(name) or name.startswith("/") or ".." in name:
        allowed = "1 to 200 of A-Z a-z 0-9 _ . / : -"
        msg = f"the array name {shown(name)} is not {allowed}, or begins with '/', or holds '..'"
        raise Refusal(msg)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        keys = sorted(entry) if isinstance(entry, dict) else entry
        msg = f"array '{name}' is described by {shown(keys)}; expected are 'data_offsets', 'dtype' and 'shape'"
        raise Refusal(msg)
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        msg = f"array '{name}' has dtype {shown(entry['dtype'])}; possible: {', '.join(DTYPES)}"
        raise Refusal(msg)
    shape = _integers(name, "shape", entry["shape"])
    offsets = _integers(name, "data_offsets", entry["data_offsets"])
    if len(shape) > MAX_RANK or math.prod(max(length, 1) for length in shape) * dtype.itemsize > 2**53:
        msg = f"array '{name}' has the shape {shown(entry['shape'])}, which has too many axes or is too large"
        raise Refusal(msg)
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        msg = (
            f"array '{name}' has the byte range {shown(entry['data_offsets'])}, which does not fit its shape and dtype"
        )
        raise Refusal(msg)
    return Tensor(dtype, shape, offsets[0], offsets[1])


def _integers(name: str, key: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
        msg = f"array '{name}' has {key} {shown(value)}; expected is a list of integers from 0 on"
        raise Refusal(msg)
    return tuple(value)


def _check_ranges(tensors: dict[str, Tensor], data_size: int) -> None:
    """The byte ranges must follow one another from the first byte of the data to its last."""
    reached = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != reached:
            fault = "overlaps another array" if tensor.begin < reached else "leaves a hole before it"
            msg = f"the byte range {tensor.begin} to {tensor.end} of array '{name}' {fault}"
            raise Refusal(msg)
        reached = tensor.end
    if reached != data_size:
        fault = "is cut off" if reached > data_size else "has bytes behind its last array"
        msg = f"it {fault}: its arrays take {reached} bytes, and {data_size} are there"
        raise Refusal(msg)
