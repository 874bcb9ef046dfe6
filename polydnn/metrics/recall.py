"""Recall: how many of the true labels are predicted."""

from polydnn.metrics._averages import ratio_metric
from polydnn.metrics.metric import Metric
from polydnn.types import Array

__all__ = ["recall"]


def ratio(hits: Array, predicted: Array, true: Array) -> tuple[Array, Array]:
    return hits, true


def recall(average: str = "auto", task: str = "auto", threshold: float = 0.5) -> Metric:
    """Hits / true labels, from 0 to 1; 0 where there are none.

    ``average`` and the rest are those of ``precision``.

    >>> import numpy as np
    >>> prediction = np.asarray([[0.9], [0.8], [0.2], [0.1]])
    >>> float(recall().value(prediction, np.asarray([1, 0, 1, 1]), xp=np).round(2))
    0.33
    """
    return ratio_metric("recall", ratio, average=average, task=task, threshold=threshold)
