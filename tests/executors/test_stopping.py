"""Whatever the executor, the step that leaves something not finite is the last one that changes anything."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.execution import Data, Executor, Key, PureExecutor, StepPlan, first_state, reference_step
from polydnn.executors import jax_executor, numpy_executor, torch_flat_executor
from tests.torch_graph_on_host import graph_on_host

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

STEPS, BAD = 6, 3
RATES = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]


def reference(plan: StepPlan) -> Executor:
    return PureExecutor(plan, reference_step(plan))


MADE: dict[str, tuple[str, Callable[[StepPlan], Executor]]] = {
    "numpy": ("numpy", numpy_executor),
    "jax": ("jax", jax_executor),
    "torch_flat": ("torch", torch_flat_executor),
    "torch_graph": ("torch", graph_on_host),
}


def spoilt_row(backend: Backend) -> tuple[StepPlan, np.ndarray[Any, Any], np.ndarray[Any, Any], list[float]]:
    """The loss of the third step is NaN; momentum and batch normalization have arrays of their own to keep."""
    layers = [polydnn.Dense(4, "tanh"), polydnn.BatchNormalization(), polydnn.Dense(2)]
    network = polydnn.Network(3, layers, backend=backend, seed=1)
    options: dict[str, Any] = {"optimizer": "adam", "weight_decay": 0.01}
    x = np.random.default_rng(0).normal(size=(2 * STEPS, 3)).astype(np.float32)
    x[2 * BAD - 1, 1] = np.nan
    return polydnn.Trainer(network, loss="mean_squared_error", **options).plan, x, x[:, :2] * 0.5, RATES


def saturated(backend: Backend) -> tuple[StepPlan, np.ndarray[Any, Any], np.ndarray[Any, Any], list[float]]:
    """The third step makes a weight infinite; behind tanh the losses stay finite for ever."""
    network = polydnn.Network(1, [polydnn.Dense(1, "tanh", use_bias=False)], backend=backend, seed=3)
    plan = polydnn.Trainer(network, loss="mean_squared_error").plan
    rates = [1e-4, 1e-4, 3e38, 1e-4, 1e-4, 1e-4]
    return plan, np.full((2 * STEPS, 1), 0.9, np.float32), np.full((2 * STEPS, 1), -9.0, np.float32), rates


def run(executor: Executor, x: Any, y: Any, rates: list[float]) -> tuple[np.ndarray[Any, Any], list[Any]]:
    plan = executor.plan
    executor.load(plan.network.arrays, first_state(plan))
    order = np.arange(2 * len(rates))
    data, backend = Data(plan.backend.asarray(x), plan.backend.asarray(y)), plan.backend
    rows = order if executor.order_on_host else backend.asarray(order, dtype=backend.index_dtype)
    losses = executor.steps(data, rows, 2, rates, Key(0, 1))
    parameters, state = executor.read()
    arrays = [*parameters.values(), *(array for slots in state.values() for array in slots.values())]
    found = losses if isinstance(losses, np.ndarray) else backend.to_numpy(losses)
    return found, [np.array(backend.to_numpy(array)) for array in arrays]


@pytest.mark.parametrize("case", [spoilt_row, saturated])
@pytest.mark.parametrize("made", MADE)
def test_nothing_moves_after_it(made: str, case: Callable[[Backend], Any]) -> None:
    library, factory = MADE[made]
    if library != "numpy":
        pytest.importorskip(library)
    check(factory, *case(polydnn.get_backend(library)))


@pytest.mark.parametrize("case", [spoilt_row, saturated])
def test_nothing_moves_after_it_in_plain_steps(backend: Backend, case: Callable[[Backend], Any]) -> None:
    check(reference, *case(backend))


def check(factory: Callable[[StepPlan], Executor], plan: StepPlan, x: Any, y: Any, rates: list[float]) -> None:
    """Six steps leave the bits that three leave, and the three were not stopped before."""
    executor = factory(plan)
    losses, arrays = run(executor, x, y, rates)
    until, expected = run(executor, x, y, rates[:BAD])
    assert until.shape == (BAD,)
    assert np.isfinite(until[: BAD - 1]).all()
    finite = [np.isfinite(array).all() for array in expected]
    assert not all(finite)
    np.testing.assert_array_equal(losses[:BAD], until)
    assert not np.isfinite(losses[BAD:]).any()
    for array, same in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, same)
    before, good = run(executor, x, y, rates[: BAD - 1])
    assert np.isfinite(before).all()
    assert all(np.isfinite(array).all() for array in good)
