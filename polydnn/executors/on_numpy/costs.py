"""The cost of a block of rows and its gradient: the common losses on fixed arrays, any other through its functions."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

from polydnn.execution.plan import StepPlan
from polydnn.executors.on_numpy.blas import ALONE, Matrix

__all__ = ["Cost", "cost_of"]


class Cost(Protocol):
    """The sum of the losses of a block's rows, each times its share; the gradient goes where ``dy`` was said to be."""

    def __call__(self, y: Matrix, share: float, shares: Matrix | None) -> Any: ...


def cost_of(plan: StepPlan, output: Matrix, dy: Matrix) -> Cost:
    """The cost of ``output`` (n, outputs) with the gradient in ``dy`` (n, outputs); both stay where they are."""
    joined = plan.form or plan.loss
    general = _general(joined, output, dy)
    make = FORMS.get(f"{joined.value.__module__}.{getattr(joined.value, '__name__', '')}")
    fast = None if make is None or not output.T.flags.c_contiguous else make(output.T, dy.T)

    labels, outputs = make is _cross_entropy, output.shape[1]

    def cost(y: Matrix, share: float, shares: Matrix | None) -> Any:
        fits = y.ndim == 1 if labels else y.ndim == 2 and y.shape[1] == outputs
        if fast is None or shares is not None or not fits:
            return general(y, share, shares)
        return fast(y, share, None)

    return cost


def _general(joined: Any, output: Matrix, dy: Matrix) -> Cost:
    value, gradient = joined.value, joined.gradient

    def cost(y: Matrix, share: float, shares: Matrix | None) -> Any:
        losses = value(output, y, xp=np)  # (n,)
        slopes = gradient(output, y, xp=np)  # (n, outputs)
        if shares is None:
            np.multiply(slopes, share, out=dy)
            return losses.sum() * share
        np.multiply(slopes, shares[:, None], out=dy)
        return (losses * shares).sum()  # by a ufunc, for a BLAS would cut the sum by its threads

    return cost


def _squared_error(z: Matrix, dz: Matrix) -> Cost:
    """Mean over the outputs of the squared errors; z and dz (outputs, n)."""
    outputs = z.shape[0]
    squares, slope = _sum_of_squares(dz.reshape(-1)), np.empty((), z.dtype)

    def cost(y: Matrix, share: float, shares: Matrix | None) -> Any:
        np.subtract(z, y.T, dz)
        loss = squares() * (share / outputs)
        slope[...] = 2.0 * share / outputs  # a ufunc takes an array in half the time that it takes a number
        np.multiply(dz, slope, dz)
        return loss

    return cost


def _sum_of_squares(flat: Matrix) -> Callable[[], Any]:
    """The sum of a fixed array's squares, with the same bits whatever number of threads the BLAS has."""
    if flat.size <= ALONE:
        return partial(flat.dot, flat)
    pieces = [flat[start : start + ALONE] for start in range(0, flat.size, ALONE)]
    return lambda: sum(piece.dot(piece) for piece in pieces)


def _cross_entropy(z: Matrix, dz: Matrix) -> Cost:
    """Categorical cross entropy of integer labels after a softmax; z and dz (classes, n).

    With the largest score m of a row the loss is m - z_label + log(1 + r), r the sum of exp(z - m) over the others.
    """
    _classes, n = z.shape
    columns = np.arange(n)
    flat = dz.reshape(-1)
    largest, total = np.empty(n, z.dtype), np.empty(n, z.dtype)
    place, one = np.empty(n, np.intp), np.ones((), z.dtype)

    def cost(y: Matrix, share: float, shares: Matrix | None) -> Any:
        np.multiply(y, n, out=place, casting="unsafe")
        np.add(place, columns, out=place)
        np.maximum.reduce(z, axis=0, out=largest)
        np.subtract(z, largest, dz)
        missing = flat.take(place)  # z_label - m
        top = z.argmax(axis=0) * n + columns
        np.exp(dz, dz)
        flat[top] = 0.0
        np.add.reduce(dz, axis=0, out=total)
        loss = (np.log1p(total).sum() - missing.sum()) * share
        flat[top] = one
        np.add(total, one, total)
        np.divide(dz, total, dz)
        flat[place] -= one
        np.multiply(dz, share, dz)
        return loss

    return cost


FORMS = {
    "polydnn.losses.mean_squared_error.value": _squared_error,
    "polydnn.losses.categorical_cross_entropy.logits_value": _cross_entropy,
}
"""By the place of the value function: a plugin's loss may bear the name, but not come from there."""
