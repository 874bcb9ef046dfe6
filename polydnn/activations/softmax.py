"""Softmax by row: from scores to probabilities that sum to one."""

from polydnn.activations.activation import Activation
from polydnn.types import Array, Namespace

__all__ = ["softmax"]


def forward(z: Array, *, xp: Namespace) -> Array:
    # exp(z - max) = exp(z/2 - max/2)^2: the difference of two halves cannot overflow, whatever finite z is
    half = 0.5 * z  # (n, units)
    root = xp.exp(half - xp.max(half, axis=-1, keepdims=True))
    t = root * root
    return t / xp.sum(t, axis=-1, keepdims=True)


def backward(dy: Array, z: Array, y: Array, *, xp: Namespace) -> Array:
    # the Jacobian of a row is diag(y) - y y^T
    return y * (dy - xp.vecdot(dy, y)[..., None])


def softmax() -> Activation:
    """y_j = exp(z_j) / sum_k exp(z_k) over the last axis; Jacobian y_j (delta_jv - y_v), so it is row-wise.

    A row that holds inf or NaN gives NaN; -inf beside a finite score gives 0.
    Source: Araab, *An Overview on Deep Neural Networks*.

    >>> import numpy as np
    >>> softmax()(np.asarray([[0.0, 0.0], [1e30, -1e30]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    return Activation("softmax", forward, backward=backward)
