"""One seed, every backend: the same initial weights, batch order and masks to the bit, and the same losses."""

from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, numpy_backend, permutation
from polydnn.execution import Key
from polydnn.training.batches import Rows, epoch_batches

LAYERS = [
    polydnn.Normalization("min-max", shared=True),
    polydnn.Dense(32, "relu"),
    polydnn.Dropout(0.2),
    polydnn.Dense(16, "tanh", initializer="lecun_normal"),
    polydnn.BatchNormalization(),
    polydnn.Dense(10, "softmax"),
]
ROWS = 1280  # of the 1,438: all batches then have one shape, and JAX, which compiles for each, has half the work
TOLERANCE = 1e-4  # of the losses, relative, in float32


def trainer(backend: Backend, **options: Any) -> polydnn.Trainer:
    network = polydnn.Network(64, LAYERS, backend=backend, seed=3)
    arguments: dict[str, Any] = {"loss": "categorical_cross_entropy", "optimizer": "adam"}
    return polydnn.Trainer(network, batch_size=128, learning_rate=0.01, **arguments | options)


@pytest.fixture(scope="module")
def on_numpy() -> tuple[dict[str, Any], polydnn.History]:
    made = trainer(numpy_backend())
    first = made.network.arrays
    rows = polydnn.dataset("digits").train
    return first, made.fit(rows.x[:ROWS], rows.y[:ROWS], epochs=3)


def test_initial_weights_batch_order_and_masks_are_the_same_bits(backend: Backend, on_numpy: Any) -> None:
    made = trainer(backend)
    for name, array in made.network.arrays.items():
        found = backend.to_numpy(array)
        assert found.dtype == np.float32
        assert found.tobytes() == on_numpy[0][name].tobytes(), name
    masks = made.plan.noise(Key(3, 5), 7)
    assert list(masks) == [2]
    expected = trainer(numpy_backend()).plan.noise(Key(3, 5), 7)
    assert backend.to_numpy(masks[2]).tobytes() == np.asarray(expected[2]).tobytes()
    places = backend.asarray(np.arange(50))
    rows = Rows(places, places, places)
    order = [backend.to_numpy(batch.x) for batch in epoch_batches(rows, 8, 3, 1, backend)]
    np.testing.assert_array_equal(np.concatenate(order), permutation(50, 3, 1))


def test_three_epochs_of_digits_have_the_same_losses(backend: Backend, on_numpy: Any) -> None:
    made, rows = trainer(backend), polydnn.dataset("digits").train
    history = made.fit(rows.x[:ROWS], rows.y[:ROWS], epochs=3)
    np.testing.assert_allclose(history["loss"], on_numpy[1]["loss"], rtol=TOLERANCE)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_two_runs_on_one_machine_are_the_same_bits(backend: Backend) -> None:
    if backend.library == "jax":
        pytest.skip("JAX takes half a minute for two runs; its order of summation is fixed by its compiler")
    rows, found = polydnn.dataset("digits").train, []
    for _ in range(2):
        made = trainer(backend)
        losses = made.fit(rows.x[:300], rows.y[:300], epochs=1)["loss"]
        found.append((losses, {name: backend.to_numpy(each).tobytes() for name, each in made.network.arrays.items()}))
    assert found[0] == found[1]


def test_another_seed_is_another_run() -> None:
    rows = polydnn.dataset("digits").train
    network = polydnn.Network(64, LAYERS, seed=4)
    other = polydnn.Trainer(network, loss="categorical_cross_entropy", optimizer="adam", batch_size=128)
    same_weights = trainer(numpy_backend(), seed=9)
    losses = [
        each.fit(rows.x[:300], rows.y[:300], epochs=1)["loss"]
        for each in (other, same_weights, trainer(numpy_backend()))
    ]
    assert losses[0] != losses[2] != losses[1]


def test_nothing_touches_the_global_random_state() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]
    rows = polydnn.dataset("digits").train
    trainer(numpy_backend()).fit(rows.x[:100], rows.y[:100], epochs=1)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]
