"""What an executor computes, compared with the reference step on the same rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from polydnn_numba import numba_executor

from polydnn import Network, StepPlan, Trainer
from polydnn.execution import Data, Executor, Key, PureExecutor, first_state, reference_step

ROWS = 90  # a batch may hold a row several times
TOLERANCE = {"float32": 1e-4, "float64": 1e-12}
BATCHES = [1, 2, 16, 33, 700]

ACTIVATIONS: list[Any] = [
    "identity", "relu", "sigmoid", "tanh", "elu", ("elu", {"alpha": 0.5}), "selu", "silu", "softplus", "gelu",
    ("gelu", {"approximate": True}), "softmax", "log_softmax",
]  # fmt: skip
LOSSES = [
    ("mean_squared_error", "identity"),
    ("mean_squared_error", "softmax"),
    ("sum_squared_error", "relu"),
    ("mean_absolute_error", "sigmoid"),
    ("hinge", "tanh"),
    ("binary_cross_entropy", "sigmoid"),
    ("categorical_cross_entropy", "softmax"),
]
OPTIMIZERS: list[Any] = [
    "sgd",
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    "adam",
    ("adam", {"amsgrad": True, "beta1": 0.0}),
    ("adam", {"eps_inside_sqrt": True}),
    ("adam", {"eps_hat": True}),
    ("adam", {"eps_hat": True, "eps_inside_sqrt": True}),
    ("adamw", {"weight_decay": 0.3}),
    "rmsprop",
    ("rmsprop", {"momentum": 0.5}),
    ("rmsprop", {"centered": True, "eps_inside_sqrt": True}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
    "adagrad",
    ("adagrad", {"initial_sum": 0.1, "eps_inside_sqrt": True}),
]


def chain(
    *layers: Any, loss: Any = "mean_squared_error", dtype: str = "float64", features: int = 5, **options: Any
) -> Trainer:
    network = Network(features, list(layers), dtype=dtype, seed=1)
    return Trainer(network, loss=loss, **options)


def rows(trainer: Trainer, *, labels: bool = False, weighted: bool = False) -> Data:
    random = np.random.default_rng(3)
    dtype, outputs = trainer.network.dtype, trainer.network.outputs
    drawn = {
        "real": random.normal(size=(ROWS, outputs)),
        "probabilities": random.random((ROWS, outputs)),
        "signs": np.sign(random.normal(size=(ROWS, outputs))),
        "classes": random.dirichlet(np.ones(outputs), size=ROWS),
    }
    y = random.integers(0, outputs, size=ROWS) if labels else drawn[trainer.plan.loss.target_kind].astype(dtype)
    x = random.normal(size=(ROWS, trainer.network.in_features)).astype(dtype)
    return Data(x, y, random.random(ROWS).astype(dtype) if weighted else None)


def ready(trainer: Trainer, executor: Executor | None = None) -> Executor:
    executor = executor or numba_executor(trainer.plan)
    executor.load(trainer.network.arrays, first_state(trainer.plan))
    return executor


def flat(executor: Executor) -> dict[str, np.ndarray]:
    """Everything an executor has reached."""
    parameters, state = executor.read()
    slots = {f"{name} {slot}": array for name, held in state.items() for slot, array in held.items()}
    return {**parameters, **slots}


def assert_agrees(
    trainer: Trainer, data: Data, batch: int, count: int = 4, make: Callable[[StepPlan], Executor] = numba_executor
) -> None:
    order = np.random.default_rng(4).integers(0, ROWS, size=count * batch)
    rates = [0.01 * (1.0 + each / 10.0) for each in range(count)]
    expected = ready(trainer, PureExecutor(trainer.plan, reference_step(trainer.plan)))
    found = ready(trainer, make(trainer.plan))
    losses = [each.steps(data, order, batch, rates, Key(5, 7)) for each in (expected, found)]
    tolerance = TOLERANCE[trainer.network.dtype]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0, atol=tolerance * np.abs(losses[0]).max())
    assert losses[1].dtype == losses[0].dtype
    wanted, got = flat(expected), flat(found)
    assert set(got) == set(wanted)
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_allclose(got[name], array, rtol=0, atol=tolerance * np.abs(array).max(), err_msg=name)


def assert_stops_where_the_reference_does(trainer: Trainer, data: Data, order: np.ndarray, executor: Executor) -> None:
    """Of four steps the third is not finite: it is the last, and what is loaded again begins anew."""
    batch = len(order) // 4
    with np.errstate(all="ignore"):
        expected = ready(trainer, PureExecutor(trainer.plan, reference_step(trainer.plan)))
        wanted = expected.steps(data, order, batch, [0.1] * 4, Key(0, 1))
    losses = ready(trainer, executor).steps(data, order, batch, [0.1] * 4, Key(0, 1))
    assert len(losses) == len(wanted) == 3
    assert executor.stopped(losses[-1])
    np.testing.assert_allclose(losses[:2], wanted[:2])
    executor.load(trainer.network.arrays, first_state(trainer.plan))
    assert len(executor.steps(data, order[: 2 * batch], batch, [0.1] * 2, Key(0, 1))) == 2
    assert not executor.stopped(losses[1])
