"""The oracles are right where the answer is known, and the fixtures give the backends they promise."""

import mpmath
import numpy as np
import pytest

from polydnn.arrays import Backend
from polydnn.types import DType, Namespace
from tests.oracles import central_differences, ulps
from tests.read_only import ReadOnlyNumpyBackend


def test_central_differences_give_the_jacobian_of_the_worked_example():
    """Example 1 of *Neural networks and deep learning*, chapter 4: three inputs, two outputs."""

    def function(x):
        return np.stack([5 - 2 * x[0] + 3 * x[2], x[0] + 5 * x[1] ** 2 + x[2] ** 3 - 1])

    x = np.asarray([0.7, -1.3, 2.1])
    exact = [[-2, 0, 3], [1, 10 * x[1], 3 * x[2] ** 2]]
    np.testing.assert_allclose(central_differences(function, x), exact, atol=1e-8)


def test_central_differences_of_a_number_are_shaped_like_the_input():
    x = np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_allclose(central_differences(lambda a: np.sum(a**3), x), 3 * x**2, rtol=1e-9)


def test_ulps_count_representable_numbers():
    one = np.float32(1.0)
    assert ulps(np.nextafter(one, np.float32(2)), one, np.float32) == 1.0
    assert ulps(one, mpmath.mpf(1) + mpmath.mpf(2) ** -23 / 2, np.float32) == 0.5
    assert np.isnan(ulps(np.float32("nan"), one, np.float32))


def test_each_backend_owns_what_it_makes(backend: Backend, xp: Namespace, dtype: DType):
    array = backend.asarray([[1.0, 2.0]], dtype=dtype)
    assert backend.owns(array)
    assert array.dtype == dtype
    assert backend.owns(xp.exp(array))
    np.testing.assert_array_equal(backend.to_numpy(array), [[1.0, 2.0]])


def test_read_only_arrays_refuse_to_be_written():
    backend = ReadOnlyNumpyBackend()
    mine = np.zeros(3)
    made = [backend.asarray(mine), backend.xp.asarray(mine), backend.xp.exp(mine)]
    for array in (*made, *backend.xp.unstack(np.zeros((2, 2)))):
        with pytest.raises(ValueError, match="read-only"):
            array += 1.0
    mine += 1.0  # the caller's own array stays writable
    assert mine.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("backend", ["array-api-strict"], indirect=True)
def test_strict_backend_hides_from_numpy_and_refuses_masks(backend: Backend):
    array = backend.asarray([1.0, 2.0])
    with pytest.raises(RuntimeError, match="boolean"):
        array[array > 1.0]
    with pytest.raises((RuntimeError, TypeError, BufferError), match="device1"):
        np.asarray(array)
