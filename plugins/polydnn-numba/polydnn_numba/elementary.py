"""The exponential function and its kin on vectors, good to a few units in the last place, NaN staying NaN.

exp(x) = 2^n exp(r) with n = round(x / log 2) and r = x - n log 2, so that abs(r) <= log(2) / 2, where a short Taylor
series does. log(v) = e log 2 + 2 artanh((f - 1) / (f + 1)) for v = 2^e f with f near 1.
"""

import math

from numba import njit

from polydnn_numba.compiling import COMPILED
from polydnn_numba.lanes import exponent, mantissa, polynomial, power_of_two, select_le

__all__ = ["exp", "expm1", "log1p", "sigmoid", "tanh"]

PER_LOG2 = 1.0 / math.log(2.0)
LOG2 = math.log(2.0)
FAR = 40.0  # from here on the logistic function and tanh(x / 2) round to 1 in float64 too

ROUND = polynomial([1.5 * 2.0**23], [1.5 * 2.0**52])
"""Added and taken away again, it rounds to a whole number, which in between stands in the lowest bits."""
LOG2_HIGH = polynomial([0.693359375], [6.93147180369123816490e-01])
"""log 2 with its last bits zero: its product with a small whole number is exact."""
LOG2_LOW = polynomial([-2.12194440054690583e-4], [1.90821492927058770002e-10])
LOWEST = polynomial([-87.0], [-708.0])
"""Below it exp(x) is no normal number any more, and is taken for 0."""
SERIES = polynomial(*([1.0 / math.factorial(k + 1) for k in range(terms)] for terms in (7, 13)))
"""(exp(r) - 1) / r."""
ARTANH = polynomial(*([1.0 / (2 * k + 1) for k in range(terms)] for terms in (6, 12)))
"""artanh(w) / w in powers of w^2, for abs(w) <= 0.172."""


@njit(**COMPILED)
def _reduced(x):
    """2^n and exp(r) - 1."""
    magic = ROUND(x)
    t = x * PER_LOG2 + magic
    n = t - magic
    r = x - n * LOG2_HIGH(x) - n * LOG2_LOW(x)
    return power_of_two(t), r * SERIES(r)


@njit(**COMPILED)
def exp(x):
    """e^x for x up to 80."""
    lowest = LOWEST(x)
    scale, rest = _reduced(select_le(x, lowest, lowest, x))
    return select_le(x, lowest, 0.0, scale + scale * rest)


@njit(**COMPILED)
def expm1(x):
    """e^x - 1 for x up to 80."""
    scale, rest = _reduced(select_le(x, -FAR, -FAR, x))
    return scale * rest + (scale - 1.0)


@njit(**COMPILED)
def tanh(x):
    twice = x * 2.0
    above = expm1(select_le(FAR, twice, FAR, twice))
    return above / (above + 2.0)


@njit(**COMPILED)
def sigmoid(x):
    t = exp(select_le(FAR, x, FAR, x))
    return t / (t + 1.0)


@njit(**COMPILED)
def log1p(x):
    """log(1 + x) for finite x from 0 up, with the relative precision of x where x is small."""
    v = x + 1.0
    lost = x - (v - 1.0)
    f = mantissa(v)
    w = (f - 1.0) / (f + 1.0)
    return (w * 2.0 * ARTANH(w * w) + lost / v) + exponent(v) * LOG2
