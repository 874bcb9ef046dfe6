"""The NumPy executor for every optimizer with every activation, loss and batch size, and what it holds in memory."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.batch_size.working_set import count_step
from polydnn.execution import Data, Key, PureExecutor, StepPlan, first_state, reference_step
from polydnn.executors import numpy_executor
from polydnn.registry import default_registry

ROWS, OUTPUTS = 9, 3
BOUND = 1e-11
"""Relative to the largest element, in float64, after two steps."""


def names(kind: str) -> list[str]:
    return list(default_registry().names(kind))


def target(kind: str) -> Any:
    random = np.random.default_rng(1)
    if kind == "classes":
        return random.integers(0, OUTPUTS, ROWS)
    if kind == "real":
        return random.uniform(0.5, 2.0, (ROWS, OUTPUTS))
    marks = random.integers(0, 2, (ROWS, OUTPUTS)).astype(np.float64)
    return 2 * marks - 1 if kind == "signs" else marks


def plans(optimizer: str, loss: str) -> Iterator[StepPlan]:
    for activation in names("activation"):
        output = "sigmoid" if polydnn.loss(loss).on_probabilities else "identity"
        for last in {output, "softmax" if loss == "categorical_cross_entropy" else output}:
            layers = [polydnn.Dense(4, activation), polydnn.Dense(OUTPUTS, last)]
            network = polydnn.Network(2, layers, dtype="float64", seed=1)
            yield polydnn.Trainer(network, loss=loss, optimizer=optimizer).plan


def after(executor: Any, plan: StepPlan, data: Data, batch_size: int) -> dict[str, Any]:
    executor.load(plan.network.arrays, first_state(plan))
    losses = executor.steps(data, np.arange(2 * batch_size), batch_size, [0.01, 0.005], Key(0, 1))
    parameters, state = executor.read()
    arrays = {"loss": np.asarray(losses), **parameters}
    return arrays | {f"{name} {slot}": array for name, slots in state.items() for slot, array in slots.items()}


@pytest.mark.parametrize("loss", names("loss"))
@pytest.mark.parametrize("optimizer", names("optimizer"))
def test_every_optimizer_with_every_loss_activation_and_batch_size(optimizer: str, loss: str) -> None:
    x = np.random.default_rng(0).normal(size=(ROWS, 2))
    with np.errstate(all="ignore"):
        for plan in plans(optimizer, loss):
            data = Data(x, target(plan.loss.target_kind))
            for batch_size in (1, 4):
                wanted = after(PureExecutor(plan, reference_step(plan)), plan, data, batch_size)
                found = after(numpy_executor(plan), plan, data, batch_size)
                assert set(found) == set(wanted)
                for name, array in wanted.items():
                    scale = max(float(np.nanmax(np.abs(array))), 1e-3)
                    message = f"{plan.network.layers[0].activation.name}, batch size {batch_size}, {name}"
                    np.testing.assert_allclose(found[name], array, rtol=0, atol=BOUND * scale, err_msg=message)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [1, 32, 512])
def test_it_holds_parameters_gradients_state_and_the_activations_of_one_block(optimizer: str, batch_size: int) -> None:
    """What is allocated from plan to last step, beside the data, against what was counted beforehand."""
    layers = [polydnn.Dense(300, "relu"), polydnn.Dense(200, "relu"), polydnn.Dense(10, "softmax")]
    network = polydnn.Network(100, layers)
    plan = polydnn.Trainer(network, loss="categorical_cross_entropy", optimizer=optimizer).plan
    random = np.random.default_rng(0)
    data = Data(random.normal(size=(1024, 100)).astype(np.float32), random.integers(0, 10, 1024))
    order, start, state = random.permutation(1024), network.arrays, first_state(plan)
    warm = numpy_executor(plan)
    warm.load(start, state)
    warm.steps(data, order[: 2 * batch_size], batch_size, [0.01] * 2, Key(0, 1))
    tracemalloc.start()
    try:
        executor = numpy_executor(plan)
        executor.load(start, state)
        executor.steps(data, order[: 2 * batch_size], batch_size, [0.01] * 2, Key(0, 1))
        tracemalloc.reset_peak()  # choosing routines for the products needs room of its own, once
        executor.steps(data, order[: 2 * batch_size], batch_size, [0.01] * 2, Key(0, 3))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    counted = count_step(plan).working_set(batch_size).total
    assert peak <= 1.1 * counted + 300_000, f"{peak / 2**20:.2f} MiB held, {counted / 2**20:.2f} MiB counted"
