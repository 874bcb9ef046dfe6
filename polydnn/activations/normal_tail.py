"""The upper tail of the normal distribution in calls of the standard, which has no erf.

For a >= 0 the product Q(a) exp(a^2 / 2) (1 + a) of the tail probability Q is smooth and bounded, and so is a short
polynomial in t = (a - 4) / (a + 4), which maps [0, inf) to [-1, 1). The method is that of Shepherd & Laframboise,
*Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < inf*, 1981; the coefficients were computed for polydnn
in 40-digit arithmetic (a test computes them again).
"""

from collections.abc import Sequence

from polydnn.types import Array, Namespace

__all__ = ["CHEBYSHEV", "normal_tail"]

CHEBYSHEV = (
    4.6558659969637837e-1,
    -6.4237517123343309e-2,
    -1.117150959672122e-2,
    1.263630599437623e-2,
    -4.828490640131744e-3,
    1.0793834106156013e-3,
    -1.194099520285248e-4,
    -6.8485883776766764e-6,
    4.0606297180654909e-6,
    -1.9527544708338364e-7,
    -1.1345944386467565e-7,
    1.2273971384265421e-8,
    3.662441203341559e-9,
    -5.088948506210621e-10,
    -1.4602402012093164e-10,
    1.8321966529064227e-11,
    6.8575444000275459e-12,
    -5.0772720580494548e-13,
    -3.4580643652047739e-13,
    4.4129228558092074e-16,
    1.7054866572266911e-14,
    1.5123653278115067e-15,
    -7.3701007834166775e-16,
)
"""Coefficients of the Chebyshev polynomials T_0, T_1, ... in t; cut after T_22 they leave a relative error of 4e-16."""


def _powers(chebyshev: Sequence[float]) -> tuple[float, ...]:
    """The same polynomial in powers of t, for Horner's rule, which needs a third fewer array operations."""
    powers = [0.0] * len(chebyshev)
    current, following = [1.0], [0.0, 1.0]  # T_0 and T_1
    for coefficient in chebyshev:
        for power, value in enumerate(current):
            powers[power] += coefficient * value
        after = [0.0, *(2.0 * value for value in following)]  # T_(k+2) = 2 t T_(k+1) - T_k
        for power, value in enumerate(current):
            after[power] -= value
        current, following = following, after
    return tuple(powers)


LONG = _powers(CHEBYSHEV)
SHORT = _powers(CHEBYSHEV[:11])  # a relative error of 4e-8, half a unit in the last place of float32


def normal_tail(a: Array, *, xp: Namespace) -> Array:
    """Q(a), the probability that a standard normal number exceeds a, for 0 <= a <= 40 and elementwise.

    Q(a) = erfc(a / sqrt(2)) / 2. The absolute error is at most two units in the last place of 1.
    """
    coefficients = LONG if a.dtype == xp.float64 else SHORT
    t = (a - 4.0) / (a + 4.0)
    polynomial = coefficients[-1] * t + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        polynomial = polynomial * t + coefficient
    return polynomial * xp.exp(-0.5 * a * a) / (1.0 + a)
