"""The penalties' gradient against central differences and PyTorch's conventions; the decoupled factor by hand."""

import numpy as np
import pytest

from polydnn.arrays import Backend
from polydnn.optimizers import add_penalty_gradient, decay_weight, penalty
from polydnn.types import DType
from tests.oracles import central_differences

WEIGHT = np.asarray([[0.5, -1.5, 2.0], [-0.25, 3.0, -4.0]])


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.3), (0.2, 0.0), (0.2, 0.3), (0.0, 0.0)])
def test_gradient_is_the_penaltys_derivative(backend: Backend, l1: float, l2: float) -> None:
    slope = backend.asarray(np.full_like(WEIGHT, 0.7))
    found = add_penalty_gradient(slope, backend.asarray(WEIGHT), l1=l1, l2=l2, xp=backend.xp)
    wanted = 0.7 + central_differences(lambda w: float(penalty(w, l1=l1, l2=l2, xp=np)), WEIGHT)
    np.testing.assert_allclose(backend.to_numpy(found), wanted, rtol=1e-8)


def test_penalty_is_a_0d_array_of_the_weights_type(backend: Backend, dtype: DType) -> None:
    found = penalty(backend.asarray(WEIGHT, dtype=dtype), l1=2.0, l2=0.5, xp=backend.xp)
    assert (found.shape, found.dtype) == ((), dtype)
    assert float(found) == pytest.approx(2.0 * 11.25 + 0.25 * 31.5625)


def test_l1_leaves_a_zero_weight_alone(backend: Backend) -> None:
    zero = backend.asarray(np.zeros(2))
    assert backend.to_numpy(add_penalty_gradient(zero, zero, l1=1.0, xp=backend.xp)).tolist() == [0.0, 0.0]


def test_no_penalty_gives_the_gradient_itself(backend: Backend) -> None:
    gradient = backend.asarray(WEIGHT)
    assert add_penalty_gradient(gradient, backend.asarray(WEIGHT), xp=backend.xp) is gradient


def test_decoupled_factor(backend: Backend, dtype: DType) -> None:
    weight = backend.asarray(WEIGHT, dtype=dtype)
    for learning_rate in (0.5, backend.asarray(0.5, dtype=dtype)):
        found = decay_weight(weight, learning_rate=learning_rate, weight_decay=0.5)
        assert found.dtype == dtype
        np.testing.assert_array_equal(backend.to_numpy(found), WEIGHT * 0.75)


def test_no_decay_gives_the_weight_itself(backend: Backend) -> None:
    weight = backend.asarray(WEIGHT)
    assert decay_weight(weight, learning_rate=0.1, weight_decay=0.0) is weight
