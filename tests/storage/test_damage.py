"""Damage: one changed bit anywhere, and every way to cut a file off, is noticed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn.errors import CheckpointError, ModelFileError
from polydnn.storage import read_checkpoint, read_model, write_checkpoint, write_model


def flips_noticed(path: Path, bits: list[int], read: Callable[[Path], Any], error: type[Exception]) -> int:
    """How many of the single-bit changes make reading fail with this error, and no other."""
    content = path.read_bytes()
    noticed = 0
    for bit in bits:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            read(path)
        except error:
            noticed += 1
    path.write_bytes(content)
    read(path)
    return noticed


def test_400_random_changed_bits_of_an_80_kilobyte_file(tmp_path: Path, description: dict[str, Any]) -> None:
    random = np.random.default_rng(11)
    write_model(tmp_path / "m", description, {"w": random.normal(size=(100, 100))})
    size = (tmp_path / "m").stat().st_size
    assert size > 80_000
    bits = random.choice(size * 8, size=400, replace=False).tolist()
    assert flips_noticed(tmp_path / "m", bits, read_model, ModelFileError) == 400


def test_every_third_bit_of_a_small_model_file(tmp_path: Path, description: dict[str, Any]) -> None:
    arrays = {"w": np.ones((2, 3), np.float32), "n": np.ones(2, bool), "e": np.ones((0, 2))}
    size = write_model(tmp_path / "m", description, arrays)  # length, checksum, description, padding and data
    bits = list(range(0, size * 8, 3))
    assert flips_noticed(tmp_path / "m", bits, read_model, ModelFileError) == len(bits)


def test_every_bit_of_a_small_checkpoint(tmp_path: Path) -> None:
    size = write_checkpoint(tmp_path / "c", 3, {"seed": 5, "epoch": 1}, {"w": np.asarray([np.nan, 1.0])})
    noticed = flips_noticed(tmp_path / "c", list(range(size * 8)), read_checkpoint, CheckpointError)
    assert noticed == size * 8


def test_every_truncation_and_every_added_byte(tmp_path: Path, description: dict[str, Any]) -> None:
    path = tmp_path / "m"
    write_model(path, description, {"w": np.ones((2, 3), np.float32)})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match="cannot be used as a model file: "):
            read_model(path)
    for byte in (0, 32, 255):
        path.write_bytes(content + bytes([byte]))
        with pytest.raises(ModelFileError, match="has bytes behind its last array"):
            read_model(path)


def test_a_damaged_version_is_damage_and_not_a_later_version(tmp_path: Path, description: dict[str, Any]) -> None:
    path = tmp_path / "m"
    write_model(path, description, {})
    content = path.read_bytes()
    assert content.count(b'format\\":1') == 1
    path.write_bytes(content.replace(b'format\\":1', b'format\\":3'))
    with pytest.raises(ModelFileError, match="checksum does not match"):
        read_model(path)
