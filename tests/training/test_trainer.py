"""What a fit does around its steps: validation, metrics, early stopping, schedules, callbacks, second fits, failure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.errors import DivergenceError, InvalidArgumentError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
LABELS = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)


def classifier(backend: Any = "numpy", layers: Any = (), **options: Any) -> polydnn.Trainer:
    chain = [*layers, polydnn.Dense(2, "softmax")]
    network = polydnn.Network(3, chain, backend=backend, dtype="float64", seed=2)
    arguments = {"loss": "categorical_cross_entropy", "learning_rate": 0.1, "batch_size": 8} | options
    return polydnn.Trainer(network, **arguments)


def copies(trainer: polydnn.Trainer) -> dict[str, Any]:
    return {name: trainer.network.backend.to_numpy(each).copy() for name, each in trainer.network.arrays.items()}


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, each in expected.items():
        np.testing.assert_array_equal(found[name], each, err_msg=name)


def test_the_history_has_its_columns_and_the_validation_rows_their_metrics(backend: Backend) -> None:
    trainer = classifier(backend, metrics=["accuracy", ("top_k_accuracy", {"k": 2})])
    history = trainer.fit(X[:30], LABELS[:30], epochs=2, validation_data=(X[30:], LABELS[30:]))
    measures = ["val_loss", "val_accuracy", "val_top_k_accuracy"]
    assert history.columns == ["epoch", "loss", *measures, "learning_rate", "seconds", "samples_per_second"]
    assert history["epoch"] == [1, 2]
    assert history["learning_rate"] == [0.1, 0.1]
    report = trainer.evaluate(X[30:], LABELS[30:])
    assert {f"val_{name}": value for name, value in report.items()} == {name: history[name][-1] for name in measures}
    probabilities = trainer.network.forward(X[30:])
    right = np.log(probabilities[np.arange(10), LABELS[30:]])
    assert report["loss"] == pytest.approx(-right.mean(), rel=1e-12)
    assert report["accuracy"] == np.mean(trainer.network.predict(X[30:]) == LABELS[30:])
    assert report["top_k_accuracy"] == 1.0


def test_without_validation_rows_the_metrics_are_of_the_training_rows() -> None:
    trainer = classifier(metrics=["accuracy"])
    history = trainer.fit(X, LABELS, epochs=1)
    assert history.columns == ["epoch", "loss", "accuracy", "learning_rate", "seconds", "samples_per_second"]
    assert history["accuracy"] == [trainer.evaluate(X, LABELS)["accuracy"]]


def test_constants_are_learnt_from_the_training_rows_only(backend: Backend) -> None:
    """The rows set aside stand far off: they would show in the constants."""
    x, y = X.copy(), X[:, :1] * 100 + 7
    network = polydnn.Network(
        3, [polydnn.Normalization(), polydnn.Dense(1)], backend=backend, target_normalization="min-max", seed=4
    )
    trainer = polydnn.Trainer(network, loss="mean_squared_error")
    aside = np.sort(split_of(40, 0.25, network.seed))
    x[aside] += 1000.0
    y[aside] += 5000.0
    trainer.fit(x, y, epochs=1, validation_fraction=0.25)
    kept = np.setdiff1d(np.arange(40), aside)
    arrays = copies(trainer)
    np.testing.assert_allclose(arrays["layers.0.shift"], x[kept].mean(axis=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(arrays["layers.0.scale"], x[kept].std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(arrays["target.shift"], y[kept].min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(arrays["target.scale"], np.ptp(y[kept], axis=0), rtol=1e-6)
    trainer.fit(X + 50, y, epochs=1)
    polydnn.Trainer(network, loss="mean_squared_error").fit(X - 50, y - 900, epochs=1)
    for name in ("layers.0.shift", "layers.0.scale", "target.shift", "target.scale"):
        np.testing.assert_array_equal(copies(trainer)[name], arrays[name])  # they belong to the weights from now on


def split_of(n: int, fraction: float, seed: int) -> Any:
    """The rows that are set aside."""
    from polydnn.arrays import stream

    return stream(seed, "split").permutation(n)[: round(fraction * n)]


def test_data_that_are_refused_leave_the_network_as_it_was() -> None:
    network = polydnn.Network(3, [polydnn.Normalization(), polydnn.Dense(1)], target_normalization="standard")
    trainer = polydnn.Trainer(network, loss="mean_squared_error")
    before = copies(trainer)
    with pytest.raises(polydnn.PolydnnError, match="sample_weight must have shape"):
        trainer.fit(X + 100, X[:, :1], epochs=1, sample_weight=np.ones(3))
    with pytest.raises(polydnn.PolydnnError, match="validation y must have one row for each"):
        trainer.fit(X + 100, X[:, :1], epochs=1, validation_data=(X, X[:3, :1]))
    assert not network.normalized
    assert_same(copies(trainer), before)
    with pytest.raises(InvalidArgumentError, match="Normalization has no constants yet; train it"):
        trainer.evaluate(X, X[:, :1])


class Watch(polydnn.Callback):
    """Writes down what is called, and the arrays after every epoch."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.arrays: list[dict[str, Any]] = []

    def on_fit_start(self, trainer: Any) -> None:
        self.calls.append("start")

    def on_step_end(self, trainer: Any, loss: Any) -> None:
        assert trainer.network.backend.owns(loss)
        assert loss.shape == ()
        self.calls.append(f"step {trainer.progress.step}")

    def on_epoch_end(self, trainer: Any, logs: Mapping[str, Any]) -> None:
        self.calls.append(f"epoch {logs['epoch']}")
        self.arrays.append(copies(trainer))

    def on_fit_end(self, trainer: Any, history: Any) -> None:
        self.calls.append("end")
        assert history is trainer.history


