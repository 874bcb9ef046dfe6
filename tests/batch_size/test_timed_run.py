"""A timed run takes the steps that a fit takes, on every backend, and leaves the trainer alone."""

import math
import time

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.batch_size.timed_run import TimedRun, place_problem

RNG = np.random.default_rng(5)
X = RNG.normal(size=(50, 4)).astype("float32")
Y = (X[:, :1] - 2.0 * X[:, 1:2]).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2.0, size=50).astype("float32")


def trainer_of(backend: Backend | str = "numpy", batch_size: int | str = 8, *, seed: int = 3) -> polydnn.Trainer:
    layers = [
        polydnn.Normalization("standard"),
        polydnn.Dense(6, "tanh"),
        polydnn.Dropout(0.25),
        polydnn.BatchNormalization(),
        polydnn.Dense(1),
    ]
    network = polydnn.Network(4, layers, backend=backend, seed=seed, target_normalization="standard")
    return polydnn.Trainer(
        network,
        loss="mean_squared_error",
        optimizer="adam",
        learning_rate=0.01,
        batch_size=batch_size,  # type: ignore[arg-type]
        l2=1e-3,
        execution="reference",
    )


@pytest.mark.parametrize("batch_size", [1, 8, 25, 50, "full"])
def test_it_takes_the_steps_of_a_fit_bit_for_bit(batch_size: int | str) -> None:
    fitted, watched = trainer_of(batch_size=batch_size), trainer_of(batch_size=batch_size)
    fitted.fit(X, Y, epochs=3, sample_weight=WEIGHTS)

    problem = place_problem(watched, X, Y, sample_weight=WEIGHTS)
    run = TimedRun(problem, problem.reference_size)
    run.start(problem.first_arrays(3), 0.01, 3)
    assert fitted.progress is not None
    run.advance(to=fitted.progress.step // 2)
    run.loss()
    run.advance(to=fitted.progress.step)
    found = run._executor.read()[0]
    for name, array in fitted.network.arrays.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    network_before = trainer_of().network
    for name, array in network_before.arrays.items():
        np.testing.assert_array_equal(watched.network.arrays[name], array, err_msg=name)
    assert watched.progress is None
    assert not watched.network.normalized


def test_the_loss_is_that_of_the_fixed_rows_without_penalties() -> None:
    trainer = trainer_of()
    problem = place_problem(trainer, X, Y)
    run = TimedRun(problem, 8)
    run.start(problem.first_arrays(3), 0.01, 3)
    run.advance(to=7)
    trainer.fit(X, Y, epochs=1)
    assert run.loss() == pytest.approx(trainer.evaluate(X, Y)["loss"], rel=1e-6)  # 7 steps are an epoch
    assert len(problem.shown) == 50
    run.again()
    assert run.steps == 0
    assert run.seconds == 0.0
    run.advance(to=7)
    assert run.loss() == pytest.approx(trainer.evaluate(X, Y)["loss"], rel=1e-6)


def test_it_starts_from_the_weights_of_the_seed(backend: Backend) -> None:
    problem = place_problem(trainer_of(backend), X, Y)
    other = polydnn.Network(4, trainer_of().network.layers, seed=11)
    first = problem.first_arrays(11)
    for name, array in other.parameters.items():
        np.testing.assert_array_equal(backend.to_numpy(first[name]), array, err_msg=name)
    mean = backend.to_numpy(next(array for name, array in first.items() if name.startswith("layers.0.")))
    assert np.isfinite(mean).all()
    assert mean.any()


def test_the_loss_falls_on_every_backend(backend: Backend) -> None:
    problem = place_problem(trainer_of(backend), X, Y)
    run = TimedRun(problem, 16)
    run.start(problem.first_arrays(0), 0.05, 0)
    before = run.loss()
    run.advance(to=40)
    assert run.steps == 40
    assert run.loss() < 0.7 * before
    assert run.seconds > 0.0


def test_looking_leaves_the_copy_where_it_stands() -> None:
    problem = place_problem(trainer_of(), X, Y)
    before = problem.plan.network.arrays
    run = TimedRun(problem, 8)
    run.start(problem.first_arrays(9), 0.01, 9)
    run.advance(to=5)
    run.loss()
    assert all(problem.plan.network.arrays[name] is array for name, array in before.items())


def test_looking_is_off_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = place_problem(trainer_of(), X, Y)
    run = TimedRun(problem, 25)
    run.start(problem.first_arrays(0), 0.01, 0)
    whole = type(problem).loss
    monkeypatch.setattr(type(problem), "loss", lambda *given: (time.sleep(0.2), whole(*given))[1])
    started = time.perf_counter()
    run.advance(to=2)
    run.loss()
    run.advance(to=4)
    assert 0.0 < run.seconds < time.perf_counter() - started - 0.2


def test_a_run_that_diverges_says_so() -> None:
    network = polydnn.Network(4, [polydnn.Dense(6), polydnn.Dense(1)])
    trainer = polydnn.Trainer(network, loss="mean_squared_error", learning_rate=0.1, batch_size=5)
    problem = place_problem(trainer, X, Y)
    run = TimedRun(problem, 5)
    run.start(problem.first_arrays(0), 1e30, 0)
    run.advance(to=500)
    assert run.loss() == math.inf
    assert run.diverged
    assert run.steps < 500
