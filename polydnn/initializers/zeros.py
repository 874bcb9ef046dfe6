"""All weights zero: for one layer, and to show what goes wrong with more."""

from typing import Any

import numpy as np

from polydnn.initializers.initializer import Initializer

__all__ = ["zeros"]


def zeros() -> Initializer:
    """W = 0.

    Right for biases and for a network of one layer. Hidden units that start equal stay equal: their gradients are the
    same, and the layer never does more than one unit could. Source: *Neural Networks and Deep Learning Notes*, 2021.

    >>> zeros().draw((2, 3), np.random.default_rng(0)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def draw(shape: tuple[int, int], stream: np.random.Generator) -> np.ndarray[Any, Any]:
        return np.zeros(shape)

    return Initializer("zeros", draw)
