"""The contract of an activation, apart from any one function."""

import numpy as np
import pytest

from polydnn.activations import Activation, softmax
from polydnn.errors import InvalidArgumentError


def square(z, *, xp):
    return z * z


def twice(z, y, *, xp):
    return 2 * z


def test_a_way_back_is_required():
    with pytest.raises(InvalidArgumentError, match="activation 'square' has neither derivative nor backward; give one"):
        Activation("square", square)


def test_pull_back_prefers_backward():
    marked = Activation("square", square, derivative=twice, backward=lambda dy, z, y, *, xp: dy * 0 + 5.0)
    ones = np.ones((1, 2))
    assert marked.pull_back(ones, ones, ones, xp=np).tolist() == [[5.0, 5.0]]
    assert Activation("square", square, derivative=twice).pull_back(ones, 3 * ones, ones, xp=np).tolist() == [
        [6.0, 6.0]
    ]


def test_only_a_derivative_makes_it_elementwise():
    assert Activation("square", square, derivative=twice).elementwise
    assert not softmax().elementwise


def test_jacobian_of_an_elementwise_activation_is_diagonal():
    z = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    jacobian = Activation("square", square, derivative=twice).jacobian(z)
    assert jacobian.shape == (2, 2, 2, 2)
    np.testing.assert_array_equal(jacobian.reshape(4, 4), np.diag(2 * z.ravel()))


def test_jacobian_of_softmax_is_the_textbook_block():
    z = np.asarray([[0.2, -1.0, 0.7], [3.0, 0.0, 1.0]])
    y = softmax()(z)
    jacobian = softmax().jacobian(z)
    for i in range(2):
        np.testing.assert_allclose(jacobian[i, :, i, :], np.diag(y[i]) - np.outer(y[i], y[i]), atol=1e-16)
    assert not jacobian[0, :, 1, :].any()


def test_a_call_finds_the_namespace_itself():
    torch = pytest.importorskip("torch")
    y = softmax()(torch.zeros((1, 4)))
    assert isinstance(y, torch.Tensor)
    assert y.tolist() == [[0.25] * 4]
