"""The gradient noise scale: unbiased on a model with a known answer, intervals that cover, and words for the rest."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import numpy_backend
from polydnn.batch_size.gradient_moments import GradientMoments, gradient_moments
from polydnn.batch_size.noise_drift import follow_noise_scale, measure_noise_scale
from polydnn.batch_size.noise_scale import NoiseScale, estimate, student_quantile, two_sizes
from polydnn.errors import InvalidArgumentError
from polydnn.training.batches import Rows

DRAWS = 2000
FEATURES = 6


def linear_model(seed: int = 0) -> tuple[polydnn.Trainer, float, float]:
    """One linear unit on standard normal x with y = x w + noise, away from its optimum; |G|^2 and tr(Sigma) known.

    With the loss (p - t)^2 / 2, d = W - w and e the noise of variance v, an example's gradient is x (x d - e): its mean
    is d, and E |x|^2 (x d - e)^2 = (m + 2) |d|^2 + m v for m inputs, so tr(Sigma) = (m + 1) |d|^2 + m v.
    """
    network = polydnn.Network(
        FEATURES, [polydnn.Dense(1, use_bias=False)], backend=numpy_backend(), dtype="float64", seed=0
    )
    network.set_parameters({"layers.0.weight": np.full((FEATURES, 1), 0.3)})  # the true weight is 0
    squared = FEATURES * 0.3**2
    trainer = polydnn.Trainer(network, loss="sum_squared_error", learning_rate=0.01)
    return trainer, squared, (FEATURES + 1) * squared + FEATURES * 1.0


def draw(rng: np.random.Generator, rows: int) -> Rows:
    x, y = rng.normal(size=(rows, FEATURES)), rng.normal(size=(rows, 1))
    return Rows(x, y, y)


def test_both_parts_are_unbiased_over_2000_draws() -> None:
    trainer, squared, trace = linear_model()
    rng = np.random.default_rng(1)
    found = []
    for _ in range(DRAWS):
        moments = gradient_moments(trainer.plan, trainer.network.arrays, draw(rng, 64), seed=0, batches=4)
        found.append(estimate(replace(moments, population=math.inf)))
    mean_squared = float(np.mean([each.squared_norm for each in found]))
    mean_trace = float(np.mean([each.trace for each in found]))
    assert mean_squared == pytest.approx(squared, rel=0.05)
    assert mean_trace == pytest.approx(trace, rel=0.05)
    assert mean_trace / mean_squared == pytest.approx(trace / squared, rel=0.05)


def test_two_batch_sizes_are_unbiased_too() -> None:
    """The same data, but as if the examples' own gradients could not be told apart."""
    trainer, squared, trace = linear_model()
    rng = np.random.default_rng(2)
    found = []
    for _ in range(DRAWS):
        moments = gradient_moments(trainer.plan, trainer.network.arrays, draw(rng, 64), seed=0, batches=4)
        hidden = GradientMoments(moments.rows, moments.rows, np.diag(moments.gram).copy(), moments.gram, 0.0, "hidden")
        found.append(estimate(hidden))
    assert float(np.mean([each.squared_norm for each in found])) == pytest.approx(squared, rel=0.05)
    assert float(np.mean([each.trace for each in found])) == pytest.approx(trace, rel=0.05)
    assert {each.method for each in found} == {"two batch sizes"}


def test_the_interval_covers_the_truth_nineteen_times_in_twenty() -> None:
    trainer, squared, trace = linear_model()
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        moments = gradient_moments(trainer.plan, trainer.network.arrays, draw(rng, 512), seed=0)
        found = estimate(replace(moments, population=math.inf))
        low, high = found.interval
        inside += low <= trace / squared and (high is None or trace / squared <= high)
    assert 0.90 <= inside / 400 <= 0.99


@pytest.mark.parametrize("by_example", [True, False])
def test_of_a_finite_set_of_rows_both_parts_are_unbiased_too(by_example: bool) -> None:
    """200 rows, of which 64 are looked at: |G|^2 and tr(Sigma) of those very rows, with 199 in the denominator."""
    trainer, _, _ = linear_model()
    rows = draw(np.random.default_rng(10), 200)
    gradients = (rows.x @ trainer.network.parameters["layers.0.weight"] - rows.y) * rows.x
    squared, trace = float(np.sum(gradients.mean(axis=0) ** 2)), float(np.sum(gradients.var(axis=0, ddof=1)))
    found, inside = [], 0
    for seed in range(DRAWS):
        moments = gradient_moments(trainer.plan, trainer.network.arrays, rows, seed=seed, examples=64, batches=8)
        if not by_example:
            moments = replace(moments, size=moments.rows, small=np.diag(moments.gram).copy(), note="hidden")
        found.append(estimate(moments))
        low, high = found[-1].interval
        inside += low <= trace / squared and (high is None or trace / squared <= high)
    assert float(np.mean([each.squared_norm for each in found])) == pytest.approx(squared, rel=0.05)
    assert float(np.mean([each.trace for each in found])) == pytest.approx(trace, rel=0.05)
    assert 0.90 <= inside / DRAWS <= 0.99
    everything = estimate(gradient_moments(trainer.plan, trainer.network.arrays, rows, seed=0, batches=8))
    assert everything.squared_norm == pytest.approx(squared)
    assert everything.trace == pytest.approx(trace)
    assert everything.interval == pytest.approx((everything.value, everything.value))


