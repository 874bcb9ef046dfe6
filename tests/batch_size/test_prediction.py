"""The best batch size on invented machines and data: the known answer comes back within one power of two."""

import math
from typing import Any

import numpy as np
import pytest

from polydnn.batch_size.cost_model import CostModel, Timing, fit_cost_model
from polydnn.batch_size.noise_paths import mean_over_paths, mean_over_steps
from polydnn.batch_size.noise_scale import Drift, NoiseScale
from polydnn.batch_size.prediction import Prediction, predict

POWERS = [2**k for k in range(14)]


def noise_scale(value: float, low: float | None = None, high: float | None = -1.0) -> NoiseScale:
    ends = value / 1.2 if low is None else low, value * 1.2 if high == -1.0 else high
    return NoiseScale(value, ends, value, 1.0, 4096)


def sweep(seconds: Any, noise: float = 0.0, seed: int = 0, sizes: Any = POWERS) -> CostModel:
    rng = np.random.default_rng(seed)
    rows = []
    for size in sizes:
        measured = seconds(size) * math.exp(noise * rng.normal())
        width = math.exp(1.96 * noise)
        rows.append(Timing(size, measured, (measured / width, measured * width)))
    return fit_cost_model(rows)


def line(t0: float, t1: float) -> Any:
    return lambda size: t0 + t1 * size


def random_machine(rng: np.random.Generator) -> Any:
    """t0, t1 and up to two knees where further rows begin to cost more."""
    t0 = 10 ** rng.uniform(-6, -3)
    t1 = t0 / 2 ** rng.uniform(2, 9)
    knees = sorted(2 ** rng.uniform(4, 12, size=rng.integers(0, 3)))
    factors = rng.uniform(0.3, 3.0, size=len(knees))

    def seconds(size: float) -> float:
        extra = sum(factor * max(0.0, size - knee) for factor, knee in zip(factors, knees, strict=True))
        return float(t0 + t1 * (size + extra))

    return seconds


@pytest.mark.parametrize("seed", range(60))
def test_the_known_best_comes_back_within_one_power_of_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seconds, scale = random_machine(rng), 2 ** rng.uniform(3, 12)
    fine = np.geomspace(1, POWERS[-1], 4000)
    true = fine[int(np.argmin([(1 + scale / size) * seconds(size) for size in fine]))]
    measured = scale * math.exp(0.1 * rng.normal())
    found = predict(sweep(seconds, 0.01, seed), noise_scale(measured))
    # half a power of two is the distance of the nearest candidate, so that one and a half is the most there can be
    assert abs(math.log2(found.best / true)) <= 1.5
    nearest = min(POWERS, key=lambda size: (1 + scale / size) * seconds(size))
    assert abs(math.log2(found.best / nearest)) <= 1.0


def test_the_interval_of_the_best_holds_the_best() -> None:
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(1000 + seed)
        seconds, scale = random_machine(rng), 2 ** rng.uniform(3, 12)
        nearest = min(POWERS, key=lambda size: (1 + scale / size) * seconds(size))
        spread = 1.96 * 0.25
        measured = 1 / (1 / scale * max(1 + 0.25 * rng.normal(), 0.1))
        noise = noise_scale(measured, measured / (1 + spread), measured / (1 - spread))
        found = predict(sweep(seconds, 0.03, seed), noise)
        inside += found.interval[0] <= nearest <= found.interval[1]
        assert found.interval[0] <= found.best <= found.interval[1]
    assert inside >= 90


def invented_run(seconds: Any, scale: float, rng: np.random.Generator, trainings: int) -> Prediction:
    """A study on a machine and data with known answer, with everything by which two studies differ.

    The noise scale rises in training and jumps from step to step and from seed to seed; the machine is slower in one
    study than in another, at each size by a part of its own, too, of which the repeats in a study show nothing.
    """
    paths = []
    for _ in range(trainings):
        own = scale * math.exp(0.6 * rng.standard_normal())
        steps = np.unique(np.geomspace(10, 10 * rng.uniform(10, 40), 12).astype(int))
        rising = (steps / steps[-1]) ** 0.3
        values = own * 1.3 * rising * np.exp(rng.standard_normal(len(steps)))
        points = [
            NoiseScale(v, (0.9 * v, 1.1 * v), v, 1.0, 1024, drift=(Drift(step, 1.0, v, (0.9 * v, 1.1 * v)),))
            for step, v in zip(steps.tolist(), values.tolist(), strict=True)
        ]
        paths.append(mean_over_steps(points))
    slow, rows = math.exp(0.2 * rng.standard_normal()), []
    for size in POWERS:
        t = slow * seconds(size) * math.exp(0.015 * rng.standard_normal())
        rows.append(Timing(size, t, (0.995 * t, 1.005 * t)))
    return predict(fit_cost_model(rows), mean_over_paths(paths))


