"""The compiled steps are the reference's, whatever is combined, and to the last bit their own however they are cut."""

from typing import Any

import numpy as np
import pytest
from compared import (
    ACTIVATIONS,
    BATCHES,
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
from polydnn_numba import numba_executor
from polydnn_numba.teams import Team
from polydnn_numba.tiny import TinyExecutor

import polydnn
from polydnn import Dense, Dropout, Normalization, Trainer
from polydnn.errors import DTypeError, ShapeError
from polydnn.execution import Data, Key, first_state
from polydnn.executors.on_numpy import ThreadPace

PENALTIES = [
    {"l1": 0.1},
    {"l2": 0.1},
    {"weight_decay": 0.1},
    {"clip_value": 0.02},
    {"clip_norm": 0.05},
    {"clip_norm": 100.0},
    {"l1": 0.1, "l2": 0.2, "weight_decay": 0.1, "clip_value": 0.1, "clip_norm": 0.2},
]


# ---- every part, against the reference -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations(activation: Any, dtype: str) -> None:
    trainer = chain(Dense(7, activation), Dense(6, activation), Dense(3), dtype=dtype)
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer), batch)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "output"), LOSSES)
def test_losses(loss: str, output: str, weighted: bool, dtype: str) -> None:
    trainer = chain(Dense(7, "tanh"), Dense(3, output), loss=loss, dtype=dtype)
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer, weighted=weighted), batch)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels(dtype: str) -> None:
    trainer = chain(Dense(7, "tanh"), Dense(4, "softmax"), loss="categorical_cross_entropy", dtype=dtype)
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer, labels=True), batch)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_optimizers(optimizer: Any, dtype: str) -> None:
    trainer = chain(Dense(7, "tanh"), Dense(3), optimizer=optimizer, dtype=dtype)
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer), batch)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("penalties", PENALTIES, ids=str)
def test_penalties(penalties: dict[str, float], optimizer: str) -> None:
    trainer = chain(Dense(7, "tanh"), Dense(3), optimizer=optimizer, **penalties)
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer), batch)


def test_all_together() -> None:
    """Every activation with every loss and optimizer, at a full and a partial batch."""
    for activation in ACTIVATIONS:
        for loss, output in LOSSES:
            for optimizer in OPTIMIZERS:
                trainer = chain(Dense(4, activation), Dense(2, output), loss=loss, optimizer=optimizer, features=3)
                for batch in (1, 17):
                    assert_agrees(trainer, rows(trainer), batch, count=2)


