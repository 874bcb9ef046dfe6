"""The Gaussian error linear unit."""

import math

from polydnn.activations.activation import Activation
from polydnn.activations.normal_tail import normal_tail
from polydnn.errors import InvalidArgumentError
from polydnn.types import Array, Namespace

__all__ = ["gelu"]

FAR = 40.0  # the tail probability and the density are 0 from here on in float64 too, and squares cannot overflow
NEAR = 1e-30  # y / z loses its precision only where y is close to the smallest numbers
PER_ROOT = 1.0 / math.sqrt(2.0 * math.pi)

CUBIC = 0.044715  # the approximate form, z (1 + tanh(u)) / 2 with u = SLOPE (z + CUBIC z^3)
SLOPE = math.sqrt(2.0 / math.pi)
FLAT = 10.0  # tanh(u) rounds to 1 from here on, and the cube cannot overflow


def forward(z: Array, *, xp: Namespace) -> Array:
    a = xp.minimum(xp.abs(z), FAR)
    return xp.maximum(z, 0.0) - a * normal_tail(a, xp=xp)  # z P(z), as P(z) = 1 - Q(z) and Q(-z) = 1 - Q(z)


def derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
    near = xp.abs(z) < NEAR
    probability = xp.where(near, 0.5, y / xp.where(near, 1.0, z))  # P(z) = y / z spares a second polynomial
    a = xp.minimum(xp.abs(z), FAR)
    return probability + (PER_ROOT * z) * xp.exp(-0.5 * a * a)


def approximate_forward(z: Array, *, xp: Namespace) -> Array:
    w = xp.clip(z, -FLAT, FLAT)
    return (0.5 * z) * (1.0 + xp.tanh(w * (SLOPE + (SLOPE * CUBIC) * w * w)))


def approximate_derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
    w = xp.clip(z, -FLAT, FLAT)
    square = w * w
    t = xp.tanh(w * (SLOPE + (SLOPE * CUBIC) * square))
    return 0.5 * (1.0 + t) + (0.5 * w) * (1.0 - t * t) * (SLOPE + (3.0 * SLOPE * CUBIC) * square)


def gelu(approximate: bool = False) -> Activation:
    """z P(z), P the distribution function of the standard normal; derivative P(z) + z p(z), p its density.

    ``approximate=True`` takes z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2 instead: less than half the array
    operations, and up to 5e-4 away. The exact form gives its limits at infinity, inf and 0; the approximate one gives
    NaN for -inf (PyTorch gives NaN there for both). Raises InvalidArgumentError where ``approximate`` is no boolean.
    Source: Hendrycks & Gimpel, *Gaussian error linear units*, 2016.

    >>> import numpy as np
    >>> gelu()(np.asarray([-1.0, 0.0, 1.0, 1e30])).round(6).tolist()
    [-0.158655, 0.0, 0.841345, 1e+30]
    """
    _check(approximate)
    options = {"approximate": approximate}
    if approximate:
        return Activation("gelu", approximate_forward, derivative=approximate_derivative, options=options)
    return Activation("gelu", forward, derivative=derivative, options=options)


def _check(approximate: object) -> None:
    if not isinstance(approximate, bool):
        msg = f"gelu: approximate must be True or False, found {approximate!r}."
        raise InvalidArgumentError(msg)
