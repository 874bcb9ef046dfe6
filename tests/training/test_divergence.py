"""Numbers that are not finite are noticed within a step, named by epoch, step and layer, and never saved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, permutation
from polydnn.errors import DivergenceError
from polydnn.storage import CheckpointFolder
from polydnn.training.divergence import all_finite

N, BAD_ROW = 12, 7
X = np.random.default_rng(0).normal(size=(N, 3))
X[BAD_ROW] = 50.0
Y = np.random.default_rng(1).normal(size=(N, 1))

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def step_of_the_bad_row(epoch: int) -> int:
    return epoch * N + 1 + int(np.flatnonzero(permutation(N, 0, epoch) == BAD_ROW)[0])


def spoilt(value: float, where: str) -> polydnn.Activation:
    """The identity, except that its output or its derivative is ``value`` where the input is large."""

    def replaced(z: Any, usual: Any, xp: Any) -> Any:
        return xp.where(xp.abs(z) > 20.0, xp.full_like(z, value), usual)

    def forward(z: Any, *, xp: Any) -> Any:
        return replaced(z, z, xp) if where == "output" else z

    def derivative(z: Any, y: Any, *, xp: Any) -> Any:
        return replaced(z, xp.ones_like(z), xp) if where == "gradient" else xp.ones_like(z)

    return polydnn.Activation("spoilt", forward, derivative)


def trainer_of(backend: Backend | str, layers: list[Any], **options: Any) -> Any:
    network = polydnn.Network(3, layers, backend=backend, dtype="float64")
    given = {"optimizer": "sgd", "learning_rate": 1e-6, "batch_size": 1, **options}
    return polydnn.Trainer(network, loss="mean_squared_error", **given)


@pytest.mark.parametrize("check_every", [None, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("where", ["output", "gradient"])
def test_epoch_step_and_layer_are_named(
    backend: Backend, value: float, layer: int, where: str, check_every: int | None
) -> None:
    """Both layers see the large row; only one of them spoils it, and only that one is named."""
    one = [[1.0] * 4] * 3  # a first layer that keeps large what is large
    layers = [polydnn.Dense(4), polydnn.Dense(1)]
    layers[layer] = polydnn.Dense(layers[layer].units, spoilt(value, where))
    trainer = trainer_of(backend, layers, check_every=check_every)
    arrays = {name: trainer.network.backend.to_numpy(array) for name, array in trainer.network.parameters.items()}
    trainer.network.set_parameters({**arrays, "layers.0.weight": np.array(one), "layers.1.weight": np.ones((4, 1))})
    part = (
        f"the output of layers.{layer} (dense)"
        if where == "output"
        else f"the gradient of layers.{layer}.weight (dense)"
    )
    with pytest.raises(DivergenceError) as error:
        trainer.fit(X, Y, epochs=2)
    text = str(error.value)
    assert (
        f"in epoch 1, at step {step_of_the_bad_row(0)}. The first number that is not finite is in {part}. Try" in text
    )
    assert "Try a learning rate below 1e-06 (a tenth of it, say), clip_norm=1.0" in text
    assert np.isfinite(trainer.network.backend.to_numpy(trainer.network.parameters["layers.0.weight"])).all()


def test_an_infinite_weight_behind_a_saturated_activation_stops_the_same_step() -> None:
    """The loss stays finite for ever; the parameter does not."""
    network = polydnn.Network(1, [polydnn.Dense(1, "tanh", use_bias=False)], seed=3)
    trainer = polydnn.Trainer(network, loss="mean_squared_error", batch_size=1, learning_rate=3e38)
    x, y = np.full((6, 1), 0.9), np.array([[-9.0]] * 6)
    with pytest.raises(
        DivergenceError, match=r"layers\.0\.weight became -inf in epoch 1, at step 1\. .*after its update"
    ):
        trainer.fit(x, y, epochs=1)


def test_parameters_that_are_large_but_finite_are_no_divergence() -> None:
    """Their squares overflow, which is how a look begins; it must not end there."""
    for name in ("numpy", "array-api-strict"):
        backend = polydnn.get_backend(name)
        large, infinite = backend.asarray(np.full(3, 1e30, np.float32)), backend.asarray(np.array([1e30, -np.inf]))
        assert all_finite(backend, [backend.asarray(1.0)], [large])
        assert not all_finite(backend, [backend.asarray(1.0)], [large, infinite])
        assert not all_finite(backend, [backend.asarray(np.nan)], [large])


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_the_last_good_checkpoint_stays(tmp_path: Path, name: str) -> None:
    if name == "torch":
        pytest.importorskip("torch")
    trainer = trainer_of(name, [polydnn.Dense(1, spoilt(np.nan, "gradient"))])
    trainer.network.set_parameters({"layers.0.weight": np.ones((3, 1)), "layers.0.bias": np.zeros(1)})
    with pytest.raises(DivergenceError):
        trainer.fit(X, Y, epochs=2, checkpoints=tmp_path, checkpoint_every=1)
    last = step_of_the_bad_row(0) - 1
    with CheckpointFolder(tmp_path) as folder:
        assert folder.steps()[-1] == last
        newest = folder.latest()
    assert newest is not None
    assert all(np.isfinite(array).all() for each, array in newest[2].items() if each.startswith("network/"))


def test_an_infinite_loss_with_finite_gradients_is_not_saved_either(tmp_path: Path) -> None:
    """On a device the sum of the losses spoils before anybody looks; a checkpoint with it could never be finished."""
    base = polydnn.loss("mean_squared_error")

    def value(prediction: Any, target: Any, *, xp: Any) -> Any:
        return xp.where(xp.abs(prediction[:, 0]) > 20.0, xp.full_like(prediction[:, 0], np.inf), prediction[:, 0])

    network = polydnn.Network(3, [polydnn.Dense(1)], backend="array-api-strict", dtype="float64")
    network.set_parameters({"layers.0.weight": np.ones((3, 1)), "layers.0.bias": np.zeros(1)})
    trainer = polydnn.Trainer(
        network, loss=polydnn.Loss("mine", value, base.gradient), batch_size=1, learning_rate=1e-6
    )
    with pytest.raises(DivergenceError, match="loss_sum is not finite after step"):
        trainer.fit(X, Y, epochs=1, checkpoints=tmp_path, checkpoint_every=1)
    with CheckpointFolder(tmp_path) as folder:
        assert folder.steps()[-1] == step_of_the_bad_row(0) - 1


@pytest.mark.parametrize("check_every", [1, 4, 7, 100])
def test_looking_less_often_finds_the_same_step(check_every: int) -> None:
    trainer = trainer_of("torch" if pytest.importorskip("torch") else "", [polydnn.Dense(1, spoilt(np.nan, "output"))])
    trainer.network.set_parameters({"layers.0.weight": np.ones((3, 1)), "layers.0.bias": np.zeros(1)})
    trainer.check_every = check_every
    with pytest.raises(DivergenceError, match=rf"at step {step_of_the_bad_row(0)}\. .*the output of layers\.0 "):
        trainer.fit(X, Y, epochs=3)
