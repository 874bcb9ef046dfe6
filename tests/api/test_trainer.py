"""The trainer as users write it: names, pairs and objects, defaults, and plugins that listen."""

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.batch_size.twin import copy_trainer
from polydnn.registry import configure
from polydnn.training import Trainer as TrainerCore
from polydnn.training.settings import SETTINGS

X = np.linspace(-1, 1, 12).reshape(4, 3)


def network(**options: Any) -> polydnn.Network:
    return polydnn.Network(3, [polydnn.Dense(1)], **options)


def test_names_pairs_and_objects_are_taken_alike() -> None:
    loss = polydnn.loss("hinge")
    trainer = polydnn.Trainer(
        network(seed=7),
        loss=loss,
        optimizer=("adam", {"beta1": 0.8}),
        schedule=("step", {"every": 5}),
        metrics=["accuracy", polydnn.metric("f1")],
    )
    assert trainer.loss is loss
    assert trainer.optimizer.options["beta1"] == 0.8
    assert trainer.schedule is not None
    assert trainer.schedule.options["every"] == 5
    assert [metric.name for metric in trainer.metrics] == ["accuracy", "f1"]
    assert trainer.seed == 7  # the network's
    assert trainer.learning_rate == 0.001  # the optimizer's
    assert (trainer.batch_size, trainer.execution) == (64, "auto")


def test_gradients_lie_where_the_data_came_from(backend: Backend) -> None:
    trainer = polydnn.Trainer(network(backend=backend), loss="mean_squared_error", l2=0.5)
    y = X[:, :1]
    cost, gradients = trainer.loss_and_gradients(X, y)
    assert isinstance(cost, float)
    assert list(gradients) == list(trainer.network.parameters)
    assert all(isinstance(each, np.ndarray) for each in gradients.values())
    place = backend.asarray(X.astype(np.float32)), backend.asarray(y.astype(np.float32))
    there, on_device = trainer.loss_and_gradients(*place)
    assert there == cost
    for name, each in on_device.items():
        assert backend.owns(each)
        np.testing.assert_array_equal(backend.to_numpy(each), gradients[name])
    plain = polydnn.Trainer(trainer.network, loss="mean_squared_error").loss_and_gradients(X, y)[0]
    weight = backend.to_numpy(trainer.network.parameters["layers.0.weight"])
    assert cost == pytest.approx(plain + 0.25 * float(np.sum(weight**2)), rel=1e-6)  # penalties are part of it


def test_plugins_that_listen_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    @polydnn.hookimpl
    def polydnn_fit_start(trainer: Any) -> None:
        seen.append(("start", trainer))

    @polydnn.hookimpl
    def polydnn_epoch_end(trainer: Any, epoch: int, logs: Any) -> None:
        seen.append((epoch, logs["loss"]))

    @polydnn.hookimpl
    def polydnn_fit_end(trainer: Any, history: Any) -> None:
        seen.append(("end", len(history)))

    hooks = {"polydnn_fit_start": polydnn_fit_start, "polydnn_epoch_end": polydnn_epoch_end}
    target = SimpleNamespace(**hooks, polydnn_fit_end=polydnn_fit_end)
    owner = SimpleNamespace(name="polydnn-listener", version="1")
    entry_point = SimpleNamespace(name="listener", value="polydnn_listener", dist=owner, load=lambda: target)
    monkeypatch.setattr("polydnn.registry.manager.installed", lambda: [entry_point])
    configure()
    try:
        trainer = polydnn.Trainer(network(), loss="mean_squared_error")
        history = trainer.fit(X, X[:, :1], epochs=2)
    finally:
        monkeypatch.undo()
        configure()
    assert seen == [("start", trainer), (1, history["loss"][0]), (2, history["loss"][1]), ("end", 2)]
    silent = polydnn.Trainer(network(), loss="mean_squared_error")
    assert silent.callbacks == ()


ITEMS = {"network", "loss", "optimizer", "schedule", "metrics", "callbacks"}
OTHERS = {
    "learning_rate": 0.03,
    "batch_size": 2,
    "seed": 9,
    "execution": "reference",
    "check_every": 5,
    "l1": 0.01,
    "l2": 0.02,
    "weight_decay": 0.03,
    "clip_value": 0.4,
    "clip_norm": 0.5,
}
"""A value of each setting that is not its default."""


def test_no_setting_is_forgotten_on_the_way_to_the_fit_its_copy_and_its_checkpoint(tmp_path: Path) -> None:
    trainer = polydnn.Trainer(
        polydnn.Network(1, [polydnn.Dense(1)]), loss="mean_squared_error", optimizer="adam", **OTHERS
    )
    assert set(inspect.signature(polydnn.Trainer).parameters) == ITEMS | set(SETTINGS)
    assert set(inspect.signature(TrainerCore).parameters) == ITEMS | set(SETTINGS) | {"executors"}
    assert trainer.settings == OTHERS
    assert copy_trainer(trainer).settings == OTHERS
    trainer.fit([[0.0], [1.0], [2.0]], [[0.0], [2.0], [4.0]], epochs=1)
    resumed = polydnn.Trainer.resume(trainer.save_checkpoint(tmp_path / "one.checkpoint"))
    assert resumed.settings == OTHERS
    assert list(resumed.settings) == list(SETTINGS) == list(OTHERS)
