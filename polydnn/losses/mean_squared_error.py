"""Mean squared error, the mean taken over the outputs of one example."""

from polydnn.losses.loss import Loss, check_same_shape
from polydnn.types import Array, Namespace

__all__ = ["mean_squared_error"]


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("mean_squared_error", prediction, target)
    error = prediction - target  # (n, outputs)
    return xp.vecdot(error, error) * (1.0 / prediction.shape[-1])


def gradient(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("mean_squared_error", prediction, target)
    return (prediction - target) * (2.0 / prediction.shape[-1])


def mean_squared_error() -> Loss:
    """mean_j (p_j - t_j)^2 for prediction p and target t, both (n, outputs); gradient 2 (p - t) / outputs.

    Made for the output activation identity. Raises ShapeError where the shapes differ.
    Source: Margaryan, *Deep Learning*, 2024 (L2 loss).

    >>> import numpy as np
    >>> mean_squared_error().value(np.asarray([[1.0, 3.0]]), np.asarray([[0.0, 0.0]]), xp=np).tolist()
    [5.0]
    """
    return Loss("mean_squared_error", value, gradient)
