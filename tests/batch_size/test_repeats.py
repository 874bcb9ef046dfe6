"""Medians, their intervals, and when enough is measured."""

import math

import numpy as np
import pytest

from polydnn.batch_size.repeats import ENOUGH, FEWEST, is_steady, median_interval, relative_width


@pytest.mark.parametrize("count", [6, 9, 20, 61, 400])
def test_the_interval_holds_the_median_as_often_as_it_says(count: int) -> None:
    """Skewed times, as clocks give them: no normal distribution helps."""
    stats = pytest.importorskip("scipy.stats")
    ordered = list(range(count))
    low, high = (int(end) for end in median_interval([float(each) for each in ordered])[1])
    assert low + high == count - 1
    # the true median lies between the low-th and the high-th smallest unless too many draws fall on one side
    coverage = 1.0 - 2.0 * stats.binom.cdf(low, count, 0.5)
    narrower = 1.0 - 2.0 * stats.binom.cdf(low + 1, count, 0.5)
    assert coverage >= 0.95 > narrower


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_few_repeats_give_a_wide_interval(count: int) -> None:
    draws = np.random.default_rng(count).normal(10.0, 1.0, size=(4000, count))
    held = [low <= 10.0 <= high for _, (low, high) in map(median_interval, draws)]
    assert 0.93 < np.mean(held) < 0.99


def test_one_repeat_says_little() -> None:
    assert median_interval([3.0]) == (3.0, (1.5, 6.0))


def test_the_interval_never_reaches_zero() -> None:
    low, high = median_interval([1.0, 9.0])[1]
    assert 0.0 < low < 5.0 < high


def test_steady_is_narrow_after_enough_repeats() -> None:
    assert not is_steady([])
    assert relative_width([]) == math.inf
    assert not is_steady([1.0] * (FEWEST - 1))
    assert is_steady([1.0] * FEWEST)
    assert not is_steady([1.0, 1.1] * FEWEST)
    assert is_steady([1.0, 1.1] * (ENOUGH // 2))
