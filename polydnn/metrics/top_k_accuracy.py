"""Top-k accuracy: how often the true class is among the k best."""

from polydnn.arrays import device_of
from polydnn.errors import ShapeError
from polydnn.metrics._arguments import check_count
from polydnn.metrics._labels import counting_dtype, nan_for_nan, true_labels
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["top_k_accuracy"]


def top_k_accuracy(k: int = 5) -> Metric:
    """The share of rows whose true class has one of the ``k`` largest outputs, from 0 to 1.

    For multi-class targets: (n,) or (n, 1) of labels, or one-hot rows (n, outputs). Of equal outputs the first comes
    first, so k = 1 is the accuracy and a constant prediction gains nothing (scikit-learn prefers the last). NaN where a
    prediction is NaN. Raises ShapeError where shapes do not fit or there is one output only, and InvalidArgumentError
    unless k is a whole number of at least 1.

    >>> import numpy as np
    >>> prediction = np.asarray([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    >>> float(top_k_accuracy(k=2).value(prediction, np.asarray([1, 2]), xp=np))
    0.5
    """
    k = check_count("top_k_accuracy", "k", k)

    def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
        if prediction.ndim == 2 and prediction.shape[1] == 1:
            msg = "top_k_accuracy: a prediction (n, 1) is binary and has no ranks; use accuracy."
            raise ShapeError(msg)
        true, _ = true_labels("top_k_accuracy", prediction, target, task="multiclass", xp=xp)
        classes = xp.arange(prediction.shape[1], device=device_of(prediction))
        place = xp.argmax(xp.astype(true, xp.int32), axis=1, keepdims=True)  # (n, 1)
        own = xp.max(xp.where(true, prediction, -float("inf")), axis=1, keepdims=True)
        ahead = (prediction > own) | ((prediction == own) & (classes < place))
        right = (xp.sum(xp.astype(ahead, xp.int32), axis=1) < k) & xp.any(true, axis=1)
        share = xp.mean(xp.astype(right, counting_dtype(prediction, xp=xp)))
        return nan_for_nan(share, prediction, xp=xp)

    return Metric("top_k_accuracy", value, options={"k": k}, tasks=("multiclass",))
