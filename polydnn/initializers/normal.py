"""Weights drawn from a normal distribution."""

from typing import Any

import numpy as np

from polydnn.initializers._arguments import check_finite
from polydnn.initializers.initializer import Initializer

__all__ = ["normal"]


def normal(mean: float = 0.0, stddev: float = 0.05) -> Initializer:
    """W from N(mean, stddev^2), not truncated.

    The same deviation for every width; ``glorot_normal`` and its kin choose it by the layer's.
    Raises InvalidArgumentError unless both are finite numbers and ``stddev`` is at least 0.

    >>> normal(mean=2.0, stddev=0.0).draw((1, 2), np.random.default_rng(0)).tolist()
    [[2.0, 2.0]]
    """
    mean = check_finite("normal", "mean", mean)
    stddev = check_finite("normal", "stddev", stddev, least=0.0)

    def draw(shape: tuple[int, int], stream: np.random.Generator) -> np.ndarray[Any, Any]:
        return stream.normal(mean, stddev, shape)

    return Initializer("normal", draw, {"mean": mean, "stddev": stddev})