@pytest.mark.parametrize("trainings", [2, 3, 8])
def test_the_intervals_of_two_studies_hold_the_best_and_meet(trainings: int) -> None:
    """200 pairs of studies at the stated 95 %, for machines and data that differ from pair to pair."""
    held = met = 0
    widths = []
    for seed in range(200):
        rng = np.random.default_rng((trainings, seed))
        seconds, scale = random_machine(rng), 2 ** rng.uniform(3, 10)
        best = min(POWERS, key=lambda size: (1 + scale / size) * seconds(size))
        (a, b), (c, d) = (invented_run(seconds, scale, rng, trainings).interval for _ in range(2))
        held += (a <= best <= b) + (c <= best <= d)
        met += max(a, c) <= min(b, d)
        widths.append(math.log2(b / a))
    assert held >= 0.95 * 400
    assert met >= 0.95 * 200
    assert np.mean(widths) < {2: 2.5, 3: 2.5, 8: 1.5}[trainings]  # octaves: an interval that holds everything is none


def test_a_line_gives_the_closed_form() -> None:
    found = predict(sweep(line(100e-6, 1e-6)), noise_scale(400.0))
    assert found.closed_form == pytest.approx(200.0)
    assert found.best == 256  # T(256) = 912 us, T(128) = 941 us, T(512) = 1090 us; at 200 it would be 900 us
    assert found.near == (128, 256)
    row = next(each for each in found.rows if each.batch_size == 256)
    assert row.relative_steps == pytest.approx(1 + 400 / 256)
    assert row.seconds_to_target == pytest.approx((1 + 400 / 256) * 356e-6)
    assert row.interval[0] < row.seconds_to_target < row.interval[1]
    assert [each.batch_size for each in found.rows] == POWERS


def test_sizes_between_the_measured_ones_are_predicted_too() -> None:
    found = predict(sweep(line(100e-6, 1e-6), sizes=[10, 100, 3000]), noise_scale(400.0))
    assert [each.batch_size for each in found.rows] == [10, 16, 32, 64, 100, 128, 256, 512, 1024, 2048, 3000]
    assert found.best == 256


def test_throughput_and_the_smallest_size_near_it() -> None:
    found = predict(sweep(lambda size: 100e-6 + 1e-6 * size + 0.5e-6 * max(0, size - 2048)), noise_scale(400.0))
    # rows a second in units of 1e6: 2048 / 2148 = 0.953 is the most; 0.911 at 1024 is within 5 %, 0.837 at 512 is not
    assert (found.fastest, found.smallest_near) == (2048, 1024)


def test_without_a_noise_scale_throughput_decides() -> None:
    found = predict(sweep(line(100e-6, 1e-6), 0.01), None)
    assert found.rows == ()
    assert found.best == found.smallest_near == 2048
    assert found.closed_form is None
    assert found.interval[0] <= 2048 <= found.interval[1]


def test_an_open_interval_reaches_far() -> None:
    closed = predict(sweep(line(100e-6, 1e-6)), noise_scale(400.0, 300.0, 600.0))
    opened = predict(sweep(line(100e-6, 1e-6)), noise_scale(400.0, 200.0, None))
    assert closed.interval[1] <= 256
    assert opened.interval[1] > 256
    assert opened.best == closed.best


def test_unsteady_times_widen_the_intervals_too() -> None:
    known = noise_scale(400.0, 400.0, 400.0)
    steady, unsteady = (predict(sweep(line(100e-6, 1e-6), noise, 4), known) for noise in (0.001, 0.2))
    assert steady.interval == steady.near == (128, 256)
    assert unsteady.interval[1] / unsteady.interval[0] > 2
    wide, narrow = (each.rows[0].interval[1] / each.rows[0].interval[0] for each in (unsteady, steady))
    assert narrow == pytest.approx(math.exp(2 * 1.96 * 0.02), rel=0.01)  # as two sweeps differ
    assert wide > 1.5


def test_no_noise_asks_for_the_cheapest_step() -> None:
    assert predict(sweep(line(100e-6, 1e-6)), noise_scale(0.0, 0.0, 0.0)).best == 1


def test_the_same_measurements_give_the_same_prediction() -> None:
    cost = sweep(line(100e-6, 1e-6), 0.05)
    assert predict(cost, noise_scale(400.0)) == predict(cost, noise_scale(400.0))
    assert predict(cost, noise_scale(400.0)).rows != predict(cost, noise_scale(400.0), seed=1).rows
