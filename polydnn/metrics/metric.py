"""The contract of a metric: one number for a whole set of predictions."""

from dataclasses import dataclass, field
from typing import Protocol

from polydnn.types import Array, Namespace, Options

__all__ = ["Metric", "MetricValue"]


class MetricValue(Protocol):
    def __call__(self, prediction: Array, target: Array, *, xp: Namespace) -> Array: ...


@dataclass(frozen=True)
class Metric:
    """A measure of how good predictions are.

    ``value(prediction, target, *, xp)`` returns a 0-d array. ``prediction`` (n, outputs) is what the network puts out:
    probabilities for classifiers, values in the user's units for regression. ``target`` is (n, outputs), or (n,) class
    labels for multi-class networks. ``higher_is_better`` tells early stopping which way is up. ``tasks`` are the tasks
    ("binary", "multiclass", "multilabel", "regression") it measures; empty means any, and a trainer refuses others.
    """

    name: str
    value: MetricValue
    higher_is_better: bool = True
    options: Options = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
