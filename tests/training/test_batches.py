"""The loop: how many steps, which rows in which order, weights, and nothing read back from the device in between."""

from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, dtype_name, numpy_backend, permutation, strict_backend
from polydnn.execution import Candidate, reference_step
from polydnn.training import Trainer
from polydnn.training.batches import Rows, epoch_batches, split_rows

N = 10
X = np.arange(2 * N, dtype=np.float64).reshape(N, 2) / N
Y = (X[:, :1] - 0.5 * X[:, 1:]) + 1


class Steps(polydnn.Callback):
    """Counts the steps and keeps their losses, on the device."""

    def __init__(self) -> None:
        self.losses: list[Any] = []
        self.sizes: list[float] = []

    def on_step_end(self, trainer: Any, loss: Any) -> None:
        self.losses.append(loss)


def make(backend: Backend | None = None, **options: Any) -> polydnn.Trainer:
    network = polydnn.Network(2, [polydnn.Dense(1)], backend=backend or numpy_backend(), dtype="float64", seed=1)
    return polydnn.Trainer(network, loss="sum_squared_error", **{"learning_rate": 0.01, **options})


def host(trainer: polydnn.Trainer) -> dict[str, Any]:
    return {name: trainer.network.backend.to_numpy(array) for name, array in trainer.network.arrays.items()}


@pytest.mark.parametrize(
    ("batch_size", "steps"), [("full", 1), (1, 10), (2, 5), (3, 4), (4, 3), (9, 2), (10, 1), (11, 1), (10**9, 1)]
)
def test_an_epoch_has_ceil_n_over_b_steps(batch_size: Any, steps: int) -> None:
    counter = Steps()
    trainer = make(batch_size=batch_size, callbacks=[counter])
    trainer.fit(X, Y, epochs=3)
    assert len(counter.losses) == 3 * steps
    assert trainer.progress is not None
    assert (trainer.progress.step, trainer.progress.steps_per_epoch) == (3 * steps, steps)


def test_every_row_is_seen_once_an_epoch_in_a_new_order_each(backend: Backend) -> None:
    rows = Rows(backend.asarray(X), backend.asarray(Y), backend.asarray(Y), backend.asarray(np.arange(N) + 0.0))
    orders = []
    for epoch in range(3):
        batches = list(epoch_batches(rows, 4, 5, epoch, backend))
        assert [batch.x.shape[0] for batch in batches] == [4, 4, 2]
        order = np.concatenate([backend.to_numpy(batch.weights) for batch in batches]).astype(int)
        assert sorted(order) == list(range(N))
        np.testing.assert_array_equal(order, permutation(N, 5, epoch))  # the host's order, bit for bit
        np.testing.assert_array_equal(np.concatenate([backend.to_numpy(batch.x) for batch in batches]), X[order])
        np.testing.assert_array_equal(np.concatenate([backend.to_numpy(batch.y) for batch in batches]), Y[order])
        orders.append(order.tolist())
    assert orders[0] != orders[1] != orders[2] != list(range(N))
    later = list(epoch_batches(rows, 4, 5, 2, backend, first=2))
    np.testing.assert_array_equal(backend.to_numpy(later[0].weights), orders[2][8:])
    assert list(epoch_batches(rows, N, 5, 0, backend, first=1)) == []


@pytest.mark.parametrize("batch_size", [1, 3, "full"])
def test_the_loop_is_plain_gradient_descent_on_the_batches(batch_size: Any) -> None:
    """The same by hand: the last, shorter batch counts with the mean over its own rows."""
    trainer = make(batch_size=batch_size, seed=7)
    weight, bias = (host(trainer)[f"layers.0.{name}"] for name in ("weight", "bias"))
    history = trainer.fit(X, Y, epochs=2)
    for epoch in range(2):
        order, total = permutation(N, 7, epoch), 0.0
        size = N if batch_size == "full" else batch_size
        for start in range(0, N, size):
            x, y = X[order[start : start + size]], Y[order[start : start + size]]
            error = x @ weight + bias - y
            total += 0.5 * float(np.sum(error**2))
            weight, bias = weight - 0.01 * x.T @ error / len(x), bias - 0.01 * error.mean(axis=0)
        assert history["loss"][epoch] == pytest.approx(total / N, rel=1e-12)
    np.testing.assert_allclose(host(trainer)["layers.0.weight"], weight, rtol=1e-12)
    np.testing.assert_allclose(host(trainer)["layers.0.bias"], bias, rtol=1e-12)


def test_a_weight_of_two_is_the_row_twice_and_of_zero_none(backend: Backend) -> None:
    weights = np.array([2.0, 0.0, *[1.0] * (N - 2)])
    weighted, repeated = (make(backend, batch_size="full", optimizer="adam") for _ in range(2))
    by_weight = weighted.fit(X, Y, epochs=3, sample_weight=weights)
    rows = [0, 0, *range(2, N)]
    by_rows = repeated.fit(X[rows], Y[rows], epochs=3)
    np.testing.assert_allclose(by_weight["loss"], by_rows["loss"], rtol=1e-13)
    for name, array in host(repeated).items():
        np.testing.assert_allclose(host(weighted)[name], array, rtol=1e-12)


