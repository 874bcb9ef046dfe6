"""Mean times to the target over seeds with their intervals, and the best batch size among them with its own."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polydnn.arrays import stream
from polydnn.batch_size.contenders import Host, contenders, student_errors
from polydnn.batch_size.noise_scale import NORMAL_QUANTILE, student_quantile

__all__ = ["Measured", "best_of", "means_over_seeds"]

DRAWS = 2000
"""Draws of the errors of the times, against which the differences between sizes are held."""

FEWEST = 0.01
"""The least half width of an interval, as a part: seeds that agree by chance do not make a clock better."""


FEWEST_SIZES = 4
"""A parabola through fewer has nothing to average."""


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
            half = max(student_quantile(freedom) * math.sqrt(squares / freedom / len(found)), FEWEST)
            ends = (math.exp(-half), math.exp(half))
        else:
            ends = brackets[size]
        rows.append(Measured(size, mean, (mean * ends[0], mean * ends[1]), len(found)))
    return rows


def best_of(
    seconds: Mapping[int, Mapping[int, float]], brackets: Mapping[int, tuple[float, float]], *, seed: int = 0
) -> tuple[int, tuple[int, int]] | None:
    """The best size, and the span of those that cannot be told from it, at 95 %.

    The best one is that nearest to the bottom of the U, a parabola through the logarithms of the mean times of these
    sizes and of the next one on either side: where several sizes take about the same time, which of them has the least
    is chance. With fewer than four such sizes, or without a bottom, it is the one with the least time.

    ``seconds`` are times by size and training seed. Sizes are compared over the seeds that all of them share, each seed
    for itself: what made a whole race slow (first weights, a busy machine) cancels, and what is left over between sizes
    and seeds is the error. A size that some seed did not get to the target with is no candidate. One seed tells nothing
    of others: then it is ``brackets``, parts of the time between which the crossing lies for certain, that is compared.
    None where no size got there.

    >>> times = {16: {0: 3.0, 1: 3.1}, 32: {0: 1.0, 1: 1.1}, 64: {0: 1.05, 1: 1.1}}
    >>> best_of(times, {})
    (32, (32, 64))
    """
    shared = _shared_seeds(seconds)
    if not shared:
        return None
    sizes = [size for size, found in sorted(seconds.items()) if set(found) >= set(shared)]
    table = np.log([[seconds[size][each] for each in shared] for size in sizes])  # (sizes, seeds)
    logs = table.mean(axis=1)
    paired = len(shared) > 1
    errors = _paired_errors(table, seed) if paired else _bracket_errors([brackets[size] for size in sizes], seed)
    places = contenders(logs, errors)
    return sizes[_bottom(sizes, logs, places)], (sizes[places[0]], sizes[places[-1]])


def _bottom(sizes: Sequence[int], logs: Host, places: Sequence[int]) -> int:
    """The place, out of ``places``, that is nearest to the least of a parabola through them and their neighbours."""
    around = slice(max(places[0] - 1, 0), places[-1] + 2)
    steps = np.log2(np.asarray(sizes, dtype=np.float64))
    if len(places) == 1 or len(logs[around]) < FEWEST_SIZES:
        return int(np.argmin(logs))
    bent, slope, _ = np.polyfit(steps[around], logs[around], 2)
    if bent <= 0.0:
        return int(np.argmin(logs))
    return min(places, key=lambda place: abs(float(steps[place] + slope / (2.0 * bent))))


def _shared_seeds(seconds: Mapping[int, Mapping[int, float]]) -> list[int]:
    """The seeds of the sizes that got there most often; of such sets of seeds the one that most sizes have."""
    sets = Counter(tuple(sorted(found)) for found in seconds.values() if found)
    best = max(((len(each), count, each) for each, count in sets.items()), default=None)
    return [] if best is None else list(best[2])


def _paired_errors(table: Host, seed: int) -> Host:
    """Errors (DRAWS, sizes) of the means over the seeds, from what neither the size nor the seed explains."""
    sizes, seeds = table.shape
    freedom = max(sizes - 1, 1) * (seeds - 1)
    left = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0, keepdims=True) + table.mean()
    deviation = max(math.sqrt(float((left**2).sum()) / freedom / seeds), FEWEST / NORMAL_QUANTILE)
    draws = stream(seed, "batch-size measured")
    normal, chi = draws.standard_normal((DRAWS, sizes)), draws.standard_normal((DRAWS, freedom))
    return student_errors(normal, chi, deviation, freedom)


def _bracket_errors(brackets: Sequence[tuple[float, float]], seed: int) -> Host:
    halves = np.asarray([math.log(high / low) / 2 for low, high in brackets])
    normal = stream(seed, "batch-size measured").standard_normal((DRAWS, len(brackets)))
    found: Host = normal * np.maximum(halves, FEWEST) / NORMAL_QUANTILE
    return found
