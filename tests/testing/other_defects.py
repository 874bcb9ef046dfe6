"""Initializers and metrics with one mistake each."""

import random

import numpy as np

from polydnn.initializers.initializer import Initializer
from polydnn.metrics.metric import Metric
from tests.testing.planted import STRICT, Defect

__all__ = ["INITIALIZER_DEFECTS", "METRIC_DEFECTS"]


def transposed(shape, stream):
    return stream.standard_normal(shape[::-1])


def listed(shape, stream):
    return stream.standard_normal(shape).tolist()


def single_precision(shape, stream):
    return stream.standard_normal(shape, dtype=np.float32)


def global_numbers(shape, stream):
    return np.random.standard_normal(shape)


def python_numbers(shape, stream):
    return np.array([[random.random() for _ in range(shape[1])] for _ in range(shape[0])])


def own_entropy(shape, stream):
    return np.random.default_rng().standard_normal(shape)


def own_seed(shape, stream):
    return np.random.default_rng(0).standard_normal(shape)


def divided_by_zero(shape, stream):
    with np.errstate(all="ignore"):
        return stream.standard_normal(shape) / np.sqrt(np.float64(shape[0] - 1))


def square_only(shape, stream):
    return stream.standard_normal(shape) @ np.eye(3) if shape[1] == 3 else np.linalg.inv(stream.standard_normal(shape))


def kept():
    drawn = {}

    def draw(shape, stream):
        return drawn.setdefault(shape, stream.standard_normal(shape))

    return Initializer("kept", draw)


def kept_zeros():
    drawn = {}

    def draw(shape, stream):
        return drawn.setdefault(shape, np.zeros(shape))

    return Initializer("kept_zeros", draw)


def initializer(mistake, check, draw, says):
    made = draw if isinstance(draw, Initializer) else Initializer("planted", draw)
    return Defect(mistake, "initializer", check, made, says)


INITIALIZER_DEFECTS = (
    initializer("in and out are confused", "shape", transposed, "found     shape (5, 3)"),
    initializer("a list is returned", "shape", listed, "found     a list"),
    initializer("single precision is drawn", "dtype", single_precision, "found     float32"),
    initializer("NumPy's global state is used", "global_state", global_numbers, "it was advanced or seeded"),
    initializer("Python's global state is used", "global_state", python_numbers, "Python's random"),
    initializer("an unseeded generator is used", "reproducible", own_entropy, "again from a stream"),
    initializer("a generator with a seed of its own is used", "stream", own_seed, "whatever the stream"),
    initializer("one input feature divides by zero", "finite", divided_by_zero, "draw((1, 6), stream)[0, 0]"),
    initializer("only square weights can be drawn", "runs", square_only, "LinAlgError"),
    initializer("random numbers are kept for the next call", "stream", kept(), "whatever the stream"),
    initializer("one array is given to every caller", "fresh", kept_zeros(), "writing into one"),
)


def same_shape(prediction, target):
    if prediction.shape != target.shape:
        msg = "the shapes differ"
        raise ValueError(msg)


def error(prediction, target, *, xp):
    same_shape(prediction, target)
    return xp.mean(xp.abs(prediction - target))


def item(value=error, higher_is_better=False):
    return Metric("error", value, higher_is_better=higher_is_better)


def by_row(prediction, target, *, xp):
    same_shape(prediction, target)
    return xp.mean(xp.abs(prediction - target), axis=-1)


def plain_number(prediction, target, *, xp):
    return float(error(prediction, target, xp=xp))


def double_number(prediction, target, *, xp):
    return xp.astype(error(prediction, target, xp=xp), xp.float64)


def neighbours(prediction, target, *, xp):
    same_shape(prediction, target)
    return xp.mean(xp.abs(prediction[1:, :] - target[1:, :]))


def target_shifted_in_place(prediction, target, *, xp):
    same_shape(prediction, target)
    target -= prediction
    return xp.mean(xp.abs(target))


def numpy_mean(prediction, target, *, xp):
    same_shape(prediction, target)
    return np.mean(np.abs(prediction - target))


def shapes_uncompared(prediction, target, *, xp):
    return xp.mean(xp.abs(prediction - target))


def error_hiding_nan(prediction, target, *, xp):
    same_shape(prediction, target)
    errors = xp.abs(prediction - target)
    return xp.mean(xp.where(errors > 0.0, errors, xp.zeros_like(errors)))


def constant(prediction, target, *, xp):
    return xp.sum(0.0 * prediction)


def refusing(prediction, target, *, xp):
    msg = "no task is good enough"
    raise ValueError(msg)


def metric(mistake, check, made, says, backend="numpy"):
    return Defect(mistake, "metric", check, made, says, backend)


METRIC_DEFECTS = (
    metric("there is a number for each row", "shape", item(by_row), "found     shape (6,)"),
    metric("a Python number is returned", "runs", item(plain_number), "the float "),
    metric("the number is in double precision", "dtype", item(double_number), "found     float64"),
    metric("the first row is left out", "row_order", item(neighbours), "with shuffled rows"),
    metric("the target is changed in place", "inputs_unchanged", item(target_shifted_in_place), "target after value"),
    metric("NumPy stands where xp should", "portable", item(numpy_mean), "a NumPy function was given", STRICT),
    metric(
        "an error is declared better when higher", "direction", item(higher_is_better=True), "higher_is_better=True"
    ),
    metric("the number never changes", "direction", item(constant), "than for random ones"),
    metric("shapes are not compared", "broadcasting", item(shapes_uncompared), "prediction (24, 1), target (24,)"),
    metric("NaN takes the other branch", "nan_kept", item(error_hiding_nan), "every prediction nan, for regression"),
    metric("every task is refused", "runs", item(refusing), "labels: ValueError: no task is good enough"),
)
