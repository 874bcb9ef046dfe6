"""IDX files: read exactly, plain or packed, and refused where a single byte is wrong."""

import gzip
import hashlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from polydnn.datasets.idx import read_idx
from polydnn.errors import DataFileError, StorageError

IMAGES = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))
LABELS = struct.pack(">4BI", 0, 0, 8, 1, 5) + bytes([3, 1, 4, 1, 5])
PACKED = gzip.compress(LABELS, mtime=0)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_bytes_come_in_the_order_of_the_file_whatever_it_is_called(tmp_path: Path, packed: bool, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(IMAGES) if packed else IMAGES)
    images = read_idx(path, axes=3, sha256=hashlib.sha256(IMAGES).hexdigest())
    assert images.dtype == np.uint8
    assert images.tolist() == np.arange(24).reshape(2, 3, 4).tolist()


def test_one_axis(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(LABELS)
    assert read_idx(path, axes=1).tolist() == [3, 1, 4, 1, 5]


BAD = [
    (b"", r"bad: expected the magic number 0x00000801 of an IDX file of bytes with 1 axes, found 0x\."),
    (IMAGES, r"expected the magic number 0x00000801 .*, found 0x00000803"),
    (b"\x00\x00\x0d\x01" + LABELS[4:], r"found 0x00000d01"),
    (LABELS[::-1], r"found 0x05010401"),
    (LABELS[:6], r"the file ends within the header, after 6 bytes"),
    (LABELS[:-1], r"the sizes 5 ask for 5 bytes, found 4"),
    (LABELS + b"\0", r"the sizes 5 ask for 5 bytes, found more"),
    (b"\x00\x00\x08\x01\xff\xff\xff\xff" + bytes(9), r"the sizes 4294967295 ask for 4294967295 bytes, found 9"),
    (PACKED[:-4], r"bad is no complete gzip file"),
    (PACKED[:10] + b"\xff" * 20, r"bad is no complete gzip file"),
    (PACKED[:-8] + bytes(8), r"bad is no complete gzip file: CRC check failed"),
]


@pytest.mark.parametrize(("content", "text"), BAD)
def test_files_that_break_the_format(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=text):
        read_idx(path, axes=1)


def test_a_header_that_announces_too_much_is_never_believed(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(5))
    with pytest.raises(DataFileError, match=r"huge: the sizes 4294967295 x .* bytes, found 5"):
        read_idx(path, axes=3)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(LABELS + bytes(50 << 20)))
    tracemalloc.start()
    with pytest.raises(DataFileError, match=r"ask for 5 bytes, found more"):
        read_idx(path, axes=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20


def test_another_content_is_named_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(LABELS)
    found = hashlib.sha256(LABELS).hexdigest()
    with pytest.raises(
        DataFileError, match=rf"stored: the unpacked content has the sha256 {found}, expected {'0' * 64}"
    ):
        read_idx(path, axes=1, sha256="0" * 64, origin="stored")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"missing cannot be read: No such file or directory"):
        read_idx(tmp_path / "missing", axes=1)
