"""The self-normalizing exponential linear unit."""

from polydnn.activations.activation import Activation
from polydnn.types import Array, Namespace

__all__ = ["selu"]

# The fixed point at which zero mean and unit variance are kept from layer to layer (section 2 of the paper).
SCALE = 1.0507009873554804934193349852946
ALPHA = 1.6732632423543772848170429916717


def forward(z: Array, *, xp: Namespace) -> Array:
    return SCALE * xp.maximum(z, 0.0) + (SCALE * ALPHA) * xp.expm1(xp.minimum(z, 0.0))  # one of the two terms is 0


def derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
    return xp.where(z > 0.0, SCALE, y + SCALE * ALPHA)


def selu() -> Activation:
    """1.0507 z where z > 0, else 1.0507 * 1.6733 (exp(z) - 1); derivative 1.0507, or y + 1.7581.

    Source: Klambauer, Unterthiner, Mayr & Hochreiter, *Self-normalizing neural networks*, 2017.

    >>> import numpy as np
    >>> selu()(np.asarray([-1e30, 0.0, 1.0])).round(4).tolist()
    [-1.7581, 0.0, 1.0507]
    """
    return Activation("selu", forward, derivative=derivative)
