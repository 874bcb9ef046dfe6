"""The hinge loss of support vector machines, on targets -1 and 1."""

from polydnn.losses.loss import Loss, check_same_shape
from polydnn.types import Array, Namespace

__all__ = ["hinge"]


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("hinge", prediction, target)
    return xp.sum(xp.maximum(1.0 - target * prediction, 0.0), axis=-1) * (1.0 / prediction.shape[-1])


def gradient(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("hinge", prediction, target)
    inside = xp.astype(target * prediction < 1.0, prediction.dtype)  # within the margin or on the wrong side
    return inside * target * (-1.0 / prediction.shape[-1])


def hinge() -> Loss:
    """mean_j max(0, 1 - t_j p_j) for prediction p and target t in {-1, 1}, both (n, outputs).

    The gradient is -t / outputs where t p < 1, else 0 (0 at t p = 1). Made for the output activation identity or tanh.
    Raises ShapeError where the shapes differ.
    Source: Margaryan, *Deep Learning*, 2024.

    >>> import numpy as np
    >>> hinge().value(np.asarray([[0.5, 2.0]]), np.asarray([[1.0, -1.0]]), xp=np).tolist()
    [1.75]
    """
    return Loss("hinge", value, gradient, target_kind="signs")
