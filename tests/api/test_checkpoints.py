"""Checkpoints: a run that is broken off anywhere and resumed ends with the bits of the run that never was."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, numpy_backend
from polydnn.errors import CheckpointError, DivergenceError, InvalidArgumentError, StorageError
from polydnn.storage import CheckpointFolder, PolydnnStorageWarning

RNG = np.random.default_rng(1)
X = RNG.normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(int)
WEIGHTS = RNG.uniform(0.1, 2.0, size=20)
EPOCHS = 3
OPTIMIZERS = [
    "sgd",
    ("sgd", {"momentum": 0.9}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
    "adagrad",
    "adam",
    "adamw",
]
EVERYTHING: dict[str, Any] = {"l1": 0.01, "l2": 0.01, "clip_norm": 1.0, "schedule": ("cosine", {"warm_up": 2})}


class Interrupt(polydnn.Callback):
    """Breaks the fit off after a step, as a signal handler would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, trainer: Any, loss: Any) -> None:
        if trainer.progress.step == self.step:
            trainer.interrupted = "SIGTERM"


def callbacks(early: bool) -> list[polydnn.Callback]:
    return [polydnn.EarlyStopping("val_loss", patience=1, min_delta=10.0)] if early else []


def make(
    optimizer: Any, extra: list[polydnn.Callback], *, early: bool = False, backend: Any = None, **options: Any
) -> Any:
    layers = [polydnn.Normalization(), polydnn.Dense(4, "tanh"), polydnn.BatchNormalization(), polydnn.Dropout(0.2)]
    network = polydnn.Network(3, [*layers, polydnn.Dense(2, "softmax")], seed=6, backend=backend or numpy_backend())
    arguments: dict[str, Any] = {"loss": "categorical_cross_entropy", "batch_size": 8, "metrics": ["accuracy"]}
    return polydnn.Trainer(network, optimizer=optimizer, callbacks=[*callbacks(early), *extra], **arguments | options)


def fit(trainer: polydnn.Trainer, *, weighted: bool = True, fraction: bool = True, **options: Any) -> polydnn.History:
    if weighted:
        options["sample_weight"] = WEIGHTS
    if fraction:
        options["validation_fraction"] = 0.1  # 18 rows stay: two batches of 8 and one of 2
    return trainer.fit(X, Y, **{"epochs": EPOCHS} | options)


