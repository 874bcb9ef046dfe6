"""Hamming loss: the share of labels that are wrong."""

from polydnn.metrics._labels import Labels, label_metric
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["hamming_loss"]


def share_of_wrong_labels(labels: Labels, *, xp: Namespace) -> Array:
    wrong = labels.predicted != labels.true
    by_label = xp.mean(xp.astype(wrong, labels.dtype))
    by_row = xp.mean(xp.astype(xp.any(wrong, axis=1), labels.dtype))
    return xp.where(labels.exclusive, by_row, by_label)


def hamming_loss(task: str = "auto", threshold: float = 0.5) -> Metric:
    """The share of wrong labels among all labels of all rows, from 0 to 1; the lower the better.

    With one label a row (binary, multi-class) it is 1 - accuracy, as in scikit-learn. Targets, ``task``, ``threshold``
    and errors are those of ``accuracy``.

    >>> import numpy as np
    >>> float(hamming_loss().value(np.asarray([[0.9, 0.8], [0.9, 0.1]]), np.asarray([[1, 1], [1, 1]]), xp=np))
    0.25
    """
    return label_metric(
        "hamming_loss",
        share_of_wrong_labels,
        task=task,
        threshold=threshold,
        options={},
        higher_is_better=False,
    )
