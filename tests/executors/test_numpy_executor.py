"""The NumPy executor computes what the reference computes: every item of the registry, every kind of plan."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.execution import Data, Key, PureExecutor, StepPlan, first_state, reference_step, tuning
from polydnn.executors import numpy_executor
from polydnn.executors.on_numpy.blas import thread_limit
from polydnn.executors.on_numpy.buffers import Buffers
from polydnn.executors.on_numpy.schedule import SURELY_SHARED, Batch, Shared, Whole, schedule_for
from polydnn.registry import default_registry

BOUND = {"float32": 5e-5, "float64": 1e-12}
"""Relative to the largest element of each array, after three steps."""

ROWS = 23


def names(kind: str) -> list[str]:
    return list(default_registry().names(kind))


def data_for(plan: StepPlan, seed: int = 0) -> Data:
    random = np.random.default_rng(seed)
    outputs, kind = plan.network.widths[-1], plan.loss.target_kind
    x = random.normal(size=(ROWS, plan.network.in_features)).astype(plan.network.dtype)
    if kind == "classes":
        y: Any = random.integers(0, outputs, ROWS)
    elif kind == "real":
        y = random.uniform(0.5, 2.0, size=(ROWS, outputs)).astype(plan.network.dtype)
    else:
        y = random.integers(0, 2, (ROWS, outputs)).astype(plan.network.dtype)
        y = 2 * y - 1 if kind == "signs" else y
    return Data(x, y)


def plan_of(
    layers: Sequence[Any],
    loss: Any = "mean_squared_error",
    optimizer: Any = "sgd",
    dtype: str = "float64",
    **options: Any,
) -> StepPlan:
    network = polydnn.Network(4, list(layers), dtype=dtype, seed=3)
    return polydnn.Trainer(network, loss=loss, optimizer=optimizer, **options).plan


def compare(plan: StepPlan, data: Data, batch_size: int = 8, rate: float = 0.01) -> None:
    """Three steps, the last of fewer rows, from the same start."""
    order = np.random.default_rng(5).permutation(ROWS)
    found = []
    for executor in (PureExecutor(plan, reference_step(plan)), numpy_executor(plan)):
        executor.load(plan.network.arrays, first_state(plan))
        losses = [*executor.steps(data, order[: 2 * batch_size], batch_size, [rate, rate / 2], Key(7, 1))]
        losses += [*executor.steps(data, order[-3:], 3, [rate], Key(7, 3))]
        found.append((np.asarray(losses), *executor.read()))
    bound = BOUND[plan.network.dtype]
    (losses, parameters, state), (other_losses, other_parameters, other_state) = found
    assert other_losses.dtype == losses.dtype
    np.testing.assert_allclose(other_losses, losses, rtol=bound, atol=bound)
    for name, array in parameters.items():
        np.testing.assert_allclose(other_parameters[name], array, rtol=0, atol=bound * max(np.abs(array).max(), 1e-3))
        assert other_parameters[name].dtype == array.dtype
    assert set(other_parameters) == set(parameters)
    for name, slots in state.items():
        assert set(other_state[name]) == set(slots)
        for slot, array in slots.items():
            np.testing.assert_allclose(
                other_state[name][slot], array, rtol=0, atol=bound * max(np.abs(array).max(), 1e-3)
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", names("optimizer"))
@pytest.mark.parametrize("batch_size", [1, 8])
def test_every_optimizer(optimizer: str, batch_size: int, dtype: str) -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(2)], optimizer=optimizer, dtype=dtype)
    compare(plan, data_for(plan), batch_size)


OPTIONS = [
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("adam", {"amsgrad": True}),
    ("adam", {"eps_inside_sqrt": True}),
    ("adam", {"eps_hat": True}),
    ("adamw", {"weight_decay": 0.1}),
    ("rmsprop", {"momentum": 0.5, "centered": True}),
]


@pytest.mark.parametrize("optimizer", OPTIONS, ids=str)
def test_every_variant_of_an_optimizer(optimizer: Any) -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(2)], optimizer=optimizer)
    compare(plan, data_for(plan))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", names("activation"))
def test_every_activation(activation: str, dtype: str) -> None:
    plan = plan_of([polydnn.Dense(5, activation), polydnn.Dense(3, activation), polydnn.Dense(2)], dtype=dtype)
    compare(plan, data_for(plan))


@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax", "tanh"])
@pytest.mark.parametrize("loss", names("loss"))
def test_every_loss(loss: str, output: str) -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(3, output)], loss=loss)
    data = data_for(plan)
    with np.errstate(all="ignore"):  # logarithms of what is no probability: the reference's NaN are ours as well
        compare(plan, data)


LAYERS = {
    "one layer": [polydnn.Dense(2)],
    "no bias": [polydnn.Dense(5, "relu", use_bias=False), polydnn.Dense(2, use_bias=False)],
    "dropout first": [polydnn.Dropout(0.3), polydnn.Dense(5, "relu"), polydnn.Dense(2)],
    "dropout between": [polydnn.Dense(5, "relu"), polydnn.Dropout(0.3), polydnn.Dense(2)],
    "dropout last": [polydnn.Dense(5, "relu"), polydnn.Dense(2), polydnn.Dropout(0.3)],
    "batch normalization": [polydnn.Dense(5), polydnn.BatchNormalization(), polydnn.Dense(2)],
    "batch normalization first and last": [
        polydnn.BatchNormalization(),
        polydnn.Dense(2, "sigmoid"),
        polydnn.BatchNormalization(),
    ],
    "row-wise in the middle": [polydnn.Dense(5, "softmax"), polydnn.Dense(2)],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layers", LAYERS)
def test_every_kind_of_layer(layers: str, dtype: str) -> None:
    plan = plan_of(LAYERS[layers], dtype=dtype, optimizer=("sgd", {"momentum": 0.5}))
    compare(plan, data_for(plan))


PENALTIES: list[dict[str, float]] = [
    {"l1": 0.1},
    {"l2": 0.1},
    {"l1": 0.1, "l2": 0.1},
    {"weight_decay": 0.1},
    {"clip_value": 0.05},
    {"clip_norm": 0.1},
    {"clip_norm": 0.1, "l2": 0.5, "weight_decay": 0.1},
]


@pytest.mark.parametrize("penalties", PENALTIES, ids=str)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_penalties_and_clipping(optimizer: str, penalties: dict[str, float]) -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(2)], optimizer=optimizer, **penalties)
    compare(plan, data_for(plan))


@pytest.mark.parametrize("loss", ["mean_squared_error", "categorical_cross_entropy"])
@pytest.mark.parametrize("zero", [False, True])
def test_weights_of_examples(loss: str, zero: bool) -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(2, "softmax")], loss=loss)
    weights = np.zeros(ROWS) if zero else np.random.default_rng(1).uniform(0, 2, ROWS)
    compare(plan, data_for(plan)._replace(weights=weights))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_rows_of_another_type(kind: type) -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(2)])
    data = data_for(plan)
    compare(plan, data._replace(x=(data.x * 3 + 10).astype(kind)))


def test_one_hot_rows_and_labels() -> None:
    plan = plan_of([polydnn.Dense(3, "softmax")], loss="categorical_cross_entropy")
    data = data_for(plan)
    compare(plan, data._replace(y=np.eye(3)[data.y]))
    compare(plan, data._replace(y=data.y.astype(np.uint8)))


WIDE = [polydnn.Dense(120, "relu"), polydnn.Dense(130, "tanh"), polydnn.Dense(3, "softmax")]
"""More parameters than are moved through a buffer of gradients."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 2, 10])
@pytest.mark.parametrize("optimizer", ["sgd", ("sgd", {"momentum": 0.9}), "adam"], ids=str)
def test_wide_layers(optimizer: Any, batch_size: int, dtype: str) -> None:
    plan = plan_of(WIDE, "categorical_cross_entropy", optimizer, dtype)
    compare(plan, data_for(plan), batch_size)


