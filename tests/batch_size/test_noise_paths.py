"""Means of the noise scale over steps and trainings, from invented trainings whose mean is known."""

import math
from typing import Any

import numpy as np
import pytest

from polydnn.batch_size.noise_paths import mean_over_paths, mean_over_steps
from polydnn.batch_size.noise_scale import Drift, NoiseScale


def point(step: int, value: float, high: float | None = -1.0) -> NoiseScale:
    ends = 0.9 * value, 1.1 * value if high == -1.0 else high
    return NoiseScale(value, ends, value, 1.0, 1024, drift=(Drift(step, 1.0, value, ends),))


def path(values: Any, steps: Any = None) -> NoiseScale:
    steps = range(0, 10 * len(values), 10) if steps is None else steps
    return mean_over_steps([point(int(step), float(value)) for step, value in zip(steps, values, strict=True)])


def test_jumps_from_step_to_step_make_the_interval_and_one_of_them_decides_nothing() -> None:
    steady, jumping = path([100.0] * 9), path([50.0, 200.0] * 4 + [50.0])
    assert steady.value == pytest.approx(100.0)
    assert steady.interval == pytest.approx((100.0, 100.0))
    assert jumping.value == pytest.approx(100.0, rel=0.1)
    assert jumping.interval[0] < 70.0
    assert jumping.interval[1] is not None
    assert jumping.interval[1] > 140.0
    assert path([100.0] * 4 + [30000.0] + [100.0] * 4).value < 250.0  # the mean of the values would be thousands
    assert jumping.examples == 9 * 1024


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_interval_over_trainings_holds_the_truth_as_often_as_it_says(count: int) -> None:
    rng, held = np.random.default_rng(count), 0
    for _ in range(500):
        trainings = [path(100.0 * np.exp(0.8 * rng.standard_normal(12))) for _ in range(count)]
        low, high = mean_over_paths(trainings).interval
        assert high is not None
        held += low <= 100.0 <= high
    assert held / 500 >= 0.93
    if count > 2:
        assert held / 500 == pytest.approx(0.95, abs=0.03)


def test_several_trainings_have_a_geometric_mean_and_the_first_ones_drift() -> None:
    trainings = [path([50.0] * 3), path([100.0] * 5), path([200.0] * 4)]
    found = mean_over_paths(trainings)
    assert found.value == pytest.approx(100.0)
    assert found.by_seed == pytest.approx((50.0, 100.0, 200.0))
    assert found.drift == trainings[0].drift
    assert found.examples == 12 * 1024
    assert "over 3 trainings" in found.note
    half = 4.3027 * math.log(2.0) / math.sqrt(3)
    assert found.interval == pytest.approx((100.0 * math.exp(-half), 100.0 * math.exp(half)), rel=1e-4)
    assert NoiseScale.from_dict(found.as_dict()) == found


def test_time_that_ended_a_training_leaves_open_where_the_mean_would_have_gone() -> None:
    rising = path([10.0, 20.0, 40.0, 80.0, 160.0])
    known, cut = mean_over_paths([rising]), mean_over_paths([rising], cut=True)
    assert cut.value == pytest.approx(known.value)
    ratio = rising.value / path([10.0, 20.0, 40.0]).value
    assert ratio == pytest.approx(2.0)
    assert cut.interval[0] == pytest.approx(known.interval[0] / ratio)
    assert cut.interval[1] == pytest.approx(known.interval[1] * ratio)  # type: ignore[operator]
    assert "which time ended" in cut.note


def test_where_most_steps_cannot_tell_the_gradient_from_nothing_the_upper_end_is_open() -> None:
    open_ones = [point(10 * step, 100.0, None) for step in range(6)]
    found = mean_over_steps(open_ones)
    assert found.interval[1] is None
    assert mean_over_paths([found] * 3).interval[1] is None
    assert mean_over_paths([found, path([100.0] * 4), path([90.0] * 4)]).interval[1] is not None


def test_few_measurements_and_no_noise_at_all() -> None:
    assert mean_over_steps([point(0, 7.0)]).interval == (pytest.approx(6.3), pytest.approx(7.7))
    assert path([5.0, 20.0]).value == pytest.approx(10.0)
    assert path([5.0, 20.0]).interval == pytest.approx((4.5, 22.0))
    assert path([0.0, 0.0, 0.0]).value == 0.0
    assert path([0.0, 4.0, 4.0, 4.0]).value == pytest.approx(4.0)
    assert mean_over_paths([path([0.0, 0.0, 0.0])] * 3).value == 0.0
