"""The logistic function."""

from polydnn.activations.activation import Activation
from polydnn.types import Array, Namespace

__all__ = ["sigmoid"]

SATURATED = 40.0  # from here on 1 / (1 + exp(-z)) rounds to 1 in float64 too, and exp is far from overflowing


def forward(z: Array, *, xp: Namespace) -> Array:
    # exp(z) / (1 + exp(z)) keeps its relative precision for negative z; bounding z above costs nothing else
    t = xp.exp(xp.minimum(z, SATURATED))
    return t / (1.0 + t)


def derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
    return y * (1.0 - y)


def sigmoid() -> Activation:
    """1 / (1 + exp(-z)), elementwise; derivative y (1 - y).

    Accurate to a few units in the last place for every z, also where y is tiny; -inf gives 0 and inf gives 1.
    Source: Araab, *An Overview on Deep Neural Networks*.

    >>> import numpy as np
    >>> sigmoid()(np.asarray([-1e30, 0.0, 1e30])).tolist()
    [0.0, 0.5, 1.0]
    """
    return Activation("sigmoid", forward, derivative=derivative)
