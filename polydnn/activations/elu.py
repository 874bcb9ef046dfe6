"""The exponential linear unit."""

import math

from polydnn.activations.activation import Activation
from polydnn.errors import InvalidArgumentError
from polydnn.types import Array, Namespace

__all__ = ["elu"]


def elu(alpha: float = 1.0) -> Activation:
    """z where z > 0, else alpha (exp(z) - 1); derivative 1, or alpha exp(z) (alpha at z = 0).

    ``alpha`` is a positive number; anything else raises InvalidArgumentError.
    Source: Clevert, Unterthiner & Hochreiter, *Fast and accurate deep network learning by exponential linear units*,
    2015.

    >>> import numpy as np
    >>> elu(alpha=2.0)(np.asarray([-1e30, 0.0, 3.0])).tolist()
    [-2.0, 0.0, 3.0]
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < math.inf:
        msg = f"elu: alpha must be a positive number, found {alpha!r}; the usual value is 1.0."
        raise InvalidArgumentError(msg)

    def forward(z: Array, *, xp: Namespace) -> Array:
        below = xp.expm1(xp.minimum(z, 0.0))
        return xp.maximum(z, 0.0) + (below if alpha == 1.0 else alpha * below)  # one of the two terms is 0

    def derivative(z: Array, y: Array, *, xp: Namespace) -> Array:
        slope = xp.minimum(y, 0.0) + alpha  # alpha exp(z) = y + alpha
        return slope if alpha == 1.0 else xp.where(z > 0.0, 1.0, slope)

    return Activation("elu", forward, derivative=derivative, options={"alpha": alpha})