def test_several_samples_are_averaged_before_dividing() -> None:
    trainer, _, _ = linear_model()
    rng = np.random.default_rng(4)
    samples = [gradient_moments(trainer.plan, trainer.network.arrays, draw(rng, 64), seed=0) for _ in range(5)]
    alone, together = [estimate(each) for each in samples], estimate(samples)
    assert together.trace == pytest.approx(np.mean([each.trace for each in alone]))
    assert together.squared_norm == pytest.approx(np.mean([each.squared_norm for each in alone]))
    assert together.value == pytest.approx(together.trace / together.squared_norm)
    assert together.examples == 5 * 64


def test_at_the_optimum_the_upper_end_is_open() -> None:
    trainer, _, _ = linear_model()
    trainer.network.set_parameters({"layers.0.weight": np.zeros((FEATURES, 1))})
    rows = draw(np.random.default_rng(5), 256)
    parts = [rows.take(np.arange(start, start + 64), numpy_backend()) for start in range(0, 256, 64)]
    moments = [gradient_moments(trainer.plan, trainer.network.arrays, part, seed=0) for part in parts]
    values = [estimate(replace(each, population=math.inf)) for each in moments]
    assert any(each.interval[1] is None for each in values)
    for each in values:
        low, high = each.interval
        assert 0.0 < low <= each.value
        assert high is None or each.value <= high
        if each.squared_norm <= 0.0:
            assert each.value == low


def test_gradients_without_noise_have_a_noise_scale_of_zero() -> None:
    gram, small = np.full((4, 4), 2.0), np.full(4, 2.0)
    found = estimate(GradientMoments(1, 8, small, gram, 0.0))
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert found.interval == pytest.approx((0.0, 0.0), abs=1e-12)


def test_two_sizes_needs_two_sizes() -> None:
    with pytest.raises(InvalidArgumentError, match="sizes must be 1 <= small < big, found 4 and 4"):
        two_sizes(1.0, 4, 1.0, 4)


@pytest.mark.parametrize("freedom", [3, 7, 15, 63])
def test_students_quantile(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_the_noise_scale_rises_while_the_loss_falls() -> None:
    trainer, _, _ = linear_model()
    rows = draw(np.random.default_rng(6), 4096)
    before = {name: each.copy() for name, each in trainer.network.arrays.items()}
    found = follow_noise_scale(trainer.plan, rows, learning_rate=0.05, batch_size=64, seed=0, at=(0, 10, 40))
    assert [point.step for point in found.drift] == [0, 10, 40]
    values, losses = [point.value for point in found.drift], [point.loss for point in found.drift]
    assert values == sorted(values)
    assert values[-1] > 2 * values[0]
    assert losses == sorted(losses, reverse=True)
    # trapezoids over the steps: (0, 10) and (10, 40), of logarithms
    logs = np.log(values)
    assert math.log(found.value) == pytest.approx((10 * (logs[0] + logs[1]) / 2 + 30 * (logs[1] + logs[2]) / 2) / 40)
    assert "the mean over steps 0 to 40" in found.note
    assert all(np.array_equal(before[name], each) for name, each in trainer.network.arrays.items())


def test_following_stops_at_the_target_loss() -> None:
    trainer, _, _ = linear_model()
    rows = draw(np.random.default_rng(11), 256)
    options: dict[str, Any] = {"learning_rate": 0.05, "batch_size": 64, "seed": 0, "at": (0, 10, 20, 40)}
    everything = follow_noise_scale(trainer.plan, rows, **options)
    found = follow_noise_scale(trainer.plan, rows, target_loss=everything.drift[2].loss, **options)
    assert found.drift == everything.drift[:3]


def test_following_stops_when_told_to_but_not_before_the_first_measurement() -> None:
    trainer, _, _ = linear_model()
    rows = draw(np.random.default_rng(7), 128)
    options: dict[str, Any] = {"learning_rate": 0.01, "batch_size": 16, "seed": 0}
    found = follow_noise_scale(trainer.plan, rows, at=(3, 10), go_on=lambda: False, **options)
    assert [point.step for point in found.drift] == [3]
    with pytest.raises(InvalidArgumentError, match=r"rising numbers of steps from 0 on, found \(5, 5\)"):
        follow_noise_scale(trainer.plan, rows, at=(5, 5), **options)


def test_divergence_ends_the_drift_or_is_said() -> None:
    trainer, _, _ = linear_model()
    rows = draw(np.random.default_rng(8), 128)
    options: dict[str, Any] = {"learning_rate": 1e6, "batch_size": 16, "seed": 0}
    with np.errstate(all="ignore"):
        found = follow_noise_scale(trainer.plan, rows, at=(0, 400), **options)
        assert [point.step for point in found.drift] == [0]
        with pytest.raises(
            InvalidArgumentError, match=r"not finite after 400 steps with learning_rate=1e\+06; lower it"
        ):
            follow_noise_scale(trainer.plan, rows, at=(400,), **options)


def test_a_record_comes_back_equal() -> None:
    trainer, _, _ = linear_model()
    rows = draw(np.random.default_rng(9), 128)
    found = measure_noise_scale(trainer.plan, trainer.network.arrays, rows, seed=0)
    again = NoiseScale.from_dict(found.as_dict())
    assert again.as_dict() == found.as_dict()
    numbers = [found.value, *found.interval, found.trace, found.squared_norm, found.drift[0].value, found.drift[0].loss]
    assert {type(each) for each in numbers} == {float}  # JSON takes no scalars of NumPy
    assert (again.value, tuple(again.interval)) == (found.value, tuple(found.interval))
