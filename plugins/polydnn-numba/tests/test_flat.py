"""The one-pass updates are the optimizers' own, on buffers of any length, and serve the NumPy executor."""

from typing import Any

import numpy as np
import pytest
from polydnn_numba import numba_executor
from polydnn_numba.compiling import kept
from polydnn_numba.flat import flat_update
from polydnn_numba.tiny import TinyExecutor

import polydnn
from polydnn import BatchNormalization, Dense, Network, Trainer
from polydnn.execution import Data, Executor, Key, PureExecutor, first_state, reference_step

OPTIMIZERS: list[Any] = [
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    "adam",
    ("adam", {"amsgrad": True, "eps_hat": True}),
    "adamw",
    "rmsprop",
    ("rmsprop", {"momentum": 0.5}),
    ("rmsprop", {"centered": True, "eps_inside_sqrt": True}),
    "adagrad",
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", *OPTIMIZERS], ids=str)
def test_it_is_the_update_of_the_optimizer(optimizer: Any, dtype: str) -> None:
    made = polydnn.optimizer(optimizer)
    update = flat_update(made)
    random = np.random.default_rng(0)
    for size in (1, 8, 15, 16, 17, 1000):
        parameters = random.normal(size=size).astype(dtype)
        wanted, state = parameters, made.init(parameters, xp=np)
        slots = {slot: array.copy() for slot, array in state.items()}
        for step in (1, 2, 3):
            gradients = random.normal(size=size).astype(dtype)
            wanted, state = made.update(gradients, state, wanted, learning_rate=0.01, step=step, xp=np)
            update(parameters, gradients, slots, 0.01, step)
        tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
        np.testing.assert_allclose(parameters, wanted, rtol=tolerance, atol=tolerance)
        for slot, array in state.items():
            np.testing.assert_allclose(slots[slot], array, rtol=tolerance, atol=tolerance)


def test_nothing_is_written_beside_the_buffers() -> None:
    made = polydnn.optimizer("adam")
    for size in (3, 16, 21):
        rooms = np.full((4, 64), 7.0)
        parameters, gradients, *slots = (room[20 : 20 + size] for room in rooms)
        for each in slots:
            each[...] = 0.0
        flat_update(made)(parameters, gradients, dict(zip(("gradient_sum", "square_sum"), slots, strict=True)), 0.1, 1)
        assert (rooms[:, :20] == 7.0).all()
        assert (rooms[:, 20 + size :] == 7.0).all()
        assert (parameters != 7.0).all()


def deep(optimizer: Any, **options: Any) -> Trainer:
    layers = [Dense(20, "relu"), BatchNormalization(), Dense(3)]  # the statistics are the NumPy executor's business
    return Trainer(
        Network(5, layers, dtype="float64", seed=1), loss="mean_squared_error", optimizer=optimizer, **options
    )


def run(executor: Executor, trainer: Trainer, data: Data, cuts: list[int]) -> dict[str, np.ndarray]:
    """Six steps of 10 rows, cut into bundles; everything that was reached."""
    executor.load(trainer.network.arrays, first_state(trainer.plan))
    order, losses = np.arange(60), []
    for start, end in zip([0, *cuts], [*cuts, 6], strict=True):
        rates = [0.01] * (end - start)
        losses += list(executor.steps(data, order[10 * start : 10 * end], 10, rates, Key(0, 1 + start)))
    parameters, state = executor.read()
    slots = {f"{name} {slot}": array for name, held in state.items() for slot, array in held.items()}
    return {"losses": np.asarray(losses), **parameters, **slots}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_other_networks_get_one_pass_updates(optimizer: Any) -> None:
    trainer = deep(optimizer, clip_norm=0.5, weight_decay=0.1)
    random = np.random.default_rng(0)
    data = Data(random.normal(size=(60, 5)), random.normal(size=(60, 3)))
    executor = numba_executor(trainer.plan)
    assert not isinstance(executor, TinyExecutor)
    found = run(executor, trainer, data, [])
    wanted = run(PureExecutor(trainer.plan, reference_step(trainer.plan)), trainer, data, [])
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-12 * np.abs(array).max(), err_msg=name)
    again = run(numba_executor(trainer.plan), trainer, data, [1, 4])
    for name, array in found.items():
        np.testing.assert_array_equal(again[name], array)


def test_a_large_network_gets_them_too() -> None:
    network = Network(200, [Dense(100, "relu"), Dense(10, "softmax")])
    trainer = Trainer(network, loss="categorical_cross_entropy", optimizer="adam", execution="numba", batch_size=25)
    random = np.random.default_rng(0)
    trainer.fit(random.normal(size=(50, 200)), random.integers(0, 10, 50), epochs=2)
    assert trainer.choice is not None
    assert trainer.choice.name == "numba"
    assert not isinstance(trainer.choice.executor, TinyExecutor)


def test_plain_gradient_descent_is_left_to_the_numpy_executor() -> None:
    with pytest.raises(NotImplementedError, match="and plain gradient descent has no update to gain on"):
        numba_executor(deep("sgd").plan)


def test_where_nothing_can_be_kept_on_disk_it_is_compiled_all_the_same() -> None:
    names: dict[str, Any] = {}
    exec("def successor(x):\n    return x + 1", names)  # numba finds no file beside which to keep it
    assert kept(names["successor"])(1) == 2