def test_callbacks_are_called_in_their_order_and_may_stop_the_fit(backend: Backend) -> None:
    watch = Watch()
    trainer = classifier(backend, callbacks=[watch], batch_size=20)
    trainer.fit(X, LABELS, epochs=2)
    assert watch.calls == ["start", "step 1", "step 2", "epoch 1", "step 3", "step 4", "epoch 2", "end"]


@pytest.mark.parametrize(("moment", "epochs", "steps"), [("on_epoch_end", 1, 5), ("on_step_end", 0, 1)])
def test_a_request_to_stop_is_met_at_once(moment: str, epochs: int, steps: int) -> None:
    class Stop(polydnn.Callback):
        pass

    setattr(Stop, moment, lambda self, trainer, arg: setattr(trainer, "stop_requested", True))
    watch = Watch()
    trainer = classifier(callbacks=[Stop(), watch])
    history = trainer.fit(X, LABELS, epochs=9)
    assert len(history) == epochs
    assert trainer.progress is not None
    assert trainer.progress.step == steps
    assert watch.calls[-1] == "end"


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_early_stopping_ends_with_the_best_epochs_arrays(monitor: str, restore_best: bool) -> None:
    watch = Watch()
    stop = polydnn.EarlyStopping(monitor, patience=2, restore_best=restore_best)
    trainer = classifier(callbacks=[watch, stop], metrics=["accuracy"], learning_rate=5.0)
    noise = np.random.default_rng(5).integers(0, 2, size=10)  # labels nobody can learn: it must get worse
    history = trainer.fit(X[:30], LABELS[:30], epochs=200, validation_data=(X[30:], noise))
    assert len(history) < 200
    values = history[monitor]
    best = int(np.argmax(values) if monitor == "val_accuracy" else np.argmin(values))
    assert (stop.best_epoch, stop.best, stop.stopped_epoch) == (best + 1, values[best], best + 3)
    assert len(history) == best + 3
    assert_same(copies(trainer), watch.arrays[best if restore_best else -1])
    trainer.fit(X[:30], LABELS[:30], epochs=1, validation_data=(X[30:], noise))
    assert stop.best_epoch == best + 4  # a further fit begins anew
    assert stop.waited == 0


