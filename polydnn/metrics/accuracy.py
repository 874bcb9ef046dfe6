"""Accuracy: the share of rows that are right in full."""

from polydnn.metrics._labels import Labels, label_metric
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["accuracy"]


def share_of_right_rows(labels: Labels, *, xp: Namespace) -> Array:
    right = xp.all(labels.predicted == labels.true, axis=1)
    return xp.mean(xp.astype(right, labels.dtype))


def accuracy(task: str = "auto", threshold: float = 0.5) -> Metric:
    """The share of rows whose prediction is right, from 0 to 1.

    Binary, prediction (n, 1) and target (n, 1) or (n,) of 0 and 1: yes where the prediction exceeds ``threshold``.
    Multi-class, target (n,) or (n, 1) of labels or one-hot rows: the largest output, the first of equals. Multi-label,
    target (n, labels) of 0 and 1: every label of the row must be right, as in scikit-learn (``hamming_loss`` counts
    single ones). A target (n, outputs) counts as one-hot where every row has exactly one 1, else as multi-label;
    ``task`` "multiclass" or "multilabel" settles it. NaN where a prediction is NaN. Raises ShapeError where shapes do
    not fit, and InvalidArgumentError for an unknown task or a threshold that is no finite number.

    >>> import numpy as np
    >>> float(accuracy().value(np.asarray([[0.2, 0.8], [0.9, 0.1]]), np.asarray([1, 1]), xp=np))
    0.5
    """
    return label_metric("accuracy", share_of_right_rows, task=task, threshold=threshold, options={})
