"""The best batch size: the steps that the noise of the data asks for, times the time that a step takes here.

    S(B) = S_min (1 + B_c / B)        T(B) = S(B) t(B)        with t = t0 + t1 B the best is B* = sqrt(B_c t0 / t1)

Sources: McCandlish et al., *An empirical model of large-batch training*, 2018, for S(B); Perrone et al., *Optimal
mini-batch size selection for fast gradient descent*, 2019, for the time to a target as their product.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.arrays import stream
from polydnn.batch_size.contenders import contenders
from polydnn.batch_size.cost_model import CostModel, Vector
from polydnn.batch_size.noise_scale import NORMAL_QUANTILE, NoiseScale

__all__ = ["Prediction", "Row", "predict"]

NEAR = 0.05
"""What counts as near the best: 5 %."""

PLACEMENT = 0.02
"""By how much the time of a step differs between two sweeps of a steady machine, at one size and not at the next.

Where a process has put its arrays decides that once for all of its repeats, so that no repeat shows it. From the sweeps
of the prediction benchmark: they differed by 0.012 to 0.02 in the logarithm, where the repeats said 0.003.
"""

DRAWS = 2000
"""Draws of noise scale and times from which the intervals are read."""

FARTHEST = 100.0
"""How many times the estimated noise scale a draw has at most, where nothing else bounds it."""


@dataclass(frozen=True)
class Row:
    """The prediction for one batch size: steps in units of S_min, seconds for S_min = 1 (times S_min they are real)."""

    batch_size: int
    relative_steps: float
    seconds_to_target: float
    interval: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """The row as it stands in the record."""
        return {
            "batch_size": self.batch_size,
            "relative_steps": self.relative_steps,
            "seconds_to_target": self.seconds_to_target,
            "seconds_to_target_interval": list(self.interval),
        }


@dataclass(frozen=True)
class Prediction:
    """What the model of steps and times says about the batch sizes of a sweep.

    ``best`` has the least time to target. ``interval`` spans the sizes that cannot be told from the best one: all that
    are not refused at 95 % under the errors of the noise scale (those of the seeds and of the steps among them) and of
    the times, and the sizes near the best, whose differences are within what the model itself may be off by.
    ``closed_form`` is sqrt(B_c t0 / t1), None without a slope. ``smallest_near`` is the smallest *measured* size within
    5 % of the largest throughput, ``fastest`` the one that has it. ``near`` spans the sizes whose time to target is
    within 5 % of the least. Without a noise scale there are no ``rows``, and ``best`` is ``smallest_near``.
    """

    rows: tuple[Row, ...]
    best: int
    interval: tuple[int, int]
    closed_form: float | None
    smallest_near: int
    fastest: int
    near: tuple[int, int]


def predict(cost: CostModel, noise: NoiseScale | None, *, seed: int = 0) -> Prediction:
    """The times to target over the measured sizes and the powers of two between them.

    The intervals come from 2,000 draws of noise scale and times out of the fixed stream of ``seed``: the same
    measurements always give the same prediction.
    """
    throughput = np.asarray(cost.sizes) / np.exp(cost.logs)
    fastest = cost.sizes[int(np.argmax(throughput))]
    smallest = next(
        size for size, each in zip(cost.sizes, throughput, strict=True) if each >= throughput.max() / (1 + NEAR)
    )
    drawn = _drawn_logs(cost, seed)
    if noise is None:
        return Prediction((), smallest, _smallest_near(cost, drawn), None, smallest, fastest, (smallest, fastest))
    sizes = _candidates(cost.sizes)
    scales = _drawn_scales(noise, seed)[:, None]
    steps = 1.0 + noise.value / np.asarray(sizes)
    seconds = steps * cost.seconds(sizes)
    draws = (1.0 + scales / np.asarray(sizes)) * cost.seconds_from(drawn, sizes)
    ends = np.quantile(draws, [0.025, 0.975], axis=0)
    rows = tuple(
        Row(size, float(s), float(t), (float(min(low, t)), float(max(high, t))))
        for size, s, t, low, high in zip(sizes, steps, seconds, *ends, strict=True)
    )
    best, logs = int(np.argmin(seconds)), np.log(seconds)
    near = np.flatnonzero(seconds <= (1 + NEAR) * seconds.min())
    alike = [*contenders(logs, np.log(draws) - logs), *near]
    closed = None if cost.half_saturation is None else math.sqrt(noise.value * cost.half_saturation)
    return Prediction(
        rows,
        sizes[best],
        (sizes[min(alike)], sizes[max(alike)]),
        closed,
        smallest,
        fastest,
        (sizes[int(near[0])], sizes[int(near[-1])]),
    )


def _candidates(sizes: Sequence[int]) -> list[int]:
    powers = {2**k for k in range(sizes[-1].bit_length()) if sizes[0] <= 2**k <= sizes[-1]}
    return sorted(powers | set(sizes))


def _drawn_logs(cost: CostModel, seed: int) -> Vector:
    """Logarithms of the times at the measured sizes (DRAWS, measured), made monotone."""
    normal = stream(seed, "batch-size times").standard_normal((DRAWS, len(cost.timings)))
    drawn = cost.logs + normal * np.asarray([math.hypot(each.deviation, PLACEMENT) for each in cost.timings])
    found: Vector = np.maximum.accumulate(drawn, axis=1)
    return found


def _drawn_scales(noise: NoiseScale, seed: int) -> Vector:
    """Noise scales (DRAWS,): 1 / B_c = |G|^2 / tr(Sigma) is normal on either side of its estimate.

    Of the two it is |G|^2 that is uncertain, down to 0 where the interval has no upper end; its inverse is drawn.
    """
    low, high = noise.interval
    normal = stream(seed, "batch-size noise scale").standard_normal(DRAWS)
    if noise.value <= 0.0:
        return np.zeros(DRAWS)
    middle = 1.0 / noise.value
    below = (middle - (0.0 if high is None else 1.0 / high)) / NORMAL_QUANTILE
    above = (1.0 / low - middle) / NORMAL_QUANTILE if low > 0.0 else middle / NORMAL_QUANTILE
    drawn = middle + normal * np.where(normal < 0.0, below, above)
    found: Vector = 1.0 / np.maximum(drawn, middle / FARTHEST)
    return found


def _smallest_near(cost: CostModel, drawn: Vector) -> tuple[int, int]:
    """The interval of the smallest size within 5 % of the largest throughput."""
    throughput = np.asarray(cost.sizes) / np.exp(drawn)
    first = np.argmax(throughput >= throughput.max(axis=1, keepdims=True) / (1 + NEAR), axis=1)
    low, high = np.quantile(first, [0.025, 0.975], method="nearest").astype(int).tolist()
    return cost.sizes[low], cost.sizes[high]
