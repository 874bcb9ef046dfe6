"""Activations in place: the built-in ones as operations on fixed arrays, any other through its pure functions."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from polydnn.activations.activation import Activation
from polydnn.activations.sigmoid import SATURATED
from polydnn.executors.on_numpy.blas import Matrix

__all__ = ["InPlace", "Operation", "in_place"]

Operation: TypeAlias = Callable[[], Any]
"""One thing to do, with everything it needs bound to it."""


class InPlace(NamedTuple):
    """The operations that turn z into y where it lies, and dy into dz where that lies."""

    forward: Sequence[Operation]
    backward: Sequence[Operation]


def in_place(activation: Activation, y: Matrix, dy: Matrix) -> InPlace | None:
    """The operations for y and dy (units, n); None for an activation whose functions are not the built-in ones."""
    module = activation.forward.__module__
    make = FORMS.get(module) if getattr(activation.derivative, "__module__", None) == module else None
    return make(y, dy) if make is not None and not activation.options else None


def _identity(y: Matrix, dy: Matrix) -> InPlace:
    return InPlace([], [])


FEW = 1024
"""Numbers up to which signs are the faster mask: a product takes them as they are, and has to convert truth values.

Of more numbers the signs take twice as long as comparing and converting."""


def _relu(y: Matrix, dy: Matrix) -> InPlace:
    zero, few = np.zeros((), y.dtype), y.size <= FEW
    slope = np.empty(y.shape, y.dtype if few else bool)
    mark = partial(np.sign, y, slope) if few else partial(np.greater, y, zero, slope)
    return InPlace([partial(np.maximum, y, zero, out=y)], [mark, partial(np.multiply, dy, slope, dy)])


def _sigmoid(y: Matrix, dy: Matrix) -> InPlace:
    one, largest, scratch = np.ones((), y.dtype), np.asarray(SATURATED, y.dtype), np.empty_like(y)
    forward = [
        partial(np.minimum, y, largest, out=y),
        partial(np.exp, y, y),
        partial(np.add, y, one, scratch),
        partial(np.divide, y, scratch, y),
    ]
    backward = [
        partial(np.subtract, one, y, scratch),
        partial(np.multiply, scratch, y, scratch),
        partial(np.multiply, dy, scratch, dy),
    ]
    return InPlace(forward, backward)


def _tanh(y: Matrix, dy: Matrix) -> InPlace:
    one, scratch = np.ones((), y.dtype), np.empty_like(y)
    backward = [
        partial(np.multiply, y, y, scratch),
        partial(np.subtract, one, scratch, scratch),
        partial(np.multiply, dy, scratch, dy),
    ]
    return InPlace([partial(np.tanh, y, y)], backward)


FORMS: dict[str, Callable[[Matrix, Matrix], InPlace]] = {
    "polydnn.activations.identity": _identity,
    "polydnn.activations.relu": _relu,
    "polydnn.activations.sigmoid": _sigmoid,
    "polydnn.activations.tanh": _tanh,
}
"""By the module of the activation's functions: a plugin may use the name, but not the place."""
