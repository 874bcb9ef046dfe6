"""Items of plugins in files: options are never lost, names never mixed up, and what trained a model is told."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn import Activation, Dense, Network, Trainer
from polydnn.errors import InvalidArgumentError, ModelFileError
from polydnn.storage import read_model

X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def gain(scale: float = 1.0) -> Activation:
    """scale * z."""
    return Activation("gain", lambda z, *, xp: scale * z, derivative=lambda z, y, *, xp: scale * xp.ones_like(z))


def twice_squared() -> polydnn.Loss:
    """Twice the squared error."""
    squared = polydnn.loss("mean_squared_error")
    return polydnn.Loss(
        "twice_squared",
        lambda p, t, *, xp: 2.0 * squared.value(p, t, xp=xp),
        lambda p, t, *, xp: 2.0 * squared.gradient(p, t, xp=xp),
    )


class Plugin:
    """A plugin module, as an entry point loads it."""

    @polydnn.hookimpl
    def polydnn_activations(self) -> list[polydnn.ActivationSpec]:
        return [polydnn.ActivationSpec("gain", gain)]

    @polydnn.hookimpl
    def polydnn_losses(self) -> list[polydnn.LossSpec]:
        return [polydnn.LossSpec("twice_squared", twice_squared)]


class EntryPoint:
    """An entry point as if a package were installed."""

    value = "polydnn_offer"

    def __init__(self, distribution: str) -> None:
        self.name = distribution.removeprefix("polydnn-")
        self.dist = SimpleNamespace(name=distribution, version="1.2")

    def load(self) -> Any:
        return Plugin()


@pytest.fixture
def two_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """polydnn-aa and polydnn-bb, which both offer gain and twice_squared."""
    _install(monkeypatch, "polydnn-aa", "polydnn-bb")
    yield
    polydnn.registry.configure()


@pytest.fixture
def one_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """polydnn-aa alone."""
    _install(monkeypatch, "polydnn-aa")
    yield
    polydnn.registry.configure()


def _install(monkeypatch: pytest.MonkeyPatch, *distributions: str) -> None:
    offered = [EntryPoint(name) for name in distributions]
    registry = polydnn.registry.Registry(entry_points=offered)
    monkeypatch.setattr(polydnn.registry.process._process, "registry", registry)


def test_an_item_made_without_its_options_on_record_is_the_users_own(one_package: None, tmp_path: Path) -> None:
    """Its file could not say scale=2, and a file that says nothing would be read as scale=1."""
    network = Network(3, [Dense(2, gain(scale=2.0))])
    network.save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="custom="):
        Network.load(tmp_path / "m.safetensors")
    loaded = Network.load(tmp_path / "m.safetensors", custom={"gain": gain(scale=2.0)})
    np.testing.assert_array_equal(loaded.forward(X), network.forward(X))


@pytest.mark.parametrize("scale", [2.0, np.float32(2.0), np.int64(2)])
def test_options_by_name_come_back_whatever_number_they_were(one_package: None, scale: Any, tmp_path: Path) -> None:
    network = Network(3, [Dense(2, ("gain", {"scale": scale}))])
    network.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(Network.load(tmp_path / "m.safetensors").forward(X), network.forward(X))


@pytest.mark.filterwarnings("ignore::polydnn.registry.PolydnnPluginWarning")
def test_two_packages_with_one_name_stand_in_one_file(two_packages: None, tmp_path: Path) -> None:
    pair: Any = [("polydnn-aa:gain", {"scale": 2.0}), ("polydnn-bb:gain", {"scale": 3.0})]
    network = Network(3, [Dense(4, pair[0]), Dense(2, pair[1])])
    network.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(Network.load(tmp_path / "m.safetensors").forward(X), network.forward(X))


def test_an_own_item_beside_the_built_in_of_its_name_is_refused(tmp_path: Path) -> None:
    own = Activation("relu", lambda z, *, xp: 2.0 * z, derivative=lambda z, y, *, xp: 2.0 * xp.ones_like(z))
    network = Network(3, [Dense(4, own), Dense(4, "relu"), Dense(1)])
    with pytest.raises(InvalidArgumentError, match="own activation and a built-in are both called 'relu'"):
        network.save(tmp_path / "m.safetensors")


def test_a_model_says_what_it_was_trained_with_and_loads_without_it(one_package: None, tmp_path: Path) -> None:
    network = Network(3, [Dense(1)])
    Trainer(network, loss="twice_squared").fit(X, X[:, :1], epochs=1)
    network.save(tmp_path / "m.safetensors")
    description, _ = read_model(tmp_path / "m.safetensors")
    record = {"kind": "loss", "name": "twice_squared", "distribution": "polydnn-aa", "version": "1.2"}
    assert description["components"] == [record]
    polydnn.registry.configure(load=False)
    loaded = Network.load(tmp_path / "m.safetensors")
    assert loaded.trained_with == (record,)


class Executors(Plugin):
    """An executor that is the reference step by another name, and a metric."""

    @polydnn.hookimpl
    def polydnn_executors(self) -> list[polydnn.ExecutorSpec]:
        return [polydnn.ExecutorSpec("same", polydnn.reference_step)]

    @polydnn.hookimpl
    def polydnn_metrics(self) -> list[polydnn.MetricSpec]:
        return [polydnn.MetricSpec("largest", largest)]


def largest() -> polydnn.Metric:
    """The largest prediction."""
    return polydnn.Metric("largest", lambda p, t, *, xp: xp.max(p))


@pytest.fixture
def two_with_executors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two packages that offer the same executor and the same metric."""
    monkeypatch.setattr(EntryPoint, "load", lambda self: Executors())
    _install(monkeypatch, "polydnn-aa", "polydnn-bb")
    yield
    polydnn.registry.configure()


@pytest.mark.filterwarnings("ignore::polydnn.registry.PolydnnPluginWarning")
def test_executors_are_found_by_their_qualified_names(two_with_executors: None) -> None:
    def trained(execution: str) -> Trainer:
        trainer = Trainer(Network(3, [Dense(1)]), loss="mean_squared_error", execution=execution)
        trainer.fit(X, X[:, :1], epochs=1)
        return trainer

    choice = trained("polydnn-bb:same").choice
    assert choice is not None
    assert choice.name == "polydnn-bb:same"
    with pytest.raises(polydnn.PolydnnError, match=r"polydnn-aa:same.*polydnn-bb:same"):
        trained("same")


@pytest.mark.filterwarnings("ignore::polydnn.registry.PolydnnPluginWarning")
def test_a_metric_with_a_qualified_name_survives_a_checkpoint(two_with_executors: None, tmp_path: Path) -> None:
    network = Network(3, [Dense(1)])
    trainer = Trainer(network, loss="mean_squared_error", metrics=["polydnn-bb:largest"])
    trainer.fit(X, X[:, :1], epochs=2, checkpoints=tmp_path / "c")
    resumed = Trainer.resume(tmp_path / "c")
    assert resumed.history["polydnn-bb:largest"] == trainer.history["polydnn-bb:largest"]
