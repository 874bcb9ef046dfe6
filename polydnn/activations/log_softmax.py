"""The logarithm of softmax, computed without taking the logarithm of a rounded probability."""

from polydnn.activations.activation import Activation
from polydnn.arrays import device_of
from polydnn.types import Array, Namespace

__all__ = ["log_softmax"]


def forward(z: Array, *, xp: Namespace) -> Array:
    units = xp.arange(z.shape[-1], device=device_of(z))
    others = xp.astype(units != xp.argmax(z, axis=-1, keepdims=True), z.dtype)  # 0 at one leading score of each row
    shifted = z - xp.max(z, axis=-1, keepdims=True)
    # log(1 + r) with r the sum over the others: where one score leads by far, log(sum) would round to 0
    return shifted - xp.log1p(xp.vecdot(xp.exp(shifted), others))[..., None]


def backward(dy: Array, z: Array, y: Array, *, xp: Namespace) -> Array:
    return dy - xp.exp(y) * xp.sum(dy, axis=-1, keepdims=True)


def log_softmax() -> Activation:
    """y_j = z_j - log sum_k exp(z_k) over the last axis; Jacobian delta_jv - exp(y_v), so it is row-wise.

    A result beyond the dtype's largest number (scores further apart than that) is -inf. A row that holds inf or NaN
    gives NaN; -inf beside a finite score stays -inf.
    Source: Blanchard, Higham & Higham, *Accurately computing the log-sum-exp and softmax functions*, 2021.

    >>> import numpy as np
    >>> [f"{y:.6g}" for y in log_softmax()(np.asarray([[50.0, 0.0]]))[0]]
    ['-1.92875e-22', '-50']
    """
    return Activation("log_softmax", forward, backward=backward)
