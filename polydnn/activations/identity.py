"""The activation that does nothing, for linear layers."""

from polydnn.activations.activation import Activation
from polydnn.types import Array, Namespace

__all__ = ["identity"]


def forward(z: Array, *, xp: Namespace) -> Array:
    return z


def derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
    return xp.ones_like(z)


def backward(dy: Array, z: Array, y: Array, *, xp: Namespace) -> Array:
    return dy  # dy * 1 without the pass over memory


def identity() -> Activation:
    """z itself, also called linear; derivative 1.

    The array comes back uncopied. Hidden layers that use it collapse into one affine map.
    Source: *Neural Networks and Deep Learning Notes*, 2021.

    >>> import numpy as np
    >>> identity()(np.asarray([-1.0, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return Activation("identity", forward, derivative=derivative, backward=backward)
