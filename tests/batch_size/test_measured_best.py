"""Means over seeds and the best of them, from times drawn with a known answer."""

import math

import numpy as np
import pytest

from polydnn.batch_size.measured_best import Measured, best_of, means_over_seeds

TRUE = {2**k: 1.0 + 0.05 * (k - 5) ** 2 for k in range(2, 10)}
"""The U, best at 32."""


def drawn(rng: np.random.Generator, seeds: int, spread: float) -> dict[int, list[float]]:
    return {size: [t * math.exp(spread * z) for z in rng.standard_normal(seeds)] for size, t in TRUE.items()}


def by_seed(times: dict[int, list[float]]) -> dict[int, dict[int, float]]:
    return {size: dict(enumerate(found)) for size, found in times.items()}


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = total = 0
    for _ in range(200):
        measured = means_over_seeds(drawn(rng, 3, 0.1), {})
        held += sum(each.interval[0] <= TRUE[each.batch_size] <= each.interval[1] for each in measured)
        total += len(measured)
    assert held / total == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("seeds", "spread"), [(2, 0.1), (3, 0.1), (4, 0.25), (8, 0.02)])
def test_the_interval_holds_the_best_and_two_runs_meet(seeds: int, spread: float) -> None:
    """400 invented measurements, taken as 200 pairs; whole races are slower than others by more than sizes differ."""
    rng = np.random.default_rng(seeds)
    found = []
    for _ in range(400):
        races = np.exp(0.5 * rng.standard_normal(seeds))
        times = {
            size: [t * r for t, r in zip(each, races, strict=True)] for size, each in drawn(rng, seeds, spread).items()
        }
        answer = best_of(by_seed(times), {})
        assert answer is not None
        assert answer[1][0] <= answer[0] <= answer[1][1]
        found.append(answer[1])
    assert sum(low <= 32 <= high for low, high in found) >= 0.95 * 400
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert sum(max(a[0], b[0]) <= min(a[1], b[1]) for a, b in pairs) >= 0.95 * 200
    octaves = np.mean([math.log2(high / low) for low, high in found])
    assert octaves < {0.25: 6.0, 0.1: 4.5, 0.02: 1.1}[spread]  # and it is no interval that holds everything


def test_the_bracket_of_sizes_equally_good_holds_all_of_them_as_often_as_it_says() -> None:
    """The worst case: the hypothesis is true at every size, so that each is refused with one chance in twenty."""
    rng, kept = np.random.default_rng(5), 0
    for _ in range(300):
        times = {2**k: {seed: math.exp(0.1 * rng.standard_normal()) for seed in range(3)} for k in range(8)}
        answer = best_of(times, {})
        assert answer is not None
        kept += answer[1][0] == 1
    assert 0.9 <= kept / 300 <= 0.995


def test_the_mean_is_geometric_and_the_deviation_pooled() -> None:
    one, two = means_over_seeds({8: [1.0, 4.0], 4: [1.0, 1.0]}, {})
    assert (one.batch_size, two.batch_size) == (4, 8)
    assert two.seconds == pytest.approx(2.0)
    half = 4.3027 * math.sqrt(2 * math.log(2.0) ** 2 / 2 / 2)  # two degrees of freedom, two times
    assert two.interval == pytest.approx((2.0 * math.exp(-half), 2.0 * math.exp(half)), rel=1e-4)
    assert one.interval[1] / one.seconds == pytest.approx(math.exp(half), rel=1e-4)


def test_one_seed_gives_the_looks_around_the_crossing() -> None:
    (found,) = means_over_seeds({8: [2.0]}, {8: (0.95, 1.02)})
    assert found == Measured(8, 2.0, (pytest.approx(1.9), pytest.approx(2.04)), 1)  # type: ignore[arg-type]


def test_where_nothing_got_there_nothing_is_best() -> None:
    assert means_over_seeds({8: []}, {}) == []
    assert best_of({}, {}) is None
    assert best_of({8: {}}, {}) is None


def test_a_clear_best_has_a_narrow_interval_and_a_close_one_a_wide() -> None:
    def three(middle: float) -> tuple[int, tuple[int, int]] | None:
        ends = {16: (1.5, 1.52, 1.47), 32: (1.0, 0.97, 1.0), 64: (middle, 1.01 * middle, middle)}
        return best_of(by_seed({size: list(found) for size, found in ends.items()}), {})

    assert three(1.5) == (32, (32, 32))
    assert three(1.01) == (32, (32, 64))


def test_the_bottom_of_the_curve_is_told_better_than_by_its_least_point() -> None:
    """Curves with a known bottom sqrt(B_c t0 / t1), from four seeds: two thirds as far off."""
    rng, off, off_by_least = np.random.default_rng(0), [], []
    powers = [2**k for k in range(2, 11)]
    for _ in range(300):
        bottom, flat = 2 ** rng.uniform(3, 9), 2 ** rng.uniform(-1, 1)
        half, scale = bottom * flat, bottom / flat
        times = {
            size: {
                seed: (1 + scale / size) * (half + size) * math.exp(0.15 * rng.standard_normal()) for seed in range(4)
            }
            for size in powers
        }
        answer = best_of(times, {})
        assert answer is not None
        assert answer[1][0] <= answer[0] <= answer[1][1]
        least = min(powers, key=lambda size: math.fsum(map(math.log, times[size].values())))
        off.append(math.log2(answer[0] / bottom))
        off_by_least.append(math.log2(least / bottom))
    assert max(map(abs, off)) <= 1.5  # half a power of two is the distance of the nearest size
    assert np.std(off) < 0.75 * np.std(off_by_least)
    assert abs(np.mean(off)) < 0.1


def test_a_race_that_was_slow_for_all_says_nothing_of_the_sizes() -> None:
    steady = {16: [1.3, 1.31, 1.29], 32: [1.0, 1.01, 1.02], 64: [1.2, 1.21, 1.19]}
    slowed = {size: [first, 3.0 * second, third] for size, (first, second, third) in steady.items()}
    assert best_of(by_seed(slowed), {}) == best_of(by_seed(steady), {}) == (32, (32, 32))


def test_a_size_without_the_seeds_of_the_others_is_no_candidate() -> None:
    times = {8: {0: 0.1}, 16: {0: 1.0, 1: 1.0}, 32: {0: 2.0, 1: 2.0}, 64: {1: 0.1, 2: 0.1}}
    assert best_of(times, {}) == (16, (16, 16))


def test_with_one_seed_the_brackets_are_compared() -> None:
    times = {16: {7: 1.0}, 32: {7: 1.02}, 64: {7: 1.2}}
    assert best_of(times, dict.fromkeys(times, (0.95, 1.05))) == (16, (16, 32))
