"""The gradient noise scale B_c = tr(Sigma) / |G|^2: about the batch size beyond which more rows save few steps.

G is the gradient over all examples, Sigma the covariance of the gradients of single ones. A squared norm over s rows
has the expectation |G|^2 + tr(Sigma) / s, so two sizes tell both parts. Here all examples are the N rows to train on,
which are drawn without putting back: then it is |G|^2 + tr(Sigma) (1 / s - 1 / N), so that |G|^2 is tr(Sigma) / N more.
Source: McCandlish et al., *An empirical model of large-batch training*, 2018.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.batch_size.gradient_moments import GradientMoments, Host
from polydnn.errors import InvalidArgumentError

__all__ = ["Drift", "NoiseScale", "estimate", "student_quantile", "two_sizes"]

NORMAL_QUANTILE = 1.959963984540054
"""97.5 % of a standard normal variable lie below."""


@dataclass(frozen=True)
class Drift:
    """The noise scale at one step of training, with the cost of the rows it was measured on."""

    step: int
    loss: float
    value: float
    interval: tuple[float, float | None]

    def as_dict(self) -> dict[str, Any]:
        """The point as it stands in the record."""
        return {"step": self.step, "loss": self.loss, "value": self.value, "interval": list(self.interval)}


@dataclass(frozen=True)
class NoiseScale:
    """An estimate of B_c in rows, with its 95 % interval.

    ``trace`` and ``squared_norm`` are the unbiased estimates of tr(Sigma) and |G|^2, ``examples`` the rows they were
    made from. The upper end of ``interval`` is None where so many rows cannot tell |G|^2 from 0. Where the estimate of
    |G|^2 is not positive, ``value`` is the lower end: the noise scale is at least that. ``method`` is "per-example" or
    "two batch sizes", ``note`` says why, and what else a reader should know. ``drift`` follows it through training;
    of several trainings it is the first's, and ``by_seed`` holds the value of each.
    """

    value: float
    interval: tuple[float, float | None]
    trace: float
    squared_norm: float
    examples: int
    method: str = "per-example"
    note: str = ""
    drift: tuple[Drift, ...] = ()
    by_seed: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The estimate as it stands in the record."""
        return {
            "value": self.value,
            "interval": list(self.interval),
            "trace": self.trace,
            "squared_norm": self.squared_norm,
            "examples": self.examples,
            "method": self.method,
            "note": self.note,
            "drift": [point.as_dict() for point in self.drift],
            "by_seed": list(self.by_seed),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "NoiseScale":
        """Read what ``as_dict`` wrote."""
        points = tuple(Drift(each["step"], each["loss"], each["value"], _pair(each)) for each in record["drift"])
        plain = {key: record[key] for key in ("value", "trace", "squared_norm", "examples")}
        words = {key: record[key] for key in ("method", "note") if key in record}
        return cls(**plain, **words, interval=_pair(record), drift=points, by_seed=tuple(record.get("by_seed", ())))


def two_sizes(small_squares: float, small: int, big_squares: float, big: int) -> tuple[float, float]:
    """(|G|^2, tr(Sigma)) without bias from the mean squared norms of gradients over ``small`` and over ``big`` rows.

        |G|^2 = (b |G_b|^2 - s |G_s|^2) / (b - s)        tr(Sigma) = (|G_s|^2 - |G_b|^2) / (1/s - 1/b)

    Several pairs are averaged before the two are divided, each on its own: the mean of ratios would be biased. Raises
    InvalidArgumentError unless 1 <= small < big.

    >>> two_sizes(5.0, 1, 2.0, 4)  # |G|^2 = 1 and tr(Sigma) = 4: 1 + 4 / 1 and 1 + 4 / 4
    (1.0, 4.0)
    """
    if not 1 <= small < big:
        msg = f"two_sizes: the sizes must be 1 <= small < big, found {small} and {big}."
        raise InvalidArgumentError(msg)
    squared_norm = (big * big_squares - small * small_squares) / (big - small)
    return squared_norm, (small_squares - big_squares) / (1.0 / small - 1.0 / big)


def estimate(moments: GradientMoments | Sequence[GradientMoments]) -> NoiseScale:
    """The noise scale from the moments of one or several samples of the gradient at one point of training.

    All batches of a sample are joined to one large gradient, and all examples are the sample's ``population``: once
    every row has been looked at, nothing is left to chance, and the interval closes to a point. It is Fieller's for a
    ratio (*Some problems in interval estimation*, 1954), with the covariance of both parts from leaving one batch out
    at a time.
    """
    samples = [moments] if isinstance(moments, GradientMoments) else list(moments)
    both = np.mean([_joined(each) for each in samples], axis=0)  # (|G|^2, tr(Sigma))
    covariance = sum((_jackknife(each) * _unseen(each) for each in samples), np.zeros((2, 2))) / len(samples) ** 2
    freedom = sum(len(each.small) - 1 for each in samples)
    squared_norm, trace = float(both[0]), float(both[1])
    low, high = _fieller(trace, squared_norm, covariance, student_quantile(freedom))
    value = max(trace, 0.0) / squared_norm if squared_norm > 0.0 else low
    examples = sum(each.rows * len(each.small) for each in samples)
    note = samples[0].note
    method = "two batch sizes" if note else "per-example"
    return NoiseScale(value, (low, high), trace, squared_norm, examples, method, note)


def _joined(sample: GradientMoments, left_out: int | None = None) -> tuple[float, float]:
    """(|G|^2, tr(Sigma)) from all batches of a sample joined to one, or from all but one."""
    kept = [k for k in range(len(sample.small)) if k != left_out]
    big = float(np.mean(sample.gram[np.ix_(kept, kept)]))  # |mean of the gradients|^2
    squared_norm, trace = two_sizes(float(np.mean(sample.small[kept])), sample.size, big, sample.rows * len(kept))
    return squared_norm + trace / sample.population, trace


def _unseen(sample: GradientMoments) -> float:
    """The part of the rows that was not looked at, which is all that an estimate can err by."""
    return max(1.0 - sample.rows * len(sample.small) / sample.population, 0.0)


def _jackknife(sample: GradientMoments) -> Host:
    """The covariance (2, 2) of the two estimates."""
    count = len(sample.small)
    replicates = np.asarray([_joined(sample, k) for k in range(count)])
    centred = replicates - replicates.mean(axis=0)
    return np.asarray((count - 1) / count * (centred.T @ centred))


def _fieller(top: float, bottom: float, covariance: Host, quantile: float) -> tuple[float, float | None]:
    """The ratios r >= 0 for which top - r bottom lies within ``quantile`` of its own deviations of 0."""
    spread_bottom, both, spread_top = (quantile**2 * float(covariance[place]) for place in ((0, 0), (0, 1), (1, 1)))
    a, b, c = bottom**2 - spread_bottom, top * bottom - both, top**2 - spread_top
    root = math.sqrt(max(b * b - a * c, 0.0))
    if a > 0.0 and bottom > 0.0:
        return max((b - root) / a, 0.0), max((b + root) / a, 0.0)
    # bottom may be 0: r has no upper end; its lower end is the inverse of the largest bottom / top
    largest = (b + root) / c if c > 0.0 else 0.0
    return (1.0 / largest if largest > 0.0 else 0.0), None


def student_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, to three digits.

    Source: the expansion in Abramowitz & Stegun, *Handbook of mathematical functions*, 26.7.5; it is good from three
    degrees of freedom on, and the two before have closed forms.

    >>> round(student_quantile(15), 2), round(student_quantile(2), 2)
    (2.13, 4.3)
    """
    if freedom < 3:
        return math.tan(0.475 * math.pi) if freedom == 1 else 0.95 * math.sqrt(2.0 / (1.0 - 0.95**2))
    z, v = NORMAL_QUANTILE, float(freedom)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / v + g2 / v**2 + g3 / v**3 + g4 / v**4


def _pair(record: dict[str, Any]) -> tuple[float, float | None]:
    low, high = record["interval"]
    return low, high
