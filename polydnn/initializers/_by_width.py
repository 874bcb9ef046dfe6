"""Initializers whose variance follows from the widths on the two sides of the weight."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from polydnn.initializers.initializer import Initializer

__all__ = ["normal_by_width", "uniform_by_width"]

Variance: TypeAlias = Callable[[int, int], float]
"""From (in_features, out_features) to the variance of one element."""


def uniform_by_width(name: str, variance: Variance) -> Initializer:
    """W from U[-a, a) with a = sqrt(3 * variance), the bound that gives this variance."""

    def draw(shape: tuple[int, int], stream: np.random.Generator) -> np.ndarray[Any, Any]:
        bound = float(np.sqrt(3.0 * variance(*shape)))
        return stream.uniform(-bound, bound, shape)

    return Initializer(name, draw)


def normal_by_width(name: str, variance: Variance) -> Initializer:
    """W from N(0, variance), not truncated (Keras cuts at two deviations, PyTorch does not)."""

    def draw(shape: tuple[int, int], stream: np.random.Generator) -> np.ndarray[Any, Any]:
        return stream.normal(0.0, float(np.sqrt(variance(*shape))), shape)

    return Initializer(name, draw)