def run(plan: StepPlan, bundles: Sequence[int]) -> tuple[bytes, ...]:
    """The bits of parameters and losses after the steps of all bundles."""
    data, order = data_for(plan), np.random.default_rng(5).permutation(ROWS)
    executor = numpy_executor(plan)
    executor.load(plan.network.arrays, first_state(plan))
    losses, done = [], 0
    for count in bundles:
        part = order[done * 2 : (done + count) * 2]
        losses += [*executor.steps(data, part, 2, [0.01] * count, Key(7, done + 1))]
        done += count
    parameters, state = executor.read()
    arrays = [*parameters.values(), *(array for slots in state.values() for array in slots.values())]
    return np.asarray(losses).tobytes(), *(array.tobytes() for array in arrays)


@pytest.mark.parametrize("layers", ["narrow", "wide"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_bundles_change_no_bit(layers: str, optimizer: str) -> None:
    narrow = [polydnn.Dense(5, "tanh"), polydnn.Dropout(0.2), polydnn.Dense(3, "softmax")]
    plan = plan_of(WIDE if layers == "wide" else narrow, "categorical_cross_entropy", optimizer, "float32")
    assert run(plan, [10]) == run(plan, [1] * 10) == run(plan, [3, 7])


def test_what_was_read_stays_and_what_was_given_is_not_written_to() -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(2)], optimizer="adam")
    data, state = data_for(plan), first_state(plan)
    given = {name: array.copy() for name, array in plan.network.arrays.items()}
    executor = numpy_executor(plan)
    executor.load(plan.network.arrays, state)
    executor.step(data.x, data.y, 0.1, Key(0, 1))
    parameters, slots = executor.read()
    kept = {name: array.copy() for name, array in parameters.items()}
    executor.step(data.x, data.y, 0.1, Key(0, 2))
    for name, array in plan.network.arrays.items():
        np.testing.assert_array_equal(array, given[name])
        np.testing.assert_array_equal(parameters[name], kept[name])
    assert all(not np.any(array) for each in state.values() for array in each.values())
    assert any(np.any(executor.read()[1][name][slot] != slots[name][slot]) for name in slots for slot in slots[name])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("layers", ["narrow", "wide"])
