"""Networks in panels: the reference's steps however they are combined, and the same bits with any number of threads."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from compared import (
    ACTIVATIONS,
    LOSSES,
    OPTIMIZERS,
    ROWS,
    assert_agrees,
    assert_stops_where_the_reference_does,
    chain,
    flat,
    ready,
    rows,
)
from polydnn_numba import masks, panel_layout
from polydnn_numba.panels import PanelExecutor

from polydnn import Dense, Dropout, Normalization, StepPlan, Trainer
from polydnn.errors import ShapeError
from polydnn.execution import Data, Key, first_state
from polydnn.executors.on_numpy import ThreadPace

BATCHES = [1, 16, 33, 700]
"""One example, a vector of them, a part of one behind two, and several blocks."""

BY_UNITS = [each for each in ACTIVATIONS if "softmax" not in str(each)]


def panels(plan: StepPlan) -> PanelExecutor:
    """Three panels, whatever machine this is."""
    return PanelExecutor(plan, panels=3)


def three(executor: PanelExecutor) -> PanelExecutor:
    assert executor._layout.panels.shape[1] == 3
    return executor


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", BY_UNITS, ids=str)
def test_activations(activation: Any, dtype: str) -> None:
    trainer = chain(Dense(100, activation), Dense(97, activation), Dense(3), dtype=dtype)
    three(panels(trainer.plan))
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer), batch, count=2, make=panels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "output"), LOSSES)
def test_losses(loss: str, output: str, weighted: bool, dtype: str) -> None:
    trainer = chain(Dense(100, "tanh"), Dense(3, output), loss=loss, dtype=dtype)
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer, weighted=weighted), batch, make=panels)


@pytest.mark.parametrize("batch", BATCHES)
def test_labels(batch: int) -> None:
    trainer = chain(Dense(100, "relu"), Dense(20, "softmax"), loss="categorical_cross_entropy")
    assert_agrees(trainer, rows(trainer, labels=True), batch, make=panels)


@pytest.mark.parametrize("batch", [1, 33, 700])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_optimizers(optimizer: Any, batch: int) -> None:
    trainer = chain(Dense(101, "tanh"), Dense(3), optimizer=optimizer)
    assert_agrees(trainer, rows(trainer), batch, make=panels)


@pytest.mark.parametrize(("loss", "output"), LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_activation_with_every_loss_and_optimizer(optimizer: Any, loss: str, output: str) -> None:
    """In float64: where a gradient is almost 0, an optimizer that divides by its size makes much of a rounding."""
    for activation in BY_UNITS:
        trainer = chain(Dense(96, activation), Dense(2, output), loss=loss, optimizer=optimizer, features=3)
        for batch in (1, 17):
            assert_agrees(trainer, rows(trainer), batch, count=2, make=panels)


@pytest.mark.parametrize("slab", [1, 200])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_gradients_taken_up_some_rows_at_a_time(optimizer: str, slab: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel_layout, "SLAB", slab)
    trainer = chain(Dense(101, "tanh"), Dense(70, "tanh"), Dense(3), optimizer=optimizer, weight_decay=0.1)
    assert_agrees(trainer, rows(trainer), 33, make=panels)


@pytest.mark.parametrize("widths", [(96, 5), (5, 96), (96, 1, 96), (33, 200, 40)])
@pytest.mark.parametrize("bias", [True, False])
def test_narrow_layers_leave_panels_without_units(widths: tuple[int, ...], bias: bool) -> None:
    trainer = chain(*(Dense(each, "silu", use_bias=bias) for each in widths), Dense(2, use_bias=bias))
    three(panels(trainer.plan))
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer), batch, make=panels)


@pytest.mark.parametrize("batch", BATCHES)
def test_inputs_are_normalized_on_the_way_in(batch: int) -> None:
    trainer = chain(Normalization(), Dense(100, "relu"), Dense(2), features=40)
    values = {"layers.0.shift": np.arange(40.0), "layers.0.scale": np.arange(1.0, 41.0)}
    trainer.network.set_parameters(values)
    assert_agrees(trainer, rows(trainer), batch, make=panels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "gelu"])  # two that are pulled back by what they gave
def test_dropout(activation: str, dtype: str) -> None:
    layers = [Dense(100, activation), Dropout(0.3), Dense(97, activation), Dense(65, activation), Dropout(0.6)]
    trainer = chain(*layers, Dense(3), dtype=dtype, optimizer="adam")
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer), batch, make=panels)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(
    "options",
    [
        {"l1": 0.1}, {"l2": 0.3}, {"clip_value": 0.01}, {"clip_norm": 0.5}, {"clip_norm": 1e6},
        {"l1": 0.1, "l2": 0.3, "clip_value": 0.02, "clip_norm": 0.5, "weight_decay": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_penalties_and_bounds(options: dict[str, float], optimizer: str) -> None:
    for dtype in ("float32", "float64"):
        trainer = chain(Dense(101, "tanh"), Dense(70, "tanh"), Dense(3), optimizer=optimizer, dtype=dtype, **options)
        for batch in BATCHES:
            assert_agrees(trainer, rows(trainer), batch, make=panels)


def test_a_bound_of_gradients_whose_squares_are_too_large() -> None:
    trainer = chain(Dense(100), Dense(3), clip_norm=1.0)
    data = rows(trainer)
    assert_agrees(trainer, Data(1e100 * data.x, 1e100 * data.y), 16, count=1, make=panels)


@pytest.mark.parametrize(
    ("layers", "options", "reason"),
    [
        ([Dense(3)], {}, "there is no hidden layer to share"),
        ([Dense(100, "softmax"), Dense(3)], {}, "an activation across the units"),
        ([Dropout(0.5), Dense(100), Dense(3)], {}, "is not served"),
        ([Dense(100), Dropout(0.5), Dropout(0.5), Dense(3)], {}, "is not served"),
        ([Dense(100), Dense(3), Dropout(0.5)], {}, "is not served"),
    ],
)
def test_what_it_leaves_to_others(layers: list[Any], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotImplementedError, match=reason):
        panels(chain(*layers, **options).plan)


# ---- to the last bit -------------------------------------------------------------------------------------------------


def run(trainer: Trainer, batch: int, cuts: list[int], threads: int | None = None) -> dict[str, np.ndarray]:
    """Six steps, cut into bundles; everything that was reached."""
    executor = three(panels(trainer.plan))
    if threads is not None:
        executor._team.threads, executor._team._pace = threads, ThreadPace([])
    executor.load(trainer.network.arrays, first_state(trainer.plan))
    order, losses = np.random.default_rng(4).integers(0, ROWS, size=6 * batch), []
    for start, end in zip([0, *cuts], [*cuts, 6], strict=True):
        rates = [0.01 / (1 + each) for each in range(start, end)]
        part = order[start * batch : end * batch]
        losses += list(executor.steps(rows(trainer), part, batch, rates, Key(5, 7 + start)))
        executor.load(*executor.read())
    return {"losses": np.asarray(losses), **flat(executor)}


@pytest.mark.parametrize("batch", [1, 7, 40, 600])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bounded", [False, True])
def test_bundles_may_be_cut_anywhere_and_threads_change_nothing(
    dtype: str, optimizer: str, batch: int, bounded: bool
) -> None:
    layers = [Dense(100, "tanh"), Dense(130, "relu"), Dense(3)]
    options = {"l2": 0.1, "clip_norm": 0.1} if bounded else {}
    if bounded:
        layers.insert(1, Dropout(0.2))
    trainer = chain(*layers, optimizer=optimizer, dtype=dtype, features=30, **options)
    whole = run(trainer, batch, [])
    for other in (run(trainer, batch, [1, 3]), *(run(trainer, batch, [], threads) for threads in (1, 2, 3))):
        for name, array in whole.items():
            np.testing.assert_array_equal(other[name], array, err_msg=name)


def test_where_another_number_of_threads_is_tried_a_bundle_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = chain(Dense(100, "tanh"), Dropout(0.2), Dense(3))
    executor, whole, taken = ready(trainer, panels(trainer.plan)), ready(trainer, panels(trainer.plan)), []

    def few(steps: int) -> int:
        taken.append(min(steps, 2))
        return taken[-1]

    monkeypatch.setattr(executor._team, "at_once", few)
    losses = [each.steps(rows(trainer), np.arange(80), 16, [0.1] * 5, Key(5, 7)) for each in (executor, whole)]
    assert taken == [2, 2, 1]
    np.testing.assert_array_equal(losses[0], losses[1])


def test_fits_side_by_side_do_not_wait_for_each_other() -> None:
    trainer = chain(Dense(100, "tanh"), Dense(130, "relu"), Dense(3), features=30)
    expected = run(trainer, 16, [])
    with ThreadPoolExecutor(4) as pool:
        for found in [pool.submit(run, trainer, 16, [1, 2, 3, 4, 5]) for _ in range(20)]:
            for name, array in expected.items():
                np.testing.assert_array_equal(found.result(60.0)[name], array)


def test_no_thread_waits_for_one_that_could_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = chain(Dense(100, "tanh"), Dense(3))
    executor, waiting = ready(trainer, panels(trainer.plan)), []

    def without_the_first(tasks: Any) -> None:
        waiting.append(pool.submit(tasks[1]))
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr("polydnn_numba.teams.together", without_the_first)
    executor._team.threads, executor._team._pace = 2, ThreadPace([])
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(RuntimeError, match="can't start"):
            executor.steps(rows(trainer), np.arange(80), 16, [0.1] * 5, Key(0, 1))
        waiting[0].result(60.0)


def test_one_step_is_a_bundle_of_one() -> None:
    trainer = chain(Dense(100, "relu"), Dense(3))
    data, executor, other = rows(trainer), ready(trainer, panels(trainer.plan)), ready(trainer, panels(trainer.plan))
    loss = executor.step(data.x[:20], data.y[:20], 0.1, Key(0, 1))
    assert loss == other.steps(data, np.arange(20), 20, [0.1], Key(0, 1))[0]
    assert loss.shape == ()
    for name, array in flat(other).items():
        np.testing.assert_array_equal(flat(executor)[name], array)


# ---- what is given and what is read ----------------------------------------------------------------------------------


def test_what_was_read_is_changed_by_no_later_step_and_what_was_loaded_by_none() -> None:
    trainer = chain(Dense(100, "relu"), Dense(3), optimizer="adam")
    data, state = rows(trainer), first_state(trainer.plan)
    arrays = {name: array.copy() for name, array in trainer.network.arrays.items()}
    executor = panels(trainer.plan)
    executor.load(arrays, state)
    executor.step(*data[:2], 0.1, Key(0, 1))
    before, held = {name: array.copy() for name, array in flat(executor).items()}, flat(executor)
    executor.step(*data[:2], 0.1, Key(0, 2))
    for name, array in before.items():
        np.testing.assert_array_equal(held[name], array)
    for name, array in trainer.network.arrays.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert not any(array.any() for slots in state.values() for array in slots.values())


def test_shapes_that_do_not_fit_are_refused() -> None:
    trainer = chain(Dense(100, "relu"), Dense(3))
    x, y, _ = rows(trainer)
    with pytest.raises(ShapeError, match="x must have 5 columns"):
        ready(trainer, panels(trainer.plan)).step(x[:, :4], y, 0.1, Key(0, 1))


@pytest.mark.parametrize("wrong", [-1, ROWS])
def test_row_numbers_out_of_range_are_refused(wrong: int) -> None:
    trainer = chain(Dense(100, "relu"), Dense(3))
    with pytest.raises(IndexError, match="order must hold row numbers from 0 to 89, found others"):
        ready(trainer, panels(trainer.plan)).steps(rows(trainer), np.asarray([0, wrong]), 2, [0.1], Key(0, 1))


# ---- memory ----------------------------------------------------------------------------------------------------------


def peak_bytes(trainer: Trainer, batch: int) -> int:
    """The most that NumPy held while an executor was made and took three steps, beyond the data."""
    data, order, state = rows(trainer), np.zeros(3 * batch, np.int64), first_state(trainer.plan)
    peaks = []
    for _ in range(2):  # what the first keeps of the compiler is no plan's
        tracemalloc.start()
        executor = panels(trainer.plan)
        executor.load(trainer.network.arrays, state)
        executor.steps(data, order, batch, [0.01] * 3, Key(0, 1))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return peaks[1]


@pytest.mark.parametrize("options", [{}, {"clip_norm": 1.0}], ids=str)
@pytest.mark.parametrize(("optimizer", "slots"), [("sgd", 0), ("adam", 2)])
def test_it_holds_parameters_state_and_the_activations_of_a_block(
    optimizer: str, slots: int, options: dict[str, Any]
) -> None:
    """Gradients from 513 rows on, or where they are bounded; of a block each layer's outputs, and for each panel two
    gradients more."""
    trainer = chain(Dense(200, "relu"), Dense(300, "relu"), Dense(10), optimizer=optimizer, features=100, **options)
    parameters = sum(int(np.prod(each.shape)) for each in trainer.network.parameters.values())
    block = 512 * (100 + 200 + 300 + 300 + 2 * 3 * 300 + 3 * 10)
    slabs = 3 * panel_layout.SLAB
    for batch, gradients in ((512, len(options)), (2048, 1)):
        expected = 8 * ((1 + slots + gradients) * parameters + block + slabs)
        assert 0.95 * expected < peak_bytes(trainer, batch) < 1.1 * expected + 3 * 8 * batch


def test_of_dropouts_it_holds_the_masks_of_some_steps_and_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "usable_threads", lambda: 2)
    plain = chain(Dense(200, "relu"), Dense(10), features=100)
    dropping = chain(Dense(200, "relu"), Dropout(0.5), Dense(10), features=100)
    for batch, steps in ((128, 3), (2048, 2), (16384, 1)):  # drawn as float32 and a truth value first
        expected, drawing = 8 * 200 * (2 * 512 + steps * batch), 5 * 200 * batch * min(steps, 2)
        found = peak_bytes(dropping, batch) - peak_bytes(plain, batch)
        assert 0.95 * expected < found < 1.05 * expected + drawing + 2**19


def test_masks_are_those_of_their_steps_whatever_was_drawn_before() -> None:
    """The array is used again."""
    plan = chain(Dense(30, "relu"), Dropout(0.5), Dense(20, "relu"), Dropout(0.2), Dense(2)).plan
    kept = masks.Masks(plan, [(1, 30), (3, 20)])
    for start, end, batch in ((0, 4, 8), (4, 5, 8), (5, 7, 3), (0, 9, 40), (2, 3, 40)):
        fresh = masks.Masks(plan, [(1, 30), (3, 20)]).draw(Key(3, 10), start, end, batch)
        np.testing.assert_array_equal(kept.draw(Key(3, 10), start, end, batch), fresh)
        drawn = [plan.host_noise(Key(3, 10 + step), batch) for step in range(start, end)]
        np.testing.assert_array_equal(fresh, np.concatenate([each[n].ravel() for each in drawn for n in (1, 3)]))


def test_it_does_not_grow_with_the_batch() -> None:
    trainer = chain(Dense(200, "relu"), Dense(10), features=100)
    small, large = (peak_bytes(trainer, batch) for batch in (2048, 32768))
    assert large < 1.05 * small + 3 * 8 * 32768


# ---- numbers that are not finite -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 20, 600])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_it_stops_after_the_first_step_that_is_not_finite(bad: float, optimizer: str, batch: int) -> None:
    trainer = chain(Dense(100, "relu"), Dense(3), optimizer=optimizer)
    data, order = rows(trainer), np.arange(4 * batch) % (ROWS - 1)
    data.x[ROWS - 1] = bad
    order[2 * batch] = ROWS - 1
    assert_stops_where_the_reference_does(trainer, data, order, panels(trainer.plan))


def test_a_move_that_is_far_but_finite_stops_nothing() -> None:
    trainer = chain(Dense(100), Dense(3))
    data = rows(trainer)
    executor = ready(trainer, panels(trainer.plan))
    losses = executor.steps(Data(1e20 * data.x, data.y), np.arange(60), 20, [1e-9, 0.0, 0.0], Key(0, 1))
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    assert losses[1] > 1e80
    assert not executor.stopped(losses[-1])


def test_a_fit_takes_it_by_name() -> None:
    trainer = chain(Dense(200, "relu"), Dense(100, "relu"), Dense(3), execution="numba", batch_size=7)
    data = rows(trainer)
    trainer.fit(data.x, data.y, epochs=2)
    assert trainer.choice is not None
    assert isinstance(trainer.choice.executor, PanelExecutor)
    assert trainer.choice.reasons == ()
