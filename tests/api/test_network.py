"""Networks go to files and come back on every backend, and say what they are."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.errors import ModelFileError, UnknownNameError
from polydnn.network import array_shapes
from polydnn.storage import model_description, read_model, write_model

X = np.linspace(-1, 1, 24).reshape(8, 3)
LAYERS = [
    polydnn.Normalization("min-max"),
    polydnn.Dense(4, ("elu", {"alpha": 0.5}), initializer=("uniform", {"low": -0.3, "high": 0.3})),
    polydnn.BatchNormalization(momentum=0.5),
    polydnn.Dropout(0.25),
    polydnn.Dense(2, use_bias=False),
]


def trained(backend: Any = "numpy", dtype: str = "float32") -> polydnn.Network:
    names: dict[str, Any] = {"features": ("a", "b", "c"), "targets": ("u", "v")}
    network = polydnn.Network(3, LAYERS, backend=backend, dtype=dtype, seed=5, target_normalization="standard", **names)
    polydnn.Trainer(network, loss="mean_squared_error").fit(X, 100 * X[:, :2], epochs=2)
    return network


@pytest.mark.parametrize("kept_as", ["float32", "float64"])
def test_a_saved_network_comes_back_to_the_bit(backend: Backend, kept_as: str, tmp_path: Path) -> None:
    network = trained(backend, kept_as)
    path = network.save(tmp_path / "model.safetensors")
    loaded = polydnn.Network.load(path, backend=backend)
    assert loaded.backend == backend
    np.testing.assert_array_equal(loaded.predict(X), network.predict(X))
    for name in ("dtype", "seed", "task", "features", "targets", "classes", "normalized", "widths"):
        assert getattr(loaded, name) == getattr(network, name)
    assert [repr(layer) for layer in loaded.layers] == [repr(layer) for layer in network.layers]
    elsewhere = polydnn.Network.load(path, backend="numpy")
    for name, array in elsewhere.arrays.items():
        np.testing.assert_array_equal(array, backend.to_numpy(network.arrays[name]))
    assert path.read_bytes() == elsewhere.save(tmp_path / "again.safetensors").read_bytes()


def test_a_network_moves_by_a_copy(backend: Backend) -> None:
    here = trained()
    there = here.to(backend)
    assert there.backend == backend
    assert here.backend.name == "numpy"
    np.testing.assert_allclose(there.predict(X), here.predict(X), rtol=1e-5)
    device_rows = backend.asarray(X.astype(np.float32))
    assert backend.owns(there.predict(device_rows))  # arrays out: where the arrays in were
    assert isinstance(there.predict(X.tolist()), np.ndarray)


def test_training_a_loaded_network_keeps_its_units(tmp_path: Path) -> None:
    loaded = polydnn.Network.load(trained().save(tmp_path / "m.safetensors"))
    constants = {name: array.copy() for name, array in loaded.arrays.items() if "shift" in name or "scale" in name}
    constants = {name: array for name, array in constants.items() if name.startswith(("layers.0", "target"))}
    polydnn.Trainer(loaded, loss="mean_squared_error").fit(X + 9, 7 * X[:, :2], epochs=1)
    assert len(constants) == 4
    for name, array in constants.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_the_shapes_follow_from_the_description_alone() -> None:
    network = trained()
    shapes = array_shapes(3, network.layers, network.target_normalization)
    assert shapes == {name: tuple(array.shape) for name, array in network.arrays.items()}
    assert list(shapes) == list(network.arrays)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d, a: a.pop("layers.1.bias"), "array 'layers.1.bias', which its description asks for, is missing"),
        (lambda d, a: a.update(extra=np.ones(2)), "its description has no place for the array 'extra'"),
        (
            lambda d, a: a.update({"layers.4.weight": np.ones((4, 3))}),
            r"'layers.4.weight' has the shape \(4, 3\); .*\(4, 2\)",
        ),
        (
            lambda d, a: d["network"]["layers"][1]["options"].update(units=0),
            r"layer 1 \(dense\) does not fit: Dense: units",
        ),
        (lambda d, a: d["network"]["layers"][1]["options"].pop("units"), r"layer 1 \(dense\) does not fit"),
        (
            lambda d, a: d["network"]["layers"][3]["options"].update(rate="x"),
            r"layer 3 \(dropout\) does not fit: .*rate",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(change: Any, text: str, tmp_path: Path) -> None:
    path = trained().save(tmp_path / "model.safetensors")
    description, arrays = read_model(path)
    change(description, arrays)
    write_model(path, description, arrays)
    with pytest.raises(ModelFileError, match=text):
        polydnn.Network.load(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"type": "denze"}, "unknown layer .*denze"),
        ({"options": {"units": 4, "activation": {"item": "activation", "name": "swirl", "options": {}}}}, "swirl"),
    ],
)
def test_an_item_nobody_offers_is_named(change: Any, text: str, tmp_path: Path) -> None:
    network = polydnn.Network(3, [polydnn.Dense(4)])
    path = network.save(tmp_path / "m.safetensors")
    description, arrays = read_model(path)
    description["network"]["layers"][0] |= change
    write_model(path, model_description(description["network"], []), arrays)
    with pytest.raises(ModelFileError, match=text):
        polydnn.Network.load(path)


def test_a_missing_package_is_told_with_its_install_command(tmp_path: Path) -> None:
    network = polydnn.Network(3, [polydnn.Dense(4, "relu")])
    path = network.save(tmp_path / "m.safetensors")
    description, arrays = read_model(path)
    activation = {"item": "activation", "name": "polydnn-swirl:swirl", "options": {}}
    description["network"]["layers"][0]["options"]["activation"] = activation
    record = {"kind": "activation", "name": "swirl", "distribution": "polydnn-swirl", "version": "1.2"}
    write_model(path, model_description(description["network"], [record]), arrays)
    with pytest.raises(UnknownNameError, match=r"swirl.*polydnn-swirl.*pip install polydnn-swirl"):
        polydnn.Network.load(path)


def test_an_activation_of_ones_own_comes_back_by_custom(tmp_path: Path) -> None:
    square = polydnn.Activation("relu", lambda z, *, xp: z * z, derivative=lambda z, y, *, xp: 2 * z)
    network = polydnn.Network(3, [polydnn.Dense(2, square)])
    path = network.save(tmp_path / "m.safetensors")
    text = r"uses the activation 'relu', an object of its author's own .* give it with custom=\{'relu': \.\.\.\}"
    with pytest.raises(ModelFileError, match=text):  # its own "relu" is never taken for the built-in one
        polydnn.Network.load(path)
    loaded = polydnn.Network.load(path, custom={"relu": square})
    np.testing.assert_array_equal(loaded.predict(X), network.predict(X))


def test_predictions_are_classes_and_labels() -> None:
    def made(units: int, activation: str) -> polydnn.Network:
        return polydnn.Network(3, [polydnn.Dense(units, activation)], seed=1)

    softmax, sigmoid, labels = made(4, "softmax"), made(1, "sigmoid"), made(3, "sigmoid")
    assert [each.task for each in (softmax, sigmoid, labels, made(1, "relu"))] == [
        "multiclass",
        "binary",
        "multilabel",
        "regression",
    ]
    np.testing.assert_array_equal(softmax.predict(X), softmax.forward(X).argmax(axis=1))
    np.testing.assert_array_equal(sigmoid.predict(X), (sigmoid.forward(X) >= 0.5).astype(int))
    assert labels.predict(X).shape == (8, 3)
    np.testing.assert_allclose(softmax.forward(X).sum(axis=1), 1, rtol=1e-6)


def test_many_rows_pass_in_blocks() -> None:
    network = polydnn.Network(3, [polydnn.Dense(2, "tanh")], dtype="float64")
    x = np.random.default_rng(0).normal(size=(10_001, 3))
    parts = [network.forward(x[start : start + 777]) for start in range(0, len(x), 777)]
    np.testing.assert_allclose(network.forward(x), np.concatenate(parts), rtol=1e-13)


def test_the_summary_is_a_table() -> None:
    lines = trained().summary().splitlines()
    assert lines[0] == "regression network, 3 inputs, float32 on numpy"
    assert [re.split(r"\s{2,}", line) for line in lines[3:4]] == [["1 dense elu", "4", "16"]]
    assert lines[-1].split() == ["total", "32"]
    assert repr(trained()) == "<Network 3-3-4-4-4-2 on numpy>"
