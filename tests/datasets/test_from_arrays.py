"""Data sets from arrays: odd but honest inputs pass unchanged, everything else is refused by name."""

from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend
from polydnn.datasets import Dataset, from_arrays
from polydnn.datasets.from_arrays import as_features
from polydnn.errors import DTypeError, InvalidArgumentError, InvalidDataError, MixedBackendsError, ShapeError

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10) % 3


def rows_of(dataset: Dataset) -> list[tuple[list[float], list[int]]]:
    x = np.concatenate([dataset.train.x, dataset.test.x])
    y = np.concatenate([dataset.train.y, dataset.test.y])
    return sorted(zip(x.tolist(), y.tolist(), strict=True))


def test_every_row_keeps_its_target() -> None:
    dataset = from_arrays(X, Y)
    assert (len(dataset.train), len(dataset.test), dataset.task, dataset.outputs) == (8, 2, "multiclass", 3)
    assert rows_of(dataset) == list(zip(X.tolist(), Y.tolist(), strict=True))
    assert (dataset.features, dataset.targets, dataset.scaling) == (("x0", "x1"), ("y",), "standard")


def test_seed_and_fraction_choose_the_test_rows() -> None:
    x, y = np.arange(100.0)[:, None], np.linspace(0, 1, 100)
    first, again, other = (from_arrays(x, y, seed=seed, test_fraction=0.1) for seed in (0, 0, 1))
    assert first.test.x.tolist() == again.test.x.tolist() != other.test.x.tolist()
    assert len(first.test) == 10


def read_only() -> np.ndarray[Any, Any]:
    x = X.copy()
    x.flags.writeable = False
    return x


ODD = {
    "read-only": read_only(),
    "Fortran": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": X[::-1][::-1],
    "big-endian": X.astype(">f8"),
    "extended": X.astype(np.longdouble),
    "list": X.tolist(),
}


@pytest.mark.parametrize("x", ODD.values(), ids=ODD.keys())
def test_odd_arrays_work_and_are_not_modified(x: Any) -> None:
    before = np.array(x, copy=True)
    dataset = from_arrays(x, Y.astype(">i4"))
    assert rows_of(dataset) == list(zip(X.tolist(), Y.tolist(), strict=True))
    assert dataset.train.x.dtype == np.float64
    assert dataset.train.x.dtype.isnative
    assert np.array_equal(before, x)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float16, np.float32])
def test_x_keeps_its_dtype(dtype: Any) -> None:
    assert from_arrays(X.astype(dtype), Y).train.x.dtype == dtype


def test_bytes_are_scaled_like_images_and_booleans_are_bytes() -> None:
    assert from_arrays(X.astype(np.uint8), Y).scaling == "min-max"
    dataset = from_arrays(X > 3, Y > 1)
    assert (dataset.train.x.dtype, dataset.task, dataset.classes) == (np.uint8, "binary", ("0", "1"))


def test_text_in_an_array_of_objects_is_text() -> None:
    dataset = from_arrays(X, np.array(["a", "b"] * 5, dtype=object))
    assert (dataset.task, dataset.classes) == ("binary", ("a", "b"))


def test_test_rows_may_be_given() -> None:
    dataset = from_arrays(X, Y, test=(X[:2] + 0.5, [2, 5]))
    assert dataset.classes == ("0", "1", "2", "5")
    assert dataset.train.x is X
    assert dataset.test.x.tolist() == [[0.5, 1.5], [2.5, 3.5]]
    assert dataset.test.y.tolist() == [2, 3]


def test_names_are_kept() -> None:
    y = np.eye(2)[[0, 1] * 5]
    dataset = from_arrays(X, y, features=["width", "height"], targets=["red", "blue"], name="tiles", source="me")
    assert (dataset.name, dataset.source, dataset.task) == ("tiles", "me", "multilabel")
    assert (dataset.features, dataset.targets) == (("width", "height"), ("red", "blue"))
    one_hot = from_arrays(X, y, targets=["red", "blue"], task="multiclass")
    assert (one_hot.targets, one_hot.classes) == (("class",), ("red", "blue"))


def with_nan() -> np.ndarray[Any, Any]:
    x = X.copy()
    x[3, 1] = np.nan
    return x


