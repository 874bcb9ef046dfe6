"""Precision: how many of the predicted labels are true."""

from polydnn.metrics._averages import ratio_metric
from polydnn.metrics.metric import Metric
from polydnn.types import Array

__all__ = ["precision"]


def ratio(hits: Array, predicted: Array, true: Array) -> tuple[Array, Array]:
    return hits, predicted


def precision(average: str = "auto", task: str = "auto", threshold: float = 0.5) -> Metric:
    """Hits / predicted labels, from 0 to 1; 0 where nothing was predicted.

    ``average`` "macro" takes the mean of the ratios of single labels, "micro" the ratio of the counts summed over all
    labels; on a binary task both count no and yes as two classes. "auto" is the ratio of the label yes for a binary
    task, "macro" for a multi-class and "micro" for a multi-label one. As in scikit-learn, "macro" leaves out a class
    that occurs neither in target nor in prediction. Targets, ``task``, ``threshold`` and errors are those of
    ``accuracy``; an unknown average raises InvalidArgumentError too.

    >>> import numpy as np
    >>> prediction = np.asarray([[0.9], [0.8], [0.2]])
    >>> float(precision().value(prediction, np.asarray([1, 0, 1]), xp=np))
    0.5
    """
    return ratio_metric("precision", ratio, average=average, task=task, threshold=threshold)
