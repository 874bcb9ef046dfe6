"""Targets as the loss and the metrics want them, checked once before the first step."""

from dataclasses import dataclass

import numpy as np

from polydnn.arrays.dtypes import cast_host
from polydnn.arrays.inputs import as_input
from polydnn.errors import DTypeError, InvalidDataError, ShapeError
from polydnn.losses.loss import Loss
from polydnn.network import Network
from polydnn.types import Array, Namespace

__all__ = ["Targets", "metric_output", "prepare_targets"]


@dataclass(frozen=True)
class Targets:
    """The same targets twice: ``loss`` in training's units, ``metrics`` in the user's; both on the device."""

    loss: Array
    metrics: Array


def prepare_targets(network: Network, loss: Loss, y: object, n: int, argument: str) -> Targets:
    """Check y against the loss and the network's width, and bring it into training's units.

    Raises ShapeError, DTypeError or InvalidDataError naming ``argument``, what was expected and what was found.
    """
    given = as_input(network.backend, y, argument)
    if given.shape[:1] != (n,):
        msg = f"{argument} must have one row for each of the {n} rows of x, found shape {tuple(given.shape)}."
        raise ShapeError(msg)
    if loss.target_kind == "classes" and len(given.shape) == 1:
        return _labels(network, given, argument)
    rows = _rows(network, given, argument, loss)
    if loss.target_kind == "classes":
        _check_probability_rows(rows, argument, network.xp)
        return Targets(rows, network.xp.argmax(rows, axis=1))
    if loss.target_kind == "probabilities":
        _check_range(rows, argument, loss, network.xp)
        return Targets(rows, rows)
    if loss.target_kind == "signs":
        return _signs(rows, argument, loss, network.xp)
    return Targets(network.in_training_units(rows), rows)


def metric_output(network: Network, loss: Loss, output: Array) -> Array:
    """The last layer's output as metrics want it: probabilities, or values in the user's units.

    Scores of a loss on signs are mapped to (score + 1) / 2, so that a half separates the classes there as well.
    """
    if loss.target_kind == "signs":
        return (output + 1.0) * 0.5
    if loss.target_kind == "classes" and network.task == "multiclass":
        return output
    return network.in_user_units(output)


def _labels(network: Network, labels: Array, argument: str) -> Targets:
    """(n,) integer labels 0 .. k-1; a label out of range would index past the row, silently on some devices."""
    xp, k = network.xp, network.outputs
    if xp.isdtype(labels.dtype, "bool"):
        labels = xp.astype(labels, network.backend.index_dtype)
    if not xp.isdtype(labels.dtype, "integral"):
        msg = (
            f"{argument} must hold integer class labels 0 .. {k - 1}, found {labels.dtype}; "
            f"use {argument}.astype(int) if they are whole, or one-hot rows of shape (n, {k})."
        )
        raise DTypeError(msg)
    low, high = int(xp.min(labels)), int(xp.max(labels))
    if low < 0 or high >= k:
        hint = " Labels count from 0: subtract 1." if low == 1 and high == k else ""
        msg = (
            f"{argument} must hold class labels 0 .. {k - 1} for a network with {k} outputs, "
            f"found labels {low} .. {high}.{hint}"
        )
        raise InvalidDataError(msg)
    labels = xp.astype(labels, network.backend.index_dtype, copy=False)
    return Targets(labels, labels)


def _rows(network: Network, given: Array, argument: str, loss: Loss) -> Array:
    expected = (given.shape[0], network.outputs)
    if tuple(given.shape) != expected:
        hint = ""
        if len(given.shape) == 1 and network.outputs == 1:
            hint = f" Use {argument}.reshape(-1, 1)."
        elif loss.target_kind == "classes":
            hint = f" Integer labels of shape ({given.shape[0]},) are possible too."
        elif len(given.shape) == 1:
            hint = f" The loss {loss.name} wants a row for each example, not a label."
        msg = f"{argument} must have shape {expected}, found {tuple(given.shape)}.{hint}"
        raise ShapeError(msg)
    xp = network.xp
    if isinstance(given, np.ndarray) and given.dtype.kind == "f":
        given = cast_host(given, network.dtype, argument)
    rows = xp.astype(given, network.real_dtype, copy=False)
    if not bool(xp.all(xp.isfinite(rows))):
        msg = f"{argument} must be finite, found NaN or infinity (or numbers beyond {network.dtype})."
        raise InvalidDataError(msg)
    return rows


def _check_probability_rows(rows: Array, argument: str, xp: Namespace) -> None:
    off = xp.abs(xp.sum(rows, axis=1) - 1.0)
    if bool(xp.any(rows < 0.0)) or bool(xp.any(off > 1e-3)):
        msg = f"{argument} must hold one-hot rows, or probabilities that sum to 1 in every row; found other rows."
        raise InvalidDataError(msg)


def _check_range(rows: Array, argument: str, loss: Loss, xp: Namespace) -> None:
    low, high = float(xp.min(rows)), float(xp.max(rows))
    if low < 0.0 or high > 1.0:
        msg = f"{argument} must lie between 0 and 1 for the loss {loss.name}, found {low:g} .. {high:g}."
        raise InvalidDataError(msg)


def _signs(rows: Array, argument: str, loss: Loss, xp: Namespace) -> Targets:
    zero_or_one = bool(xp.all((rows == 0.0) | (rows == 1.0)))
    if not zero_or_one and not bool(xp.all((rows == -1.0) | (rows == 1.0))):
        low, high = float(xp.min(rows)), float(xp.max(rows))
        msg = f"{argument} must hold -1 and 1 (or 0 and 1) for the loss {loss.name}, found {low:g} .. {high:g}."
        raise InvalidDataError(msg)
    given = xp.astype(rows == 1.0, rows.dtype)
    return Targets(given * 2.0 - 1.0, given)