def test_it_stops_after_the_step_that_spoils_the_numbers(layers: str) -> None:
    plan = plan_of([*WIDE[:2], polydnn.Dense(2)] if layers == "wide" else [polydnn.Dense(2)], dtype="float32")
    data, executor = data_for(plan), numpy_executor(plan)
    data.x[9] = np.nan
    executor.load(plan.network.arrays, first_state(plan))
    losses = executor.steps(data, np.arange(20), 4, [0.01] * 5, Key(0, 1))
    assert losses.shape == (3,)
    assert np.isfinite(losses[:2]).all()
    assert not np.isfinite(losses[2])
    assert executor.stopped(losses[-1])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("units", [1, 20000])
def test_an_infinite_weight_behind_a_finite_loss_stops_the_same_step(units: int) -> None:
    network = polydnn.Network(1, [polydnn.Dense(units, "tanh", use_bias=False)], seed=3)
    plan = polydnn.Trainer(network, loss="mean_squared_error").plan
    executor = numpy_executor(plan)
    executor.load(network.arrays, first_state(plan))
    x, y = np.full((6, 1), 0.9, np.float32), np.full((6, units), -9.0, np.float32)
    losses = executor.steps(Data(x, y), np.arange(6), 1, [3e38 * units] * 6, Key(0, 1))
    assert losses.shape == (1,)
    assert np.isfinite(losses).all()


def test_a_plugins_function_of_a_built_in_name_is_called() -> None:
    calls = []

    def forward(z: Any, *, xp: Any) -> Any:
        calls.append(z.shape)
        return xp.maximum(z, 0.0) * 0.5

    odd = polydnn.Activation("relu", forward, derivative=lambda z, y, *, xp: xp.where(z > 0.0, 0.5, 0.0))
    plan = plan_of([polydnn.Dense(5, odd), polydnn.Dense(2)])
    compare(plan, data_for(plan))
    assert (8, 5) in calls


@pytest.mark.parametrize("name", ["torch", "array-api-strict"])
def test_other_libraries_are_not_served(name: str) -> None:
    network = polydnn.Network(4, [polydnn.Dense(2)], backend=name)
    plan = polydnn.Trainer(network, loss="mean_squared_error").plan
    with pytest.raises(NotImplementedError, match=f"it computes with NumPy, and the backend is {name}"):
        numpy_executor(plan)


def test_it_is_what_a_fit_on_numpy_uses() -> None:
    trainer = polydnn.Trainer(polydnn.Network(4, [polydnn.Dense(2)]), loss="mean_squared_error")
    trainer.fit(np.ones((3, 4)), np.ones((3, 2)), epochs=1)
    assert trainer.choice is not None
    assert trainer.choice.name == "numpy"


MANY = 1300
"""Rows that make three blocks, the last one short."""


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_in_blocks_gives_the_same_gradients(threads: int, weighted: bool, dtype: str) -> None:
    layers = [polydnn.Dense(6, "tanh"), polydnn.Dropout(0.2), polydnn.Dense(3, "softmax")]
    plan = plan_of(layers, "categorical_cross_entropy", dtype=dtype)
    random = np.random.default_rng(2)
    weights = random.uniform(size=MANY).astype(dtype) if weighted else None
    data = Data(random.normal(size=(MANY, 4)).astype(dtype), random.integers(0, 3, MANY), weights)
    shares = None if weights is None else weights / weights.sum()
    batch = Batch(data, random.permutation(MANY), MANY, plan.noise(Key(1, 1), MANY), shares)
    found = []
    for make in (partial(Whole, direct=False), partial(Shared, shares=threads)):
        buffers = Buffers(plan)
        buffers.load(plan.network.arrays, first_state(plan))
        loss, moved = make(plan, buffers, MANY).run(batch, 0.1)
        assert moved is None
        found.append((loss, buffers.gradients))
    bound = {"float32": 1e-5, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=bound)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=0, atol=bound)


