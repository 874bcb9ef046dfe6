"""The JAX executor computes what the reference computes on NumPy, however its steps are bundled."""

import logging
from itertools import product
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import numpy_backend
from polydnn.errors import BackendError, InvalidArgumentError
from polydnn.execution import Data, Key, first_state
from polydnn.executors import jax_executor
from tests.executor_cases import (
    BOUND,
    CHOICES,
    FEATURES,
    FEW,
    OPTIMIZERS,
    ROWS,
    close,
    compare,
    executors,
    layers_for,
    names,
    on_device,
    rows_for,
    same,
)

jax = pytest.importorskip("jax", reason="JAX is not installed")

BUILT: Any = ("jax", jax_executor)


def check(activation: str, optimizer: Any, loss: str, batch_size: int, dtype: str) -> None:
    compare(*executors(*BUILT, layers_for(activation, loss), loss, optimizer, dtype=dtype), batch_size)


def test_the_few_cases_leave_out_no_item() -> None:
    for place, choice in enumerate(CHOICES):
        assert {str(row[place]) for row in FEW} == {str(each) for each in choice}


@pytest.mark.parametrize(("activation", "optimizer", "loss", "batch_size", "dtype"), FEW, ids=str)
def test_every_item_once(activation: str, optimizer: Any, loss: str, batch_size: int, dtype: str) -> None:
    check(activation, optimizer, loss, batch_size, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("loss", names("loss"))
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_with_every_activation_loss_and_batch_size(optimizer: Any, loss: str) -> None:
    """The loops that ``steps`` runs, of fifteen executors, compiled together: that takes a third of the time."""
    cases = list(product(["identity", "relu", "tanh", "softmax", "gelu"], [1, 8, ROWS]))
    pairs = [executors(*BUILT, layers_for(activation, loss), loss, optimizer) for activation, _ in cases]
    rates, given, wanted = [0.01, 0.005], [], []
    for (reference, executor), (_, batch_size) in zip(pairs, cases, strict=True):
        data = rows_for(reference.plan)
        order = np.concatenate([np.random.default_rng(seed).permutation(ROWS)[:batch_size] for seed in (5, 6)])
        wanted.append(np.asarray(reference.steps(data, order, batch_size, rates, Key(7, 1))))
        feed = executor._feed(on_device(executor, data), order.reshape(2, -1), rates, Key(7, 1), 2)
        given.append((executor._own(), feed, np.int32(2)))
    together = jax.jit(lambda all_given: [pair[1]._loop(*each) for pair, each in zip(pairs, all_given, strict=True)])
    for (reference, executor), losses, found in zip(pairs, wanted, together(given), strict=True):
        executor._carry, told = found
        assert int(told.taken) == 2
        close(told.losses, losses, BOUND["float64"], "losses")
        same(reference, executor)


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("batch_size", [8, ROWS])
def test_layers_and_penalties_with_weights(feature: str, batch_size: int) -> None:
    layers, options = FEATURES[feature]
    compare(*executors(*BUILT, layers, **options), batch_size, weighted=True)


@pytest.mark.parametrize("step", [1, 2, 10, 1000, 10**6, 10**10])
def test_corrections_for_the_start_hold_at_every_step(step: int) -> None:
    """The reference works them out in Python's float64, the program in the network's dtype."""
    reference, executor = executors(*BUILT, [polydnn.Dense(2)], optimizer="adam", dtype="float32")
    data = rows_for(reference.plan)
    for each in (reference, executor):
        placed = on_device(each, data)
        each.step(placed.x, placed.y, 0.5, Key(0, step))
    for name, array in reference.read()[0].items():
        close(executor.read()[0][name], array, 2e-6, name)


BUNDLES = [[1] * 7, [7], [3, 4], [6, 1], [1, 2, 1, 3]]


@pytest.mark.parametrize("ahead", [None, 400], ids=["", "few laid out ahead"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_bundles(ahead: int | None, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if ahead:
        monkeypatch.setattr("polydnn.executors.on_jax.AHEAD_ON_HOST", ahead)
    layers = [polydnn.Dense(5, "tanh"), polydnn.Dropout(0.3), polydnn.BatchNormalization(), polydnn.Dense(2)]
    executor = executors(*BUILT, layers, optimizer="adam", dtype=dtype)[1]
    data = on_device(executor, rows_for(executor.plan, weighted=True))
    order, rates = np.random.default_rng(5).permutation(ROWS), np.linspace(0.1, 0.01, 7).tolist()
    found = set()
    for bundles in BUNDLES:
        executor.load(executor.plan.network.arrays, first_state(executor.plan))
        losses, done = [], 0
        for count in bundles:
            part = order[3 * done : 3 * (done + count)]
            losses += [*executor.steps(data, part, 3, rates[done : done + count], Key(7, done + 1))]
            done += count
        arrays = [*losses, *jax.tree.leaves(executor.read())]
        found.add(b"".join(np.asarray(each).tobytes() for each in arrays))
    assert len(found) == 1


def test_a_longer_bundle_or_more_rows_compile_nothing() -> None:
    executor: Any = executors(*BUILT, [polydnn.Dense(2)])[1]
    data = on_device(executor, rows_for(executor.plan))
    for bundle in (1, 5, 3):
        executor.steps(data, np.arange(4 * bundle), 4, [0.1] * bundle, Key(0, 1))
    assert len(executor._ready) == 1
    executor.steps(Data(data.x[:15], data.y[:15]), np.arange(8), 4, [0.1] * 2, Key(0, 1))
    assert len(executor._ready) == 1
    executor.steps(data, np.arange(3), 3, [0.1], Key(0, 1))
    assert len(executor._ready) == 2


def test_a_second_executor_of_such_a_plan_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from polydnn.executors import on_jax

    monkeypatch.setattr(on_jax, "_programs", {})
    for loss in ("mean_squared_error", "mean_squared_error", "sum_squared_error"):
        executor = executors(*BUILT, [polydnn.Dense(3)], loss)[1]
        data = on_device(executor, rows_for(executor.plan))
        executor.step(data.x, data.y, 0.1, Key(0, 1))
    assert len(on_jax._programs) == 2


def test_the_oldest_programs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from polydnn.executors import on_jax

    monkeypatch.setattr(on_jax, "_programs", {})
    monkeypatch.setattr(on_jax, "PROGRAMS_KEPT", 2)
    executor = executors(*BUILT, [polydnn.Dense(3)])[1]
    data = on_device(executor, rows_for(executor.plan))
    for rows in (3, 4, 5):
        executor.step(data.x[:rows], data.y[:rows], 0.1, Key(0, 1))
    assert [question[-1].count("tensor<3x4xf64>") > 0 for question in on_jax._programs] == [False, False]


def test_arrays_given_out_or_taken_in_are_never_changed() -> None:
    executor = executors(*BUILT, [polydnn.Dense(2)], optimizer="adam")[1]
    data = on_device(executor, rows_for(executor.plan))
    plan = executor.plan
    kept = [(plan.network.arrays, first_state(plan))]
    executor.load(*kept[0])
    for count in (1, 2, 3):
        if count == 2:
            executor.step(data.x, data.y, 0.1, Key(0, count))
        else:
            executor.steps(data, np.arange(8), 4, [0.1, 0.1], Key(0, count))
        kept.append(executor.read())
    before = [[np.array(each) for each in jax.tree.leaves(one)] for one in kept]
    executor.step(data.x, data.y, 0.1, Key(0, 9))
    for one, copies in zip(kept, before, strict=True):
        for array, copy in zip(jax.tree.leaves(one), copies, strict=True):
            np.testing.assert_array_equal(np.array(array), copy)
    assert len({each[0].tobytes() for each in before}) == 4  # and every step has moved them
    executor.load(*kept[1])
    again = [np.array(each) for each in jax.tree.leaves(executor.read())]
    for array, copy in zip(again, before[1], strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_weight_that_is_not_finite_ends_the_bundle() -> None:
    executor = executors(*BUILT, [polydnn.Dense(2)])[1]
    data = on_device(executor, rows_for(executor.plan))
    losses = np.asarray(executor.steps(data, np.arange(20), 4, [0.1, float("inf"), 0.1, 0.1, 0.1], Key(0, 1)))
    assert losses.shape == (2,)
    assert np.isfinite(losses).all()
    assert executor.stopped(losses[-1])


def test_a_row_that_is_not_there_is_an_error() -> None:
    executor = executors(*BUILT, [polydnn.Dense(2)])[1]
    data = on_device(executor, rows_for(executor.plan))
    for order in ([0, ROWS], [-1, 5]):
        with pytest.raises(InvalidArgumentError, match=r"order names row \d+ or -?\d+, but there are 23 rows"):
            executor.steps(data, np.asarray(order), 2, [0.1], Key(0, 1))


# ---- as a fit uses it ----------------------------------------------------------------------------------------------


def looking(z: Any, *, xp: Any) -> Any:
    return z if float(xp.max(z)) > 0 else 2 * z


def by_numpy(z: Any, *, xp: Any) -> Any:
    return xp.asarray(np.asarray(z))


@pytest.mark.parametrize("forward", [looking, by_numpy])
def test_what_jax_cannot_trace_leaves_the_reference(forward: Any, caplog: pytest.LogCaptureFixture) -> None:
    strange = polydnn.Activation("strange", forward, derivative=lambda z, y, *, xp: xp.ones_like(z))
    network = polydnn.Network(4, [polydnn.Dense(2, strange)], backend="jax", dtype="float64")
    trainer = polydnn.Trainer(network, loss="mean_squared_error", batch_size=8)
    with caplog.at_level(logging.WARNING, "polydnn"):
        trainer.fit(np.ones((ROWS, 4)), np.ones((ROWS, 2)), epochs=1)
    assert trainer.choice is not None
    assert trainer.choice.name == "reference"
    (reason,) = caplog.messages
    assert reason.startswith("executor 'jax_jit' is not used: BackendError: JAX cannot compile this step (")
    assert "\n" not in reason


def test_the_error_itself_is_a_backend_error() -> None:
    strange = polydnn.Activation("strange", looking, derivative=lambda z, y, *, xp: xp.ones_like(z))
    executor = executors(*BUILT, [polydnn.Dense(2, strange)])[1]
    data = on_device(executor, rows_for(executor.plan))
    with pytest.raises(BackendError, match=r"JAX cannot compile this step \(ConcretizationTypeError: "):
        executor.step(data.x, data.y, 0.1, Key(0, 1))


@pytest.mark.parametrize("batch_size", [8, "full"])
def test_a_fit_takes_it_and_ends_where_a_fit_on_numpy_ends(batch_size: Any) -> None:
    host = np.random.default_rng(0)
    x, y = host.normal(size=(ROWS, 4)), host.integers(0, 3, ROWS)
    losses = []
    for backend in (numpy_backend(), polydnn.get_backend("jax")):
        layers = [polydnn.Dense(5, "relu"), polydnn.Dropout(0.2), polydnn.Dense(3, "softmax")]
        network = polydnn.Network(4, layers, backend=backend, dtype="float64", seed=1)
        options: dict[str, Any] = {"loss": "categorical_cross_entropy", "optimizer": "adam", "schedule": "cosine"}
        trainer = polydnn.Trainer(network, batch_size=batch_size, **options)
        losses.append(trainer.fit(x, y, epochs=5)["loss"])
        assert trainer.choice is not None
    assert trainer.choice.name == "jax_jit"
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-11)


@pytest.mark.filterwarnings("ignore:overflow encountered")  # NumPy's
def test_a_fit_that_diverges_names_the_step() -> None:
    found = []
    for backend in ("numpy", "jax"):
        network = polydnn.Network(4, [polydnn.Dense(2)], backend=backend, seed=1)
        execution = "reference" if backend == "numpy" else "jax_jit"
        options: dict[str, Any] = {"batch_size": 5, "learning_rate": 1e8, "execution": execution}
        trainer = polydnn.Trainer(network, loss="mean_squared_error", **options)
        x = np.random.default_rng(0).normal(size=(ROWS, 4))
        with pytest.raises(polydnn.errors.DivergenceError, match=r"at step \d+\. The first number") as caught:
            trainer.fit(x, x[:, :2], epochs=9)
        found.append(str(caught.value))
    assert found[0] == found[1]
