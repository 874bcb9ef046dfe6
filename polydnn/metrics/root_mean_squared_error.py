"""Root mean squared error, in the units of the target."""

from polydnn.metrics._arguments import COLUMNS
from polydnn.metrics._regression import real_target
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["root_mean_squared_error"]


def root_mean_squared_error() -> Metric:
    """sqrt(mean_i (p_i - t_i)^2) of every output, and the mean of these over the outputs; the lower the better.

    Prediction and target are (n, outputs), or the target (n,) for one output. With several outputs it is the mean of
    roots, as in scikit-learn, not the root of the mean. Raises ShapeError where shapes do not fit.

    >>> import numpy as np
    >>> float(root_mean_squared_error().value(np.asarray([[1.0], [7.0]]), np.asarray([[1.0], [3.0]]), xp=np).round(4))
    2.8284
    """
    return Metric("root_mean_squared_error", value, higher_is_better=False, tasks=COLUMNS)


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    error = prediction - real_target("root_mean_squared_error", prediction, target, xp=xp)
    return xp.mean(xp.sqrt(xp.mean(error * error, axis=0)))
