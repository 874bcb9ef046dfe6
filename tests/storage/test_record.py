"""Any array comes back equal to the bit, whatever its dtype, shape, order of bytes and layout in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from polydnn.errors import InvalidArgumentError
from polydnn.storage import read_checkpoint, write_checkpoint

DTYPES = ["bool", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8"]
SHAPES = [(), (1,), (0,), (3, 4), (0, 3), (2, 0, 5), (1, 1, 1, 1, 1, 1, 1, 2)]


def extremes(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array with the least and greatest values, NaN, infinities and subnormals of its dtype."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        values = np.asarray([True, False])
    elif kind.kind == "f":
        facts = np.finfo(kind)
        values = np.asarray([np.nan, -0.0, np.inf, -np.inf, facts.max, facts.smallest_subnormal, 0.1], dtype=kind)
    else:
        values = np.asarray([np.iinfo(kind).max, np.iinfo(kind).min, 1], dtype=kind)
    return np.resize(values, shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_shape_comes_back(tmp_path: Path, same_arrays: Callable[..., bool], dtype: str) -> None:
    arrays = {f"a{number}": extremes(dtype, shape) for number, shape in enumerate(SHAPES)}
    write_checkpoint(tmp_path / "c", 1, {}, arrays)
    assert same_arrays(read_checkpoint(tmp_path / "c")[1], arrays)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_-]{1,20}(\.[a-z]{1,5})?", fullmatch=True),
        hnp.arrays(st.sampled_from(DTYPES).map(np.dtype), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)),
        max_size=5,
    )
)
def test_any_arrays_come_back(tmp_path: Path, same_arrays: Callable[..., bool], arrays: dict[str, np.ndarray]) -> None:
    write_checkpoint(tmp_path / "c", 1, {}, arrays)
    assert same_arrays(read_checkpoint(tmp_path / "c")[1], arrays)


BASE = np.arange(24, dtype=np.float32).reshape(4, 6)
LAYOUTS = {
    "big-endian": BASE.astype(">f4"),
    "Fortran order": np.asfortranarray(BASE),
    "strided": np.repeat(np.repeat(BASE, 2, axis=0), 3, axis=1)[::2, ::3],
    "negative strides": BASE[::-1, ::-1].copy()[::-1, ::-1],
    "broadcast": np.broadcast_to(BASE[:1], (4, 6)),
    "read-only": BASE.copy(),
    "unaligned": np.frombuffer(b"x" + BASE.tobytes(), dtype=np.uint8)[1:].view(np.float32).reshape(4, 6),
}
LAYOUTS["read-only"].flags.writeable = False


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_and_byte_order_make_no_difference(tmp_path: Path, layout: str) -> None:
    array = LAYOUTS[layout]
    write_checkpoint(tmp_path / "c", 1, {}, {"a": array, "big": array.astype(">f4")})
    write_checkpoint(tmp_path / "plain", 1, {}, {"a": array.astype("<f4").copy(), "big": array.astype("<f4").copy()})
    assert (tmp_path / "c").read_bytes() == (tmp_path / "plain").read_bytes()
    found = read_checkpoint(tmp_path / "c")[1]["a"]
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable
    assert found.flags.c_contiguous
    assert found.flags.aligned
    assert found.dtype.isnative


def test_a_scalar_of_numpy_is_an_array_without_axes(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", 1, {}, {"loss": np.float64(0.5)})
    found = read_checkpoint(tmp_path / "c")[1]["loss"]
    assert (found.shape, found.dtype, float(found)) == ((), np.float64, 0.5)


def test_the_order_of_arrays_is_kept_whatever_their_sizes(tmp_path: Path) -> None:
    arrays = {name: np.zeros(3, dtype) for name, dtype in zip("cabd", ["u1", "f8", "f2", "f4"], strict=True)}
    write_checkpoint(tmp_path / "c", 1, {}, arrays)
    assert list(read_checkpoint(tmp_path / "c")[1]) == list("cabd")


def test_the_safetensors_library_reads_the_arrays(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    arrays |= {name: extremes(name, (3, 2)) for name in DTYPES} | {"empty": np.zeros((0, 2)), "scalar": np.asarray(1.5)}
    write_checkpoint(tmp_path / "c.safetensors", 1, {"note": "é"}, arrays)
    found = load_file(tmp_path / "c.safetensors")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_the_same_record_gives_the_same_bytes(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    write_checkpoint(tmp_path / "a", 1, {"x": 0.1}, arrays)
    write_checkpoint(tmp_path / "b", 1, {"x": 0.1}, {name: array.copy() for name, array in arrays.items()})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_data_of_every_array_is_aligned_in_the_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", 1, {}, {"a": np.ones(3, "u1"), "b": np.ones(1, "f8"), "c": np.ones(1, "f4")})
    content = (tmp_path / "c").read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    assert begin % 8 == 0
    assert content[begin:] == np.ones(1, "<f8").tobytes() + np.ones(1, "<f4").tobytes() + b"\1\1\1"


UNWRITABLE: dict[str, tuple[Any, str]] = {
    "complex": ({"a": np.zeros(2, complex)}, "array 'a' has dtype complex128; possible: bool, uint8, "),
    "object": ({"a": np.asarray([{}])}, "array 'a' has dtype object; possible"),
    "text": ({"a": np.asarray(["x"])}, "array 'a' has dtype <U1; possible"),
    "date": ({"a": np.asarray(["2020-01-01"], "M8[D]")}, r"array 'a' has dtype datetime64\[D\]; possible"),
    "records": ({"a": np.zeros(2, "i4,i4")}, "array 'a' has dtype .*; possible"),
    "list": ({"a": [1.0]}, r"array 'a' is a list; bring it to the host first, with backend\.to_numpy"),
    "name is a number": ({1: np.zeros(1)}, "an array has the name 1; names must be strings"),
    "name with a blank": ({"a b": np.zeros(1)}, "no reader would take the file: the array name 'a b' is not"),
    "name that climbs": ({"../a": np.zeros(1)}, r"the array name '\.\./a' is not"),
    "empty name": ({"": np.zeros(1)}, "the array name '' is not"),
    "reserved name": ({"__metadata__": np.zeros(1)}, "an array has the name '__metadata__'; names must be"),
    "9 axes": ({"a": np.zeros((1,) * 9)}, "has too many axes or is too large"),
}


@pytest.mark.parametrize(("arrays", "reason"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_arrays_that_cannot_be_stored_are_named(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        write_checkpoint(tmp_path / "c", 1, {}, arrays)
    assert list(tmp_path.iterdir()) == []


def test_a_description_too_long_for_a_reader_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"its header has 9000.* bytes, of 4194304 allowed; long columns"):
        write_checkpoint(tmp_path / "c", 1, {"text": "a" * 9_000_000}, {})
    with pytest.raises(InvalidArgumentError, match="its description has more than 300000 elements"):
        write_checkpoint(tmp_path / "c", 1, {"history": [0] * 300_001}, {})
