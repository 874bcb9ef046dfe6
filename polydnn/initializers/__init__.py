"""How weights start: fixed distributions, and those that follow from the layer's widths."""

from polydnn.initializers.glorot import glorot_normal, glorot_uniform
from polydnn.initializers.he import he_normal, he_uniform
from polydnn.initializers.initializer import Initializer
from polydnn.initializers.lecun import lecun_normal, lecun_uniform
from polydnn.initializers.normal import normal
from polydnn.initializers.uniform import uniform
from polydnn.initializers.zeros import zeros

__all__ = [
    "Initializer",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "uniform",
    "zeros",
]
