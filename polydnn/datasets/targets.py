"""What a target column means: the task it asks for, its classes, and y as ``Rows`` wants it.

The rule, where no task is given. One column of text is a classification; one column of at most 20 different whole
numbers, stored or written as integers, is one too, and so is one of the floating-point numbers 0 and 1 alone. Two
classes make it binary, more make it multi-class. Several columns of nothing but 0 and 1 are a multi-label task.
Everything else is regression. Classes are numbered in sorted order, numbers by size and text by its letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from polydnn.datasets.dataset import Task
from polydnn.errors import DTypeError, InvalidArgumentError, InvalidDataError, ShapeError, did_you_mean

__all__ = ["MOST_CLASSES", "Targets", "check_task", "interpret_targets"]

MOST_CLASSES = 20
"""More different integers than this are taken for a quantity, unless the task is given."""

Host = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Targets:
    """Targets in the form of ``Rows.y``, with the task and the names of the classes."""

    y: Host
    task: Task
    classes: tuple[str, ...] = ()


def check_task(task: object) -> Task | None:
    """The task, or None for "to be inferred"; raises InvalidArgumentError for any other value."""
    possible = get_args(Task)
    if task is None or (isinstance(task, str) and task in possible):
        return task  # type: ignore[return-value]
    near = did_you_mean(str(task), possible)
    msg = f"task must be one of {', '.join(possible)}, or None to infer it, found {task!r}.{near}"
    raise InvalidArgumentError(msg)


def interpret_targets(
    raw: Host, task: Task | None, *, origin: str = "y", names: Sequence[str] = (), known: Sequence[str] = ()
) -> Targets:
    """Targets from ``raw``, (n,) or (n, columns) of numbers or text, for ``task`` or for the one the rule infers.

    y is int64 for classes and labels and float64 for regression; a multi-class task also takes one-hot rows, whose
    classes are then called by ``names``. ``known`` are the classes, by number, where they are settled already; one of
    them may be all there is. ``origin`` says in messages where the values come from.
    Raises ShapeError, DTypeError or InvalidDataError where the values do not fit the task.

    >>> found = interpret_targets(np.array(["cat", "dog", "ant", "dog"]), None)
    >>> found.task, found.classes, found.y.tolist()
    ('multiclass', ('ant', 'cat', 'dog'), [1, 2, 0, 2])
    """
    columns = raw[:, None] if raw.ndim == 1 else raw
    _check_finite(columns, origin)
    task = task or _infer(columns)
    if task == "regression":
        return Targets(_numbers(columns, task, origin).astype(np.float64), task)
    if task == "multilabel":
        return Targets(_zeros_and_ones(columns, task, origin), task)
    if columns.shape[1] == 1:
        return _classes(columns[:, 0], task, origin, known)
    return _renumbered(_one_hot(columns, task, origin, names), known, origin)


def _infer(columns: Host) -> Task:
    if columns.shape[1] > 1:
        return "multilabel" if columns.dtype.kind != "U" and _only_zero_one(columns) else "regression"
    distinct = np.unique(columns)
    if columns.dtype.kind == "U":
        is_class = True
    elif columns.dtype.kind == "f":
        is_class = distinct.tolist() == [0.0, 1.0]
    else:
        is_class = len(distinct) <= MOST_CLASSES
    if not is_class:
        return "regression"
    return "binary" if len(distinct) <= 2 else "multiclass"


def _classes(labels: Host, task: Task, origin: str, known: Sequence[str]) -> Targets:
    if labels.dtype.kind == "f" and not np.all(labels == np.floor(labels)):
        row = int(np.argmax(labels != np.floor(labels)))
        msg = f"{origin}: class labels must be whole numbers or text, found {labels[row]} at row {row}."
        raise InvalidDataError(msg)
    distinct, y = np.unique(labels, return_inverse=True)
    classes = tuple(str(int(each)) if labels.dtype.kind != "U" else str(each) for each in distinct)
    if len(classes) < 2 and not known:
        msg = f"{origin}: all rows have the class {classes[0]!r}; a {task} task needs at least two classes."
        raise InvalidDataError(msg)
    if task == "binary" and len(classes) > 2 and not known:
        few = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
        msg = f"{origin}: a binary task has two classes, found {len(classes)}: {few}. Use task='multiclass'."
        raise InvalidDataError(msg)
    y = y.astype(np.int64)
    return _renumbered(Targets(y[:, None] if task == "binary" else y, task, classes), known, origin)


def _renumbered(found: Targets, known: Sequence[str], origin: str) -> Targets:
    """The labels as numbers of the classes that are known, where some are."""
    if not known:
        return found
    unknown = [name for name in found.classes if name not in known]
    if unknown:
        msg = f"{origin}: unknown classes: {_few(unknown)}; those that are known: {_few(known)}."
        raise InvalidDataError(msg)
    numbers = np.array([list(known).index(name) for name in found.classes], dtype=np.int64)
    return Targets(numbers[found.y], found.task, tuple(known))


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")


def _one_hot(columns: Host, task: Task, origin: str, names: Sequence[str]) -> Targets:
    if task == "binary":
        msg = f"{origin}: a binary task has one target column, found {columns.shape[1]}. Use task='multilabel'."
        raise ShapeError(msg)
    ones = _zeros_and_ones(columns, task, origin)
    counts = ones.sum(axis=1)
    if np.any(counts != 1):
        row = int(np.argmax(counts != 1))
        msg = (
            f"{origin}: several columns for a multiclass task are one-hot rows with a single 1, "
            f"but row {row} has {counts[row]}. Use task='multilabel'."
        )
        raise InvalidDataError(msg)
    classes = tuple(names) or tuple(str(number) for number in range(columns.shape[1]))
    return Targets(np.argmax(ones, axis=1).astype(np.int64), task, classes)


def _zeros_and_ones(columns: Host, task: Task, origin: str) -> Host:
    numbers = _numbers(columns, task, origin)
    if not _only_zero_one(numbers):
        row, column = (int(each[0]) for each in np.nonzero((numbers != 0) & (numbers != 1)))
        msg = f"{origin}: a {task} task has labels 0 and 1, found {numbers[row, column]} at row {row}, column {column}."
        raise InvalidDataError(msg)
    return numbers.astype(np.int64)


def _numbers(columns: Host, task: Task, origin: str) -> Host:
    if columns.dtype.kind == "U":
        msg = f"{origin}: a {task} task needs numbers as targets, found text such as {str(columns[0, 0])!r}."
        raise DTypeError(msg)
    return columns


def _only_zero_one(numbers: Host) -> bool:
    return bool(np.all((numbers == 0) | (numbers == 1)))


def _check_finite(columns: Host, origin: str) -> None:
    if columns.dtype.kind == "f" and not np.all(np.isfinite(columns)):
        row, column = (int(each[0]) for each in np.nonzero(~np.isfinite(columns)))
        msg = f"{origin}: every target must be finite, found {columns[row, column]} at row {row}, column {column}."
        raise InvalidDataError(msg)
