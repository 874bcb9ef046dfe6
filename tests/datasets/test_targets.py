"""What target columns become: the rule of inference, the numbering of classes, and what does not fit."""

from typing import Any

import numpy as np
import pytest

from polydnn.datasets.targets import check_task, interpret_targets
from polydnn.errors import DTypeError, InvalidArgumentError, InvalidDataError, ShapeError

INFERRED: list[tuple[Any, str, tuple[str, ...]]] = [
    (["b", "a", "b"], "binary", ("a", "b")),
    (["b", "a", "c"], "multiclass", ("a", "b", "c")),
    ([0, 1, 1], "binary", ("0", "1")),
    ([-1, 1, 1], "binary", ("-1", "1")),
    ([10, 9, 2], "multiclass", ("2", "9", "10")),
    (list(range(20)), "multiclass", tuple(map(str, range(20)))),
    (list(range(21)), "regression", ()),
    ([0.0, 1.0, 1.0], "binary", ("0", "1")),
    ([0.0, 1.0, 2.0], "regression", ()),
    ([1.0, 1.0], "regression", ()),
    ([0.5, 1.5], "regression", ()),
    ([[0, 1], [1, 1]], "multilabel", ()),
    ([[0.0, 1.0], [1.0, 1.0]], "multilabel", ()),
    ([[0, 1], [1, 2]], "regression", ()),
    ([[3], [4]], "binary", ("3", "4")),
]


@pytest.mark.parametrize(("y", "task", "classes"), INFERRED)
def test_the_task_that_is_inferred(y: Any, task: str, classes: tuple[str, ...]) -> None:
    found = interpret_targets(np.array(y), None)
    assert (found.task, found.classes) == (task, classes)


def test_shapes_and_dtypes_are_those_of_rows() -> None:
    labels = np.array([7, 3, 7])
    for task, shape, dtype in (
        ("binary", (3, 1), np.int64),
        ("multiclass", (3,), np.int64),
        ("regression", (3, 1), np.float64),
    ):
        y = interpret_targets(labels, task).y  # type: ignore[arg-type]
        assert (y.shape, y.dtype) == (shape, dtype)
    y = interpret_targets(np.array([[True, False]]).astype(np.uint8), "multilabel").y
    assert (y.shape, y.dtype, y.tolist()) == ((1, 2), np.int64, [[1, 0]])


def test_labels_are_numbered_in_sorted_order() -> None:
    assert interpret_targets(np.array([10, 9, 2, 9]), None).y.tolist() == [2, 1, 0, 1]
    assert interpret_targets(np.array(["no", "yes", "no"]), None).y.tolist() == [[0], [1], [0]]
    assert interpret_targets(np.array([1.0, 2.0, 4.0]), "multiclass").classes == ("1", "2", "4")


def test_one_hot_rows_become_labels() -> None:
    rows = np.eye(3)[[2, 0, 1]]
    found = interpret_targets(rows, "multiclass", names=("red", "green", "blue"))
    assert (found.y.tolist(), found.classes) == ([2, 0, 1], ("red", "green", "blue"))
    assert interpret_targets(rows, "multiclass").classes == ("0", "1", "2")


def test_a_single_label_column_may_be_multilabel() -> None:
    assert interpret_targets(np.array([0, 1]), "multilabel").y.tolist() == [[0], [1]]


BAD: list[tuple[Any, Any, type[Exception], str]] = [
    (["a", "a"], None, InvalidDataError, r"y: all rows have the class 'a'; a binary task needs at least two classes"),
    ([4, 4], "multiclass", InvalidDataError, r"all rows have the class '4'; a multiclass task needs at least two"),
    ([0, 1, 2], "binary", InvalidDataError, r"a binary task has two classes, found 3: 0, 1, 2\. Use task='multiclass'"),
    ([1.0, 0.5], "multiclass", InvalidDataError, r"class labels must be whole numbers or text, found 0\.5 at row 1"),
    ([0.0, np.nan], None, InvalidDataError, r"every target must be finite, found nan at row 1, column 0"),
    ([[0.0, 1.0], [1.0, -np.inf]], None, InvalidDataError, r"must be finite, found -inf at row 1, column 1"),
    (["a", "b"], "regression", DTypeError, r"a regression task needs numbers as targets, found text such as 'a'"),
    ([["a", "b"]], "multilabel", DTypeError, r"a multilabel task needs numbers as targets, found text such as 'a'"),
    ([["a", "b"]], None, DTypeError, r"a regression task needs numbers as targets, found text"),
    ([[0, 1], [2, 1]], "multilabel", InvalidDataError, r"has labels 0 and 1, found 2 at row 1, column 0"),
    ([[0, 1], [1, 0]], "binary", ShapeError, r"a binary task has one target column, found 2\. Use task='multilabel'"),
    ([[0, 1], [1, 1]], "multiclass", InvalidDataError, r"one-hot rows with a single 1, but row 1 has 2"),
]


@pytest.mark.parametrize(("y", "task", "error", "text"), BAD)
def test_targets_that_do_not_fit(y: Any, task: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        interpret_targets(np.array(y), task)


@pytest.mark.parametrize("task", ["multi-class", "classification", 3, ""])
def test_an_unknown_task_is_refused(task: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^task must be one of binary, multiclass, multilabel, regression"):
        check_task(task)


def test_a_near_task_is_suggested() -> None:
    with pytest.raises(InvalidArgumentError, match=r"Did you mean 'multiclass'\?$"):
        check_task("multi-class")
