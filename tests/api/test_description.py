"""Descriptions of networks with items of plugins: the very package is found again, also behind a name used twice."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.api.description import describe_item, describe_network
from polydnn.registry import configure
from polydnn.storage import read_model

X = np.linspace(-1, 1, 12).reshape(4, 3)


def scaled(name: str, factor: float) -> Any:
    """A factory of the activation factor * z."""

    def factory() -> polydnn.Activation:
        return polydnn.Activation(
            name, lambda z, *, xp: factor * z, derivative=lambda z, y, *, xp: factor * xp.ones_like(z)
        )

    return factory


class Offer:
    """An entry point as if a package were installed."""

    value = "polydnn_offer"

    def __init__(self, distribution: str, *items: tuple[str, float]) -> None:
        self.name = distribution.removeprefix("polydnn-")
        self.dist = SimpleNamespace(name=distribution, version="1.0")
        self.items = items

    def load(self) -> Any:
        @polydnn.hookimpl
        def polydnn_activations() -> list[polydnn.ActivationSpec]:
            return [polydnn.ActivationSpec(name, scaled(name, factor)) for name, factor in self.items]

        return SimpleNamespace(polydnn_activations=polydnn_activations)


@pytest.fixture
def two_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """One shadows a built-in's name, both offer "twice"."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    offers = [
        Offer("polydnn-one", ("relu", 3.0), ("twice", 5.0)),
        Offer("polydnn-two", ("twice", 7.0), ("alone", 11.0)),
    ]
    monkeypatch.setattr("polydnn.registry.manager.installed", lambda: offers)
    configure()
    yield
    monkeypatch.undo()
    configure()


@pytest.mark.usefixtures("two_packages")
@pytest.mark.filterwarnings("ignore::polydnn.registry.PolydnnPluginWarning")
def test_every_item_comes_back_from_its_own_package(tmp_path: Path) -> None:
    names = ["polydnn-one:relu", "relu", "polydnn-one:twice", "polydnn-two:twice", "alone"]
    network = polydnn.Network(3, [polydnn.Dense(3, name) for name in names], dtype="float64")
    path = network.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(polydnn.Network.load(path).forward(X), network.forward(X))
    described = describe_network(network)["layers"]
    assert [layer["options"]["activation"]["name"] for layer in described] == [*names[:4], "polydnn-two:alone"]
    components = read_model(path)[0]["components"]
    assert {(each["distribution"], each["name"], each["version"]) for each in components} == {
        ("polydnn-one", "relu", "1.0"),
        ("polydnn-one", "twice", "1.0"),
        ("polydnn-two", "twice", "1.0"),
        ("polydnn-two", "alone", "1.0"),
    }


def test_built_in_items_are_called_by_their_plain_names() -> None:
    assert describe_item("optimizer", polydnn.optimizer("sgd", momentum=0.5)) == {
        "item": "optimizer",
        "name": "sgd",
        "options": {"momentum": 0.5, "nesterov": False},
    }
    network = polydnn.Network(3, [polydnn.Dense(2, "tanh")], seed=4)
    assert describe_network(network) == {
        "in_features": 3,
        "dtype": "float32",
        "seed": 4,
        "task": "regression",
        "threshold": 0.5,
        "normalized": True,
        "layers": [
            {
                "type": "dense",
                "options": {
                    "units": 2,
                    "activation": {"item": "activation", "name": "tanh", "options": {}},
                    "use_bias": True,
                    "initializer": None,
                },
            }
        ],
        "target_normalization": None,
        "features": [],
        "targets": [],
        "classes": [],
    }


def test_an_option_that_no_file_can_hold_is_refused() -> None:
    class Odd(polydnn.Dropout):
        @property
        def options(self) -> Any:
            return {"rate": 0.5, "draw": print}

    with pytest.raises(
        polydnn.PolydnnError, match="a model file cannot hold the layer option <built-in function print>"
    ):
        describe_network(polydnn.Network(3, [Odd(0.5)]))
