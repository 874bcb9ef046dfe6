"""Independent answers to compare with: central differences in float64, and distances in units of the last place."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Host: TypeAlias = np.ndarray[Any, Any]

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)  # balances truncation (step**2) against rounding (eps / step)


def central_differences(function: Callable[[Host], Any], at: Host) -> Host:
    """All partial derivatives of ``function`` at the float64 array ``at``; shape: the output's, then the input's.

    For a function that returns one number this is its gradient, shaped like ``at``. Good to about 1e-9 where the
    function and its derivatives are of order one; a kink closer than about 1e-5 spoils it.
    """
    at = np.asarray(at, dtype=np.float64)
    columns = []
    for index in np.ndindex(at.shape):
        step = STEP * max(1.0, abs(float(at[index])))
        above, below = at.copy(), at.copy()
        above[index] += step
        below[index] -= step
        width = above[index] - below[index]  # what the two really differ by after rounding
        columns.append((np.asarray(function(above), np.float64) - np.asarray(function(below), np.float64)) / width)
    shape = np.asarray(function(at)).shape
    return np.stack(columns, axis=-1).reshape(shape + at.shape) if columns else np.zeros(shape + at.shape)


def ulps(found: Any, exact: Any, dtype: Any) -> Host:
    """How many units in the last place of ``dtype`` the found values are from the exact ones; NaN never matches.

    ``exact`` may be more precise than ``dtype`` (mpmath numbers, or float64 for float32); the unit is that of the
    exact value rounded to ``dtype``, and never smaller than the smallest subnormal number.
    """
    truth = np.vectorize(float, otypes=[np.float64])(exact)
    unit = np.spacing(np.abs(truth).astype(dtype)).astype(np.float64)
    return np.abs(np.asarray(found, np.float64) - truth) / unit
