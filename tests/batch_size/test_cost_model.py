"""The cost model: known t0, t1 and knees come back from noisy times; what cannot be told is not claimed."""

import math
from typing import Any

import numpy as np
import pytest

from polydnn.batch_size.cost_model import Timing, fit_cost_model
from polydnn.errors import InvalidArgumentError

POWERS = [2**k for k in range(13)]


def timings(seconds: Any, noise: float = 0.0, seed: int = 0, sizes: Any = POWERS, level: Any = None) -> list[Timing]:
    """Times with a relative error of ``noise``, and the interval that such an error deserves."""
    rng = np.random.default_rng(seed)
    found = []
    for size in sizes:
        measured = seconds(size) * math.exp(noise * rng.normal())
        width = math.exp(1.96 * max(noise, 1e-6))
        cache = level(size) if level else None
        found.append(Timing(size, measured, (measured / width, measured * width), cache))
    return found


def line(t0: float, t1: float) -> Any:
    return lambda size: t0 + t1 * size


def kinked(t0: float, t1: float, knee: float, factor: float) -> Any:
    return lambda size: t0 + t1 * size + (factor - 1.0) * t1 * max(0.0, size - knee)


@pytest.mark.parametrize("seed", range(20))
def test_a_line_comes_back_through_noise_and_two_outliers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    t0, half = 10 ** rng.uniform(-6, -3), 2 ** rng.uniform(3, 9)
    rows = timings(line(t0, t0 / half), 0.005, seed)
    for place, factor in ((2, 3.0), (10, 2.0)):
        spoilt = rows[place]
        rows[place] = Timing(spoilt.batch_size, factor * spoilt.seconds, spoilt.interval)
    model = fit_cost_model(rows[::-1])
    assert model.t0 == pytest.approx(t0, rel=0.03)
    assert model.t1 == pytest.approx(t0 / half, rel=0.03)
    assert model.half_saturation == pytest.approx(half, rel=0.05)


def test_a_line_is_followed_exactly_between_far_sizes() -> None:
    model = fit_cost_model(timings(line(1e-4, 1e-6), sizes=[1, 64, 4096]))
    wanted = [1, 3, 8, 64, 500, 1000, 4096]
    np.testing.assert_allclose(model.seconds(wanted), [1e-4 + 1e-6 * size for size in wanted], rtol=1e-9)
    assert model.overhead(100) == pytest.approx(0.5)


def test_the_curve_goes_through_the_times_and_never_falls() -> None:
    seconds = kinked(1e-4, 1e-6, 512, 3.0)
    rows = timings(seconds, 0.05, 3)
    model = fit_cost_model(rows)
    curve = model.seconds(np.geomspace(1, 4096, 400).tolist())
    assert (np.diff(curve) >= 0).all()
    exact = fit_cost_model(timings(seconds))
    np.testing.assert_allclose(exact.seconds(POWERS), [seconds(size) for size in POWERS], rtol=1e-9)


def test_a_falling_pair_shares_its_mean() -> None:
    rows = [Timing(1, 1.0, (0.9, 1.1)), Timing(2, 4.0, (3.6, 4.4)), Timing(4, 1.0, (0.9, 1.1)), Timing(8, 8.0, (7, 9))]
    found = fit_cost_model(rows).seconds([1, 2, 4, 8])
    assert found[1] == pytest.approx(found[2])
    assert 1.0 < found[1] < 4.0
    assert found[[0, 3]] == pytest.approx([1.0, 8.0])


def test_without_overhead_and_without_slope() -> None:
    steep = fit_cost_model(timings(lambda size: 1e-6 * size**1.2))
    assert (steep.t0, steep.half_saturation) == (0.0, 0.0)
    flat = fit_cost_model(timings(lambda size: 1e-3 / size**0.01))
    assert (flat.t1, flat.half_saturation) == (0.0, None)


@pytest.mark.parametrize("seed", range(20))
def test_a_known_knee_is_found_at_the_first_or_second_size_beyond_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    knee = 2 ** rng.uniform(7, 10)
    rows = timings(kinked(1e-4, 1e-4 / 2 ** rng.uniform(2, 5), knee, rng.uniform(1.8, 4)), 0.01, seed)
    found = [each for each in fit_cost_model(rows).knees if each.kind == "measured"]
    assert len(found) >= 1
    assert knee <= found[0].batch_size <= 4 * knee
    assert found[0].rise is None or found[0].rise > 0.1


def test_no_knee_is_invented() -> None:
    invented = 0
    for seed in range(200):
        model = fit_cost_model(timings(line(1e-4, 1e-6), 0.02, seed))
        invented += len(model.knees)
    assert invented <= 4


def test_ups_and_downs_of_small_steps_are_no_knees() -> None:
    """Times of a real sweep, steady to 0.3 %: the first rows are nearly free, and from 16 on each costs 0.67 us."""
    micro = [87.4, 84.8, 85.6, 90.9, 92.9, 103.6, 119.7, 163.4, 250.2, 425.6, 768.2]
    rows = [Timing(2**k, each * 1e-6, (0.997e-6 * each, 1.003e-6 * each)) for k, each in enumerate(micro)]
    assert fit_cost_model(rows).knees == ()


def test_a_knee_in_the_noise_is_not_claimed() -> None:
    rows = timings(kinked(1e-4, 1e-6, 512, 1.3), 0.2, 1)
    assert fit_cost_model(rows).knees == ()


def test_capacity_knees_stand_where_the_level_changes() -> None:
    rows = timings(line(1e-4, 1e-6), level=lambda size: "L2" if size < 64 else "L3" if size < 2048 else "memory")
    found = fit_cost_model(rows).as_dict()["knees"]
    assert found == [
        {"batch_size": 64, "cache_level": "L3", "kind": "capacity", "rise": None},
        {"batch_size": 2048, "cache_level": "memory", "kind": "capacity", "rise": None},
    ]


def test_one_size_alone() -> None:
    model = fit_cost_model([Timing(4, 1.0, (0.9, 1.1))])
    assert (model.t0, model.t1, model.half_saturation, model.knees) == (1.0, 0.0, None, ())
    assert model.seconds([4]).tolist() == [1.0]


def test_what_cannot_be_fitted_is_refused() -> None:
    one = Timing(4, 1.0, (0.9, 1.1))
    with pytest.raises(InvalidArgumentError, match=r"times of different batch sizes from 1 on, found \[\]"):
        fit_cost_model([])
    with pytest.raises(InvalidArgumentError, match=r"found \[4, 4\]"):
        fit_cost_model([one, one])
    with pytest.raises(InvalidArgumentError, match="a step of 8 rows must be above 0 and finite, found nan s"):
        fit_cost_model([one, Timing(8, math.nan, (1.0, 1.0))])