@pytest.mark.parametrize("layers", ["small", "wide"])
def test_blocks_that_move_the_parameters_move_them_by_their_gradients(layers: str) -> None:
    plan = plan_of(WIDE if layers == "wide" else [polydnn.Dense(3, "softmax")], "categorical_cross_entropy")
    random = np.random.default_rng(2)
    data = Data(random.normal(size=(MANY, 4)), random.integers(0, 3, MANY))
    batch, ends = Batch(data, slice(0, MANY), MANY, {}, None), []
    for direct in (False, True):
        buffers = Buffers(plan)
        buffers.load(plan.network.arrays, first_state(plan))
        before = buffers.parameters.copy()
        with thread_limit(True):  # as the executor runs what has threads of its own
            loss, squares = Shared(plan, buffers, MANY, 2, direct=direct).run(batch, 0.5)
        if not direct:
            buffers.parameters -= 0.5 * buffers.gradients
        else:
            assert squares == pytest.approx(((buffers.parameters - before) ** 2).sum())
        ends.append((float(loss), buffers.parameters.tobytes()))
    assert ends[0] == ends[1]


def test_blocks_have_the_same_bits_however_many_threads_work_on_them() -> None:
    plan = plan_of(WIDE, "categorical_cross_entropy", dtype="float32")
    random = np.random.default_rng(2)
    data = Data(random.normal(size=(MANY, 4)).astype("float32"), random.integers(0, 3, MANY))
    batch = Batch(data, slice(0, MANY), MANY, {}, None)
    found = []
    for alone in (True, False, False):
        buffers = Buffers(plan)
        buffers.load(plan.network.arrays, first_state(plan))
        schedule = Shared(plan, buffers, MANY, 2)
        if alone:
            with thread_limit(True):
                loss = schedule._share(0, batch) + schedule._share(1, batch)
            buffers.gradients += schedule._gradients[1]
        else:
            with thread_limit(True):
                loss, _ = schedule.run(batch, 0.0)
        found.append((float(loss), buffers.gradients.tobytes()))
    assert found[0] == found[1] == found[2]


def test_batches_too_large_for_one_go_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The activations of one block are held, not those of the batch; batch normalization needs all rows at once."""
    monkeypatch.setattr("polydnn.executors.on_numpy.schedule.MOST_AT_ONCE", 1000)
    for layers, kind in (([polydnn.Dense(3)], Shared), ([polydnn.Dense(3), polydnn.BatchNormalization()], Whole)):
        plan = plan_of(layers)
        assert isinstance(schedule_for(plan, Buffers(plan), MANY, direct=False), kind)


def test_the_parts_of_a_step_are_told_apart() -> None:
    plan = plan_of([polydnn.Dense(5, "tanh"), polydnn.Dense(2)], optimizer="adam")
    data, moved = data_for(plan), []
    for timed in (True, False):
        executor = numpy_executor(plan)
        executor.load(plan.network.arrays, first_state(plan))
        if timed:
            parts = executor.timed_step(data, np.arange(8), 0.01, Key(0, 1))
            assert parts is not None
            assert list(parts) == ["gather", "forward", "backward", "optimizer"]
            assert all(seconds > 0.0 for seconds in parts.values())
        else:
            executor.steps(data, np.arange(8), 8, [0.01], Key(0, 1))
        moved.append(executor.read()[0])
    for name, array in moved[0].items():
        np.testing.assert_array_equal(array, moved[1][name])


def test_choosing_a_schedule_leaves_the_parameters_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv(tuning.VARIABLE, str(tmp_path))
    plan = plan_of(WIDE, "categorical_cross_entropy", dtype="float32")
    buffers = Buffers(plan)
    buffers.load(plan.network.arrays, first_state(plan))
    before = buffers.parameters.tobytes()
    monkeypatch.setattr("polydnn.executors.on_numpy.schedule.LEAST_WORK", 0)
    schedule_for(plan, buffers, SURELY_SHARED - 1, direct=True)
    assert buffers.parameters.tobytes() == before
    assert any("schedule" in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    tuning.forget()
