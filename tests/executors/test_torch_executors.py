"""The torch executors compute what the reference computes on NumPy; the graph's capture is replaced where no GPU is."""

from itertools import product
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.execution import Key, first_state
from polydnn.executors import torch_flat_executor, torch_graph_executor
from polydnn.optimizers import Optimizer
from tests.executor_cases import (
    FEATURES,
    FEW,
    OPTIMIZERS,
    ROWS,
    compare,
    executors,
    layers_for,
    names,
    on_device,
    rows_for,
)
from tests.torch_graph_on_host import graph_on_host

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


MADE: dict[str, Any] = {"flat": ("torch", torch_flat_executor), "graph": ("torch", graph_on_host)}
CUDA: Any = ("torch:cuda", torch_graph_executor)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize(("activation", "optimizer", "loss", "batch_size", "dtype"), FEW, ids=str)
def test_every_item_once(made: str, activation: str, optimizer: Any, loss: str, batch_size: int, dtype: str) -> None:
    compare(*executors(*MADE[made], layers_for(activation, loss), loss, optimizer, dtype=dtype), batch_size)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_with_every_loss_and_batch_size(made: str, optimizer: Any) -> None:
    for activation, loss, batch_size in product(["tanh", "relu"], names("loss"), [1, 8, ROWS]):
        compare(*executors(*MADE[made], layers_for(activation, loss), loss, optimizer), batch_size)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("batch_size", [8, ROWS])
def test_layers_and_penalties_with_weights(made: str, feature: str, batch_size: int) -> None:
    layers, options = FEATURES[feature]
    compare(*executors(*MADE[made], layers, **options), batch_size, weighted=True)


def by_rows() -> Optimizer:
    """Every row of a weight moves by its own length: not elementwise, and the shape counts."""

    def update(gradient: Any, state: Any, parameter: Any, *, learning_rate: Any, step: Any, xp: Any) -> Any:
        assert gradient.shape == parameter.shape
        length = xp.sqrt(xp.sum(gradient * gradient, axis=-1, keepdims=True)) + 1e-3
        seen = state["seen"] + gradient
        return parameter - learning_rate * seen / length, {"seen": seen}

    return Optimizer("by_rows", lambda parameter, *, xp: {"seen": xp.zeros_like(parameter)}, update)


def test_an_optimizer_that_is_not_elementwise_sees_whole_parameters() -> None:
    compare(*executors("torch", graph_on_host, [polydnn.Dense(5, "tanh"), polydnn.Dense(2)], optimizer=by_rows()), 8)