BAD: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    (X[:, 0], Y, {}, ShapeError, r"^x must have the shape \(n, in_features\), found \(10,\); try x\.reshape\(-1, 1\)"),
    (np.zeros((10, 2, 2)), Y, {}, ShapeError, r"found \(10, 2, 2\); try x\.reshape\(len\(x\), -1\)"),
    (np.zeros((0, 2)), [], {}, ShapeError, r"^x must have at least one row and one column, found the shape \(0, 2\)"),
    (np.zeros((10, 0)), Y, {}, ShapeError, r"^x must have at least one row and one column"),
    (X, Y[:9], {}, ShapeError, r"^x has 10 rows and y has 9; give one target for each row"),
    (X, np.zeros((10, 1, 1)), {}, ShapeError, r"^y must have the shape \(n,\) or \(n, columns\), found \(10, 1, 1\)"),
    (X, np.zeros((10, 0)), {}, ShapeError, r"^y must have the shape"),
    (X, 3, {}, ShapeError, r"^y must have the shape \(n,\) or \(n, columns\), found \(\)"),
    ([[1, 2], [3]], [0, 1], {}, ShapeError, r"^x is ragged"),
    (X.astype(str), Y, {}, DTypeError, r"^x must hold real numbers, found text"),
    (X * 1j, Y, {}, DTypeError, r"^x must hold real numbers, found complex numbers"),
    (X.astype(object), Y, {}, DTypeError, r"^x must hold real numbers, found Python objects"),
    (None, Y, {}, DTypeError, r"^x must be an array of real numbers, found None"),
    (X, np.array([1, "a"] * 5, dtype=object), {}, DTypeError, r"^y must hold real numbers, found Python objects"),
    (X, Y * 1j, {}, DTypeError, r"^y must hold real numbers, found complex"),
    (with_nan(), Y, {}, InvalidDataError, r"^x must be finite, found nan at row 3, column 1"),
    (X, X[:, 0] / 0.3 - np.inf, {}, InvalidDataError, r"^y: every target must be finite, found -inf at row 0"),
    (np.ma.masked_less(X, 3), Y, {}, InvalidDataError, r"^x has 3 masked entries"),
    (X, [1] * 10, {}, InvalidDataError, r"^y: all rows have the class '1'"),
    (X[:1], [0.5], {}, InvalidDataError, r"^1 rows with test_fraction=0\.2 leave none to train on"),
    (X, Y, {"task": "multi"}, InvalidArgumentError, r"^task must be one of .* found 'multi'"),
    (
        X,
        Y,
        {"features": ["a"]},
        InvalidArgumentError,
        r"^features must name every column of x, 2 of them, found \['a'\]",
    ),
    (X, Y, {"targets": "ab"}, InvalidArgumentError, r"^targets must name every column of y, 1 of them, found 'ab'"),
    (X, Y, {"test": X}, InvalidArgumentError, r"^test must be the pair \(x_test, y_test\), found ndarray"),
    (X, Y, {"test": (X[:, :1], Y)}, ShapeError, r"^x_test has rows of the shape \(1,\), those of x have \(2,\)"),
    (X, Y, {"test": (X, Y[:3])}, ShapeError, r"^x_test has 10 rows and y_test has 3"),
    (
        X,
        Y,
        {"test": (X, Y.astype(str))},
        DTypeError,
        r"^y_test has the dtype <U\d+, y has int64; use one kind for both",
    ),
    (X, Y, {"test": (with_nan(), Y)}, InvalidDataError, r"^x_test must be finite, found nan at row 3, column 1"),
    (X, Y, {"targets": ["kind"], "task": "binary"}, InvalidDataError, r"^y \(kind\): a binary task has two classes"),
]


@pytest.mark.parametrize(("x", "y", "options", "error", "text"), BAD)
def test_arrays_that_cannot_be_used(x: Any, y: Any, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        from_arrays(x, y, **options)


def test_arrays_of_another_library_do_not_move_by_themselves(backend: Backend) -> None:
    x = backend.asarray(X)
    if isinstance(x, np.ndarray):
        assert from_arrays(x, Y).in_features == 2
        return
    with pytest.raises(MixedBackendsError, match=r"^x is an? .*host data is needed here"):
        from_arrays(x, Y)


def test_features_alone_are_checked_in_the_same_way() -> None:
    with pytest.raises(ShapeError, match=r"^rows must have the shape \(n, in_features\), found \(3,\)"):
        as_features([1, 2, 3], "rows")


def test_all_rows_may_be_for_testing_as_they_stand() -> None:
    x, y = np.arange(6.0)[:, None], ["b", "b", "c", "b", "c", "b"]
    dataset = from_arrays(x, y, test_fraction=1.0, classes=["a", "b", "c"], task="multiclass")
    assert (len(dataset.train), dataset.in_features, dataset.classes) == (0, 1, ("a", "b", "c"))
    assert dataset.test.x.tolist() == x.tolist()
    assert dataset.test.y.tolist() == [1, 1, 2, 1, 2, 1]


@pytest.mark.parametrize("y", [["rose"], [1, 1]], ids=["text", "numbers"])
def test_one_of_the_classes_that_are_known_may_be_all_there_is(y: list[Any]) -> None:
    classes = ["iris", "rose"] if y == ["rose"] else ["0", "1"]
    dataset = from_arrays(np.zeros((len(y), 2)), y, test_fraction=1.0, classes=classes, task="binary")
    assert dataset.test.y.tolist() == [[1]] * len(y)


def test_one_hot_columns_are_numbered_as_the_known_classes() -> None:
    rows = np.eye(2, dtype=int)
    given = {"task": "multiclass", "targets": ["b", "a"], "test_fraction": 1.0}
    assert from_arrays(rows, rows, **given).test.y.tolist() == [0, 1]
    assert from_arrays(rows, rows, classes=["a", "b"], **given).test.y.tolist() == [1, 0]


def test_a_class_beside_the_known_ones_is_refused() -> None:
    with pytest.raises(InvalidDataError, match=r"^y: unknown classes: tulip; those that are known: iris, rose\.$"):
        from_arrays(np.zeros((3, 1)), ["rose", "tulip", "iris"], classes=["iris", "rose"])
