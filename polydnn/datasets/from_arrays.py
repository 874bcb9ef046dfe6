"""A data set from arrays that are already in memory."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from polydnn.arrays import as_host
from polydnn.datasets.dataset import Dataset, Rows, Task
from polydnn.datasets.split import split_rows
from polydnn.datasets.targets import Targets, check_task, interpret_targets
from polydnn.errors import DTypeError, InvalidArgumentError, InvalidDataError, ShapeError

__all__ = ["as_features", "from_arrays"]

Host = np.ndarray[Any, Any]

KINDS = {"i": "integers", "u": "integers", "f": "floating-point numbers", "U": "text"}


def from_arrays(
    x: object,
    y: object,
    *,
    test: tuple[object, object] | None = None,
    task: Task | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    features: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    name: str = "arrays",
    source: str = "arrays given by the caller",
) -> Dataset:
    """A data set from ``x`` (n, in_features) and ``y`` (n,) or (n, columns): NumPy arrays, lists, data frames.

    Rows to test on are the pair ``test``, or else ``test_fraction`` of the rows, drawn by ``seed`` (class by class
    where there are classes); a ``test_fraction`` of 1 leaves all rows, as they stand, for testing. ``classes`` names
    the classes in the order of their numbers where a model has settled them; otherwise y tells them. ``task`` is
    inferred where it is None, by the rule of ``polydnn.datasets.targets``.
    x keeps its dtype, integers stay integers; y becomes what ``Rows`` describes. Nothing given is modified.

    Raises ShapeError for other shapes or lengths that differ, DTypeError for text, objects or complex numbers,
    InvalidDataError for NaN, infinity, no rows or a single class, MixedBackendsError for arrays of another library.

    >>> dataset = from_arrays([[0, 0], [0, 1], [1, 0], [1, 1], [0, 1]], ["no", "yes", "yes", "no", "yes"])
    >>> dataset.task, dataset.classes, dataset.train.x.shape, dataset.test.y.shape
    ('binary', ('no', 'yes'), (4, 2), (1, 1))
    """
    task = check_task(task)
    x, y = _pair(x, y, "x", "y")
    given = None if test is None else _test_pair(test, x, y)
    names = _names(targets, "targets", "y", 1 if y.ndim == 1 else y.shape[1])
    everything = y if given is None else np.concatenate([y, given[1]])  # the test rows may hold a class of their own
    origin = "y" if targets is None else f"y ({', '.join(names)})"
    found = interpret_targets(everything, task, origin=origin, names=targets or (), known=tuple(classes or ()))
    if given is not None:
        train, test_rows = Rows(x, found.y[: len(x)]), Rows(given[0], found.y[len(x) :])
    else:
        train, test_rows = _split(x, found, test_fraction, seed)
    return Dataset(
        name=name,
        task=found.task,
        train=train,
        test=test_rows,
        features=_names(features, "features", "x", x.shape[1]),
        targets=names if len(names) == 1 or found.y.ndim == 2 else ("class",),  # one-hot columns became one
        classes=found.classes,
        scaling=natural_scaling(x),
        summary=f"{found.task}, {len(everything)} rows, {x.shape[1]} features",
        source=source,
    )


def _split(x: Host, found: Targets, test_fraction: float, seed: int) -> tuple[Rows, Rows]:
    if test_fraction == 1.0 and not isinstance(test_fraction, bool):
        return Rows(x[:0], found.y[:0]), Rows(x, found.y)
    labels = found.y.reshape(-1) if found.classes else None
    train, test = split_rows(len(x), test_fraction=test_fraction, seed=seed, labels=labels)
    return Rows(x[train], found.y[train]), Rows(x[test], found.y[test])


def natural_scaling(x: Host) -> Literal["standard", "min-max"]:
    """Bytes are taken for the pixels of images and mapped to [0, 1]; everything else is standardized."""
    return "min-max" if x.dtype == np.uint8 else "standard"


def as_features(value: object, origin: str) -> Host:
    """``value`` as a host array (n, in_features) of finite real numbers in the machine's byte order.

    Booleans become uint8, extended precision becomes float64, everything else keeps its dtype.
    """
    x = _without_booleans(as_host(value, origin))
    if x.ndim != 2:
        hint = f"{origin}.reshape(-1, 1)" if x.ndim < 2 else f"{origin}.reshape(len({origin}), -1)"
        msg = f"{origin} must have the shape (n, in_features), found {x.shape}; try {hint}."
        raise ShapeError(msg)
    if 0 in x.shape:
        msg = f"{origin} must have at least one row and one column, found the shape {x.shape}."
        raise ShapeError(msg)
    if x.dtype.kind == "f" and not np.all(np.isfinite(x)):
        row, column = (int(each[0]) for each in np.nonzero(~np.isfinite(x)))
        msg = f"{origin} must be finite, found {x[row, column]} at row {row}, column {column}."
        raise InvalidDataError(msg)
    return x


def _pair(x: object, y: object, x_origin: str, y_origin: str) -> tuple[Host, Host]:
    features, targets = as_features(x, x_origin), _as_targets(y, y_origin)
    if targets.ndim not in (1, 2) or targets.shape[-1] == 0:
        msg = f"{y_origin} must have the shape (n,) or (n, columns), found {targets.shape}."
        raise ShapeError(msg)
    if len(features) != len(targets):
        msg = f"{x_origin} has {len(features)} rows and {y_origin} has {len(targets)}; give one target for each row."
        raise ShapeError(msg)
    return features, targets


def _as_targets(value: object, origin: str) -> Host:
    """Numbers or text; a column of text in a data frame arrives as an array of objects."""
    try:
        return _without_booleans(as_host(value, origin))
    except DTypeError:
        array = np.asarray(value)
        is_text = array.dtype.kind in "UT" or (array.size > 0 and all(isinstance(each, str) for each in array.flat))
        if not is_text:
            raise
        return array.astype(str)


def _without_booleans(array: Host) -> Host:
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def _test_pair(test: object, x: Host, y: Host) -> tuple[Host, Host]:
    """The rows given for testing, which must look like those for training."""
    if not isinstance(test, tuple | list) or len(test) != 2:
        msg = f"test must be the pair (x_test, y_test), found {type(test).__name__}."
        raise InvalidArgumentError(msg)
    x_test, y_test = _pair(test[0], test[1], "x_test", "y_test")
    for origin, training, testing in (("x", x, x_test), ("y", y, y_test)):
        if training.shape[1:] != testing.shape[1:]:
            msg = (
                f"{origin}_test has rows of the shape {testing.shape[1:]}, those of {origin} have {training.shape[1:]}."
            )
            raise ShapeError(msg)
        if KINDS[training.dtype.kind] != KINDS[testing.dtype.kind]:
            msg = f"{origin}_test has the dtype {testing.dtype}, {origin} has {training.dtype}; use one kind for both."
            raise DTypeError(msg)
    return x_test, y_test


def _names(given: Sequence[str] | None, argument: str, letter: str, count: int) -> tuple[str, ...]:
    if given is None:
        return (letter,) if letter == "y" and count == 1 else tuple(f"{letter}{number}" for number in range(count))
    if isinstance(given, str) or len(given) != count:
        msg = f"{argument} must name every column of {letter}, {count} of them, found {given!r}."
        raise InvalidArgumentError(msg)
    return tuple(given)
