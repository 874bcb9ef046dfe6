"""Weights drawn evenly from an interval."""

from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError
from polydnn.initializers._arguments import check_finite
from polydnn.initializers.initializer import Initializer

__all__ = ["uniform"]


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """W from U[low, high), of variance (high - low)^2 / 12.

    The same bounds for every width; ``glorot_uniform`` and its kin choose them by the layer's.
    Raises InvalidArgumentError unless both are finite numbers and ``low`` < ``high``.

    >>> weight = uniform(low=-1.0, high=1.0).draw((4, 2), np.random.default_rng(0))
    >>> weight.shape, bool((abs(weight) <= 1.0).all())
    ((4, 2), True)
    """
    low, high = check_finite("uniform", "low", low), check_finite("uniform", "high", high)
    if not low < high or not np.isfinite(high - low):
        msg = f"uniform: low must lie below high and high - low be finite, found low={low!r} and high={high!r}."
        raise InvalidArgumentError(msg)

    def draw(shape: tuple[int, int], stream: np.random.Generator) -> np.ndarray[Any, Any]:
        return stream.uniform(low, high, shape)

    return Initializer("uniform", draw, {"low": low, "high": high})
