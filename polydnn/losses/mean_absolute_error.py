"""Mean absolute error, the mean taken over the outputs of one example."""

from polydnn.losses.loss import Loss, check_same_shape
from polydnn.types import Array, Namespace

__all__ = ["mean_absolute_error"]


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("mean_absolute_error", prediction, target)
    return xp.sum(xp.abs(prediction - target), axis=-1) * (1.0 / prediction.shape[-1])


def gradient(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("mean_absolute_error", prediction, target)
    return xp.sign(prediction - target) * (1.0 / prediction.shape[-1])


def mean_absolute_error() -> Loss:
    """mean_j abs(p_j - t_j) for prediction p and target t, both (n, outputs); gradient sign(p - t) / outputs, 0 at 0.

    Made for the output activation identity. Raises ShapeError where the shapes differ.
    Source: Margaryan, *Deep Learning*, 2024 (L1 loss).

    >>> import numpy as np
    >>> mean_absolute_error().value(np.asarray([[1.0, -3.0]]), np.asarray([[0.0, 0.0]]), xp=np).tolist()
    [2.0]
    """
    return Loss("mean_absolute_error", value, gradient)