@pytest.mark.parametrize("made", MADE)
def test_arrays_given_out_or_taken_in_are_never_changed(made: str) -> None:
    executor = executors(*MADE[made], [polydnn.Dense(2), polydnn.BatchNormalization()], optimizer="adam")[1]
    data = on_device(executor, rows_for(executor.plan))
    start = executor.plan.network.arrays, first_state(executor.plan)
    kept = [start]
    for number in (1, 2):
        executor.step(data.x, data.y, 0.1, Key(0, number))
        kept.append(executor.read())
    leaves = [[*arrays.values(), *(each for own in state.values() for each in own.values())] for arrays, state in kept]
    before = [[each.numpy().copy() for each in one] for one in leaves]
    executor.step(data.x, data.y, 0.1, Key(0, 3))
    for one, copies in zip(leaves, before, strict=True):
        for array, copy in zip(one, copies, strict=True):
            np.testing.assert_array_equal(array.numpy(), copy)
            assert not array.is_inference()  # a user may go on with it under autograd
    assert len({each[0].tobytes() for each in before}) == 3
    executor.load(*kept[1])
    for name, array in executor.read()[0].items():
        np.testing.assert_array_equal(array.numpy(), kept[1][0][name].numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_bundles(dtype: str) -> None:
    layers = [polydnn.Dense(5, "tanh"), polydnn.Dropout(0.3), polydnn.BatchNormalization(), polydnn.Dense(2)]
    executor = executors(*MADE["flat"], layers, optimizer="adam", dtype=dtype)[1]
    data = on_device(executor, rows_for(executor.plan, weighted=True))
    order = executor.plan.backend.asarray(np.random.default_rng(5).permutation(ROWS))
    found = set()
    for bundles in ([1] * 6, [6], [2, 4]):
        executor.load(executor.plan.network.arrays, first_state(executor.plan))
        losses, done = [], 0
        for count in bundles:
            losses += [*executor.steps(data, order[3 * done :][: 3 * count], 3, [0.1] * count, Key(7, done + 1))]
            done += count
        arrays = [*losses, *executor.read()[0].values()]
        found.add(b"".join(each.numpy().tobytes() for each in arrays))
    assert len(found) == 1


def test_a_graph_is_captured_once_for_each_size_of_batch() -> None:
    executor: Any = executors(*MADE["graph"], [polydnn.Dense(2)])[1]
    data = on_device(executor, rows_for(executor.plan, weighted=True))
    for rows, weights in ((4, None), (4, None), (5, None), (4, data.weights), (5, None), (4, data.weights)):
        executor.step(data.x[:rows], data.y[:rows], 0.1, Key(0, 1), None if weights is None else weights[:rows])
    assert len(executor._recordings) == 3


@pytest.mark.parametrize(
    ("factory", "width", "optimizer", "reason"),
    [
        (torch_flat_executor, 4000, "sgd", "it is for elementwise optimizers and up to 16384 parameters on a CPU"),
        (torch_flat_executor, 2, by_rows(), "it is for elementwise optimizers and up to 16384 parameters on a CPU"),
        (torch_graph_executor, 2, "sgd", "it is for CUDA devices"),
    ],
)
def test_plans_they_are_not_made_for(factory: Any, width: int, optimizer: Any, reason: str) -> None:
    with pytest.raises(NotImplementedError, match=reason):
        executors("torch", factory, [polydnn.Dense(width)], optimizer=optimizer)


@pytest.mark.parametrize(("width", "name"), [(5, "torch_flat"), (4000, "reference")])
def test_a_fit_takes_what_was_made_for_it_without_a_word(width: int, name: str) -> None:
    network = polydnn.Network(4, [polydnn.Dense(width, "relu"), polydnn.Dense(1)], backend="torch", seed=1)
    trainer = polydnn.Trainer(network, loss="mean_squared_error", optimizer="adam", batch_size=8)
    x = np.random.default_rng(0).normal(size=(ROWS, 4))
    losses = trainer.fit(x, x[:, :1], epochs=5)["loss"]
    assert losses[-1] < losses[0]
    assert trainer.choice is not None
    assert (trainer.choice.name, trainer.choice.reasons) == (name, ())


# ---- with a GPU ----------------------------------------------------------------------------------------------------

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


@needs_cuda
@pytest.mark.gpu
@pytest.mark.parametrize(("activation", "optimizer", "loss", "batch_size", "dtype"), FEW, ids=str)
def test_every_item_in_a_graph(activation: str, optimizer: Any, loss: str, batch_size: int, dtype: str) -> None:
    compare(*executors(*CUDA, layers_for(activation, loss), loss, optimizer, dtype=dtype), batch_size)


@needs_cuda
@pytest.mark.gpu
@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_in_a_graph(feature: str) -> None:
    layers, options = FEATURES[feature]
    compare(*executors(*CUDA, layers, **options), 8, weighted=True)


@needs_cuda
@pytest.mark.gpu
def test_what_cannot_be_captured_leaves_the_reference() -> None:
    def looking(z: Any, *, xp: Any) -> Any:
        return z if float(xp.max(z)) > 0 else 2 * z

    strange = polydnn.Activation("strange", looking, derivative=lambda z, y, *, xp: xp.ones_like(z))
    network = polydnn.Network(4, [polydnn.Dense(2, strange)], backend="torch:cuda")
    trainer = polydnn.Trainer(network, loss="mean_squared_error", batch_size=8)
    trainer.fit(np.ones((ROWS, 4)), np.ones((ROWS, 2)), epochs=1)
    assert trainer.choice is not None
    assert trainer.choice.name == "reference"
    assert trainer.choice.reasons[0].startswith("executor 'torch_graph' is not used: ")
