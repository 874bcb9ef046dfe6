"""The sizes that cannot be told from the best one: a confidence set from estimates and draws of their errors.

For each size the hypothesis is tested that no other takes less time: by how much it lies behind the others, in units of
what such a difference errs by, against what chance alone would bring where all were equally good. Every size that is
not refused stays, so that the best one is among them with the stated confidence, however many there are. Sources:
Gupta, *On some multiple decision (selection and ranking) rules*, 1965; Hsu, *Multiple comparisons*, 1996, chapter 4.
"""

from typing import Any, TypeAlias

import numpy as np

__all__ = ["CONFIDENCE", "contenders", "student_errors"]

CONFIDENCE = 0.95
"""The chance with which the set holds the best size."""

LEAST = 1e-9
"""Two sizes whose difference errs by nothing are told apart by anything."""

Host: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


def contenders(logs: Host, errors: Host) -> list[int]:
    """The places in ``logs`` (k,), logarithms of times, that may be the least, from ``errors`` (draws, k) of them.

    Errors that several sizes share, such as a machine that is slow for all, cancel in the differences. The least of
    ``logs`` is always among them, as are its equals.

    >>> errors = np.random.default_rng(0).normal(0.0, 0.1, size=(2000, 3))
    >>> contenders(np.asarray([0.0, 0.1, 1.0]), errors)
    [0, 1]
    """
    return [place for place in range(len(logs)) if _may_be_least(place, logs, errors)]


def _may_be_least(place: int, logs: Host, errors: Host) -> bool:
    others = [other for other in range(len(logs)) if other != place]
    if not others:
        return True
    apart = errors[:, [place]] - errors[:, others]  # (draws, k - 1)
    units = np.maximum(apart.std(axis=0), LEAST)
    behind = float(np.max((logs[place] - logs[others]) / units))
    return behind <= max(float(np.quantile((apart / units).max(axis=1), CONFIDENCE)), 0.0)


def student_errors(normal: Host, chi: Host, deviation: float, freedom: int) -> Host:
    """Errors (draws, k) of k means whose common ``deviation`` is itself only known with ``freedom`` degrees.

    ``normal`` (draws, k) and ``chi`` (draws, freedom) are standard normal draws: the errors share one estimate of the
    deviation, as in Student's t.
    """
    shared = np.sqrt((chi**2).sum(axis=1, keepdims=True) / freedom)
    found: Host = deviation * normal / np.maximum(shared, LEAST)
    return found
