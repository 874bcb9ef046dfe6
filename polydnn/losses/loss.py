"""The contract of a loss: a number for each example, and the gradient of exactly that number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from polydnn.errors import DTypeError, ShapeError
from polydnn.types import Array, Namespace, Options

__all__ = ["Gradient", "LogitsForm", "Loss", "TargetKind", "Value", "check_class_target", "check_same_shape"]

TargetKind: TypeAlias = Literal["real", "probabilities", "classes", "signs"]
"""What y may hold: any finite numbers; numbers from 0 to 1; class labels 0 .. k-1 or one-hot rows; -1 and 1."""


class Value(Protocol):
    def __call__(self, prediction: Array, target: Array, /, *, xp: Namespace) -> Array: ...


class Gradient(Protocol):
    def __call__(self, prediction: Array, target: Array, /, *, xp: Namespace) -> Array: ...


@dataclass(frozen=True)
class LogitsForm:
    """A loss joined with one output activation: value and gradient as functions of the pre-activation z (n, outputs).

    ``value(z, target, *, xp) -> (n,)`` and ``gradient(z, target, *, xp) -> (n, outputs)`` equal the loss after the
    activation, and the chain rule through it, for every z, and stay finite where the two steps would not.
    """

    value: Value
    gradient: Gradient


@dataclass(frozen=True)
class Loss:
    """A loss per example and its gradient.

    ``value(prediction, target, *, xp) -> (n,)`` sums or averages over the outputs of one example as its formula says;
    ``gradient(prediction, target, *, xp) -> (n, outputs)`` is the derivative of exactly those numbers with respect to
    the prediction. The cost of a batch is the mean of the values (weighted where there are weights), which the training
    step takes; a loss never divides by the batch size.

    ``logits_forms`` maps the name of an output activation to the stable form of the two together.
    ``on_probabilities`` says that predictions must lie between 0 and 1: a fit behind another output is refused.
    """

    name: str
    value: Value
    gradient: Gradient
    target_kind: TargetKind = "real"
    logits_forms: Mapping[str, LogitsForm] = field(default_factory=dict)
    options: Options = field(default_factory=dict)
    on_probabilities: bool = False


def check_same_shape(loss: str, prediction: Array, target: Array) -> None:
    """Raise ShapeError unless both have the same shape.

    Without this (n, 1) and (n,) would broadcast to (n, n) and the loss would be a plausible wrong number.
    """
    if prediction.shape != target.shape:
        msg = (
            f"{loss}: the target must have the prediction's shape {tuple(prediction.shape)}, "
            f"found {tuple(target.shape)}; reshape one of them."
        )
        raise ShapeError(msg)


def check_class_target(loss: str, prediction: Array, target: Array, *, xp: Namespace) -> None:
    """Raise unless the target is one row for each row of the prediction (n, classes), or one integer label (n,).

    Raises ShapeError for other shapes and DTypeError for labels that are no integers. The range of the labels is not
    looked at: that would read every batch back from the device.
    """
    if target.ndim != 1 or prediction.ndim != 2 or prediction.shape[0] != target.shape[0]:
        if prediction.shape == target.shape:
            return
        n, classes = prediction.shape[0], prediction.shape[-1]
        msg = (
            f"{loss}: the target must hold rows of shape {tuple(prediction.shape)} or {n} integer labels "
            f"0 .. {classes - 1} of shape ({n},), found shape {tuple(target.shape)}; reshape it."
        )
        raise ShapeError(msg)
    if not xp.isdtype(target.dtype, "integral"):
        msg = (
            f"{loss}: a target of shape {tuple(target.shape)} must hold integer labels, found {target.dtype}; "
            f"convert it to an integer type, or give rows of shape {tuple(prediction.shape)}."
        )
        raise DTypeError(msg)
