"""leaky_relu keeps the contract of an activation, gives its formula on every library, and agrees with PyTorch."""

from typing import Any

import numpy as np
import pytest
from polydnn_leaky_relu import leaky_relu

import polydnn
from polydnn.errors import BackendUnavailableError, InvalidArgumentError
from polydnn.testing import check_activation, conformance_tests

LIBRARIES = ["numpy", "array-api-strict", "torch", "jax", pytest.param("cupy", marks=pytest.mark.gpu)]
Z = np.asarray([[-3e38, -7.5, -1.0, -1e-30], [-0.0, 0.0, 1e-30, 0.5], [1.0, 2.0, 7.5, 3e38]], np.float32)

test_conformance = conformance_tests("polydnn-leaky-relu")


@pytest.fixture(params=LIBRARIES)
def backend(request: pytest.FixtureRequest) -> Any:
    try:
        return polydnn.get_backend(request.param)
    except BackendUnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.3, 1.0])
def test_the_formula_and_its_derivative(backend: Any, slope: float) -> None:
    activation = leaky_relu(slope)
    z = backend.asarray(Z)
    y = activation.forward(z, xp=backend.xp)
    expected = np.asarray([[v if v >= 0 else np.float32(slope) * v for v in row] for row in Z], np.float32)
    np.testing.assert_array_equal(backend.to_numpy(y), expected)
    found = backend.to_numpy(activation.derivative(z, y, xp=backend.xp))
    np.testing.assert_array_equal(found, np.asarray([[1 if v >= 0 else slope for v in row] for row in Z], np.float32))


@pytest.mark.parametrize("slope", [0.01, 0.3])
def test_pytorch_agrees_away_from_zero(slope: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    values = np.random.default_rng(0).normal(size=(40, 5))
    z = torch.tensor(values, requires_grad=True)
    y = torch.nn.functional.leaky_relu(z, slope)
    y.sum().backward()
    activation = leaky_relu(slope)
    np.testing.assert_array_equal(activation(values), y.detach().numpy())
    np.testing.assert_array_equal(activation.derivative(values, activation(values), xp=np), z.grad.numpy())


def test_infinity_and_nan_stay_what_they_are() -> None:
    y = leaky_relu(0.5)(np.asarray([-np.inf, np.inf, np.nan]))
    np.testing.assert_array_equal(y, [-np.inf, np.inf, np.nan])


@pytest.mark.parametrize("slope", [0, 0.2, 1])
def test_other_slopes_keep_the_contract_too(slope: float) -> None:
    check_activation(leaky_relu(slope))


def test_the_name_finds_it_with_its_options() -> None:
    assert polydnn.activation("leaky_relu").options == {"negative_slope": 0.01}
    assert polydnn.activation("polydnn-leaky-relu:leaky_relu", negative_slope=1).options == {"negative_slope": 1.0}


@pytest.mark.parametrize("slope", [-0.01, 1.5, float("nan"), "0.1", True, None])
def test_a_slope_that_cannot_be_used_is_refused(slope: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"negative_slope must be a number from 0 to 1, found .*; 0\.01 is"):
        leaky_relu(slope)
