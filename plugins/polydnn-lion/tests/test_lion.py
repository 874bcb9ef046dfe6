"""lion keeps the contract of an optimizer, and moves on every library as a plain loop over numbers does."""

import math
from typing import Any

import numpy as np
import pytest
from polydnn_lion import lion

import polydnn
from polydnn.errors import BackendUnavailableError, InvalidArgumentError
from polydnn.testing import check_optimizer, conformance_tests

LIBRARIES = ["numpy", "array-api-strict", "torch", "jax", pytest.param("cupy", marks=pytest.mark.gpu)]
RATE = 0.0625  # a power of two: the steps are exact in float32

test_conformance = conformance_tests("polydnn-lion")


@pytest.fixture(params=LIBRARIES)
def backend(request: pytest.FixtureRequest) -> Any:
    try:
        return polydnn.get_backend(request.param)
    except BackendUnavailableError as error:
        pytest.skip(str(error))


def gradients(steps: int) -> list[np.ndarray]:
    return [each.astype(np.float32) for each in np.random.default_rng(0).normal(size=(steps, 3, 2))]


def lion_by_hand(start: np.ndarray, steps: list[np.ndarray], beta1: float, beta2: float) -> tuple[list, list]:
    """The algorithm of the paper, one number at a time."""
    weights, means = start.astype(np.float64).ravel().tolist(), [0.0] * start.size
    for gradient in steps:
        for i, g in enumerate(gradient.astype(np.float64).ravel().tolist()):
            c = beta1 * means[i] + (1.0 - beta1) * g
            weights[i] -= RATE * (math.copysign(1.0, c) if c != 0.0 else 0.0)
            means[i] = beta2 * means[i] + (1.0 - beta2) * g
    return weights, means


@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.99), (0.5, 0.75), (0.0, 0.0)])
def test_it_moves_as_the_plain_loop_does(backend: Any, beta1: float, beta2: float) -> None:
    optimizer = lion(beta1, beta2)
    start = np.asarray([[1.0, -1.0], [0.0, 0.5], [2.0, -3.0]], np.float32)
    parameter = backend.asarray(start)
    state = optimizer.init(parameter, xp=backend.xp)
    for step, gradient in enumerate(gradients(12), start=1):
        parameter, state = optimizer.update(
            backend.asarray(gradient), state, parameter, learning_rate=RATE, step=step, xp=backend.xp
        )
    weights, means = lion_by_hand(start, gradients(12), beta1, beta2)
    np.testing.assert_allclose(backend.to_numpy(parameter).ravel(), weights, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(backend.to_numpy(state["momentum"]).ravel(), means, rtol=1e-5, atol=1e-6)


def test_nothing_moves_without_a_gradient() -> None:
    parameter = np.asarray([1.0, -2.0])
    state = lion().init(parameter, xp=np)
    moved, state = lion().update(np.zeros(2), state, parameter, learning_rate=1.0, step=1, xp=np)
    assert moved.tolist() == [1.0, -2.0]
    assert state["momentum"].tolist() == [0.0, 0.0]


def test_weight_decay_is_decoupled_and_spares_the_biases() -> None:
    weights, biases = [], []
    for decay in (0.0, 2.0):
        network = polydnn.Network(2, [polydnn.Dense(1)], seed=3)
        network.set_parameters({"layers.0.bias": np.asarray([1.0], np.float32)})
        start = np.asarray(network.parameters["layers.0.weight"])
        optimizer = ("lion", {"weight_decay": decay})
        trainer = polydnn.Trainer(
            network, loss="mean_squared_error", optimizer=optimizer, learning_rate=0.125, batch_size="full"
        )
        trainer.fit([[1.0, 2.0], [3.0, -1.0]], [[9.0], [7.0]], epochs=1)
        weights.append(np.asarray(network.parameters["layers.0.weight"]))
        biases.append(np.asarray(network.parameters["layers.0.bias"]))
    np.testing.assert_allclose(weights[1], weights[0] - 0.125 * 2.0 * start, rtol=1e-6)
    np.testing.assert_array_equal(biases[0], biases[1])


def test_it_learns_with_its_default_rate() -> None:
    network = polydnn.Network(1, [polydnn.Dense(1)], seed=0)
    trainer = polydnn.Trainer(network, loss="mean_squared_error", optimizer="lion", batch_size=1)
    x = np.linspace(-1.0, 1.0, 20)[:, None]
    history = trainer.fit(x, x + 0.05, epochs=20)
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("options", [{"beta1": 0.0}, {"beta2": 0.0}, {"weight_decay": 1.0}])
def test_other_options_keep_the_contract_too(options: dict[str, float]) -> None:
    check_optimizer(lion(**options))


def test_the_name_finds_it_with_its_defaults() -> None:
    optimizer = polydnn.optimizer("lion")
    assert optimizer.learning_rate == 1e-4
    assert optimizer.options == {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}
    assert polydnn.optimizer("polydnn-lion:lion", weight_decay=1).weight_decay == 1.0


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan, "0.9", True, None])
def test_a_beta_that_cannot_be_used_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="lion: beta1 must be a number from 0 to below 1, found"):
        lion(beta1=value)
    with pytest.raises(InvalidArgumentError, match="lion: beta2 must be a number from 0 to below 1, found"):
        lion(beta2=value)


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_a_decay_that_cannot_be_used_is_refused(value: float) -> None:
    with pytest.raises(InvalidArgumentError, match="lion: weight_decay must be a number from 0 up, and finite, found"):
        lion(weight_decay=value)