def state(trainer: polydnn.Trainer) -> dict[str, Any]:
    """Everything that must agree to the bit: arrays, optimizer state, counters, the history without its times."""
    to_numpy = trainer.network.backend.to_numpy
    arrays = {name: to_numpy(each).tobytes() for name, each in trainer.network.arrays.items()}
    for name, slots in trainer.optimizer_state.items():
        arrays |= {f"{name} {slot}": to_numpy(each).tobytes() for slot, each in slots.items()}
    assert trainer.progress is not None
    times = ("seconds", "samples_per_second")
    rows = [{name: value for name, value in row.items() if name not in times} for row in trainer.history]
    return {"arrays": arrays, "numbers": trainer.progress.numbers(), "history": rows}


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_resumed_run_is_the_run_that_was_never_stopped(tmp_path: Path, optimizer: Any, early: bool) -> None:
    """Every step of three epochs with dropout, batch normalization, schedule, weights and a short last batch."""
    whole = make(optimizer, [], early=early, **EVERYTHING)
    fit(whole)
    expected, steps = state(whole), 3 * len(whole.history)
    for step in range(1, steps + 1):
        folder = tmp_path / str(step)
        broken = make(optimizer, [Interrupt(step)], early=early, **EVERYTHING)
        fit(broken, checkpoints=folder)
        assert broken.progress is not None
        assert broken.progress.step == step
        resumed = polydnn.Trainer.resume(folder, callbacks=callbacks(early))
        assert (resumed.seed, resumed.batch_size, resumed.optimizer.name) == (6, 8, whole.optimizer.name)
        fit(resumed)
        assert state(resumed) == expected, f"after step {step}"


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": "full"},
        {"batch_size": 1},
        {"fit": {"weighted": False}},
        {"fit": {"fraction": False}},
        {"fit": {"weighted": False, "fraction": False, "class_weight": "balanced"}},
        {"dtype64": True},
        {"optimizer": ("adam", {"amsgrad": True}), "schedule": ("step", {"every": 3, "factor": 0.5})},
    ],
    ids=str,
)
def test_it_is_so_for_other_kinds_of_fits(tmp_path: Path, options: dict[str, Any]) -> None:
    options = dict(options)
    how, wide = options.pop("fit", {}), options.pop("dtype64", False)

    def trainer(*extra: polydnn.Callback) -> polydnn.Trainer:
        made = make(
            options.get("optimizer", "adam"), list(extra), **{k: v for k, v in options.items() if k != "optimizer"}
        )
        if not wide:
            return made
        network = polydnn.Network(3, made.network.layers, dtype="float64", backend=numpy_backend())
        return polydnn.Trainer(network, loss="categorical_cross_entropy", batch_size=8, callbacks=extra)

    whole = trainer()
    fit(whole, **how)
    assert whole.progress is not None
    steps = whole.progress.step
    for step in sorted({1, steps // 2, steps - 1, steps}):
        fit(trainer(Interrupt(step)), checkpoints=tmp_path / str(step), **how)
        resumed = polydnn.Trainer.resume(tmp_path / str(step))
        fit(resumed, **how)
        assert state(resumed) == state(whole), f"after step {step}"


def test_a_checkpoint_of_one_backend_goes_on_on_another(backend: Backend, tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": "full", "metrics": ()}  # one shape only: JAX compiles for each
    whole, broken = make("adam", [], **options), make("adam", [Interrupt(2)], backend=backend, **options)
    fit(whole, fraction=False)
    fit(broken, fraction=False)
    path = broken.save_checkpoint(tmp_path / "here.safetensors")
    resumed = polydnn.Trainer.resume(path, backend=backend)
    assert resumed.network.backend == backend
    fit(resumed, fraction=False)
    np.testing.assert_allclose(resumed.history["loss"], whole.history["loss"], rtol=1e-4)
    there = polydnn.Trainer.resume(path, backend="numpy")
    np.testing.assert_array_equal(
        there.network.parameters["layers.1.weight"], backend.to_numpy(broken.network.parameters["layers.1.weight"])
    )


def test_columns_that_only_some_epochs_have_stay_so(tmp_path: Path) -> None:
    trainer = make("sgd", [])
    fit(trainer, fraction=False)
    fit(trainer)
    resumed = polydnn.Trainer.resume(trainer.save_checkpoint(tmp_path / "c.safetensors"))
    assert resumed.history.rows == trainer.history.rows
    assert resumed.history["val_loss"] == trainer.history["val_loss"]
    assert len(resumed.history["val_loss"]) == EPOCHS


def test_a_finished_run_is_resumed_without_a_step_and_then_goes_on(tmp_path: Path) -> None:
    trainer = make("adam", [])
    fit(trainer, checkpoints=tmp_path)
    resumed = polydnn.Trainer.resume(tmp_path)
    fit(resumed)
    assert state(resumed) == state(trainer)
    fit(resumed)
    fit(trainer)
    assert state(resumed) == state(trainer)
    assert resumed.history["epoch"] == list(range(1, 2 * EPOCHS + 1))


@pytest.fixture
def broken_off(tmp_path: Path) -> Path:
    fit(make("adam", [Interrupt(4)], early=True), checkpoints=tmp_path / "run")
    return tmp_path / "run"


def test_other_rows_are_refused_each_time_and_the_right_ones_taken_after_that(broken_off: Path) -> None:
    resumed = polydnn.Trainer.resume(broken_off, callbacks=callbacks(early=True))
    text = r"resume: these rows are not the checkpoint's \(fingerprint \w{32}, expected \w{32}\)\. Give the same x, y"
    for x, y, weights in ((X + 1e-6, Y, WEIGHTS), (X, 1 - Y, WEIGHTS), (X, Y, None), (X[::-1], Y[::-1], WEIGHTS[::-1])):
        for _ in range(2):
            with pytest.raises(CheckpointError, match=text):
                resumed.fit(x, y, epochs=EPOCHS, validation_fraction=0.1, sample_weight=weights)
    fit(resumed)
    whole = make("adam", [], early=True)
    fit(whole)
    assert state(resumed) == state(whole)


def test_other_epochs_are_refused_each_time(broken_off: Path) -> None:
    resumed = polydnn.Trainer.resume(broken_off, callbacks=callbacks(early=True))
    for _ in range(2):
        with pytest.raises(
            CheckpointError, match=r"the run has 3 epochs of 3 steps, found 5 epochs of 3\. Give the same"
        ):
            fit(resumed, epochs=5)
    fit(resumed)


def test_other_callbacks_are_refused(broken_off: Path) -> None:
    text = r"taken with the callbacks \['EarlyStopping'\], the trainer has \[\]; give the same ones\."
    with pytest.raises(CheckpointError, match=text):
        polydnn.Trainer.resume(broken_off)


def test_there_is_nothing_to_save_before_a_fit_and_nothing_to_resume_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to save yet: the trainer has not begun a fit"):
        make("sgd", []).save_checkpoint(tmp_path / "c")
    with pytest.raises(CheckpointError, match=r"holds no checkpoint; train with checkpoints first"):
        polydnn.Trainer.resume(tmp_path)
    with pytest.raises(StorageError, match="nowhere"):
        polydnn.Trainer.resume(tmp_path / "nowhere.safetensors")
    network = make("sgd", []).network
    network.normalized = True
    with pytest.raises(CheckpointError, match="cannot be used as a checkpoint"):
        polydnn.Trainer.resume(network.save(tmp_path / "model.safetensors"))


def test_the_folder_keeps_the_last_ones_and_the_best(tmp_path: Path) -> None:
    trainer = make("adam", [], learning_rate=2.0)
    history = fit(trainer, checkpoints=tmp_path, keep=2, epochs=6)
    with CheckpointFolder(tmp_path) as folder:
        assert folder.steps() == [15, 18]
        best = folder.best()
    assert best is not None
    epoch = int(np.argmin(history["val_loss"])) + 1
    assert best[1]["state"]["progress"]["epoch"] == epoch
    resumed = polydnn.Trainer.resume(tmp_path / "best.safetensors")
    assert len(resumed.history) == epoch


def test_a_resumed_run_remembers_which_was_best(tmp_path: Path) -> None:
    """The resumed run is worse throughout, so the best file stays the one from before."""

    class Worse(polydnn.Callback):
        def on_epoch_end(self, trainer: Any, logs: Any) -> None:
            trainer.interrupted = "after the first epoch" if logs["epoch"] == 1 else None

    options: dict[str, Any] = {"learning_rate": 30.0, "optimizer": "sgd"}
    fit(make(options.pop("optimizer"), [Worse()], **options), checkpoints=tmp_path)
    resumed = polydnn.Trainer.resume(tmp_path)
    history = fit(resumed, checkpoints=tmp_path)
    with CheckpointFolder(tmp_path) as folder:
        best = folder.best()
    assert best is not None
    assert best[1]["state"]["progress"]["epoch"] == int(np.argmin(history["val_loss"])) + 1


def test_checkpoints_come_every_so_many_steps(tmp_path: Path) -> None:
    fit(make("sgd", []), checkpoints=tmp_path, checkpoint_every=2, keep=100, epochs=2)
    with CheckpointFolder(tmp_path) as folder:
        assert set(folder.steps()) >= {2, 4, 6}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"checkpoint_every": 0}, "checkpoint_every must be a whole number of steps of at least 1, found 0"),
        ({"checkpoint_every": 2.5}, "checkpoint_every must be a whole number of steps of at least 1, found 2.5"),
        ({"keep": 0}, "keep must be an integer from 1 on, found 0"),
        ({"on_storage_failure": "ignore"}, "on_storage_failure must be 'stop' or 'continue', found 'ignore'"),
        ({"checkpoints": None, "checkpoint_every": 3}, "checkpoint_every=3 needs a folder; give it with checkpoints"),
    ],
)
def test_arguments_of_checkpoints_are_checked(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        fit(make("sgd", []), **{"checkpoints": tmp_path} | options)


def refuse(*args: Any, **options: Any) -> None:
    msg = "cannot write 'c': No space left on device."
    raise StorageError(msg)


def test_a_disk_that_refuses_stops_the_fit_or_is_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, going = make("adam", []), make("adam", [])
    fit(stopped, checkpoints=tmp_path / "a", epochs=1)
    kept = state(stopped)
    monkeypatch.setattr(CheckpointFolder, "write", refuse)
    with pytest.raises(StorageError, match="No space left on device"):
        fit(stopped, checkpoints=tmp_path / "a", checkpoint_every=1, epochs=1)
    assert state(stopped)["arrays"] == kept["arrays"]  # the last whole epoch
    with pytest.warns(
        PolydnnStorageWarning, match=r"No space left on device\. Training goes on without this checkpoint"
    ):
        fit(going, checkpoints=tmp_path / "b", on_storage_failure="continue")
    monkeypatch.undo()
    assert len(going.history) == EPOCHS
    assert len(polydnn.Trainer.resume(tmp_path / "a").history) == 1  # the checkpoint before is whole
    fit(going, checkpoints=tmp_path / "b")  # the folder was given free


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_arrays_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    class Spoil(polydnn.Callback):
        def on_step_end(self, trainer: Any, loss: Any) -> None:
            if trainer.progress.step == 4:
                arrays = trainer.network.arrays
                trainer.network.replace_arrays({**arrays, "layers.1.bias": arrays["layers.1.bias"] * math.nan})

    trainer = make("adam", [Spoil()])
    with pytest.raises(
        DivergenceError, match=r"layers\.1\.bias is not finite after step 4; the last good checkpoint stays"
    ):
        fit(trainer, checkpoints=tmp_path, checkpoint_every=1)
    assert polydnn.Trainer.resume(tmp_path).progress.step == 3  # type: ignore[union-attr]


def test_items_of_the_users_own_come_back_by_custom(tmp_path: Path) -> None:
    base = polydnn.loss("mean_squared_error")
    mine = polydnn.Loss("mine", base.value, base.gradient)
    network = polydnn.Network(3, [polydnn.Dense(1)])
    trainer = polydnn.Trainer(network, loss=mine, batch_size=8)
    trainer.fit(X, X[:, :1], epochs=1)
    path = trainer.save_checkpoint(tmp_path / "c.safetensors")
    with pytest.raises(polydnn.PolydnnError, match=r"uses the loss 'mine', .* give it with custom=\{'mine': \.\.\.\}"):
        polydnn.Trainer.resume(path)
    assert polydnn.Trainer.resume(path, custom={"mine": mine}).loss is mine
