"""Normalization of inputs and targets by constants learnt from the training rows."""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Literal, get_args

import numpy as np

from polydnn.errors import InvalidArgumentError, did_you_mean
from polydnn.layers.checks import check_flag
from polydnn.layers.layer import NOTHING, Forward, Layer
from polydnn.types import Array, DType, Gradients, Namespace, Options

__all__ = ["Kind", "Normalization", "fit_constants", "inverse"]

Kind = Literal["standard", "min-max"]

BLOCK = 8192
"""Rows looked at together while the constants are learnt: integer images become floating point a block at a time."""


class Normalization(Layer):
    """Y = (X - shift) / scale, column by column; as a layer it may stand first only.

    "min-max" maps the training rows to [0, 1]: shift is the column's minimum, scale its range. "standard" gives them
    zero mean and unit deviation. Where a column is constant its scale is 1. With ``shared=True`` one pair of constants
    serves all columns, which is right for pixels: some are constant in the training rows and alive in others.

    The constants are learnt by ``Trainer.fit`` from the training rows and saved with the model.
    Source: chapter 4, *Deep neural networks*, of *Neural networks and deep learning*.
    """

    type = "normalization"

    def __init__(self, kind: Kind = "standard", *, shared: bool = False) -> None:
        if kind not in get_args(Kind):
            msg = f"Normalization: kind must be 'standard' or 'min-max', found {kind!r}." + did_you_mean(
                str(kind), get_args(Kind)
            )
            raise InvalidArgumentError(msg)
        self.kind = kind
        self.shared = check_flag("Normalization", "shared", shared)

    @property
    def options(self) -> Options:
        return {"kind": self.kind, "shared": self.shared}

    def statistics(self, in_features: int) -> dict[str, np.ndarray[Any, Any]]:
        return {"shift": np.zeros(in_features), "scale": np.ones(in_features)}

    def shapes(self, in_features: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("shift", "scale"), (in_features,))

    def predict(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        return (x - arrays["shift"]) / arrays["scale"]

    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        def back(dy: Array, need_dx: bool) -> tuple[Array | None, Gradients]:
            return dy / arrays["scale"] if need_dx else None, {}

        return self.predict(arrays, x, xp=xp), back, NOTHING


def inverse(arrays: Mapping[str, Array], y: Array) -> Array:
    """X for Y = (X - shift) / scale: from the network's units back to the user's."""
    return y * arrays["scale"] + arrays["shift"]


def fit_constants(layer: Normalization, x: Array, *, dtype: DType, wide: DType, xp: Namespace) -> dict[str, Array]:
    """The constants ``{"shift": (features,), "scale": (features,)}`` for the rows x (n, features) on their device.

    Computed in two passes over blocks of rows, in the dtype ``wide`` (float64 where the device has it).
    """
    n = x.shape[0]
    blocks = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
    shift, scale = (_range if layer.kind == "min-max" else _moments)(layer.shared, x, blocks, wide, xp)
    shift, scale = xp.astype(shift, dtype), xp.astype(scale, dtype)
    scale = xp.where(scale > 0.0, scale, xp.ones_like(scale))  # after the cast, which may round a tiny scale to 0
    if layer.shared:
        shift, scale = (xp.broadcast_to(each, (x.shape[1],)) for each in (shift, scale))
    return {"shift": shift, "scale": scale}


def _range(shared: bool, x: Array, blocks: list[slice], wide: DType, xp: Namespace) -> tuple[Array, Array]:
    axis = None if shared else 0
    ends = []
    for rows in blocks:
        part = xp.astype(x[rows, :], wide)  # not every library takes the minimum of every integer type
        ends.append((xp.min(part, axis=axis), xp.max(part, axis=axis)))
    low = reduce(xp.minimum, (least for least, _ in ends))
    return low, reduce(xp.maximum, (most for _, most in ends)) - low


def _moments(shared: bool, x: Array, blocks: list[slice], wide: DType, xp: Namespace) -> tuple[Array, Array]:
    axis = None if shared else 0
    count = x.shape[0] * (x.shape[1] if shared else 1)
    mean = sum(xp.sum(xp.astype(x[rows, :], wide), axis=axis) for rows in blocks) / count
    squares = sum(xp.sum((xp.astype(x[rows, :], wide) - mean) ** 2, axis=axis) for rows in blocks)
    deviation = xp.sqrt(squares / count)
    # rounding can leave a constant column with a deviation of a few ulp of its mean: that is noise, not scale
    noise = max(1e-12, 16.0 * float(xp.finfo(wide).eps))
    return mean, xp.where(deviation > noise * xp.abs(mean), deviation, xp.zeros_like(deviation))
