"""From what a classifier puts out, and from targets in any of their forms, to yes and no for every row and label.

The tasks are told apart by shapes, and a target with a column for each output by its contents: where every row has
exactly one label it is one-hot, else multi-label. Nothing is read back to the host for it: both answers are computed
and the right one is selected on the device.
"""

from typing import NamedTuple, Protocol

from polydnn.arrays import device_of
from polydnn.errors import ShapeError
from polydnn.metrics._arguments import CLASSIFICATION, TASKS, check_threshold, check_word
from polydnn.metrics.metric import Metric
from polydnn.types import Array, DType, Namespace, Options

__all__ = [
    "Labels",
    "Measure",
    "check_rows",
    "counting_dtype",
    "label_metric",
    "labels_of",
    "nan_for_nan",
    "true_labels",
]


class Labels(NamedTuple):
    """``predicted`` and ``true`` (n, outputs) of booleans; ``exclusive`` 0-d: every row has exactly one true label.

    ``dtype`` is the type to count in: the prediction's, and float32 at least.
    """

    predicted: Array
    true: Array
    exclusive: Array
    dtype: DType


class Measure(Protocol):
    def __call__(self, labels: Labels, *, xp: Namespace) -> Array: ...


def label_metric(
    name: str, measure: Measure, *, task: str, threshold: float, options: Options, higher_is_better: bool = True
) -> Metric:
    """The metric that applies ``measure``, which gives a 0-d array, to the labels; NaN where a prediction is NaN."""
    check_word(name, "task", task, TASKS)
    limit = check_threshold(name, threshold)

    def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
        labels = labels_of(name, prediction, target, task=task, threshold=limit, xp=xp)
        return nan_for_nan(measure(labels, xp=xp), prediction, xp=xp)

    return Metric(name, value, higher_is_better, {**options, "task": task, "threshold": limit}, CLASSIFICATION)


def labels_of(metric: str, prediction: Array, target: Array, *, task: str, threshold: float, xp: Namespace) -> Labels:
    """The labels of a prediction (n, outputs) and a target in any form; raises ShapeError where they do not fit."""
    true, exclusive = true_labels(metric, prediction, target, task=task, xp=xp)
    dtype = counting_dtype(prediction, xp=xp)
    above = prediction > threshold
    if prediction.shape[1] == 1:
        return Labels(above, true, exclusive, dtype)
    best = _one_hot(xp.argmax(prediction, axis=1), prediction, xp=xp)
    return Labels(xp.where(exclusive, best, above), true, exclusive, dtype)


def true_labels(metric: str, prediction: Array, target: Array, *, task: str, xp: Namespace) -> tuple[Array, Array]:
    """The target as booleans (n, outputs), and whether every row has exactly one, 0-d."""
    check_rows(metric, prediction)
    n, outputs = prediction.shape
    flat = tuple(target.shape) in ((n,), (n, 1))
    if not flat and tuple(target.shape) != (n, outputs):
        _refuse(metric, f"the target must be ({n},) or ({n}, {outputs})", prediction, target)
    if (outputs == 1 and task == "multiclass") or (outputs > 1 and task == "binary"):
        _refuse(metric, f"the task {task!r} does not go with {outputs} output(s)", prediction, target)
    if outputs > 1 and flat and task == "multilabel":
        _refuse(metric, f"the task 'multilabel' needs a target ({n}, {outputs})", prediction, target)
    if outputs > 1 and flat:
        return _one_hot(xp.reshape(target, (n,)), prediction, xp=xp), _flag(True, prediction, xp=xp)
    columns = xp.reshape(xp.astype(target, prediction.dtype), (n, outputs))
    if task == "multiclass":
        return _one_hot(xp.argmax(columns, axis=1), prediction, xp=xp), _flag(True, prediction, xp=xp)
    true = columns > 0.5  # right for 0 and 1, and for -1 and 1
    if outputs == 1 or task == "multilabel":
        return true, _flag(False, prediction, xp=xp)
    return true, xp.all(xp.sum(xp.astype(true, xp.int32), axis=1) == 1)


def check_rows(metric: str, prediction: Array) -> None:
    """Raise ShapeError unless the prediction is (n, outputs) with at least one of each."""
    if prediction.ndim != 2 or 0 in prediction.shape:
        shape = tuple(prediction.shape)
        msg = f"{metric}: the prediction must be (n, outputs) with at least one row and one output, found {shape}."
        raise ShapeError(msg)


def counting_dtype(prediction: Array, *, xp: Namespace) -> DType:
    """The prediction's dtype, but float32 for shorter ones: float16 cannot count beyond 2048."""
    return xp.result_type(prediction.dtype, xp.float32)


def nan_for_nan(result: Array, prediction: Array, *, xp: Namespace) -> Array:
    """``result``, or NaN where any prediction is NaN: a network that broke down has no accuracy, not a low one."""
    return xp.where(xp.any(xp.isnan(prediction)), float("nan"), result)


def _one_hot(labels: Array, like: Array, *, xp: Namespace) -> Array:
    """Booleans (n, outputs) that are true at each row's label, nowhere for a label out of range."""
    classes = xp.arange(like.shape[1], dtype=xp.int32, device=device_of(like))
    return xp.astype(labels, xp.int32)[:, None] == classes  # one integer type, for not all of them mix


def _flag(value: bool, like: Array, *, xp: Namespace) -> Array:
    return xp.full((), value, dtype=xp.bool, device=device_of(like))


def _refuse(metric: str, reason: str, prediction: Array, target: Array) -> None:
    msg = f"{metric}: {reason}; found prediction {tuple(prediction.shape)} and target {tuple(target.shape)}."
    raise ShapeError(msg)
