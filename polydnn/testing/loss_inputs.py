"""Predictions and targets for checking a loss, as its kind of target asks for: of ordinary size and at the extremes."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from polydnn.losses.loss import TargetKind
from polydnn.testing.bench import Host, draw

__all__ = ["LossInputs", "Range", "certain_inputs", "large_inputs", "large_logits", "ordinary_inputs"]

Range = tuple[float, float]
LARGE = {"float32": (0.0, 1.0, 1e3, 1e30), "float64": (0.0, 1.0, 1e3, 1e100, 1e300)}


@dataclass(frozen=True)
class LossInputs:
    """Predictions (n, outputs), targets, and what the targets are in words; ``z`` are pre-activations (n, outputs)."""

    prediction: Host
    target: Host
    z: Host
    words: str = "target"


def ordinary_inputs(kind: TargetKind, rows: int, width: int, prediction_range: Range | None = None) -> list[LossInputs]:
    """Inputs of ordinary size; for classes one-hot rows, rows of probabilities, and integer labels."""
    scores, z = 1.5 * draw("prediction", rows, width), 2.0 * draw("logits", rows, width)
    other = draw("target", rows, width)
    if kind == "classes":
        return _class_inputs(rows, max(width, 2))
    if kind == "probabilities":
        target = np.where(np.arange(rows)[:, None] % 2 == 0, other > 0, _between(other))
        return [LossInputs(_between(scores), target, z)]
    if kind == "signs":
        return [LossInputs(scores, np.where(other > 0, 1.0, -1.0), z)]
    if prediction_range is not None:
        return [LossInputs(_inside(scores, prediction_range), _inside(other, prediction_range), z)]
    return [LossInputs(scores, other, z)]


def _class_inputs(rows: int, classes: int) -> list[LossInputs]:
    z = 2.0 * draw("logits", rows, classes)
    prediction = _rows_of_probabilities(1.5 * draw("prediction", rows, classes))
    labels = np.arange(rows) % classes
    return [
        LossInputs(prediction, np.eye(classes)[labels], z, "one-hot target"),
        LossInputs(prediction, _rows_of_probabilities(draw("target", rows, classes)), z, "target"),
        LossInputs(prediction, labels, z, "labels"),
    ]


def large_inputs(kind: TargetKind, dtype: str) -> list[LossInputs]:
    """Predictions up to the size a diverging run produces; none where predictions are probabilities."""
    if kind in ("classes", "probabilities"):
        return []
    sizes = [sign * size for size in LARGE[dtype] for sign in (1.0, -1.0)]
    targets = [1.0, -1.0] if kind == "signs" else sizes
    pairs = np.array(list(product(sizes, targets)))
    prediction, target = np.repeat(pairs[:, :1], 2, axis=1), np.repeat(pairs[:, 1:], 2, axis=1)
    return [LossInputs(prediction, target, prediction)]


def large_logits(kind: TargetKind, dtype: str) -> list[LossInputs]:
    """Pre-activations up to the same size, with every target beside each."""
    sizes = np.array([sign * size for size in LARGE[dtype] for sign in (1.0, -1.0)])
    if kind == "classes":
        rows = np.stack([sizes, np.roll(sizes, 1), -sizes], axis=1)
        each = [LossInputs(rows, np.eye(3)[np.full(len(rows), label)], rows, "one-hot target") for label in range(3)]
        return [*each, *(LossInputs(rows, np.full(len(rows), label), rows, "labels") for label in range(3))]
    targets = [0.0, 0.5, 1.0] if kind == "probabilities" else [-1.0, 1.0]
    pairs = np.array(list(product(sizes, targets)))
    return [LossInputs(pairs[:, :1], pairs[:, 1:], pairs[:, :1])]


def certain_inputs(kind: TargetKind) -> list[LossInputs]:
    """Probabilities of exactly 0 and 1, as float32 rounds them; none where predictions are no probabilities."""
    if kind == "probabilities":
        pairs = np.array(list(product([0.0, 1.0], [0.0, 0.5, 1.0])))
        return [LossInputs(pairs[:, :1], pairs[:, 1:], pairs[:, :1])]
    if kind == "classes":
        prediction, labels = np.repeat(np.eye(3), 3, axis=0), np.tile(np.arange(3), 3)
        return [
            LossInputs(prediction, np.eye(3)[labels], prediction, "one-hot target"),
            LossInputs(prediction, labels, prediction, "labels"),
        ]
    return []


def _between(numbers: Host) -> Host:
    """Numbers of any size brought into (0.02, 0.98)."""
    return np.asarray(0.02 + 0.96 / (1.0 + np.exp(-numbers)))


def _rows_of_probabilities(numbers: Host) -> Host:
    powers = np.exp(numbers)
    return np.asarray(powers / np.sum(powers, axis=1, keepdims=True))


def _inside(numbers: Host, limits: Range) -> Host:
    low, high = limits
    if np.isfinite(low) and np.isfinite(high):
        return low + (high - low) * _between(numbers)
    above = np.logaddexp(0.0, numbers) + 0.05  # positive
    if np.isfinite(low):
        return np.asarray(low + above)
    return np.asarray(high - above) if np.isfinite(high) else numbers
