"""F1: the harmonic mean of precision and recall."""

from polydnn.metrics._averages import ratio_metric
from polydnn.metrics.metric import Metric
from polydnn.types import Array

__all__ = ["f1"]


def ratio(hits: Array, predicted: Array, true: Array) -> tuple[Array, Array]:
    return 2.0 * hits, predicted + true


def f1(average: str = "auto", task: str = "auto", threshold: float = 0.5) -> Metric:
    """2 * hits / (predicted labels + true labels), from 0 to 1; 0 where there are neither.

    ``average`` and the rest are those of ``precision``.

    >>> import numpy as np
    >>> prediction = np.asarray([[0.9], [0.8], [0.2]])
    >>> float(f1().value(prediction, np.asarray([1, 0, 1]), xp=np))
    0.5
    """
    return ratio_metric("f1", ratio, average=average, task=task, threshold=threshold)
