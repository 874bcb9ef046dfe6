"""The noise scale over several short trainings, with an interval that says how far another training would differ.

From one step to the next the noise scale of a network in training jumps by factors, since steps overshoot and |G|^2
with them; and it differs with the first weights and the order of the rows. The rows that were not looked at are the
least of what an estimate errs by. So trainings are what is counted: each gives one mean over its steps, of logarithms,
since the jumps are by factors, and the interval is Student's over these means.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from polydnn.batch_size.gradient_moments import Host as Vector
from polydnn.batch_size.noise_scale import Drift, NoiseScale, student_quantile

__all__ = ["ENOUGH_PATHS", "mean_over_paths", "mean_over_steps"]

ENOUGH_PATHS = 3
"""Trainings from which their own spread tells how much they differ."""

OPEN = 0.5
"""The part of the steps at which |G|^2 cannot be told from 0 that leaves the mean without an upper end."""


def mean_over_steps(found: Sequence[NoiseScale]) -> NoiseScale:
    """The geometric mean over the steps of one training, from measurements of one step each.

    The weights are those of trapezoids over the steps. The interval is Student's from the spread of the measurements
    about the mean, in which the drift is contained; their own intervals are narrower by far. Of fewer than three
    measurements it is from the lowest end to the highest.
    """
    last, points = found[-1], tuple(each.drift[0] for each in found)
    if len(found) == 1:
        return last
    mean, error, freedom = _mean_of_logs(points)
    half = student_quantile(freedom) * error if freedom else math.inf
    ends = (math.exp(mean - half), math.exp(mean + half)) if freedom else _outermost(points)
    said = f"the mean over steps {points[0].step} to {points[-1].step}; trace and squared norm are of the last"
    note = f"{last.note}; {said}" if last.note else said
    examples = sum(each.examples for each in found)
    return replace(last, value=_value(mean), interval=_opened(ends, points), examples=examples, note=note, drift=points)


def mean_over_paths(paths: Sequence[NoiseScale], *, cut: bool = False) -> NoiseScale:
    """The geometric mean of what ``mean_over_steps`` made of trainings of several seeds; the first one's drift.

    With fewer than three the interval is from the spread within them. Where they were ``cut``, by the time and neither
    by a target loss nor by the number of epochs, nobody knows how much longer a training is: then it also holds the
    noise scales of half and of twice as many steps, as far as they can be told from how the mean moved.
    """
    first, means = paths[0], np.asarray([_log(each.value) for each in paths])
    drift = abs(float(np.mean([_drift_of_mean(each.drift) for each in paths]))) if cut else 0.0
    if len(paths) == 1 and not drift:
        return replace(first, by_seed=(first.value,))
    mean = float(means.mean())
    low, high = _ends(paths, means)
    ends = (math.exp(mean - low - drift), None if high is None else math.exp(mean + high + drift))
    trainings = f"over {len(paths)} trainings" if len(paths) > 1 else "over one training"
    note = f"{first.note}; {trainings}{', which time ended' if cut else ''}"
    examples = sum(each.examples for each in paths)
    by_seed = tuple(each.value for each in paths)
    return replace(first, value=_value(mean), interval=ends, examples=examples, note=note, by_seed=by_seed)


def _ends(paths: Sequence[NoiseScale], means: Vector) -> tuple[float, float | None]:
    """How far the ends of the interval lie below and above the mean, in logarithms."""
    unknown = sum(each.interval[1] is None for each in paths) > OPEN * len(paths)
    if len(paths) >= ENOUGH_PATHS:
        half = student_quantile(len(paths) - 1) * float(means.std(ddof=1)) / math.sqrt(len(paths))
        return half, None if unknown else half
    low = [mean - _log(each.interval[0]) for mean, each in zip(means, paths, strict=True)]
    high = [
        _log(each.interval[1]) - mean for mean, each in zip(means, paths, strict=True) if each.interval[1] is not None
    ]
    apart = float(np.ptp(means)) / 2
    return max(math.hypot(*low) / len(low), apart), None if unknown else max(math.hypot(*high) / len(high), apart)


def _mean_of_logs(points: Sequence[Drift]) -> tuple[float, float, int]:
    """The mean of log B_c over the steps, its standard error and the degrees of freedom; 0 where they are too few."""
    logs, weights = _logs(points), _trapezoids(points)
    mean = float(weights @ logs)
    counted = 1.0 / float((weights**2).sum())  # so many equally weighted ones would tell as much
    freedom = int(counted + 0.5) - 1
    if len(points) < 3 or freedom < 1:
        return mean, math.inf, 0
    return mean, math.sqrt(float(weights @ (logs - mean) ** 2) / freedom), freedom


def _trapezoids(points: Sequence[Drift]) -> Vector:
    halves = np.diff([float(each.step) for each in points]) / 2
    weights = np.concatenate([halves, [0.0]]) + np.concatenate([[0.0], halves])
    return np.asarray(weights / weights.sum())


def _logs(points: Sequence[Drift]) -> Vector:
    """A measurement that saw no noise at all counts as the least that was seen."""
    least = min((each.value for each in points if each.value > 0.0), default=0.0)
    return np.asarray([_log(max(each.value, least)) for each in points])


def _drift_of_mean(points: Sequence[Drift]) -> float:
    """By how much the logarithm of the mean rose over the second half of the steps."""
    early = [each for each in points if 2 * each.step <= points[-1].step]
    if len(early) < 2:
        return 0.0
    return _mean_of_logs(points)[0] - _mean_of_logs(early)[0]


def _outermost(points: Sequence[Drift]) -> tuple[float, float]:
    highs = [each.interval[1] for each in points if each.interval[1] is not None]
    return min(each.interval[0] for each in points), max(highs, default=math.inf)


def _opened(ends: tuple[float, float], points: Sequence[Drift]) -> tuple[float, float | None]:
    unknown = float(_trapezoids(points) @ np.asarray([each.interval[1] is None for each in points], dtype=np.float64))
    return ends[0], None if unknown > OPEN or not math.isfinite(ends[1]) else ends[1]


LEAST_LOG = -300.0
"""Stands for the logarithm of 0."""


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else LEAST_LOG


def _value(mean: float) -> float:
    return math.exp(mean) if mean > LEAST_LOG else 0.0
