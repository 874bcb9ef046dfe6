"""Half the squared error, summed over the outputs of one example."""

from polydnn.losses.loss import Loss, check_same_shape
from polydnn.types import Array, Namespace

__all__ = ["sum_squared_error"]


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("sum_squared_error", prediction, target)
    error = prediction - target  # (n, outputs)
    return 0.5 * xp.vecdot(error, error)


def gradient(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("sum_squared_error", prediction, target)
    return prediction - target


def sum_squared_error() -> Loss:
    """1/2 sum_j (p_j - t_j)^2 for prediction p and target t, both (n, outputs); gradient p - t.

    For regression, with the output activation identity or relu. It is outputs / 2 times mean_squared_error.
    Raises ShapeError where the shapes differ.
    Source: Araab, *An Overview on Deep Neural Networks*.

    >>> import numpy as np
    >>> sum_squared_error().value(np.asarray([[1.0, 3.0]]), np.asarray([[0.0, 0.0]]), xp=np).tolist()
    [5.0]
    """
    return Loss("sum_squared_error", value, gradient)
