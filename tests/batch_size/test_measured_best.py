"""Means over seeds and the best of them, from times drawn with a known answer."""

import math

import numpy as np
import pytest

from polydnn.batch_size.measured_best import Measured, best_of, means_over_seeds

TRUE = {2**k: 1.0 + 0.05 * (k - 5) ** 2 for k in range(2, 10)}
"""The U, best at 32."""


def drawn(rng: np.random.Generator, seeds: int, spread: float) -> dict[int, list[float]]:
    return {size: [t * math.exp(spread * z) for z in rng.standard_normal(seeds)] for size, t in TRUE.items()}


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = best_held = total = 0
    for _ in range(200):
        measured = means_over_seeds(drawn(rng, 3, 0.1), {})
        held += sum(each.interval[0] <= TRUE[each.batch_size] <= each.interval[1] for each in measured)
        total += len(measured)
        found = best_of(measured)
        assert found is not None
        best, (low, high) = found
        assert low <= best <= high
        best_held += low <= 32 <= high
    assert held / total == pytest.approx(0.95, abs=0.02)
    assert best_held >= 0.95 * 200


def test_the_mean_is_geometric_and_the_deviation_pooled() -> None:
    one, two = means_over_seeds({8: [1.0, 4.0], 4: [1.0, 1.0]}, {})
    assert (one.batch_size, two.batch_size) == (4, 8)
    assert two.seconds == pytest.approx(2.0)
    half = 4.3027 * math.sqrt(2 * math.log(2.0) ** 2 / 2 / 2)  # two degrees of freedom, two times
    assert two.interval == pytest.approx((2.0 * math.exp(-half), 2.0 * math.exp(half)))
    assert one.interval[1] / one.seconds == pytest.approx(math.exp(half))


def test_one_seed_gives_the_looks_around_the_crossing() -> None:
    (found,) = means_over_seeds({8: [2.0]}, {8: (0.95, 1.02)})
    assert found == Measured(8, 2.0, (pytest.approx(1.9), pytest.approx(2.04)), 1)  # type: ignore[arg-type]


def test_where_nothing_got_there_nothing_is_best() -> None:
    assert means_over_seeds({8: []}, {}) == []
    assert best_of([]) is None


def test_a_clear_best_has_a_narrow_interval_and_a_close_one_a_wide() -> None:
    def three(middle: float) -> tuple[int, tuple[int, int]] | None:
        return best_of([Measured(2**k, t, (0.95 * t, 1.05 * t), 3) for k, t in ((4, 1.5), (5, 1.0), (6, middle))])

    assert three(1.5) == (32, (32, 32))
    assert three(1.01) == (32, (32, 64))
