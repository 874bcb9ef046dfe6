"""Conversions on the host: rounding is allowed, losing a value is not."""

from typing import Any

import numpy as np
import pytest

from polydnn.arrays.dtypes import cast_host, dtype_name, narrow_host
from polydnn.errors import InvalidDataError


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32"), "float32", np.dtype(">f4")])
def test_names_of_numpy_dtypes(dtype: Any) -> None:
    assert dtype_name(dtype) == "float32"


def test_names_of_python_types() -> None:
    assert [dtype_name(each) for each in (bool, int, float)] == ["bool", "int64", "float64"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (np.asarray([0.1, -3.0]), "float32"),
        (np.asarray([1, 2], "uint64"), "float16"),
        (np.asarray([1.0, -2.0]), "int8"),
        (np.asarray([127, -128]), "int8"),
        (np.asarray([True, False]), "int32"),
        (np.asarray([0.0, 1.0]), "bool"),
        (np.asarray([2**63], "uint64"), "uint64"),
        (np.asarray([]), "int64"),
    ],
)
def test_values_that_fit_are_converted(host: np.ndarray[Any, Any], name: str) -> None:
    cast = cast_host(host, name, "x")
    assert cast.dtype.name == name
    np.testing.assert_array_equal(cast, host.astype(name))


@pytest.mark.parametrize(
    ("host", "name", "text"),
    [
        (np.asarray([70000]), "float16", r"x holds 7e\+04, which float16 cannot hold .* 6.55e\+04\)"),
        (
            np.asarray([[0.0, 0.5]]),
            "int32",
            r"x must hold whole numbers .* int32, found 0.5 at position \(0, 1\)",
        ),
        (np.asarray([2.0**63]), "int64", "x holds 9223372036854775808, which int64 cannot hold; it holds -9223"),
        (np.asarray([2**63], "uint64"), "int64", "x holds 9223372036854775808, which int64 cannot hold"),
        (np.asarray([-1]), "uint8", "x holds -1, which uint8 cannot hold; it holds 0 to 255"),
        (np.asarray([2.0]), "bool", "x holds 2, which bool cannot hold; it holds 0 to 1"),
    ],
)
def test_values_that_do_not_fit_are_refused(host: np.ndarray[Any, Any], name: str, text: str) -> None:
    with pytest.raises(InvalidDataError, match=text):
        cast_host(host, name, "x")


def test_tiny_values_may_become_zero_and_infinite_ones_stay() -> None:
    cast = cast_host(np.asarray([1e-300, np.inf, -np.inf]), "float32", "x")
    np.testing.assert_array_equal(cast, np.asarray([0.0, np.inf, -np.inf], "float32"))


def test_a_type_numpy_lacks_is_left_to_the_library() -> None:
    host = np.ones(2)
    assert cast_host(host, "bfloat16", "x") is host


@pytest.mark.parametrize(("wide", "narrow"), [("float64", "float32"), ("int64", "int32"), ("uint64", "uint32")])
def test_narrowing_halves_the_width(wide: str, narrow: str) -> None:
    assert narrow_host(np.ones(2, wide), "x").dtype.name == narrow
    assert narrow_host(np.ones(2, narrow), "x").dtype.name == narrow
