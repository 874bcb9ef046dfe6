"""The CuPy executor against the reference step, on a pretended device that records captures."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.errors import InvalidArgumentError
from polydnn.execution import Data, Executor, Key, Penalties, PureExecutor, StepPlan, first_state, reference_step
from polydnn.execution.choice import TOLERANCE
from polydnn.execution.tuning import forget
from polydnn.executors import cupy_executor
from polydnn.executors.on_cupy.executor import CupyExecutor
from polydnn.executors.on_cupy.graph import CHUNK
from polydnn.executors.on_cupy.precision import TF32_TOLERANCE
from polydnn.layers.layer import NOTHING, Forward, Layer
from polydnn.types import Array, Namespace, Options
from tests.cuda_on_host import COMPILER
from tests.pretended_cuda import CAPTURING, PretendedCuda

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ compiles the kernels for the host, and is not here")

RNG = np.random.default_rng(11)
X = RNG.standard_normal((40, 6))
LABELS, REAL = RNG.integers(0, 4, 40), RNG.standard_normal((40, 4))
SHARES = RNG.random((40, 4)) / 4
WEIGHTS = RNG.random(40)
ORDER = RNG.permutation(40)
CROSS_ENTROPY, SQUARED = "categorical_cross_entropy", "mean_squared_error"
RATES = [0.1, 0.02, 0.3, 0.05]
Host = np.ndarray[Any, Any]


def plan_for(
    *layers: Any, loss: str = SQUARED, optimizer: Any = "sgd", dtype: str = "float64", **penalties: Any
) -> StepPlan:
    """A plan on NumPy for six inputs; layers are objects, or widths of layers with relu."""
    made = [polydnn.Dense(each, "relu") if isinstance(each, int) else each for each in layers]
    network = polydnn.Network(6, made, dtype=dtype, seed=2)
    for layer in network.layers:
        if layer.type == "normalization":
            network.fit_normalization(X)
    plan = polydnn.Trainer(network, loss=loss, optimizer=optimizer).plan
    return dataclasses.replace(plan, penalties=Penalties(**penalties))


def loaded(executor: Executor) -> Executor:
    executor.load(executor.plan.network.arrays, first_state(executor.plan))
    return executor


def on_pretended(plan: StepPlan, **device: Any) -> tuple[CupyExecutor, PretendedCuda]:
    cuda = PretendedCuda(plan.backend.xp, **device)
    executor = CupyExecutor(plan, cuda)
    loaded(executor)
    return executor, cuda


def flat(read: tuple[Any, Any]) -> dict[str, Host]:
    parameters, state = read
    found = {name: np.asarray(array) for name, array in parameters.items()}
    return found | {f"{name} {slot}": np.asarray(each) for name, own in state.items() for slot, each in own.items()}


def agree(found: Mapping[str, Host], expected: Mapping[str, Host], rtol: float) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, rtol=rtol, atol=rtol * max(1.0, np.abs(array).max()), err_msg=name
        )


def compare(
    plan: StepPlan, y: Host, weights: Host | None = None, x: Host = X, batch_size: int = 10, **device: Any
) -> Any:
    """Four steps in two calls on the pretended device and by the reference; both calls replay a graph in part."""
    executor, cuda = on_pretended(plan, **device)
    reference = loaded(PureExecutor(plan, reference_step(plan)))
    data = Data(x, y, None if weights is None else weights.astype(plan.network.dtype))
    rtol = 3e-5 if plan.network.dtype == "float32" else 1e-11
    for start, end in ((0, 3), (3, 4)):
        order, key = ORDER[start * batch_size : end * batch_size], Key(5, start + 1)
        found = executor.steps(data, order, batch_size, RATES[start:end], key)
        expected = reference.steps(data, order, batch_size, RATES[start:end], key)
        np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol)
        agree(flat(executor.read()), flat(reference.read()), rtol)
    assert not executor.stopped(found[-1])
    assert cuda.library.products, "no layer used a kernel of its own"
    return executor, cuda


OUTPUT = polydnn.Dense(4)


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd",
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        "adam",
        ("adam", {"amsgrad": True, "eps_hat": True}),
        "adamw",
        ("rmsprop", {"centered": True, "momentum": 0.5}),
        "adagrad",
    ],
    ids=str,
)
def test_optimizers(optimizer: Any) -> None:
    _, cuda = compare(plan_for(9, OUTPUT, optimizer=optimizer), REAL)
    assert cuda.log == ["begin_capture", "end_capture", "launch", "launch", "launch"]


ACTIVATIONS = ("identity", "sigmoid", "gelu", ("elu", {"alpha": 0.5}), "softmax", "log_softmax")


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations_of_hidden_layers(activation: Any) -> None:
    """One that works on y, one that works on z, one with an option, and those that have no kernel."""
    _, cuda = compare(plan_for(polydnn.Dense(9, activation), OUTPUT), REAL)
    assert cuda.log.count("launch") == 3


LOSSES = {
    "labels": (CROSS_ENTROPY, "softmax", LABELS),
    "small labels": (CROSS_ENTROPY, "softmax", LABELS.astype(np.uint8)),
    "rows": (CROSS_ENTROPY, "softmax", SHARES),
    "on probabilities": (CROSS_ENTROPY, "sigmoid", SHARES),
    "binary": ("binary_cross_entropy", "sigmoid", SHARES),
    "squares": (SQUARED, "tanh", REAL),
    "half squares": ("sum_squared_error", "identity", REAL),
    "without a kernel": ("mean_absolute_error", "identity", REAL),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, weights: Host | None) -> None:
    loss, activation, y = LOSSES[name]
    compare(plan_for(5, polydnn.Dense(4, activation), loss=loss, optimizer="adam"), y, weights)


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_float32_and_batch_sizes(batch_size: int) -> None:
    compare(
        plan_for(9, OUTPUT, dtype="float32"), REAL.astype(np.float32), x=X.astype(np.float32), batch_size=batch_size
    )


def test_batches_larger_than_a_block_of_rows() -> None:
    """Column sums then go in two passes."""
    x, y = np.tile(X, (40, 1)), np.tile(REAL, (40, 1))
    plan = plan_for(5, OUTPUT)
    executor, reference = on_pretended(plan)[0], loaded(PureExecutor(plan, reference_step(plan)))
    for step in (1, 2, 3):
        found, expected = (each.step(x, y, 0.1, Key(0, step)) for each in (executor, reference))
        assert float(found) == pytest.approx(float(expected), rel=1e-12)
        assert found.shape == ()
    agree(flat(executor.read()), flat(reference.read()), 1e-11)


@pytest.mark.parametrize(
    "layers",
    [
        (polydnn.Normalization("standard"), 5, OUTPUT),
        (polydnn.Dropout(0.3), 5, polydnn.Dropout(0.5), OUTPUT),
        (5, polydnn.BatchNormalization(), OUTPUT),
        (polydnn.Dense(5, "relu", use_bias=False), polydnn.Dense(4, use_bias=False)),
    ],
    ids=["normalization", "dropout", "batch normalization", "no bias"],
)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_other_layers(layers: Any, optimizer: str) -> None:
    _, cuda = compare(plan_for(*layers, optimizer=optimizer), REAL)
    assert cuda.log.count("launch") == 3


@pytest.mark.parametrize(
    "penalties", [{"l1": 0.1, "l2": 0.2}, {"clip_value": 0.01}, {"clip_norm": 0.05}, {"weight_decay": 0.3}], ids=str
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_penalties(penalties: Any, optimizer: str) -> None:
    compare(plan_for(5, OUTPUT, optimizer=optimizer, **penalties), REAL)


@pytest.mark.parametrize("elementwise", [True, False], ids=["flat", "by name"])
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_an_optimizer_from_elsewhere(elementwise: bool, decay: float) -> None:
    """Its step and learning rate come from the device."""

    def update(
        gradient: Array, state: Any, parameter: Array, *, learning_rate: Any, step: Any, xp: Namespace
    ) -> tuple[Array, Any]:
        mean = 0.9 * state["mean"] + gradient
        return parameter - learning_rate / xp.sqrt(1.0 * step) * xp.tanh(mean), {"mean": mean}

    mine = polydnn.Optimizer("adam", lambda p, *, xp: {"mean": xp.zeros_like(p)}, update, elementwise=elementwise)
    _, cuda = compare(plan_for(5, OUTPUT, optimizer=mine, weight_decay=decay), REAL)
    assert cuda.log.count("launch") == 3


@pytest.mark.parametrize(
    "x",
    [(X * 10).astype(np.uint8), X.astype(np.float32), X.astype(np.float16), np.asfortranarray(X), X > 0],
    ids=["uint8", "float32", "float16", "by columns", "bool"],
)
def test_rows_of_any_real_dtype(x: Host) -> None:
    compare(plan_for(5, OUTPUT), REAL, x=x)


def test_where_cublaslt_cannot_write_into_the_weights_a_gradient_is_kept() -> None:
    executor, cuda = compare(plan_for(5, OUTPUT), REAL, refused=1)
    assert {each.attributes.get(2, 0) for each in cuda.library.made.values() if each.kind == "description"} == {0, 1}
    assert len(executor._programs) == 1
    compare(plan_for(5, OUTPUT), REAL, refused=-1)


def test_without_captures_the_numbers_are_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "polydnn"):
        compare(plan_for(5, OUTPUT, optimizer="adam"), REAL, no_capture=True)
    assert [each.getMessage() for each in caplog.records] == [
        "cupy_graph: a step of 10 rows runs without a CUDA graph, call by call "
        "(RuntimeError: this driver does not capture)"
    ]


class Peeking(Layer):
    """Looks at its input on the host, which no capture allows."""

    type = "peeking"

    @property
    def options(self) -> Options:
        return {}

    def predict(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        return x

    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        sign = 1.0 if float(xp.sum(x)) > 0.0 else -1.0
        return sign * x, lambda dy, need_dx: (sign * dy, {}), NOTHING


def test_a_layer_that_reads_back_runs_call_by_call(caplog: pytest.LogCaptureFixture) -> None:
    compare(plan_for(5, Peeking(), OUTPUT), REAL)
    assert CAPTURING in caplog.text
    assert len(caplog.records) == 1


def test_steps_are_as_many_single_steps_to_the_bit() -> None:
    plan = plan_for(7, OUTPUT, optimizer="adam", dtype="float32")
    x, y = X.astype(np.float32), REAL.astype(np.float32)
    bundled, single, whole = (on_pretended(plan)[0] for _ in range(3))
    losses = bundled.steps(Data(x, y), ORDER, 10, RATES, Key(0, 1))
    others = whole.steps(Data(x, y), ORDER[:10], 10, RATES[:1], Key(0, 1)).tolist()
    others += whole.steps(Data(x, y), ORDER[10:], 10, RATES[1:], Key(0, 2)).tolist()
    found = []
    for number, rate in enumerate(RATES):
        rows = ORDER[number * 10 : number * 10 + 10]
        found.append(float(single.step(x[rows], y[rows], rate, Key(0, number + 1))))
    assert losses.tolist() == found == others
    first, second, third = (flat(each.read()) for each in (bundled, single, whole))
    assert all(np.array_equal(first[name], second[name]) and np.array_equal(first[name], third[name]) for name in first)


def test_long_graphs_take_the_same_steps() -> None:
    plan = plan_for(3, OUTPUT, dtype="float32")
    (executor, cuda), reference = on_pretended(plan), loaded(PureExecutor(plan, reference_step(plan)))
    data, count = Data(X.astype(np.float32), REAL.astype(np.float32)), CHUNK + 3
    order, rates = np.tile(ORDER, 2)[: 2 * count], list(np.linspace(0.1, 0.01, count))
    found = executor.steps(data, order, 2, rates, Key(0, 1))
    np.testing.assert_allclose(found, reference.steps(data, order, 2, rates, Key(0, 1)), rtol=1e-4)
    captures = ["begin_capture", "end_capture", "launch"]
    assert cuda.log == [*captures, *captures, "launch"]


def test_a_partial_last_batch_has_a_graph_of_its_own() -> None:
    plan = plan_for(3, OUTPUT)
    (executor, cuda), reference = on_pretended(plan), loaded(PureExecutor(plan, reference_step(plan)))
    for epoch in range(2):
        for each in (executor, reference):
            each.steps(Data(X, REAL), ORDER[:36], 12, RATES[:3], Key(0, 4 * epoch + 1))
            each.steps(Data(X, REAL), ORDER[36:], 4, RATES[:1], Key(0, 4 * epoch + 4))
    agree(flat(executor.read()), flat(reference.read()), 1e-11)
    assert cuda.log.count("begin_capture") == 2
    assert len(executor._programs) == 2


def test_nothing_given_in_or_out_is_changed_later() -> None:
    plan = plan_for(3, OUTPUT, optimizer="adam")
    before = {name: array.copy() for name, array in plan.network.arrays.items()}
    executor, _ = on_pretended(plan)
    x = X.copy()
    executor.steps(Data(x, REAL), ORDER, 10, RATES, Key(0, 1))
    first = flat(executor.read())
    kept = {name: array.copy() for name, array in first.items()}
    executor.steps(Data(x, REAL), ORDER, 10, RATES, Key(0, 5))
    assert all(np.array_equal(first[name], kept[name]) for name in first)
    assert all(np.array_equal(plan.network.arrays[name], before[name]) for name in before)
    assert np.array_equal(x, X)
    loaded(executor)
    assert all(np.array_equal(flat(executor.read())[name], before[name]) for name in before)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_is_not_finite_is_reported_without_waiting(optimizer: str) -> None:
    plan = plan_for(3, OUTPUT, optimizer=optimizer)
    executor, cuda = on_pretended(plan)
    bad = X.copy()
    bad[ORDER[15]] = np.inf
    losses = executor.steps(Data(bad, REAL), ORDER[:10], 10, RATES[:1], Key(0, 1))
    assert not executor.stopped(losses[-1])
    with np.errstate(all="ignore"):
        losses = executor.steps(Data(bad, REAL), ORDER[10:30], 10, RATES[:2], Key(0, 2))
    assert executor.stopped(losses[-1])
    assert "synchronize" not in cuda.log
    loaded(executor)
    assert not executor.stopped(losses[-1])
    assert cuda.log[-1] == "synchronize"


def test_products_are_tuned_where_tuning_is_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("POLYDNN_TUNING", str(tmp_path))
    forget()
    compare(plan_for(5, OUTPUT), REAL)
    forget()
    assert len(list(tmp_path.glob("*.json"))) == 5  # two forward, one to the inputs, two to the weights


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_other_libraries_are_not_served() -> None:
    with pytest.raises(NotImplementedError, match=r"made for CuPy, and this network is on 'numpy'; use network\.to"):
        cupy_executor(plan_for(OUTPUT))


def test_a_dense_layer_that_computes_otherwise_runs_by_its_own_functions() -> None:
    class Doubled(polydnn.Dense):
        def forward(self, arrays: Any, x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
            y, back, changes = super().forward(arrays, x, noise, xp=xp)
            return 2.0 * y, lambda dy, need_dx: back(2.0 * dy, need_dx), changes

    compare(plan_for(Doubled(5, "relu"), OUTPUT), REAL)


def test_a_state_of_another_shape_is_not_served() -> None:
    odd = polydnn.Optimizer("odd", lambda p, *, xp: {"count": xp.zeros(())}, lambda g, s, p, **rest: (p, s))
    with pytest.raises(NotImplementedError, match="the state of optimizer 'odd' is not one array like the parameter"):
        on_pretended(plan_for(OUTPUT, optimizer=odd))


def test_tf32_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def computes(plan: StepPlan) -> set[int]:
        executor, cuda = on_pretended(plan)
        executor.step(X[:3].astype(plan.network.dtype), REAL[:3].astype(plan.network.dtype), 0.1, Key(0, 1))
        return {each.compute for each in cuda.library.made.values() if each.kind == "description"}

    single, double = plan_for(OUTPUT, dtype="float32"), plan_for(OUTPUT)
    assert (computes(single), on_pretended(single)[0].tolerance) == ({68}, TOLERANCE["float32"])
    monkeypatch.setenv("POLYDNN_PRECISION", "tf32")
    assert (computes(single), on_pretended(single)[0].tolerance) == ({77}, TF32_TOLERANCE)
    assert (computes(double), on_pretended(double)[0].tolerance) == ({70}, TOLERANCE["float64"])
    monkeypatch.setenv("POLYDNN_PRECISION", "tf23")
    with pytest.raises(InvalidArgumentError, match=r"POLYDNN_PRECISION must be float32 or tf32, found 'tf23'"):
        on_pretended(single)
