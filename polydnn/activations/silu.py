"""The sigmoid-weighted linear unit, also called swish."""

from polydnn.activations.activation import Activation
from polydnn.types import Array, Namespace

__all__ = ["silu"]

SATURATED = 40.0  # from here on the logistic function rounds to 1 in float64 too, and exp is far from overflowing


def forward(z: Array, *, xp: Namespace) -> Array:
    t = xp.exp(xp.minimum(z, SATURATED))
    return z * (t / (1.0 + t))


def derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
    w = xp.minimum(z, SATURATED)
    t = xp.exp(w)
    d = 1.0 + t
    return (t / d) * (1.0 + w / d)  # s (1 + z (1 - s)), where 1 - s = 1 / d keeps its precision as s nears 1


def silu() -> Activation:
    """z s(z) with s(z) = 1 / (1 + exp(-z)), elementwise; derivative s (1 + z (1 - s)).

    -inf gives NaN, the product of -inf and 0, as in PyTorch.
    Source: Elfwing, Uchibe & Doya, *Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning*, 2018.

    >>> import numpy as np
    >>> silu()(np.asarray([0.0, 1e30])).tolist()
    [0.0, 1e+30]
    """
    return Activation("silu", forward, derivative=derivative)
