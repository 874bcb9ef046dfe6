"""The CuPy executor on a real CUDA device against the reference step there; without one everything here is skipped."""

import dataclasses
import itertools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import cupy_backend
from polydnn.errors import BackendUnavailableError
from polydnn.execution import Data, Executor, Key, Penalties, PureExecutor, StepPlan, first_state, reference_step
from polydnn.executors import cupy_executor
from polydnn.executors.on_cupy.executor import CupyExecutor

pytestmark = pytest.mark.gpu

RNG = np.random.default_rng(11)
X, WEIGHTS, ORDER = RNG.standard_normal((40, 6)), RNG.random(40), RNG.permutation(40)
LABELS, REAL, SHARES = RNG.integers(0, 4, 40), RNG.standard_normal((40, 4)), RNG.random((40, 4)) / 4
LOSSES = {
    "labels": ("categorical_cross_entropy", "softmax", LABELS),
    "rows": ("categorical_cross_entropy", "softmax", SHARES),
    "on probabilities": ("categorical_cross_entropy", "sigmoid", SHARES),
    "binary": ("binary_cross_entropy", "sigmoid", SHARES),
    "squares": ("mean_squared_error", "tanh", REAL),
    "half squares": ("sum_squared_error", "identity", REAL),
    "without a kernel": ("mean_absolute_error", "identity", REAL),
}
OPTIMIZERS = ("sgd", ("sgd", {"momentum": 0.9}), "adam", "adamw", "rmsprop", "adagrad")
ACTIVATIONS = (
    "identity",
    "relu",
    "sigmoid",
    "tanh",
    "elu",
    "selu",
    "softplus",
    "silu",
    "gelu",
    "softmax",
    "log_softmax",
)
CASES = [(loss, "relu", optimizer, "float32") for loss, optimizer in itertools.product(LOSSES, OPTIMIZERS)]
CASES += [("labels", each, "adam", dtype) for each, dtype in itertools.product(ACTIVATIONS, ("float32", "float64"))]
CASES += [("labels", "relu", each, "float64") for each in OPTIMIZERS]


@pytest.fixture
def plan_for() -> Callable[..., StepPlan]:
    """Makes plans on CuPy."""
    try:
        backend = cupy_backend()
    except BackendUnavailableError as error:
        pytest.skip(str(error))

    def make(*layers: Any, loss: str, optimizer: Any, dtype: str = "float32", **penalties: Any) -> StepPlan:
        network = polydnn.Network(6, list(layers), dtype=dtype, seed=2).to(backend)
        plan = polydnn.Trainer(network, loss=loss, optimizer=optimizer).plan
        return dataclasses.replace(plan, penalties=Penalties(**penalties))

    return make


def loaded(executor: Executor) -> Executor:
    executor.load(executor.plan.network.arrays, first_state(executor.plan))
    return executor


def rows_of(plan: StepPlan, y: Any, weights: Any = None) -> tuple[Data, Any]:
    """Data on the device, and an order for forty batches of ten."""
    backend, real = plan.backend, plan.network.real_dtype
    target = backend.asarray(y) if y.ndim == 1 else backend.asarray(y, dtype=real)
    shares = None if weights is None else backend.asarray(weights, dtype=real)
    order = backend.asarray(np.tile(ORDER, 10), dtype=backend.index_dtype)
    return Data(backend.asarray(X, dtype=real), target, shares), order


