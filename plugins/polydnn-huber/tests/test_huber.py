"""huber and log_cosh keep the contract of a loss, give their formulas on every library, and agree with PyTorch."""

import math
from typing import Any

import numpy as np
import pytest
from polydnn_huber import huber, log_cosh

import polydnn
from polydnn.errors import BackendUnavailableError, InvalidArgumentError, ShapeError
from polydnn.testing import check_loss, conformance_tests

LIBRARIES = ["numpy", "array-api-strict", "torch", "jax", pytest.param("cupy", marks=pytest.mark.gpu)]
GENERATOR = np.random.default_rng(0)
TARGET = GENERATOR.normal(size=(50, 3))
PREDICTION = TARGET + np.concatenate([GENERATOR.normal(size=(49, 3)), [[1.0, -1.0, 0.0]]])  # the kinks of delta = 1

test_conformance = conformance_tests("polydnn-huber")


@pytest.fixture(params=LIBRARIES)
def backend(request: pytest.FixtureRequest) -> Any:
    try:
        return polydnn.get_backend(request.param)
    except BackendUnavailableError as error:
        pytest.skip(str(error))


def huber_by_cases(error: float, delta: float) -> float:
    return 0.5 * error**2 if abs(error) <= delta else delta * abs(error) - 0.5 * delta**2


@pytest.mark.parametrize("delta", [0.1, 1.0, 2.5])
def test_huber_is_its_formula(backend: Any, delta: float) -> None:
    prediction, target = (backend.asarray(each.astype(np.float32)) for each in (PREDICTION, TARGET))
    error = (PREDICTION - TARGET).astype(np.float32).astype(np.float64)
    expected = [sum(huber_by_cases(float(e), delta) for e in row) / 3 for row in error]
    found = huber(delta).value(prediction, target, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=2e-5, atol=1e-6)
    slope = [[max(-delta, min(delta, float(e))) / 3 for e in row] for row in error]
    found = huber(delta).gradient(prediction, target, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(found), slope, rtol=2e-5, atol=1e-6)


def test_log_cosh_is_its_formula(backend: Any) -> None:
    prediction, target = (backend.asarray(each.astype(np.float32)) for each in (PREDICTION, TARGET))
    error = (PREDICTION - TARGET).astype(np.float32).astype(np.float64)
    expected = [sum(math.log(math.cosh(float(e))) for e in row) / 3 for row in error]
    found = log_cosh().value(prediction, target, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=2e-5, atol=1e-6)
    found = log_cosh().gradient(prediction, target, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(found), np.tanh(error) / 3, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("delta", [0.1, 1.0, 2.5])
def test_pytorch_agrees(delta: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    prediction = torch.tensor(PREDICTION, requires_grad=True)
    values = torch.nn.functional.huber_loss(prediction, torch.tensor(TARGET), reduction="none", delta=delta).mean(1)
    values.sum().backward()
    np.testing.assert_allclose(huber(delta).value(PREDICTION, TARGET, xp=np), values.detach().numpy(), rtol=1e-14)
    np.testing.assert_allclose(huber(delta).gradient(PREDICTION, TARGET, xp=np), prediction.grad.numpy(), rtol=1e-14)


@pytest.mark.parametrize(
    ("error", "exact"),
    [
        (1e-200, 0.0),  # its square is no number that float64 has
        (1e-12, 5e-25),  # 1/2 e^2, where 1 + e^2 rounds to 1
        (1e-4, 4.99999999166666668889e-9),  # 1/2 e^2 - 1/12 e^4 + 1/45 e^6
        (1.0, 0.43378083048302718586),  # log cosh 1, where the two forms meet
        (20.0, 19.30685281944005469483),  # e - log 2 + exp(-2 e)
        (1e6, 1e6 - math.log(2.0)),
        (1.7e308, 1.7e308),
    ],
)
def test_log_cosh_is_exact_for_errors_of_any_size(error: float, exact: float) -> None:
    for sign in (1.0, -1.0):
        found = log_cosh().value(np.asarray([[sign * error]]), np.asarray([[0.0]]), xp=np)
        np.testing.assert_allclose(found, [exact], rtol=1e-15, atol=0.0)


def test_nothing_overflows_that_is_representable() -> None:
    prediction = np.full((1, 4), 3e38, np.float32)
    target = np.zeros_like(prediction)
    for loss in (huber(), log_cosh()):
        np.testing.assert_allclose(loss.value(prediction, target, xp=np), [3e38], rtol=1e-6)
        np.testing.assert_array_equal(loss.gradient(prediction, target, xp=np), np.full((1, 4), 0.25, np.float32))


def test_nan_is_not_hidden() -> None:
    target, prediction = np.zeros((1, 2)), np.asarray([[np.nan, 1.0]])
    for loss in (huber(), log_cosh()):
        assert np.isnan(loss.value(prediction, target, xp=np)).all()
        assert np.isnan(loss.gradient(prediction, target, xp=np)).tolist() == [[True, False]]


@pytest.mark.parametrize("delta", [0.01, 3])
def test_other_deltas_keep_the_contract_too(delta: float) -> None:
    check_loss(huber(delta))


def test_the_names_find_them() -> None:
    assert polydnn.loss("huber").options == {"delta": 1.0}
    assert polydnn.loss("polydnn-huber:log_cosh").options == {}


@pytest.mark.parametrize("loss", [huber(), log_cosh()])
def test_shapes_that_would_broadcast_are_refused(loss: polydnn.Loss) -> None:
    with pytest.raises(ShapeError, match=rf"{loss.name}: the target must have the prediction's shape \(4, 1\), found"):
        loss.value(np.zeros((4, 1)), np.zeros(4), xp=np)
    with pytest.raises(ShapeError, match=r"found \(4,\); reshape one of them"):
        loss.gradient(np.zeros((4, 1)), np.zeros(4), xp=np)


@pytest.mark.parametrize("delta", [0.0, -1.0, math.inf, math.nan, "1", True, None])
def test_a_delta_that_cannot_be_used_is_refused(delta: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"delta must be a finite number above 0, found .*; 1\.0 is usual"):
        huber(delta)
