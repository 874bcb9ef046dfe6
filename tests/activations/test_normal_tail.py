"""The tail of the normal distribution against mpmath, and its coefficients computed again."""

import mpmath
import numpy as np
import pytest

from polydnn.activations.normal_tail import CHEBYSHEV, SHORT, normal_tail
from polydnn.arrays import Backend
from polydnn.types import DType


def smooth(t):
    """Q(a) exp(a^2 / 2) (1 + a) at a = 4 (1 + t) / (1 - t)."""
    a = 4 * (1 + t) / (1 - t)
    if a > 100:  # the asymptotic series, where exp would need thousands of digits
        terms = [mpmath.mpf(1)]
        for k in range(20):
            terms.append(-terms[-1] * (2 * k + 1) / a**2)
        return sum(terms) * (1 + a) / (a * mpmath.sqrt(2 * mpmath.pi))
    return mpmath.erfc(a / mpmath.sqrt(2)) / 2 * mpmath.exp(a * a / 2) * (1 + a)


def test_coefficients_are_those_of_the_function():
    """The Chebyshev coefficients by the discrete cosine sum over 48 nodes, in 40 digits."""
    nodes = 48
    with mpmath.workdps(40):
        angles = [mpmath.pi * (j + mpmath.mpf(1) / 2) / nodes for j in range(nodes)]
        values = [smooth(mpmath.cos(angle)) for angle in angles]
        for degree, coefficient in enumerate(CHEBYSHEV):
            total = sum(value * mpmath.cos(degree * angle) for value, angle in zip(values, angles, strict=True))
            again = total * (1 if degree == 0 else 2) / nodes
            assert abs(again - coefficient) < abs(again) * 2.0**-52 + 1e-22


def test_tail_is_right_to_the_dtype(backend: Backend, dtype: DType):
    a = backend.asarray(np.concatenate([np.linspace(0, 8, 161), np.linspace(8, 40, 33)]), dtype=dtype)
    q = backend.to_numpy(normal_tail(a, xp=backend.xp))
    wanted = np.array([float(mpmath.ncdf(-mpmath.mpf(float(each)))) for each in backend.to_numpy(a)])
    eps = np.finfo(q.dtype).eps
    assert np.max(np.abs(q - wanted)) <= 1.25 * eps
    near = wanted > 1e-15
    np.testing.assert_allclose(q[near], wanted[near], rtol=40 * eps)


def test_tail_is_a_half_at_zero(backend: Backend):
    q = backend.to_numpy(normal_tail(backend.asarray([0.0]), xp=backend.xp))
    assert q[0] == pytest.approx(0.5, rel=1e-15)


def test_short_polynomial_is_as_near_as_it_says():
    """The one for float32, in exact arithmetic: what rounding adds is another matter."""
    for a in np.linspace(0.0, 20.0, 81).tolist():
        t = mpmath.mpf(a - 4) / (a + 4)
        assert abs(mpmath.polyval(list(SHORT[::-1]), t) / smooth(t) - 1) < 5e-8
