"""Several trainings in which the noise scale is followed: their starts, their number, their time, and their end."""

import time
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.batch_size import following
from polydnn.batch_size.following import follow
from polydnn.batch_size.sweep import Sweep
from polydnn.batch_size.twin import Twin, first_arrays, twin_of

RNG = np.random.default_rng(3)
X = RNG.normal(size=(400, 5)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def trainer(seed: int = 0) -> polydnn.Trainer:
    network = polydnn.Network(5, [polydnn.Dense(8, "tanh"), polydnn.Dense(2, "softmax")], seed=seed)
    return polydnn.Trainer(network, loss="categorical_cross_entropy", learning_rate=0.2, batch_size=16, seed=seed)


def swept(seconds: float = 1e-4) -> Sweep:
    return Sweep([{"batch_size": 16, "seconds_per_step": seconds, "execution": "reference"}], [])


def starts(twin: Twin, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[tuple[int, Any]]:
    """The seed and the first weights of each training that ``follow`` makes."""
    seen: list[tuple[int, Any]] = []
    whole = following.follow_noise_scale

    def noted(plan: Any, rows: Any, **given: Any) -> Any:
        arrays = given["parameters"] or twin.trainer.network.arrays
        seen.append((given["seed"], np.array(arrays["layers.0.weight"])))
        return whole(plan, rows, **given)

    monkeypatch.setattr(following, "follow_noise_scale", noted)
    found = follow(twin, swept(), **{"seconds": 60.0, "epochs": 2, **options})
    assert len(found.by_seed) == len(seen)
    return seen


def test_a_fresh_network_is_trained_from_other_first_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    one = trainer(seed=5)
    seen = starts(twin_of(one, X, Y), monkeypatch)
    assert len(seen) == 8
    assert seen[0][0] == 5
    assert len({seed for seed, _ in seen}) == 8
    for seed, weight in seen:
        own = first_arrays(one.network, seed)["layers.0.weight"]
        assert np.array_equal(weight, np.asarray(own))


def test_two_studies_of_neighbouring_seeds_share_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = ({seed for seed, _ in starts(twin_of(trainer(seed), X, Y), monkeypatch)} for seed in (0, 1))
    assert not one & two


def test_a_trained_network_keeps_its_weights_and_only_the_order_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    taught = trainer()
    taught.fit(X, Y, epochs=1)
    twin = twin_of(taught, X, Y)
    assert not twin.untrained
    seen = starts(twin, monkeypatch, paths=3)
    assert len({seed for seed, _ in seen}) == 3
    for _, weight in seen:
        assert np.array_equal(weight, np.asarray(taught.network.arrays["layers.0.weight"]))


def test_it_keeps_to_its_time_and_says_what_time_ended() -> None:
    twin, started = twin_of(trainer(), X, Y), time.perf_counter()
    found = follow(twin, swept(seconds=0.05), seconds=1.0)  # by such a step five epochs would take far longer
    assert time.perf_counter() - started < 1.0 + 3.0  # a busy machine may be late
    assert "which time ended" in found.note
    assert found.drift[-1].step < 5 * 25


def test_a_target_ends_every_training_and_one_may_be_enough() -> None:
    twin = twin_of(trainer(), X, Y)
    found = follow(twin, swept(), seconds=60.0, epochs=40, target_loss=0.6, paths=1)
    assert found.drift[-1].loss <= 0.6 < found.drift[-2].loss
    assert found.drift[-1].step < 40 * 25
    assert found.by_seed == (found.value,)
    assert "time ended" not in found.note