@pytest.mark.parametrize(
    ("values", "best"),
    [([3.0, 2.0, 2.0, 2.5, 1.0], 1), ([float("nan"), 5.0, 6.0, float("nan")], 1), ([1.0, 0.95, 0.89, 0.9, 0.85], 2)],
)
def test_early_stopping_by_hand(values: list[float], best: int) -> None:
    stop, trainer = polydnn.EarlyStopping("loss", patience=2, min_delta=0.1), classifier()
    for epoch, value in enumerate(values, 1):
        stop.on_epoch_end(trainer, {"epoch": epoch, "loss": value})
        if trainer.stop_requested:
            break
    assert trainer.stop_requested
    assert stop.best == values[best]
    assert stop.stopped_epoch == best + 3


def test_a_monitor_that_is_not_there_is_named() -> None:
    text = r"no column 'val_los'; it has loss\. Give fit validation_data or validation_fraction"
    with pytest.raises(InvalidArgumentError, match=text):
        classifier(callbacks=[polydnn.EarlyStopping("val_los")]).fit(X, LABELS, epochs=1)


def test_a_schedule_is_applied_step_by_step() -> None:
    """SGD's first layer moves by rate times gradient, so the rates can be read off the arrays."""
    factor = polydnn.schedule("cosine", warm_up=3).factor
    rates = []

    class Rates(polydnn.Callback):
        before: Any = None

        def on_step_end(self, trainer: Any, loss: Any) -> None:
            now = trainer.network.parameters["layers.0.bias"].copy()
            rates.append(np.abs(now - self.before).max())
            self.before = now

    listener = Rates()
    network = polydnn.Network(3, [polydnn.Dense(1)], dtype="float64")
    trainer = polydnn.Trainer(
        network,
        loss="mean_absolute_error",  # the gradient of the bias is 1 while all errors have one sign
        schedule=("cosine", {"warm_up": 3}),
        learning_rate=0.01,
        batch_size=10,
        callbacks=[listener],
    )
    for first in (0, 8):  # every fit runs through its own schedule
        listener.before = network.parameters["layers.0.bias"].copy()
        history = trainer.fit(X, np.full((40, 1), 1e3), epochs=2)
        assert history["learning_rate"][-1] == pytest.approx(0.01 * factor(8, 8))
        np.testing.assert_allclose(rates[first:], [0.01 * factor(step, 8) for step in range(1, 9)], rtol=1e-10)


def test_a_second_fit_goes_on() -> None:
    """Two fits of two epochs are one of four: order of rows, optimizer state, masks and step numbers go on."""
    layers = [polydnn.Dense(4, "tanh"), polydnn.Dropout(0.3)]
    once, twice = (classifier(layers=layers, optimizer="adam", batch_size=7) for _ in range(2))
    whole = once.fit(X, LABELS, epochs=4)
    twice.fit(X, LABELS, epochs=2)
    parts = twice.fit(X, LABELS, epochs=2)
    assert parts["epoch"] == [1, 2, 3, 4]
    assert parts["loss"] == whole["loss"]
    assert_same(copies(twice), copies(once))


def test_dropout_is_for_training_only(backend: Backend) -> None:
    trainer = classifier(backend, layers=[polydnn.Dropout(0.9)])
    np.testing.assert_array_equal(trainer.network.forward(X), trainer.network.forward(X))
    plain = classifier(backend)
    plain.network.set_parameters(
        {f"layers.0.{n}": trainer.network.parameters[f"layers.1.{n}"] for n in ("weight", "bias")}
    )
    np.testing.assert_array_equal(trainer.network.forward(X), plain.network.forward(X))