def compare(plan: StepPlan, y: Any, weights: Any = None) -> None:
    """Forty steps, the long graph among them, and everything they leave behind."""
    host = plan.backend.to_numpy
    data, order = rows_of(plan, y, weights)
    executor, reference = loaded(cupy_executor(plan)), loaded(PureExecutor(plan, reference_step(plan)))
    rates = list(np.linspace(0.01, 0.001, 40))
    found, expected = (host(each.steps(data, order, 10, rates, Key(0, 1))) for each in (executor, reference))
    rtol = 5e-3 if plan.network.dtype == "float32" else 1e-7
    np.testing.assert_allclose(found, expected, rtol=rtol)
    mine, theirs = executor.read()[0], reference.read()[0]
    for name, array in theirs.items():
        np.testing.assert_allclose(host(mine[name]), host(array), rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize(("name", "activation", "optimizer", "dtype"), CASES, ids=str)
def test_every_part(name: str, activation: str, optimizer: Any, dtype: str, plan_for: Any, caplog: Any) -> None:
    loss, last, y = LOSSES[name]
    layers = (polydnn.Dense(9, activation), polydnn.Dense(4, last))
    with caplog.at_level(logging.WARNING, "polydnn"):
        compare(plan_for(*layers, loss=loss, optimizer=optimizer, dtype=dtype), y, WEIGHTS)
    assert "without a CUDA graph" not in caplog.text


@pytest.mark.parametrize("penalties", [{"l1": 0.1, "l2": 0.1}, {"clip_norm": 0.1}, {"weight_decay": 0.1}], ids=str)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_penalties_and_other_layers(penalties: Any, optimizer: str, plan_for: Any) -> None:
    layers = (polydnn.Dropout(0.2), polydnn.Dense(9, "relu"), polydnn.BatchNormalization(), polydnn.Dense(4))
    compare(plan_for(*layers, loss="mean_squared_error", optimizer=optimizer, dtype="float64", **penalties), REAL)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_bundles_do_not_matter(optimizer: str, plan_for: Any) -> None:
    """Singly, by the short graph and by the long one: the same bits."""
    plan = plan_for(polydnn.Dense(64, "relu"), polydnn.Dense(4), loss="mean_squared_error", optimizer=optimizer)
    data, order = rows_of(plan, REAL)
    found = []
    for size in (1, 7, 40):
        executor = loaded(cupy_executor(plan))
        for start in range(0, 40, size):
            rates = [0.01] * min(size, 40 - start)
            part = order[start * 10 : (start + len(rates)) * 10]
            executor.steps(data, part, 10, rates, Key(0, start + 1))
        found.append({name: plan.backend.to_numpy(array) for name, array in executor.read()[0].items()})
    assert all(np.array_equal(found[0][name], other[name]) for other in found[1:] for name in other)


def test_a_fit_takes_the_executor(plan_for: Any) -> None:
    plan = plan_for(polydnn.Dense(32, "relu"), polydnn.Dense(4), loss="mean_squared_error", optimizer="adam")
    trainer = polydnn.Trainer(
        plan.network, loss="mean_squared_error", optimizer="adam", batch_size=16, execution="cupy_graph"
    )
    history = trainer.fit(X, REAL, epochs=20)
    assert isinstance(trainer.executor_for(X, REAL), CupyExecutor)
    assert history.loss[-1] < history.loss[0]


def test_a_loss_that_is_not_finite_is_seen(plan_for: Any) -> None:
    plan = plan_for(polydnn.Dense(4), loss="mean_squared_error", optimizer="sgd")
    data, order = rows_of(plan, REAL)
    executor = loaded(cupy_executor(plan))
    losses = executor.steps(data, order[:30], 10, [1e30] * 3, Key(0, 1))
    plan.backend.synchronize()
    assert executor.stopped(losses[-1])


def test_other_work_does_not_disturb_a_captured_plugin(plan_for: Any) -> None:
    """Arrays made between replays must not lie where the graph writes."""

    def cube(z: Any, *, xp: Any) -> Any:
        return z * z * z

    activation = polydnn.Activation("cube", cube, derivative=lambda z, y, *, xp: 3.0 * z * z)
    plan = plan_for(polydnn.Dense(50, activation), polydnn.Dense(4), loss="mean_squared_error", optimizer="adam")
    xp, (data, order) = plan.backend.xp, rows_of(plan, REAL)
    executor = loaded(cupy_executor(plan))
    others = []
    for step in range(1, 30):
        executor.steps(data, order[:10], 10, [1e-3], Key(0, step))
        others.append(xp.full((10, 50), float(step), dtype=xp.float32))
    assert [float(xp.min(each)) for each in others] == [float(xp.max(each)) for each in others] == list(range(1, 30))


def test_numbers_of_a_step_lie_where_cublaslt_reads_them(plan_for: Any) -> None:
    """The library must accept scalars in device memory, or plain descent pays for a gradient it does not need."""
    plan = plan_for(polydnn.Dense(4), loss="mean_squared_error", optimizer="sgd")
    executor = loaded(cupy_executor(plan))
    data, order = rows_of(plan, REAL)
    executor.steps(data, order[:10], 10, [0.1], Key(0, 1))
    assert isinstance(executor, CupyExecutor)
    assert executor.writes_into_weights, "cublasLt found no algorithm with its scalars on the device"
