"""Precision, recall and F1 are ratios of the same three counts; this counts and averages them over the labels."""

from typing import Protocol

from polydnn.metrics._arguments import AVERAGES, check_word
from polydnn.metrics._labels import Labels, label_metric
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["Ratio", "ratio_metric"]


class Ratio(Protocol):
    """Numerator and denominator from the counts of hits, of predicted and of true labels."""

    def __call__(self, hits: Array, predicted: Array, true: Array) -> tuple[Array, Array]: ...


def ratio_metric(name: str, ratio: Ratio, *, average: str, task: str, threshold: float) -> Metric:
    """The metric for one ratio; ``average`` says over what it is taken, see ``polydnn.metrics.precision``."""
    check_word(name, "average", average, AVERAGES)

    def measure(labels: Labels, *, xp: Namespace) -> Array:
        if labels.true.shape[1] == 1 and average != "auto":
            labels = _both_classes(labels, xp=xp)
        predicted, true = (xp.astype(each, labels.dtype) for each in (labels.predicted, labels.true))
        counts = [xp.sum(each, axis=0) for each in (predicted * true, predicted, true)]  # each (outputs,)
        micro = _quotient(*ratio(*(xp.sum(each) for each in counts)), xp=xp)
        # as in scikit-learn, a class that is neither predicted nor there has no say; a label of a multi-label task has
        counted = xp.where(labels.exclusive, counts[1] + counts[2] > 0.0, True)
        macro = _mean(_quotient(*ratio(*counts), xp=xp), xp.astype(counted, labels.dtype), xp=xp)
        if average == "auto":
            return xp.where(labels.exclusive, macro, micro)
        return macro if average == "macro" else micro

    return label_metric(name, measure, task=task, threshold=threshold, options={"average": average})


def _both_classes(labels: Labels, *, xp: Namespace) -> Labels:
    """A binary task as one of two classes: no and yes."""
    predicted = xp.concat([xp.logical_not(labels.predicted), labels.predicted], axis=1)
    true = xp.concat([xp.logical_not(labels.true), labels.true], axis=1)
    return Labels(predicted, true, xp.logical_not(labels.exclusive), labels.dtype)


def _quotient(numerator: Array, denominator: Array, *, xp: Namespace) -> Array:
    """0 where the denominator is 0: counts are whole, so 1 in its place changes nothing else."""
    return numerator / xp.maximum(denominator, 1.0)


def _mean(values: Array, weights: Array, *, xp: Namespace) -> Array:
    return _quotient(xp.sum(values * weights), xp.sum(weights), xp=xp)
