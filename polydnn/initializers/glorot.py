"""Weights that keep the variance of activations and of gradients about even, for units that are linear around zero."""

from polydnn.initializers._by_width import normal_by_width, uniform_by_width
from polydnn.initializers.initializer import Initializer

__all__ = ["glorot_normal", "glorot_uniform"]


def variance(in_features: int, out_features: int) -> float:
    return 2.0 / (in_features + out_features)


def glorot_uniform() -> Initializer:
    """W from U[-a, a) with a = sqrt(6 / (in_features + out_features)): variance 2 / (in_features + out_features).

    Before sigmoid, tanh, softmax and identity. Source: Glorot & Bengio, *Understanding the difficulty of training deep
    feedforward neural networks*, 2010, equation 16.

    >>> import numpy as np
    >>> weight = glorot_uniform().draw((2, 4), np.random.default_rng(0))
    >>> weight.shape, bool((abs(weight) <= 1.0).all())
    ((2, 4), True)
    """
    return uniform_by_width("glorot_uniform", variance)


def glorot_normal() -> Initializer:
    """W from N(0, 2 / (in_features + out_features)), not truncated.

    Before sigmoid, tanh, softmax and identity. Source: Glorot & Bengio, *Understanding the difficulty of training deep
    feedforward neural networks*, 2010, equation 12.

    >>> import numpy as np
    >>> glorot_normal().draw((2, 4), np.random.default_rng(0)).shape
    (2, 4)
    """
    return normal_by_width("glorot_normal", variance)