CLASSES = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize(
    ("class_weight", "expected"),
    [
        ({1: 3.0, 2: 0.5}, [1.0] * 7 + [3.0] * 2 + [0.5]),
        ("balanced", [10 / (3 * 7)] * 7 + [10 / (3 * 2)] * 2 + [10 / 3]),
    ],
)
@pytest.mark.parametrize("one_hot", [False, True])
def test_class_weights_are_weights_of_their_rows(class_weight: Any, expected: list[float], one_hot: bool) -> None:
    y = np.eye(3)[CLASSES] if one_hot else CLASSES
    own = np.linspace(0.5, 1.5, N)
    found = []
    for options in (
        {"class_weight": class_weight, "sample_weight": own},
        {"sample_weight": own * np.array(expected)},
    ):
        network = polydnn.Network(2, [polydnn.Dense(3, "softmax")], dtype="float64")
        trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", batch_size=4, learning_rate=0.1)
        trainer.fit(X, y, epochs=2, **options)
        found.append(host(trainer))
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], rtol=1e-12)


def test_class_weights_of_a_binary_task() -> None:
    y = (CLASSES > 0).astype(float)[:, None]
    found = []
    for options in ({"class_weight": {1: 2.0}}, {"sample_weight": 1 + y[:, 0]}):
        network = polydnn.Network(2, [polydnn.Dense(1, "sigmoid")], dtype="float64")
        trainer = polydnn.Trainer(network, loss="binary_cross_entropy")
        found.append(trainer.fit(X, y, epochs=2, **options)["loss"])
    assert found[0] == found[1]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls that brought an array of array-api-strict back to the host."""
    kind = type(strict_backend("device1").xp.empty(0))
    seen: list[str] = []
    for name in ("__float__", "__bool__", "__int__", "__index__", "__complex__", "__array__", "to_device"):
        original = getattr(kind, name)

        def counted(self: Any, *args: Any, name: str = name, original: Any = original, **options: Any) -> Any:
            seen.append(name)
            return original(self, *args, **options)

        monkeypatch.setattr(kind, name, counted)
    return seen


def test_no_number_is_read_back_inside_an_epoch(reads: list[str]) -> None:
    """Ten steps an epoch read no more than two: what is read is read at the epoch's end."""
    backend = strict_backend("device1")
    layers = [polydnn.Dense(3, "relu"), polydnn.Dropout(0.3), polydnn.BatchNormalization(), polydnn.Dense(1)]
    counts = []
    for batch_size in (1, 5):
        network = polydnn.Network(2, layers, backend=backend)
        options: dict[str, Any] = {"optimizer": "adamw", "clip_norm": 1.0, "l1": 0.1, "schedule": "cosine"}
        trainer = polydnn.Trainer(network, loss="mean_squared_error", batch_size=batch_size, **options)
        trainer.fit(X, Y, epochs=1, sample_weight=np.ones(N))  # the first fit chooses an executor besides
        reads.clear()
        trainer.fit(X, Y, epochs=2, sample_weight=np.ones(N))
        counts.append(len(reads))
    assert counts[0] == counts[1] > 0
    reads.clear()
    trainer = polydnn.Trainer(network, loss="mean_squared_error", batch_size=1, check_every=2)
    trainer.fit(X, Y, epochs=1)
    asked = len(reads)
    trainer.check_every = None
    reads.clear()
    trainer.fit(X, Y, epochs=1)
    assert asked >= len(reads) + 4  # every second step, because it was asked for, of which the last is the end


def test_integer_images_stay_integers_on_the_device(backend: Backend) -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(N, 4), dtype=np.uint8)
    seen = []

    def build(plan: polydnn.StepPlan) -> Any:
        step = reference_step(plan)

        def spy(parameters: Any, state: Any, x: Any, *rest: Any, **options: Any) -> Any:
            seen.append(x)
            return step(parameters, state, x, *rest, **options)

        return spy

    on_device = backend.asarray(images)
    layers = [polydnn.Normalization("min-max", shared=True), polydnn.Dense(1)]
    losses = []
    for x, y in ((images, Y), (on_device, backend.asarray(Y)), (images.astype(float), Y)):
        network = polydnn.Network(4, layers, backend=backend, dtype="float64")
        options: dict[str, Any] = {"loss": polydnn.loss("mean_squared_error"), "optimizer": polydnn.optimizer("sgd")}
        trainer = Trainer(network, batch_size=3, executors=[Candidate("spy", build)], **options)
        losses.append(trainer.fit(x, y, epochs=2)["loss"])
        kept = trainer._data[0].x  # type: ignore[index] # the rows of the fit
        assert dtype_name(kept.dtype) == dtype_name(x.dtype)
        assert all(backend.owns(each) and each.dtype == kept.dtype for each in seen)
        if x is on_device and "readonly" not in type(backend).__name__.lower():
            assert kept is on_device  # a data set that lives on the device is not copied
        seen.clear()
    assert losses[0] == losses[1] == losses[2]


def test_the_split_parts_the_rows(backend: Backend) -> None:
    rows = Rows(*(backend.asarray(each) for each in (X, Y, Y)))
    for fraction, expected in ((0.2, 2), (0.01, 1), (0.99, 9), (0.5, 5)):
        train, validation = split_rows(rows, fraction, 3, backend)
        assert (len(train), len(validation)) == (N - expected, expected)
        both = np.concatenate([backend.to_numpy(train.x), backend.to_numpy(validation.x)])
        assert sorted(both.tolist()) == X.tolist()
    other, _ = split_rows(rows, 0.5, 4, backend)
    again, _ = split_rows(rows, 0.5, 3, backend)
    assert backend.to_numpy(again.x).tolist() != backend.to_numpy(other.x).tolist()
