"""Mean times to the target over seeds with their intervals, and the best batch size among them with its own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polydnn.arrays import stream
from polydnn.batch_size.noise_scale import NORMAL_QUANTILE, student_quantile

__all__ = ["Measured", "best_of", "means_over_seeds"]

DRAWS = 2000
"""Draws of the times from which the interval of the best size is read."""

FEWEST = 0.01
"""The least half width of an interval, as a part: seeds that agree by chance do not make a clock better."""


@dataclass(frozen=True)
class Measured:
    """The geometric mean of the seconds to the target at one batch size, its 95 % interval, from ``count`` seeds."""

    batch_size: int
    seconds: float
    interval: tuple[float, float]
    count: int


def means_over_seeds(
    seconds: Mapping[int, Sequence[float]], brackets: Mapping[int, tuple[float, float]]
) -> list[Measured]:
    """One for each size that has times at all, the sizes rising.

    Logarithms are averaged; their deviation is taken to be the same at every size, and is worked out from all sizes
    together, with Student's t. Where no size has two times, the interval is ``brackets``: parts of the mean between
    which the crossing lies for certain, which says nothing of other seeds.

    >>> [found] = means_over_seeds({64: [1.0, 1.0, 1.0]}, {64: (0.95, 1.05)})
    >>> found.seconds, [round(end, 2) for end in found.interval]
    (1.0, [0.99, 1.01])
    """
    logs = {size: np.log(np.asarray(found)) for size, found in sorted(seconds.items()) if len(found)}
    freedom = sum(len(found) - 1 for found in logs.values())
    squares = sum(float(((found - found.mean()) ** 2).sum()) for found in logs.values())
    rows = []
    for size, found in logs.items():
        mean = math.exp(float(found.mean()))
        if freedom:
            half = max(_quantile(freedom) * math.sqrt(squares / freedom / len(found)), FEWEST)
            ends = (math.exp(-half), math.exp(half))
        else:
            ends = brackets[size]
        rows.append(Measured(size, mean, (mean * ends[0], mean * ends[1]), len(found)))
    return rows


def _quantile(freedom: int) -> float:
    """The expansion is good from three degrees of freedom on; the two before it are known exactly."""
    return {1: 12.7062, 2: 4.3027}.get(freedom) or student_quantile(freedom)


def best_of(measured: Sequence[Measured], *, seed: int = 0) -> tuple[int, tuple[int, int]] | None:
    """The size of the least time, and the sizes that hold 95 % of the bests of draws within the intervals.

    >>> best_of([Measured(16, 3.0, (2.9, 3.1), 3), Measured(32, 1.0, (0.9, 1.1), 3), Measured(64, 1.05, (1.0, 1.2), 3)])
    (32, (32, 64))
    """
    if not measured:
        return None
    sizes = [each.batch_size for each in measured]
    logs = np.log([each.seconds for each in measured])
    halves = np.asarray([math.log(each.interval[1] / each.interval[0]) / 2 for each in measured])
    normal = stream(seed, "batch-size measured").standard_normal((DRAWS, len(measured)))
    bests = np.argmin(logs + normal * halves / NORMAL_QUANTILE, axis=1)
    best = int(np.argmin(logs))
    low, high = np.quantile(bests, [0.025, 0.975], method="nearest").astype(int).tolist()
    return sizes[best], (sizes[min(low, best)], sizes[max(high, best)])
