"""The worked examples of the sources come out, to the digits that are given, on every backend."""

from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, numpy_backend
from polydnn.registry import default_registry
from tests.oracles import central_differences

# Example 2 of chapter 4, Deep neural networks: two inputs, three sigmoid units, two linear outputs
X = np.array(
    [(0.77, 0.02), (0.63, 0.75), (0.50, 0.22), (0.20, 0.76), (0.17, 0.09), (0.69, 0.95), (0, 0.51), (0.81, 0.61)]
)
D = np.array(
    [
        (0.44, -0.42),
        (0.84, 0.43),
        (0.09, -0.72),
        (-0.25, 0.35),
        (-0.12, -0.13),
        (0.24, 0.03),
        (0.30, 0.20),
        (0.61, 0.04),
    ]
)
START = {
    "layers.0.weight": [[-3.97, 1.10, 0.42], [2.79, -2.64, 3.13]],
    "layers.0.bias": [0.0, 0.0, 0.0],
    "layers.1.weight": [[3.58, -1.58], [-3.58, -1.75], [-3.38, 2.88]],
    "layers.1.bias": [0.0, 0.0],
}
GRADIENTS = {  # of J, the sum over the 8 patterns: 8 times those of the cost
    "layers.0.weight": [[-8.43, 7.76, 7.78], [-8.20, 4.52, 3.74]],
    "layers.0.bias": [-15.20, 13.04, 13.92],
    "layers.1.weight": [[-6.21, 3.22], [-8.79, 2.85], [-17.06, 7.41]],
    "layers.1.bias": [-21.83, 8.83],
}
AFTER_ONE_STEP = {
    "layers.0.weight": [[-3.55, 0.71, 0.03], [3.20, -2.87, 2.94]],
    "layers.0.bias": [0.76, -0.65, -0.70],
    "layers.1.weight": [[3.89, -1.74], [-3.14, -1.89], [-2.53, 2.51]],
    "layers.1.bias": [1.09, -0.44],
}
TWO_DIGITS = 0.00501


def example_2(backend: Backend) -> polydnn.Trainer:
    """The network at its start; C = J / 8, so J's step of 0.05 is a learning rate of 0.4."""
    layers = [polydnn.Dense(3, "sigmoid"), polydnn.Dense(2)]
    network = polydnn.Network(2, layers, backend=backend, dtype="float64")
    network.set_parameters({name: np.array(value) for name, value in START.items()})
    return polydnn.Trainer(network, loss="sum_squared_error", learning_rate=0.4, batch_size="full")


def squared_error(trainer: polydnn.Trainer) -> float:
    """Summed over the outputs, averaged over the patterns."""
    return float(np.mean(np.sum((trainer.network.forward(X) - D) ** 2, axis=1)))


def host(trainer: polydnn.Trainer) -> dict[str, Any]:
    return {name: trainer.network.backend.to_numpy(array) for name, array in trainer.network.parameters.items()}


def test_the_gradients_and_the_first_step_of_example_2(backend: Backend) -> None:
    trainer = example_2(backend)
    _, gradients = trainer.loss_and_gradients(X, D)
    for name, expected in GRADIENTS.items():
        np.testing.assert_allclose(8 * gradients[name], expected, rtol=0, atol=TWO_DIGITS, err_msg=name)
    trainer.fit(X, D, epochs=1)
    for name, array in host(trainer).items():
        np.testing.assert_allclose(array, AFTER_ONE_STEP[name], rtol=0, atol=TWO_DIGITS, err_msg=name)


def test_a_thousand_epochs_of_example_2(backend: Backend) -> None:
    trainer = example_2(backend)
    trainer.fit(X, D, epochs=1000)
    assert squared_error(trainer) == pytest.approx(0.107, abs=0.0005)
    found = host(trainer)
    expected = [[2.14, -1.14], [-2.92, -1.78], [-3.57, 2.30]]
    np.testing.assert_allclose(found["layers.1.weight"], expected, rtol=0, atol=TWO_DIGITS)
    np.testing.assert_allclose(found["layers.1.bias"], [1.24, -0.44], rtol=0, atol=TWO_DIGITS)


def test_twenty_thousand_epochs_of_example_2() -> None:
    trainer = example_2(numpy_backend())
    trainer.fit(X, D, epochs=20_000)
    assert squared_error(trainer) == pytest.approx(0.021, abs=0.0005)


