"""The hyperbolic tangent."""

from polydnn.activations.activation import Activation
from polydnn.types import Array, Namespace

__all__ = ["tanh"]


def forward(z: Array, *, xp: Namespace) -> Array:
    return xp.tanh(z)


def derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
    return 1.0 - y * y


def tanh() -> Activation:
    """tanh z, elementwise; derivative 1 - y^2.

    Source: Araab, *An Overview on Deep Neural Networks*.

    >>> import numpy as np
    >>> tanh()(np.asarray([-1e30, 0.0, 1e30])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return Activation("tanh", forward, derivative=derivative)
