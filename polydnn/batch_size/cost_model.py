"""The time of a step as a function of the batch size, t(B), from measured times; near t0 + t1 B away from the knees.

t0 is what a step costs whatever its size (calls, launches, the update of the parameters), t1 what one more row adds;
t0 / t1 is the half saturation, the batch size at which half of a step's time is overhead.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from polydnn.batch_size.noise_scale import NORMAL_QUANTILE
from polydnn.errors import InvalidArgumentError

__all__ = ["CostModel", "Knee", "Timing", "fit_cost_model"]

LEAST_DEVIATION = 1e-3
"""No clock and no machine is steadier: a narrower interval means too few repeats, not more knowledge."""

SURE = 3.5
"""Deviations by which a time must lie above the line through the smaller sizes to count as a knee."""

VISIBLE = 0.05
"""And the least part of the time that it must lie above it."""

DEARER = 1.2
"""And how much more than t1 every further row must cost, and go on to: small steps have ups and downs of their own."""

Vector: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Timing:
    """The median time of a step of ``batch_size`` rows, its 95 % interval, and the cache that holds its working set."""

    batch_size: int
    seconds: float
    interval: tuple[float, float]
    cache_level: str | None = None

    @property
    def deviation(self) -> float:
        """The standard deviation of the median, as a part of it."""
        low, high = self.interval
        width = math.log(high / low) if 0.0 < low <= high else 0.0
        return max(width / (2.0 * NORMAL_QUANTILE), LEAST_DEVIATION)


@dataclass(frozen=True)
class Knee:
    """``batch_size`` is the first measured size beyond a knee, ``cache_level`` what holds its working set.

    Of kind "capacity", the working set outgrows a cache there, by count; of kind "measured", every further row visibly
    costs more there than before, by ``rise`` (0.5 means half as much again) where the cost before could be told.
    """

    batch_size: int
    cache_level: str | None
    kind: Literal["capacity", "measured"]
    rise: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The knee as it stands in the record."""
        return {
            "batch_size": self.batch_size,
            "cache_level": self.cache_level,
            "kind": self.kind,
            "rise": self.rise,
        }


@dataclass(frozen=True)
class CostModel:
    """t(B) through the measured times, made monotone, with the line t0 + t1 B that is nearest to them.

    Between two sizes the logarithm of t(B) / (t0 + t1 B) is interpolated linearly in log B, so that a straight line is
    followed exactly, however few sizes there are.
    """

    timings: tuple[Timing, ...]
    t0: float
    t1: float
    logs: Vector
    knees: tuple[Knee, ...]

    @property
    def sizes(self) -> list[int]:
        """The measured sizes, rising."""
        return [each.batch_size for each in self.timings]

    @property
    def half_saturation(self) -> float | None:
        """t0 / t1 in rows; None where a row's own time could not be seen beside the overhead."""
        return self.t0 / self.t1 if self.t1 > 0.0 else None

    def line(self, sizes: Sequence[float]) -> Vector:
        """t0 + t1 B."""
        return self.t0 + self.t1 * np.asarray(sizes, dtype=np.float64)

    def mixture(self, sizes: Sequence[float]) -> Vector:
        """Weights (len(sizes), measured) that interpolate a value of the measured sizes at others, in log B."""
        known, wanted = np.log(self.sizes), np.log(np.asarray(sizes, dtype=np.float64))
        found: Vector = np.stack([np.interp(wanted, known, row) for row in np.eye(len(known))], axis=1)
        return found

    def seconds(self, sizes: Sequence[float]) -> Vector:
        """t(B) in seconds, for sizes between the smallest and the largest that were measured (or a little beyond)."""
        found: Vector = self.seconds_from(self.logs[None, :], sizes)[0]
        return found

    def seconds_from(self, logs: Vector, sizes: Sequence[float]) -> Vector:
        """t(B) (draws, len(sizes)) for other logarithms of the times at the measured sizes (draws, measured)."""
        residuals = (logs - np.log(self.line(self.sizes))) @ self.mixture(sizes).T
        found = np.exp(residuals + np.log(self.line(sizes)))
        # a curve between two points stays between them
        place = np.clip(np.searchsorted(self.sizes, sizes, side="right") - 1, 0, len(self.sizes) - 1)
        inside = np.asarray(sizes) <= self.sizes[-1]
        upper = np.where(inside, np.exp(logs[:, np.minimum(place + 1, len(self.sizes) - 1)]), np.inf)
        return np.clip(found, np.where(np.asarray(sizes) >= self.sizes[0], np.exp(logs[:, place]), 0.0), upper)

    def overhead(self, batch_size: float) -> float:
        """The part of a step's time that is overhead, by the line: t0 / (t0 + t1 B)."""
        return float(self.t0 / self.line([batch_size])[0])

    def as_dict(self) -> dict[str, Any]:
        """The model as it stands in the record."""
        return {
            "t0": self.t0,
            "t1": self.t1,
            "half_saturation": self.half_saturation,
            "knees": [each.as_dict() for each in self.knees],
        }


