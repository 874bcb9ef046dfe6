"""polydnn's losses with their gradients, for outputs and targets that lie feature by feature in one workspace.

The two cross entropies are the stable forms, functions of the pre-activation before a sigmoid or a softmax.
"""

from typing import Any

import numpy as np
from numba import njit

from polydnn_numba.activations import _largest
from polydnn_numba.compiling import COMPILED
from polydnn_numba.elementary import exp, log1p, sigmoid
from polydnn_numba.lanes import copy_sign, keep, lanes_of, load, select_eq, select_le, select_lt, store, total

__all__ = ["KINDS", "cost", "with_labels"]

KINDS = (
    "sum_squared_error",
    "mean_squared_error",
    "mean_absolute_error",
    "hinge",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "categorical_cross_entropy of labels",
)
"""The losses by the number that compiled code knows them under."""
SUM_SQUARED, MEAN_SQUARED, MEAN_ABSOLUTE, HINGE, BINARY, CATEGORICAL, LABELS = range(7)


def with_labels(fixed: np.ndarray[Any, Any], place: int) -> np.ndarray[Any, Any] | None:
    """``fixed`` with the loss at ``place`` for targets that are labels; None for a loss that takes none."""
    if fixed[place] != CATEGORICAL:
        return None
    changed = fixed.copy()
    changed[place] = LABELS
    return changed


@njit(**COMPILED)
def cost(kind, work, y, t, share, d, n, s, count):
    """The sum of share * loss over the first ``count`` of s examples; their gradient times share goes to ``d``.

    Outputs stand from ``y`` on, targets from ``t`` on, n rows of s; the shares of the examples are one row.
    """
    one = work.dtype.type(1.0)
    sum_of_all = one * 0.0
    for i in range(0, s, lanes_of(work)):
        part = load(work, share + i)
        if kind == BINARY:
            values = _binary(work, y + i, t + i, part, d + i, n, s)
        elif kind in (CATEGORICAL, LABELS):
            values = _categorical(work, y + i, t + i, part, d + i, n, s, kind == LABELS)
        else:
            values = _regression(kind, work, y + i, t + i, part, d + i, n, s)
        sum_of_all += total(keep(values * part, count - i))
    return sum_of_all


@njit(**COMPILED)
def _regression(kind, work, y, t, part, d, n, s):
    values = part * 0.0
    for j in range(0, n * s, s):
        target = load(work, t + j)
        e = load(work, y + j) - target
        if kind in (SUM_SQUARED, MEAN_SQUARED):
            values = values + e * e
            slope = e
        elif kind == MEAN_ABSOLUTE:
            values = values + select_lt(e, 0.0, 0.0 - e, e)
            slope = select_lt(0.0, e, 1.0, select_lt(e, 0.0, -1.0, e))
        else:
            margin = 1.0 - target * load(work, y + j)
            values = values + select_le(margin, 0.0, 0.0, margin)
            slope = select_lt(target * load(work, y + j), 1.0, 0.0 - target, 0.0)
        store(work, d + j, slope * _slope_factor(kind, n) * part)
    return values * _factor(kind, n)


@njit(**COMPILED)
def _factor(kind, n):
    return 0.5 if kind == SUM_SQUARED else 1.0 / n


@njit(**COMPILED)
def _slope_factor(kind, n):
    if kind == SUM_SQUARED:
        return 1.0
    return 2.0 / n if kind == MEAN_SQUARED else 1.0 / n


@njit(**COMPILED)
def _binary(work, z, t, part, d, n, s):
    values = part * 0.0
    for j in range(0, n * s, s):
        v, target = load(work, z + j), load(work, t + j)
        distance = select_le(v, 0.0, 0.0, v) - target * v
        values = values + (distance + log1p(exp(copy_sign(v, v * 0.0 - 1.0))))
        store(work, d + j, (sigmoid(v) - target) * part)
    return values


@njit(**COMPILED)
def _categorical(work, z, t, part, d, n, s, labels):
    best, where = _largest(work, z, n, s)
    mass, others, given = part * 0.0, part * 0.0, part * 0.0
    for j in range(n):
        v = load(work, z + j * s)
        shifted = v - best
        back = shifted - v
        lost = (v - (shifted - back)) - (best + back)  # what the subtraction rounded away, which exp magnifies
        e = exp(shifted)
        others = others + e * (select_eq(where, float(j), 0.0, 1.0) + lost)
        mass = mass + e
        given = given + load(work, t + j * s)
        store(work, d + j * s, e)
    rest = log1p(others)
    values = part * 0.0
    for j in range(n):
        target = load(work, t + j * s)
        values = values + target * (rest - (load(work, z + j * s) - best))
        store(work, d + j * s, (load(work, d + j * s) / mass * given - target) * part)
    return values / given if labels else values  # by 1, or 0 / 0 = NaN for a label out of range