DIVERGES = {"learning_rate": 1e200}


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_divergence_is_said_and_the_network_keeps_the_last_whole_epoch(backend: Backend, watched: bool) -> None:
    network = polydnn.Network(3, [polydnn.Dense(1)], backend=backend, dtype="float64")
    watch = Watch()
    options: dict[str, Any] = {"loss": "mean_squared_error", "batch_size": 16}
    trainer = polydnn.Trainer(network, callbacks=[watch] if watched else [], **options)
    y = X[:, :1]
    trainer.fit(X, y, epochs=1)
    kept, step = copies(trainer), 3
    trainer.learning_rate = 1e200
    text = (
        r"the loss became inf in epoch 2, at step 5\. The first number that is not finite is in the loss, while the "
        r"output of the last layer is finite\. Try a learning rate below 1e\+200 .*clip_norm=1\.0.*"
        r"The network keeps the arrays of the last whole epoch\."
    )
    with pytest.raises(DivergenceError, match=text):
        trainer.fit(X, y, epochs=3)
    assert_same(copies(trainer), kept)
    assert trainer.progress is not None
    assert (trainer.progress.step, trainer.progress.epoch, trainer.progress.batch) == (step, 1, 0)
    assert len(trainer.history) == 1
    trainer.learning_rate = 0.01
    assert np.isfinite(trainer.fit(X, y, epochs=1)["loss"][-1])


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_an_epoch_that_ends_with_infinite_parameters_is_refused_too() -> None:
    """The loss of the only step is fine; what it leaves behind is not."""
    network = polydnn.Network(3, [polydnn.Dense(1)])
    trainer = polydnn.Trainer(network, loss="mean_squared_error", batch_size="full", learning_rate=1e38)
    before = copies(trainer)
    with pytest.raises(DivergenceError, match=r"layers\.0\.weight became -?inf in epoch 1, at step 1"):
        trainer.fit(1e3 * X, X[:, :1], epochs=1)
    assert_same(copies(trainer), before)


@pytest.mark.parametrize("watched", [False, True])
def test_whatever_a_fit_raises_the_trainer_stands_at_its_last_whole_epoch(watched: bool) -> None:
    class Break(polydnn.Callback):
        def on_epoch_end(self, trainer: Any, logs: Mapping[str, Any]) -> None:
            if logs["epoch"] == 2:
                trainer.network.backend = Broken()

    class Broken(type(polydnn.get_backend("numpy"))):  # type: ignore[misc]
        def synchronize(self) -> None:
            raise KeyboardInterrupt

    watch = Watch()
    trainer = classifier(callbacks=[*([watch] if watched else []), Break()], optimizer="adam")
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, LABELS, epochs=3)
    trainer.network.backend = polydnn.get_backend("numpy")
    trainer.callbacks = ()
    whole = classifier(optimizer="adam")
    whole.fit(X, LABELS, epochs=2)
    assert_same(copies(trainer), copies(whole))
    assert trainer.fit(X, LABELS, epochs=1)["loss"] == whole.fit(X, LABELS, epochs=1)["loss"]


def test_a_trainer_that_was_interrupted_says_so_instead_of_doing_nothing() -> None:
    class Interrupt(polydnn.Callback):
        def on_step_end(self, trainer: Any, loss: Any) -> None:
            trainer.interrupted = "SIGINT"

    watch = Watch()
    trainer = classifier(callbacks=[Interrupt(), watch])
    trainer.fit(X, LABELS, epochs=1)
    assert "end" not in watch.calls
    with pytest.raises(InvalidArgumentError, match=r"interrupted \(SIGINT\); go on with Trainer\.resume"):
        trainer.fit(X, LABELS, epochs=1)


def test_nothing_is_computed_where_a_history_is_asked_for_words() -> None:
    history = classifier().fit(X, LABELS, epochs=1)
    head, row = history.to_csv().splitlines()
    assert head.split(",")[:2] == ["epoch", "loss"]
    assert float(row.split(",")[1]) == history["loss"][0]  # every digit
    assert str(history).splitlines()[0].split() == history.columns
    assert "loss" in history
    assert "val_loss" not in history
