"""Layers as users write them: names become objects, and what each computes outside training."""

from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, stream
from polydnn.layers import Layer
from polydnn.registry import default_registry


def test_names_pairs_and_objects_are_taken_alike() -> None:
    relu = polydnn.activation("relu")
    assert polydnn.Dense(2, relu).activation is relu
    assert polydnn.Dense(2, "polydnn:relu").activation.name == "relu"
    assert polydnn.Dense(2, ("elu", {"alpha": 2.0})).activation.options == {"alpha": 2.0}
    network = polydnn.Network(3, ["batch_normalization", ("dense", {"units": 2, "activation": "relu"})])
    assert [type(layer).__name__ for layer in network.layers] == ["BatchNormalization", "Dense"]
    assert polydnn.layer("dropout", rate=0.5).options == {"rate": 0.5}


def test_a_layer_is_printed_as_it_is_written() -> None:
    assert repr(polydnn.Dropout(0.5)) == "Dropout(rate=0.5)"
    dense = polydnn.Dense(2, ("elu", {"alpha": 2.0}), initializer="zeros")
    assert repr(dense) == "Dense(units=2, activation=('elu', {'alpha': 2.0}), use_bias=True, initializer='zeros')"


@pytest.mark.parametrize(("activation", "spread"), [("relu", np.sqrt(2 / 400)), ("tanh", np.sqrt(2 / 800))])
def test_weights_start_as_their_activation_asks_and_biases_at_zero(activation: str, spread: float) -> None:
    network = polydnn.Network(400, [polydnn.Dense(400, activation)])
    assert network.parameters["layers.0.weight"].std() == pytest.approx(spread, rel=0.02)
    assert not network.parameters["layers.0.bias"].any()


def test_layers_of_one_network_start_differently() -> None:
    network = polydnn.Network(4, [polydnn.Dense(4), polydnn.Dense(4)])
    assert not np.array_equal(network.parameters["layers.0.weight"], network.parameters["layers.1.weight"])


def test_batch_normalization_learns_running_statistics_and_uses_them_outside_training(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    x = 5 + 3 * rng.normal(size=(32, 2))
    network = polydnn.Network(2, [polydnn.BatchNormalization(momentum=0.5)], backend=backend, dtype="float64")
    trainer = polydnn.Trainer(network, loss="mean_squared_error", batch_size="full", learning_rate=1e-12)
    trainer.fit(x, x, epochs=1)
    arrays = {name.rpartition(".")[2]: backend.to_numpy(array) for name, array in network.arrays.items()}
    np.testing.assert_allclose(arrays["running_mean"], 0.5 * x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(arrays["running_variance"], 0.5 + 0.5 * x.var(axis=0, ddof=1), rtol=1e-12)
    expected = (x - arrays["running_mean"]) / np.sqrt(arrays["running_variance"] + 1e-5)
    np.testing.assert_allclose(network.forward(x), expected, rtol=0, atol=1e-9)


def test_a_batch_of_one_row_leaves_the_running_variance(backend: Backend) -> None:
    network = polydnn.Network(2, [polydnn.BatchNormalization()], backend=backend)
    polydnn.Trainer(network, loss="mean_squared_error").fit([[3.0, 4.0]], [[0.0, 0.0]], epochs=1)
    assert backend.to_numpy(network.arrays["layers.0.running_variance"]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(rate: float) -> None:
    layer = polydnn.Dropout(rate)
    noise = layer.noise(2000, 50, stream(0, "dropout", 1, 0))
    if rate == 0.0:
        assert noise is None
        assert not layer.random
        return
    assert noise is not None
    assert np.mean(noise == 0) == pytest.approx(rate, abs=0.01)
    assert noise.mean() == pytest.approx(1.0, abs=0.02)
    assert set(np.unique(noise)) == {np.float32(0), np.float32(1 / (1 - rate))}


def test_normalization_brings_columns_or_all_of_them_together_to_one_scale() -> None:
    x = np.array([[0, 100], [50, 200], [100, 150]], dtype=np.uint8)
    found = {}
    for shared in (False, True):
        network = polydnn.Network(2, [polydnn.Normalization("min-max", shared=shared)], dtype="float64")
        network.fit_normalization(x)
        found[shared] = network.forward(x)
    np.testing.assert_allclose(found[False], [[0, 0], [0.5, 1], [1, 0.5]])
    np.testing.assert_allclose(found[True], x / 200)


@pytest.mark.parametrize("name", default_registry().names("layer"))
def test_every_layer_tells_its_options_and_its_shapes(name: str) -> None:
    required: dict[str, Any] = {"dense": {"units": 3}, "dropout": {"rate": 0.5}}.get(name, {})
    made = polydnn.layer(name, **required)
    assert isinstance(made, Layer)
    assert repr(made).startswith(f"{type(made).__name__}(")
    again = polydnn.layer(name, **dict(made.options))
    assert repr(again) == repr(made)
    rng = stream(0, "initialize", 0)
    arrays = {**made.parameters(4, rng), **made.statistics(4)}
    assert made.shapes(4) == {key: array.shape for key, array in arrays.items()}
    assert set(made.parameter_names) == set(made.parameters(4, rng))
