"""Weights that keep the variance of activations even through rectified units, of which half the input is cut away."""

from polydnn.initializers._by_width import normal_by_width, uniform_by_width
from polydnn.initializers.initializer import Initializer

__all__ = ["he_normal", "he_uniform"]


def variance(in_features: int, out_features: int) -> float:
    return 2.0 / in_features


def he_uniform() -> Initializer:
    """W from U[-a, a) with a = sqrt(6 / in_features): variance 2 / in_features.

    Before relu and its kin. Source: He et al., *Delving deep into rectifiers*, 2015, equation 10.

    >>> import numpy as np
    >>> weight = he_uniform().draw((6, 4), np.random.default_rng(0))
    >>> weight.shape, bool((abs(weight) <= 1.0).all())
    ((6, 4), True)
    """
    return uniform_by_width("he_uniform", variance)


def he_normal() -> Initializer:
    """W from N(0, 2 / in_features), not truncated.

    Before relu and its kin. Source: He et al., *Delving deep into rectifiers*, 2015, equation 10.

    >>> import numpy as np
    >>> he_normal().draw((6, 4), np.random.default_rng(0)).shape
    (6, 4)
    """
    return normal_by_width("he_normal", variance)