@pytest.mark.parametrize("widths", [(1, 1), (16, 1), (17, 2), (3, 20), (4, 5, 6, 7), (64, 10), (40, 33, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_widths(widths: tuple[int, ...], dtype: str) -> None:
    *hidden, last = widths
    trainer = chain(*(Dense(each, "relu") for each in hidden), Dense(last), features=9, dtype=dtype)
    for batch in BATCHES:
        assert_agrees(trainer, rows(trainer), batch)


@pytest.mark.parametrize("batch", BATCHES)
def test_dropout_normalization_and_layers_without_bias(batch: int) -> None:
    layers = (
        Normalization(), Dropout(0.1), Dense(7, "relu"), Dropout(0.3), Dropout(0.2),
        Dense(6, "silu", use_bias=False), Dropout(0.5), Dense(2, use_bias=False),
    )  # fmt: skip
    trainer = chain(*layers)
    trainer.network.set_parameters({"layers.0.shift": np.arange(5.0), "layers.0.scale": np.arange(1.0, 6.0)})
    assert_agrees(trainer, rows(trainer, weighted=batch == 16), batch)


def test_extreme_scores_have_finite_losses() -> None:
    for loss, output in [("binary_cross_entropy", "sigmoid"), ("categorical_cross_entropy", "softmax")]:
        trainer = chain(Dense(3, output), loss=loss)
        values = trainer.network.parameters
        trainer.network.set_parameters({name: 1e4 * np.asarray(array) for name, array in values.items()})
        assert_agrees(trainer, rows(trainer), 16)


def test_small_cross_entropies_keep_their_digits() -> None:
    """Where a class leads by 17 to 30 the rounding of that difference alone would be up to 1e-6 of the loss."""
    trainer = chain(Dense(3, "softmax"), loss="categorical_cross_entropy", dtype="float32", features=3)
    values = {"layers.0.weight": np.eye(3, dtype=np.float32), "layers.0.bias": np.zeros(3, np.float32)}
    trainer.network.set_parameters(values)
    scores = np.random.default_rng(0).uniform(-1.0, 1.0, size=(200, 3)).astype(np.float32)
    scores[:, 1] += np.linspace(18.0, 29.0, 200, dtype=np.float32)
    data = Data(scores, np.ones(200, np.int64))
    losses = ready(trainer).steps(data, np.arange(200), 1, [0.0] * 200, Key(0, 1))
    behind = scores.astype(np.float64) - scores[:, 1:2].astype(np.float64)
    np.testing.assert_allclose(losses, np.log1p(np.exp(behind[:, 0]) + np.exp(behind[:, 2])), rtol=4e-7)


# ---- to the last bit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bundles_may_be_cut_anywhere(dtype: str, batch: int) -> None:
    trainer = chain(Dense(7, "tanh"), Dropout(0.2), Dense(3), optimizer="adam", dtype=dtype, clip_norm=0.1)
    data, count = rows(trainer), 6
    order = np.random.default_rng(4).integers(0, ROWS, size=count * batch)
    rates = [0.01 / (1 + each) for each in range(count)]
    whole, parts, single = ready(trainer), ready(trainer), ready(trainer)
    expected = whole.steps(data, order, batch, rates, Key(5, 7))
    found = []
    for start, end in ((0, 1), (1, 3), (3, 6)):
        part = order[start * batch : end * batch]
        found.extend(parts.steps(data, part, batch, rates[start:end], Key(5, 7 + start)))
        parts.load(*parts.read())
    taken = []
    for each in range(count):
        here = order[each * batch : (each + 1) * batch]
        taken.append(single.step(data.x[here], data.y[here], rates[each], Key(5, 7 + each)))
    assert expected.tolist() == [float(each) for each in found] == [float(each) for each in taken]
    for name, array in flat(whole).items():
        np.testing.assert_array_equal(flat(parts)[name], array)
        np.testing.assert_array_equal(flat(single)[name], array)


def in_parts(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, threads: int = 2) -> TinyExecutor:
    """An executor that cuts a batch into three parts, whatever machine this is, run by so many threads."""
    monkeypatch.setattr("polydnn_numba.tiny.usable_threads", lambda: 3)
    monkeypatch.setattr("polydnn_numba.tiny.WORTH", 1)
    executor = TinyExecutor(trainer.plan)
    executor._teams[3] = team = Team(3)
    team.threads, team._pace = threads, ThreadPace([])
    return executor


@pytest.mark.parametrize("batch", [48, 700])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_parts_of_a_batch_side_by_side(optimizer: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [Dense(7, "tanh"), Dropout(0.2), Dense(6, "softmax"), Dense(3)]
    trainer = chain(*layers, optimizer=optimizer, l1=0.1, clip_norm=0.1)
    data = rows(trainer, weighted=True)
    made: list[TinyExecutor] = []

    def make(plan: Any) -> TinyExecutor:
        made.append(in_parts(trainer, monkeypatch))
        return made[-1]

    assert_agrees(trainer, data, batch, make=make)
    assert set(made[0]._teams) == {3}
    order = np.random.default_rng(4).integers(0, ROWS, size=4 * batch)
    reached = []
    for threads in (1, 2, 3):
        executor = ready(trainer, in_parts(trainer, monkeypatch, threads))
        losses = executor.steps(data, order, batch, [0.1] * 4, Key(5, 7))
        reached.append([*losses, *flat(executor).values()])
    for one, *others in zip(*reached, strict=True):
        for other in others:
            np.testing.assert_array_equal(other, one)


def test_a_part_without_its_rows_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = chain(Dense(6, "relu"), Dense(3))
    order = np.arange(96) % ROWS
    order[95] = ROWS
    with pytest.raises(IndexError, match="order must hold row numbers from 0 to 89, found others"):
        ready(trainer, in_parts(trainer, monkeypatch)).steps(rows(trainer), order, 48, [0.1, 0.1], Key(0, 1))


def test_small_batches_are_left_in_one() -> None:
    executor = TinyExecutor(chain(Dense(6, "relu"), Dense(3)).plan)
    assert [executor._parts(batch) for batch in (1, 16, 256)] == [1, 1, 1]
    assert executor._parts(2**20) == executor._most


@pytest.mark.parametrize(("name", "value"), [("MOST_NOISE", 2 * 16 * 7), ("SHARED", 1)])
def test_masks_drawn_in_parts_change_nothing(name: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = chain(Dense(7, "tanh"), Dropout(0.2), Dense(3))
    data, order = rows(trainer), np.arange(80)
    whole, parts = ready(trainer), ready(trainer)
    expected = whole.steps(data, order, 16, [0.1] * 5, Key(5, 7))
    monkeypatch.setattr(f"polydnn_numba.masks.{name}", value)
    monkeypatch.setattr("polydnn_numba.masks.usable_threads", lambda: 3)
    assert parts.steps(data, order, 16, [0.1] * 5, Key(5, 7)).tolist() == expected.tolist()


def test_a_fit_resumed_in_the_middle_of_an_epoch_ends_with_the_same_bits(tmp_path: Any) -> None:
    class Save(polydnn.Callback):
        def on_step_end(self, trainer: Trainer, loss: Any) -> None:
            if trainer.progress.step == 5:
                trainer.save_checkpoint(tmp_path / "checkpoint")

        def steps_until_call(self, trainer: Trainer) -> int:
            return 5 - trainer.progress.step % 5

    options = {"optimizer": "adam", "batch_size": 8, "execution": "numba"}
    saved = chain(Dense(6, "relu"), Dense(3), **options, callbacks=[Save()])
    data = rows(saved)
    saved.fit(data.x, data.y, epochs=2)
    resumed = Trainer.resume(tmp_path / "checkpoint", callbacks=[Save()])
    resumed.fit(data.x, data.y, epochs=2)
    assert resumed.choice is not None
    assert resumed.choice.name == "numba"
    for name, array in saved.network.parameters.items():
        np.testing.assert_array_equal(resumed.network.parameters[name], array)


# ---- what is given and what is read ----------------------------------------------------------------------------------


def test_what_was_read_is_changed_by_no_later_step_and_what_was_loaded_by_none() -> None:
    trainer = chain(Dense(6, "relu"), Dense(3), optimizer="adam")
    data, state = rows(trainer), first_state(trainer.plan)
    arrays = {name: array.copy() for name, array in trainer.network.arrays.items()}
    executor = numba_executor(trainer.plan)
    executor.load(arrays, state)
    executor.step(*data[:2], 0.1, Key(0, 1))
    before = {name: array.copy() for name, array in flat(executor).items()}
    held = flat(executor)
    executor.step(*data[:2], 0.1, Key(0, 2))
    for name, array in before.items():
        np.testing.assert_array_equal(held[name], array)
    for name, array in trainer.network.arrays.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert not any(array.any() for slots in state.values() for array in slots.values())


@pytest.mark.parametrize("labels", [False, True])
def test_rows_of_another_kind_give_the_same(labels: bool) -> None:
    trainer = chain(Dense(6, "relu"), Dense(4, "softmax"), loss="categorical_cross_entropy", dtype="float32")
    data = rows(trainer, labels=labels, weighted=True)
    read_only = Data(*(each.copy() for each in data))
    for each in read_only:
        each.flags.writeable = False
    wide = Data(data.x.astype(np.float64), data.y.astype(np.int16 if labels else np.float64), data.weights)
    columns = Data(np.asfortranarray(data.x), data.y, data.weights)
    order = np.arange(64)
    expected = ready(trainer).steps(data, order, 16, [0.1] * 4, Key(0, 1))
    for other in (read_only, wide, columns):
        assert ready(trainer).steps(other, order, 16, [0.1] * 4, Key(0, 1)).tolist() == expected.tolist()


def test_shapes_that_do_not_fit_are_refused() -> None:
    trainer = chain(Dense(6, "relu"), Dense(3))
    x, y, _ = rows(trainer)
    executor = ready(trainer)
    with pytest.raises(ShapeError, match=r"x must have 5 columns, as the network does, found shape \(90, 4\)"):
        executor.step(x[:, :4], y, 0.1, Key(0, 1))
    with pytest.raises(ShapeError, match="one row for each of the 90 rows of x"):
        executor.step(x, y[:80], 0.1, Key(0, 1))
    with pytest.raises(ShapeError, match="one row for each of the 90 rows of x"):
        executor.step(x, y, 0.1, Key(0, 1), np.ones(80))
    with pytest.raises(ShapeError, match="mean_squared_error: the target must have the prediction's shape"):
        executor.step(x, y[:, 0], 0.1, Key(0, 1))
    classes = chain(Dense(3, "softmax"), loss="categorical_cross_entropy")
    with pytest.raises(DTypeError, match="must hold integer labels"):
        ready(classes).step(x, y[:, 0], 0.1, Key(0, 1))


@pytest.mark.parametrize("wrong", [-1, ROWS])
@pytest.mark.parametrize("weighted", [False, True])
def test_row_numbers_out_of_range_are_refused(wrong: int, weighted: bool) -> None:
    trainer = chain(Dense(6, "relu"), Dense(3))
    data = rows(trainer, weighted=weighted)
    order = np.asarray([0, 1, 2, wrong])
    with pytest.raises(IndexError, match="order must hold row numbers from 0 to 89, found others"):
        ready(trainer).steps(data, order, 2, [0.1, 0.1], Key(0, 1))


# ---- numbers that are not finite -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 20])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_it_stops_after_the_first_step_that_is_not_finite(bad: float, batch: int) -> None:
    trainer = chain(Dense(6, "relu"), Dense(3))
    data = rows(trainer)
    data.x[2 * batch] = bad
    order = np.arange(4 * batch)
    assert_stops_where_the_reference_does(trainer, data, order, numba_executor(trainer.plan))


def test_it_stops_where_the_loss_was_finite_and_the_parameters_no_longer_are() -> None:
    executor = ready(chain(Dense(2)))
    data = rows(chain(Dense(2)))
    losses = executor.steps(Data(100.0 * data.x, data.y), np.arange(60), 20, [1e-9, 1e308, 0.1], Key(0, 1))
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert not np.isfinite(executor.read()[0]["layers.0.weight"]).all()
    assert executor.stopped(losses[-1])


def test_after_such_a_step_it_begins_anew_with_what_is_loaded() -> None:
    trainer = chain(Dense(5, "relu"), Dense(3), optimizer="adam", dtype="float32")
    data, fresh, used = rows(trainer), ready(trainer), numba_executor(trainer.plan)
    for bad in (np.nan, np.inf):  # not finite either: what stands between the rows of the weights
        used = ready(trainer, used)
        assert len(used.steps(Data(np.full_like(data.x, bad), data.y), np.arange(2), 1, [0.1, 0.1], Key(0, 1))) == 1
    losses = [
        each.steps(data, np.arange(40), batch, [0.01] * (40 // batch), Key(0, 1))
        for batch in (1, 20)
        for each in (fresh, ready(trainer, used) if batch == 1 else used)
    ]
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_array_equal(losses[2], losses[3])


def test_a_fit_takes_it_by_name() -> None:
    trainer = chain(Dense(6, "relu"), Dense(3), execution="numba", batch_size=7)
    data = rows(trainer)
    trainer.fit(data.x, data.y, epochs=2)
    assert trainer.choice is not None
    assert trainer.choice.name == "numba"
    assert trainer.choice.reasons == ()
