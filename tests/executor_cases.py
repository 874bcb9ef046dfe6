"""Plans and rows on which an executor is held to the reference on NumPy: every registered item, every feature."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import polydnn
from polydnn.arrays import Backend
from polydnn.execution import Data, Executor, Key, PureExecutor, StepPlan, first_state, reference_step
from polydnn.registry import default_registry

BOUND = {"float32": 1e-5, "float64": 1e-11}
"""Relative to the largest element of each array, after a few steps."""

ROWS = 23


def names(kind: str) -> list[str]:
    return list(default_registry().names(kind))


def plan_of(
    backend: Backend, layers: Sequence[Any], loss: Any = "mean_squared_error", optimizer: Any = "sgd", **options: Any
) -> StepPlan:
    network = polydnn.Network(4, list(layers), dtype=options.pop("dtype", "float64"), seed=3, backend=backend)
    network.set_parameters({name: backend.to_numpy(each) * 0.5 for name, each in network.parameters.items()})
    return polydnn.Trainer(network, loss=loss, optimizer=optimizer, **options).plan


def rows_for(plan: StepPlan, weighted: bool = False) -> Data:
    random = np.random.default_rng(0)
    outputs, kind, dtype = plan.network.widths[-1], plan.loss.target_kind, plan.network.dtype
    x = random.normal(size=(ROWS, 4)).astype(dtype)
    if kind == "classes":
        y: Any = random.integers(0, outputs, ROWS).astype(np.int32)
    elif kind == "real":
        y = random.uniform(0.5, 2.0, size=(ROWS, outputs)).astype(dtype)
    else:
        y = random.integers(0, 2, (ROWS, outputs)).astype(dtype)
        y = 2 * y - 1 if kind == "signs" else y
    return Data(x, y, random.uniform(0.0, 2.0, ROWS).astype(dtype) if weighted else None)


def executors(
    library: str, factory: Callable[[StepPlan], Executor], *arguments: Any, **options: Any
) -> tuple[Executor, Executor]:
    """The reference on NumPy and what ``factory`` makes on ``library``, each loaded with the same first values."""
    plan, other = (plan_of(polydnn.get_backend(name), *arguments, **options) for name in ("numpy", library))
    found: list[Executor] = [PureExecutor(plan, reference_step(plan)), factory(other)]
    for each in found:
        each.load(each.plan.network.arrays, first_state(each.plan))
    return found[0], found[1]


def on_device(executor: Executor, data: Data) -> Data:
    return Data(*(None if each is None else executor.plan.backend.asarray(each) for each in data))


def close(found: Any, wanted: Any, bound: float, name: str) -> None:
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype, name
    scale = max(float(np.abs(wanted).max(initial=0.0)), 1e-3)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=bound * scale, err_msg=name)


def same(reference: Executor, executor: Executor) -> None:
    """Parameters, statistics and optimizer state agree."""
    bound = BOUND[reference.plan.network.dtype]
    (parameters, state), (others, other_state) = reference.read(), executor.read()
    assert set(others) == set(parameters)
    for name, array in parameters.items():
        close(others[name], array, bound, name)
        assert executor.plan.backend.owns(others[name])
    for name, slots in state.items():
        assert set(other_state[name]) == set(slots)
        for slot, array in slots.items():
            close(other_state[name][slot], array, bound, f"{name} {slot}")


def compare(reference: Executor, executor: Executor, batch_size: int, weighted: bool = False) -> None:
    """Three steps, the last of fewer rows, at two learning rates; or two of all rows."""
    host = rows_for(reference.plan, weighted)
    shuffled = np.random.default_rng(5).permutation(ROWS)
    rates = [0.01, 0.005]
    losses = []
    for each in (reference, executor):
        data = on_device(each, host)
        order = shuffled if each.order_on_host else each.plan.backend.asarray(shuffled)
        if batch_size == ROWS:
            found = [each.step(data.x, data.y, rates[n], Key(7, n + 1), data.weights) for n in range(2)]
        else:
            found = [*each.steps(data, order[: 2 * batch_size], batch_size, rates, Key(7, 1))]
            if batch_size > 1:
                found += [*each.steps(data, order[-3:], 3, [0.01], Key(7, 3))]
        losses.append(np.asarray([float(loss) for loss in found]))
    close(losses[1], losses[0], BOUND[reference.plan.network.dtype], "losses")
    same(reference, executor)


OPTIMIZERS: list[Any] = [
    *names("optimizer"),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("adam", {"amsgrad": True, "eps_hat": True}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
]
KIND_OF_OUTPUT = {
    "binary_cross_entropy": [polydnn.Dense(2, "sigmoid")],
    "categorical_cross_entropy": [polydnn.Dense(3, "softmax")],
}


def every(count: int, *choices: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """``count`` rows in which every choice of every list comes up, in changing company."""
    for number in range(count):
        yield tuple(each[(number + number // len(each) * place) % len(each)] for place, each in enumerate(choices))


CHOICES = (names("activation"), OPTIMIZERS, names("loss"), [1, 8, ROWS], ["float64", "float32"])
FEW = list(every(max(len(each) for each in CHOICES), *CHOICES))


def layers_for(activation: str, loss: str) -> list[Any]:
    """A hidden layer with this activation, and an output that suits the loss."""
    return [polydnn.Dense(5, activation), *KIND_OF_OUTPUT.get(loss, [polydnn.Dense(2)])]


HIDDEN = polydnn.Dense(5, "tanh")
FEATURES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "penalties and clipping": (
        [HIDDEN, polydnn.Dense(2)],
        {"l1": 0.01, "l2": 0.02, "clip_value": 0.5, "clip_norm": 0.1},
    ),
    "normalization and batch normalization": (
        [polydnn.Normalization(), HIDDEN, polydnn.BatchNormalization(), polydnn.Dense(2)],
        {"optimizer": "adamw"},
    ),
    "dropout": ([HIDDEN, polydnn.Dropout(0.4), polydnn.Dense(2)], {"optimizer": "adam"}),
    "dropout in float32": (
        [polydnn.Dropout(0.2), HIDDEN, polydnn.Dropout(0.4), polydnn.Dense(2)],
        {"dtype": "float32"},
    ),
}
