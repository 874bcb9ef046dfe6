"""Knees of invented bandwidth curves, whose capacities are known, under the noise of a shared machine."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from polydnn.batch_size.cache_sweep import sweep_sizes
from polydnn.batch_size.knees import find_knees, match_levels

SIZES = sweep_sizes(2**28)
CALL = 4e-7  # seconds of a call, under which the innermost caches hide
SYSFS = {"L1d": 48 * 2**10, "L2": 2**20, "L3": 32 * 2**20}


def curve(capacities: Sequence[int], speeds: Sequence[float], sizes: Sequence[int] = SIZES) -> np.ndarray:
    """GB/s of an invented machine: what does not fit a level is served by the next one, at that one's speed."""
    rates = []
    for size in sizes:
        left, seconds, inside = float(size), 0.0, 0
        for capacity, speed in zip([*capacities, 2**60], speeds, strict=True):
            here = min(left, max(0.0, capacity - inside)) if size > capacity else left
            seconds, left, inside = seconds + here / speed / 1e9, left - here, capacity
            if left <= 0:
                break
        rates.append(2 * size / (seconds + CALL) / 1e9)
    return np.array(rates)


def near(found: int, true: int, octaves: float) -> bool:
    return abs(math.log2(found / true)) <= octaves


def test_sizes_stand_two_to_the_octave() -> None:
    assert SIZES[0] == 2**14
    assert SIZES[-1] == 2**28
    assert len(SIZES) == 29
    assert all(size % 64 == 0 for size in SIZES)


def test_two_known_knees() -> None:
    knees = find_knees(SIZES, list(curve([2**20, 2**25], [110, 55, 18])))
    assert len(knees) == 2
    assert near(knees[0], 2**20, 1.0)
    assert near(knees[1], 2**25, 1.0)


def test_a_sharp_fall_is_found_to_half_an_octave() -> None:
    speeds = [100.0 if size <= 2**20 else 50.0 if size <= 2**25 else 20.0 for size in SIZES]
    low, high = find_knees(SIZES, speeds)
    assert 2**20 <= low <= 2**20.5
    assert 2**25 <= high <= 2**25.5


@pytest.mark.parametrize(("share", "slowed"), [(0.33, 0.3), (0.2, 0.6)])
def test_neighbours_that_slow_single_sizes_make_no_knees(share: float, slowed: float) -> None:
    """In each of 300 draws a share of the sizes loses up to ``slowed`` of its speed, and every size some percent."""
    wrong = 0
    rng = np.random.default_rng(6)
    clean = np.array([100.0 if size <= 2**20 else 50.0 if size <= 2**25 else 20.0 for size in SIZES])
    for _ in range(300):
        burst = np.where(rng.random(len(SIZES)) < share, 1 - slowed * rng.random(len(SIZES)), 1.0)
        knees = find_knees(SIZES, list(clean * burst * (1 - 0.03 * rng.random(len(SIZES)))))
        wrong += not (len(knees) == 2 and near(knees[0], 2**20, 1.0) and near(knees[1], 2**25, 1.0))
    assert wrong <= 15, f"{wrong} of 300"


def test_a_single_peak_is_no_plateau() -> None:
    speeds = [50.0] * len(SIZES)
    speeds[12] = 200.0
    assert find_knees(SIZES, speeds) == []


def test_a_flat_or_rising_curve_has_no_knee() -> None:
    assert find_knees(SIZES, [50.0] * len(SIZES)) == []
    assert find_knees(SIZES, [float(place) for place in range(1, len(SIZES) + 1)]) == []
    assert find_knees([2**14], [50.0]) == []


def test_the_end_of_the_curve_needs_three_sizes_to_show_a_fall() -> None:
    sizes = [2**power for power in range(14, 20)]
    assert find_knees(sizes, [50.0, 50.0, 50.0, 50.0, 10.0, 10.0]) == []
    assert find_knees(sizes, [50.0, 50.0, 50.0, 10.0, 10.0, 10.0]) == [round(2**16.5)]


def test_the_order_of_the_sizes_does_not_matter() -> None:
    speeds = curve([2**20], [100, 30])
    order = np.random.default_rng(0).permutation(len(SIZES))
    shuffled = find_knees([SIZES[place] for place in order], [speeds[place] for place in order])
    assert shuffled == find_knees(SIZES, list(speeds))


def test_knees_meet_the_levels_that_sysfs_tells() -> None:
    assert match_levels([1_200_000, 24 * 2**20], SYSFS) == {"L1d": None, "L2": 1_200_000, "L3": 24 * 2**20}
    assert match_levels([55_000, 1_200_000], SYSFS) == {"L1d": 55_000, "L2": 1_200_000, "L3": None}
    assert match_levels([], SYSFS) == {"L1d": None, "L2": None, "L3": None}


def test_the_last_level_takes_the_outermost_knee_however_far_from_its_word() -> None:
    assert match_levels([2_300_000, 110 * 2**20], {"L2": 2**21, "L3": 480 * 2**20})["L3"] == 110 * 2**20


def test_unknown_levels_are_named_by_their_usual_size() -> None:
    assert match_levels([40_000, 2**20, 30 * 2**20], {}) == {"L1d": 40_000, "L2": 2**20, "L3": 30 * 2**20}


def test_a_device_with_one_cache() -> None:
    assert match_levels([50 * 2**20], {"L2": 60 * 2**20}) == {"L2": 50 * 2**20}
