"""Weights of examples: given one by one, by class, or both."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from polydnn.arrays.inputs import as_input
from polydnn.errors import InvalidArgumentError, InvalidDataError, ShapeError
from polydnn.network import Network
from polydnn.types import Array

__all__ = ["ClassWeight", "example_weights"]

ClassWeight: TypeAlias = Mapping[int, float] | Literal["balanced"]


def example_weights(
    network: Network, sample_weight: object | None, class_weight: ClassWeight | None, targets: Array
) -> Array | None:
    """The weight of every example (n,) on the device, None where all count the same.

    ``sample_weight`` is (n,), finite, not negative, not all zero. ``class_weight`` maps classes to weights (others keep
    1), or "balanced" gives class c the weight n / (classes * rows of c). Both given, they are multiplied.
    ``targets`` are the targets as metrics see them: labels (n,), one-hot rows, or 0 and 1 (n, 1).
    """
    n = targets.shape[0]
    weights = None if sample_weight is None else _given(network, sample_weight, n)
    if class_weight is None:
        return weights
    by_class = _by_class(network, class_weight, targets)
    return by_class if weights is None else weights * by_class


def _given(network: Network, sample_weight: object, n: int) -> Array:
    xp = network.xp
    weights = as_input(network.backend, sample_weight, "sample_weight", dtype=network.real_dtype)
    if tuple(weights.shape) != (n,):
        msg = f"sample_weight must have shape ({n},), one number for each row of x, found {tuple(weights.shape)}."
        raise ShapeError(msg)
    if not bool(xp.all(xp.isfinite(weights))) or bool(xp.any(weights < 0.0)) or not bool(xp.any(weights > 0.0)):
        msg = "sample_weight must be finite, not negative, and above 0 somewhere; found other numbers."
        raise InvalidDataError(msg)
    return weights


def _by_class(network: Network, class_weight: ClassWeight, targets: Array) -> Array:
    labels, k = _labels(network, targets)
    if class_weight == "balanced":
        counts = np.bincount(labels, minlength=k)
        table = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    elif isinstance(class_weight, Mapping):
        table = np.ones(k)
        for label, weight in class_weight.items():
            if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < k:
                msg = f"class_weight: classes are 0 .. {k - 1}, found {label!r}."
                raise InvalidArgumentError(msg)
            if not isinstance(weight, int | float) or not 0.0 <= weight < float("inf"):
                msg = f"class_weight: the weight of class {label} must be a number of at least 0, found {weight!r}."
                raise InvalidArgumentError(msg)
            table[label] = weight
    else:
        msg = f"class_weight must be a mapping from class to weight or 'balanced', found {class_weight!r}."
        raise InvalidArgumentError(msg)
    return network.backend.asarray(table[labels], dtype=network.real_dtype)


def _labels(network: Network, targets: Array) -> tuple[np.ndarray[Any, Any], int]:
    host = network.backend.to_numpy(targets)
    if network.task == "multiclass":
        return (host.argmax(axis=1) if host.ndim == 2 else host.astype(np.int64)), network.outputs
    if host.ndim == 2 and host.shape[1] == 1 and np.isin(host, (0.0, 1.0)).all():
        return host[:, 0].astype(np.int64), 2
    outputs = host.shape[-1]
    msg = f"class_weight serves binary and multi-class tasks; this is a {network.task} network with {outputs} outputs."
    raise InvalidArgumentError(msg)