def test_the_jacobian_of_example_1_by_the_oracle_of_these_tests() -> None:
    def function(x: Any) -> Any:
        return np.array([5 - 2 * x[0] + 3 * x[2], x[0] + 5 * x[1] ** 2 + x[2] ** 3 - 1])

    at = np.array([0.7, -1.3, 2.1])
    exact = [[-2, 0, 3], [1, 10 * at[1], 3 * at[2] ** 2]]
    np.testing.assert_allclose(central_differences(function, at), exact, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", default_registry().names("activation"))
def test_the_jacobian_contracted_with_dy_is_the_way_back(name: str) -> None:
    """dZ = tensordot(dA, J) over the first two axes, as chapter 4 writes it."""
    activation, rng = polydnn.activation(name), np.random.default_rng(7)
    z, dy = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    jacobian = activation.jacobian(z)
    assert jacobian.shape == (3, 4, 3, 4)
    y = activation.forward(z, xp=np)
    by_tensor = np.tensordot(dy, jacobian, axes=([0, 1], [0, 1]))
    np.testing.assert_allclose(by_tensor, activation.pull_back(dy, z, y, xp=np), rtol=1e-12, atol=1e-14)
    numeric = central_differences(lambda at: activation.forward(at, xp=np), z)
    np.testing.assert_allclose(jacobian, numeric, rtol=0, atol=1e-8)


def test_the_computation_graph(backend: Backend) -> None:
    """j = 3 (a + b c): dj/dv = 3 and dj/du = 3 with u = b c and v = a + u, as the gradients of a linear network.

    With a as a bias, b as a weight and c as the input, v is the unit's output; a second unit multiplies it by 3. The
    loss MAE of a positive output against 0 is that output, so gradients of the cost are those of j.
    """
    a, b, c = 5.0, 3.0, 2.0
    network = polydnn.Network(1, [polydnn.Dense(1), polydnn.Dense(1, use_bias=False)], backend=backend, dtype="float64")
    network.set_parameters({"layers.0.weight": [[b]], "layers.0.bias": [a], "layers.1.weight": [[3.0]]})
    trainer = polydnn.Trainer(network, loss="mean_absolute_error")
    j, gradients = trainer.loss_and_gradients([[c]], [[0.0]])
    assert j == 33.0
    assert gradients["layers.0.bias"].tolist() == [3.0]  # dj/da = dj/dv = dj/du
    assert gradients["layers.0.weight"].tolist() == [[3.0 * c]]  # dj/db
    assert gradients["layers.1.weight"].tolist() == [[a + b * c]]


def test_logistic_regression_is_one_sigmoid_unit(backend: Backend) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(1, 4)), np.array([[1.0]])
    network = polydnn.Network(4, [polydnn.Dense(1, "sigmoid")], backend=backend, dtype="float64", seed=5)
    trainer = polydnn.Trainer(network, loss="binary_cross_entropy")
    parameters = host(trainer)
    a = 1 / (1 + np.exp(-(x @ parameters["layers.0.weight"] + parameters["layers.0.bias"])))
    cost, gradients = trainer.loss_and_gradients(x, y)
    assert cost == pytest.approx(-np.log(a).item(), rel=1e-14)
    np.testing.assert_allclose(gradients["layers.0.bias"], (a - y)[0], rtol=1e-13)  # dl/db = dl/dz
    np.testing.assert_allclose(gradients["layers.0.weight"], x.T @ (a - y), rtol=1e-13)  # dl/dw = x (a - y)


def test_linear_hidden_layers_collapse_into_one_affine_map(backend: Backend) -> None:
    layers = [polydnn.Dense(5), polydnn.Dense(3), polydnn.Dense(2)]
    network = polydnn.Network(4, layers, backend=backend, dtype="float64", seed=2)
    rng = np.random.default_rng(0)
    network.set_parameters({name: rng.normal(size=tuple(array.shape)) for name, array in network.parameters.items()})
    weight, bias = np.eye(4), np.zeros(4)
    for index in range(3):
        own = {name: backend.to_numpy(network.parameters[f"layers.{index}.{name}"]) for name in ("weight", "bias")}
        weight, bias = weight @ own["weight"], bias @ own["weight"] + own["bias"]
    x = rng.normal(size=(6, 4))
    np.testing.assert_allclose(network.forward(x), x @ weight + bias, rtol=1e-12)


def test_zeros_never_break_the_symmetry_of_hidden_units(backend: Backend) -> None:
    """Hidden units that start alike stay alike; random weights part them."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(16, 3))
    y = (x[:, :1] * x[:, 1:2] > 0).astype(float)

    def widths_of_hidden_weights(initializer: str | None) -> float:
        layers = [
            polydnn.Dense(4, "sigmoid", initializer=initializer),
            polydnn.Dense(1, "sigmoid", initializer=initializer),
        ]
        network = polydnn.Network(3, layers, backend=backend, dtype="float64")
        trainer = polydnn.Trainer(network, loss="binary_cross_entropy", learning_rate=0.5, batch_size=8)
        trainer.fit(x, y, epochs=5)
        weight = host(trainer)["layers.0.weight"]
        assert np.abs(weight).max() > 0  # it has moved
        return float(np.ptp(weight, axis=1).max())

    assert widths_of_hidden_weights("zeros") == 0.0
    assert widths_of_hidden_weights(None) > 0.1
