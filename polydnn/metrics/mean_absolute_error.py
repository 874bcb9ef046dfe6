"""Mean absolute error, in the units of the target."""

from polydnn.metrics._arguments import COLUMNS
from polydnn.metrics._regression import real_target
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["mean_absolute_error"]


def mean_absolute_error() -> Metric:
    """mean abs(p - t) over all rows and outputs; the lower the better.

    Prediction and target are (n, outputs), or the target (n,) for one output. Raises ShapeError where shapes do not
    fit.

    >>> import numpy as np
    >>> float(mean_absolute_error().value(np.asarray([[1.0], [7.0]]), np.asarray([[2.0], [3.0]]), xp=np))
    2.5
    """
    return Metric("mean_absolute_error", value, higher_is_better=False, tasks=COLUMNS)


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    return xp.mean(xp.abs(prediction - real_target("mean_absolute_error", prediction, target, xp=xp)))
