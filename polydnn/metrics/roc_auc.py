"""ROC AUC: how often a positive row is ranked above a negative one."""

from polydnn.metrics._labels import counting_dtype, nan_for_nan, true_labels
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["roc_auc"]


def roc_auc() -> Metric:
    """The area under the receiver operating characteristic, from 0 to 1; 0.5 is chance.

    It is the share of pairs of a positive and a negative row in which the positive one has the larger output, equal
    outputs counting one half: with r the mean rank of the p positive rows among all and q negative ones, it equals
    (r - (p + 1) / 2) / q. Takes O(n log n). Binary: prediction (n, 1) and target (n, 1) or (n,) of 0 and 1.
    Multi-label, target (n, labels): the mean over the labels; multi-class, target (n,) of labels or one-hot: the mean
    over every class against the rest. Columns in which only one of yes and no occurs have no pairs and are left out;
    where that leaves none, and where a prediction is NaN, the value is NaN. Raises ShapeError where shapes do not fit.
    Source: Hanley & McNeil, *The meaning and use of the area under a receiver operating characteristic curve*, 1982.

    >>> import numpy as np
    >>> prediction = np.asarray([[0.1], [0.4], [0.35], [0.8]])
    >>> float(roc_auc().value(prediction, np.asarray([0, 0, 1, 1]), xp=np))
    0.75
    """
    return Metric("roc_auc", value, tasks=("binary", "multilabel"))


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    true, _ = true_labels("roc_auc", prediction, target, task="auto", xp=xp)
    yes = xp.astype(true, counting_dtype(prediction, xp=xp))
    positives = xp.sum(yes, axis=0)  # (outputs,)
    negatives = xp.sum(1.0 - yes, axis=0)
    columns = range(prediction.shape[1])
    ranks = xp.stack([xp.sum(yes[:, j] * _twice_rank(prediction[:, j], yes.dtype, xp=xp)) for j in columns])
    area = (ranks / xp.maximum(positives, 1.0) - positives) / (2.0 * xp.maximum(negatives, 1.0))
    counted = xp.astype((positives > 0.0) & (negatives > 0.0), yes.dtype)
    number = xp.sum(counted)
    mean = xp.sum(area * counted) / xp.maximum(number, 1.0)
    return nan_for_nan(xp.where(number > 0.0, mean, float("nan")), prediction, xp=xp)


def _twice_rank(scores: Array, dtype: object, *, xp: Namespace) -> Array:
    """2 r - 1 for the rank r of every score (n,), from 1; equal scores share the mean of their ranks."""
    scores = scores + 0.0  # a column is strided, of which PyTorch's searchsorted complains
    ordered = xp.sort(scores)
    below = xp.searchsorted(ordered, scores, side="left")
    not_above = xp.searchsorted(ordered, scores, side="right")
    return xp.astype(below + not_above, dtype)
