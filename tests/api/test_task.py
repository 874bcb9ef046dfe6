"""What the network's task decides: predictions, metrics, and what is refused before any step."""

import copy
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn import Activation, Dense, Network, Trainer
from polydnn.errors import InvalidArgumentError, InvalidDataError
from polydnn.types import Array, Namespace

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
BINARY = (X[:, :1] + 0.3 * RNG.normal(size=(60, 1)) > 0.0).astype(int)


def hard_sigmoid(z: Array, *, xp: Namespace) -> Array:
    return xp.minimum(xp.maximum(0.5 + z / 6.0, 0.01), 0.99)


def hard_slope(z: Array, y: Array, *, xp: Namespace) -> Array:
    return xp.where(xp.abs(z) < 2.94, xp.ones_like(z) / 6.0, 0.0)


STRANGER = Activation("sigmoid", hard_sigmoid, derivative=hard_slope)
"""A function of the user's own under the name of a built-in one."""


def test_a_stable_form_is_not_applied_to_another_function_of_its_name() -> None:
    network = Network(4, [Dense(1, STRANGER)], dtype="float64")
    trainer = Trainer(network, loss="binary_cross_entropy")
    p = network.forward(X)
    expected = -np.mean(BINARY * np.log(p) + (1 - BINARY) * np.log(1 - p))
    np.testing.assert_allclose(trainer.evaluate(X, BINARY)["loss"], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("output", "loss"),
    [(STRANGER, "binary_cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("identity", "hinge")],
    ids=["own", "sigmoid", "hinge"],
)
def test_predictions_are_what_accuracy_counts(output: Any, loss: str, tmp_path: Any) -> None:
    """Trained on either kind of target, saved or not, predict and the metric draw the line at the same place."""
    network = Network(4, [Dense(8, "tanh"), Dense(1, output)], seed=1)
    trainer = Trainer(network, loss=loss, optimizer="adam", learning_rate=0.05, metrics=["accuracy"])
    trainer.fit(X, BINARY, epochs=30)
    accuracy = trainer.evaluate(X, BINARY)["accuracy"]
    assert accuracy > 0.8
    assert np.mean(network.predict(X) == BINARY) == pytest.approx(accuracy)
    network.save(tmp_path / "m.safetensors")
    loaded = Network.load(tmp_path / "m.safetensors", custom={"sigmoid": STRANGER})
    np.testing.assert_array_equal(loaded.predict(X), network.predict(X))


def test_one_half_exactly_counts_as_no_in_both() -> None:
    network = Network(4, [Dense(1, "sigmoid", initializer="zeros")])
    trainer = Trainer(network, loss="binary_cross_entropy", metrics=["accuracy"])
    assert not network.predict(X).any()
    assert trainer.evaluate(X, BINARY)["accuracy"] == pytest.approx(np.mean(BINARY == 0))


def test_multi_label_rows_with_one_label_each_are_still_multi_label() -> None:
    y = np.eye(4, dtype=int)[[0, 1, 2, 3]]
    network = Network(4, [Dense(4, "sigmoid", initializer="zeros")])
    trainer = Trainer(network, loss="binary_cross_entropy", metrics=["hamming_loss"])
    assert trainer.evaluate(np.eye(4), y)["hamming_loss"] == pytest.approx(0.25)  # no label given, one in four missed


def test_soft_rows_of_a_multi_class_network_are_measured_by_their_largest_entry() -> None:
    y = np.asarray([[0.4, 0.35, 0.25], [0.3, 0.3, 0.4]])
    network = Network(3, [Dense(3, "softmax")], dtype="float64")
    network.set_parameters({"layers.0.weight": np.eye(3)})
    trainer = Trainer(network, loss="categorical_cross_entropy", metrics=["accuracy"])
    x = np.asarray([[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    assert trainer.evaluate(x, y)["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("units", "output", "loss", "metric", "text"),
    [
        (1, "identity", "mean_squared_error", "accuracy", "accuracy does not measure a regression task; .*r2"),
        (3, "softmax", "categorical_cross_entropy", "r2", "r2 does not measure a multiclass task; .*accuracy"),
        (1, "sigmoid", "binary_cross_entropy", "top_k_accuracy", "top_k_accuracy does not measure a binary task"),
    ],
)
def test_a_metric_of_another_task_is_refused_before_training(
    units: int, output: str, loss: str, metric: str, text: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        Trainer(Network(4, [Dense(units, output)]), loss=loss, metrics=[metric])


def test_two_metrics_of_one_name_are_refused() -> None:
    twice: Any = [("f1", {"average": "macro"}), ("f1", {"average": "micro"})]
    with pytest.raises(InvalidArgumentError, match="f1 is there more than once"):
        Trainer(Network(4, [Dense(3, "softmax")]), loss="categorical_cross_entropy", metrics=twice)


@pytest.mark.parametrize(
    ("units", "output", "loss"),
    [(3, "identity", "categorical_cross_entropy"), (3, "log_softmax", "categorical_cross_entropy"),
     (1, "tanh", "binary_cross_entropy")],
)  # fmt: skip
def test_a_loss_on_probabilities_is_refused_behind_an_output_that_gives_none(
    units: int, output: str, loss: str
) -> None:
    y = BINARY if units == 1 else BINARY[:, 0]
    text = f"{loss} takes probabilities, and the output activation {output} gives .* made for is s(oftmax|igmoid)"
    with pytest.raises(InvalidArgumentError, match=text):
        Trainer(Network(4, [Dense(units, output)]), loss=loss).fit(X, y, epochs=1)


def test_target_normalization_is_for_regression() -> None:
    with pytest.raises(InvalidArgumentError, match=r"target_normalization is for regression.*'multiclass'"):
        Network(4, [Dense(3, "softmax")], target_normalization="standard")
    with pytest.raises(InvalidArgumentError, match=r"must be 'standard', 'min-max' or None, found 3"):
        Network(4, [Dense(1)], target_normalization=3)  # type: ignore[arg-type]
    network = Network(4, [Dense(1, "sigmoid")], target_normalization="min-max")
    with pytest.raises(InvalidArgumentError, match="target_normalization is for real targets"):
        Trainer(network, loss="binary_cross_entropy").fit(X, BINARY, epochs=1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_has_no_class(bad: float) -> None:
    network = Network(4, [Dense(3, "softmax")])
    x = X.copy()
    x[0, 0] = bad
    with pytest.raises(InvalidDataError, match="x must be finite to be predicted from"):
        network.predict(x)
    with pytest.raises(InvalidDataError, match=r"layers\.0\.bias must be finite"):
        network.set_parameters({"layers.0.bias": [bad, 0.0, 0.0]})


@pytest.mark.parametrize(("decay", "moves"), [(None, True), (0.0, False)])
def test_a_weight_decay_of_zero_is_zero_and_none_is_the_optimizers_own(decay: float | None, moves: bool) -> None:
    network = Network(4, [Dense(1, use_bias=False)])
    before = network.parameters["layers.0.weight"]
    trainer = Trainer(network, loss="mean_squared_error", optimizer="adamw", weight_decay=decay)
    trainer.fit(np.zeros((8, 4)), np.zeros((8, 1)), epochs=1)  # no gradient: only decay can move a weight
    assert np.array_equal(before, network.parameters["layers.0.weight"]) is not moves


def test_the_loss_of_an_epoch_of_many_steps_keeps_its_digits() -> None:
    """In float32 alone, a hundred thousand equal summands come out a thousandth wrong."""
    network = Network(1, [Dense(1, initializer="zeros", use_bias=False)])
    y = np.full((100_000, 1), np.sqrt(0.1))
    trainer = Trainer(network, loss="mean_squared_error", batch_size=1, learning_rate=1e-30)
    assert trainer.fit(np.zeros((100_000, 1)), y, epochs=1)["loss"][0] == pytest.approx(0.1, rel=1e-6)


def test_a_network_can_be_copied_deeply() -> None:
    network = Network(4, [Dense(3, "softmax")])
    twin = copy.deepcopy(network)
    twin.set_parameters({"layers.0.bias": [1.0, 2.0, 3.0]})
    assert not network.parameters["layers.0.bias"].any()
    assert twin.backend is network.backend


def test_the_conformance_kit_is_there_when_it_is_named() -> None:
    assert polydnn.testing.check_activation(polydnn.activation("relu"), backend="numpy")[0].passed
    with pytest.raises(AttributeError, match="no attribute 'tseting'"):
        polydnn.tseting  # noqa: B018


def test_pixels_of_sixteen_bits_are_scaled_on_every_backend(backend: polydnn.Backend) -> None:
    if backend.library == "numpy" and backend.name != "numpy":
        pytest.skip("the read-only stand-in is no backend to train on by name")
    x = np.asarray([[0, 10], [50_000, 20]], dtype=np.uint16)
    network = Network(2, [polydnn.Normalization("min-max"), Dense(1)], backend=backend)
    Trainer(network, loss="mean_squared_error").fit(x, [[0.0], [1.0]], epochs=1)
    np.testing.assert_array_equal(backend.to_numpy(network.arrays["layers.0.scale"]), [50_000.0, 10.0])
