"""Weights that give every unit a pre-activation of the variance of its inputs."""

from polydnn.initializers._by_width import normal_by_width, uniform_by_width
from polydnn.initializers.initializer import Initializer

__all__ = ["lecun_normal", "lecun_uniform"]


def variance(in_features: int, out_features: int) -> float:
    return 1.0 / in_features


def lecun_uniform() -> Initializer:
    """W from U[-a, a) with a = sqrt(3 / in_features): variance 1 / in_features.

    Source: LeCun et al., *Efficient BackProp*, 1998, section 4.6.

    >>> import numpy as np
    >>> weight = lecun_uniform().draw((3, 4), np.random.default_rng(0))
    >>> weight.shape, bool((abs(weight) <= 1.0).all())
    ((3, 4), True)
    """
    return uniform_by_width("lecun_uniform", variance)


def lecun_normal() -> Initializer:
    """W from N(0, 1 / in_features), not truncated; what selu is made for.

    Sources: LeCun et al., *Efficient BackProp*, 1998, section 4.6; Klambauer et al., *Self-normalizing neural
    networks*, 2017.

    >>> import numpy as np
    >>> lecun_normal().draw((3, 4), np.random.default_rng(0)).shape
    (3, 4)
    """
    return normal_by_width("lecun_normal", variance)