def fit_cost_model(timings: Sequence[Timing]) -> CostModel:
    """The cost model of a sweep; ``timings`` in any order, one for each size.

    One size alone cannot tell overhead from work: its time is all t0 then. Raises InvalidArgumentError for no sizes, a
    size twice, or times that are not positive and finite.
    """
    ordered = tuple(sorted(timings, key=lambda each: each.batch_size))
    _check(ordered)
    sizes = np.asarray([each.batch_size for each in ordered], dtype=np.float64)
    seconds = np.asarray([each.seconds for each in ordered])
    deviations = np.asarray([each.deviation for each in ordered])
    t0, t1 = _robust_line(sizes, seconds, float(np.median(deviations)))
    logs = _monotone(np.log(seconds), 1.0 / deviations**2)
    knees = (*_capacity_knees(ordered), *_measured_knees(ordered, sizes, seconds, deviations * seconds, t1))
    return CostModel(ordered, t0, t1, logs, tuple(sorted(knees, key=lambda each: (each.batch_size, each.kind))))


def _check(ordered: Sequence[Timing]) -> None:
    sizes = [each.batch_size for each in ordered]
    if not sizes or len(set(sizes)) < len(sizes) or sizes[0] < 1:
        msg = f"a cost model needs the times of different batch sizes from 1 on, found {sizes}."
        raise InvalidArgumentError(msg)
    for each in ordered:
        if not 0.0 < each.seconds < math.inf:
            msg = f"the time of a step of {each.batch_size} rows must be above 0 and finite, found {each.seconds!r} s."
            raise InvalidArgumentError(msg)


def _robust_line(sizes: Vector, seconds: Vector, deviation: float) -> tuple[float, float]:
    """(t0, t1), both at least 0, with the least Huber loss of the relative errors (t0 + t1 B) / t - 1."""
    if len(sizes) == 1:
        return float(seconds[0]), 0.0
    columns = np.stack([1.0 / seconds, sizes / seconds], axis=1)
    weights = np.ones(len(sizes))
    line = _positive_line(columns, weights)
    for _ in range(50):
        errors = np.abs(columns @ line - 1.0)
        scale = 1.345 * max(1.4826 * float(np.median(errors)), deviation)  # Huber's usual constants
        weights = np.minimum(1.0, scale / np.maximum(errors, 1e-12))
        line = _positive_line(columns, weights)
    return float(line[0]), float(line[1])


def _positive_line(columns: Vector, weights: Vector) -> Vector:
    """The least squares of columns @ line - 1 for a line of which neither part is negative."""
    roots = np.sqrt(weights)
    norms = np.linalg.norm(columns, axis=0)  # t0 and t1 are of very different size
    line: Vector = np.linalg.lstsq(columns / norms * roots[:, None], roots, rcond=None)[0] / norms
    if (line >= 0.0).all():
        return line
    keep = int(np.argmax(line))  # two parts, and one of them negative: the other stands alone
    alone = columns[:, keep]
    line = np.zeros(2)
    line[keep] = (weights @ alone) / (weights @ alone**2)
    return line


def _monotone(values: Vector, weights: Vector) -> Vector:
    """The nearest values that never fall, by weighted squares: neighbours that fall share their mean."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (one, left, n), (two, right, m) = blocks[-2:]
            blocks[-2:] = [((one * left + two * right) / (left + right), left + right, n + m)]
    return np.concatenate([np.full(length, mean) for mean, _, length in blocks])


def _capacity_knees(ordered: Sequence[Timing]) -> list[Knee]:
    return [
        Knee(later.batch_size, later.cache_level, "capacity")
        for earlier, later in pairwise(ordered)
        if None not in (earlier.cache_level, later.cache_level) and earlier.cache_level != later.cache_level
    ]


def _measured_knees(ordered: Sequence[Timing], sizes: Vector, seconds: Vector, errors: Vector, t1: float) -> list[Knee]:
    """Sizes whose time lies visibly above the line through the sizes since the knee before."""
    knees, start = [], 0
    costs = np.diff(seconds) / np.diff(sizes)  # of each further row, from one size to the next
    for place in range(2, len(sizes)):
        if place - start < 2:
            continue
        before = slice(start, place)
        expected, slope, spread = _continued(sizes[before], seconds[before], errors[before], float(sizes[place]))
        excess = float(seconds[place]) - expected
        sure = excess > SURE * math.hypot(spread, float(errors[place])) and excess > VISIBLE * expected
        cost = float(costs[place - 1])
        stays = place == len(costs) or float(costs[place]) > t1
        if sure and stays and cost > DEARER * t1:
            rise = cost / slope - 1.0 if slope > 0.0 else None
            knees.append(Knee(ordered[place].batch_size, ordered[place].cache_level, "measured", rise))
            start = place
    return knees


def _continued(sizes: Vector, seconds: Vector, errors: Vector, size: float) -> tuple[float, float, float]:
    """The line through some times, continued to ``size``: its value there, its slope, the deviation of the value."""
    weights = 1.0 / errors**2
    centre = float(weights @ sizes / weights.sum())
    away = sizes - centre
    moment = float(weights @ away**2)
    slope = max(float(weights @ (away * seconds)) / moment, 0.0)  # more rows never cost less; that would be noise
    value = float(weights @ seconds / weights.sum()) + slope * (size - centre)
    return value, slope, math.sqrt(1.0 / float(weights.sum()) + (size - centre) ** 2 / moment)
