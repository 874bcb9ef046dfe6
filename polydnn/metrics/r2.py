"""R2: the share of the target's variance that the prediction explains."""

from polydnn.arrays import device_of
from polydnn.metrics._arguments import COLUMNS
from polydnn.metrics._regression import real_target
from polydnn.metrics.metric import Metric
from polydnn.types import Array, Namespace

__all__ = ["r2"]


def r2() -> Metric:
    """1 - sum_i (p_i - t_i)^2 / sum_i (t_i - mean t)^2 of every output, and the mean of these over the outputs.

    1 is perfect, 0 is as good as the mean, and there is no lower bound. As in scikit-learn an output whose target is
    constant counts 1 where it is met exactly, else 0, and one row alone gives NaN. Prediction and target are
    (n, outputs), or the target (n,) for one output. Raises ShapeError where shapes do not fit.

    >>> import numpy as np
    >>> float(r2().value(np.asarray([[1.0], [2.0], [2.0]]), np.asarray([[1.0], [2.0], [3.0]]), xp=np))
    0.5
    """
    return Metric("r2", value, tasks=COLUMNS)


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    t = real_target("r2", prediction, target, xp=xp)
    if t.shape[0] < 2:
        return xp.full((), float("nan"), dtype=t.dtype, device=device_of(t))
    shifted = t - t[:1, :]  # exactly zero for a constant column, which its mean may miss by a rounding
    spread = shifted - xp.mean(shifted, axis=0)
    total = xp.sum(spread * spread, axis=0)  # (outputs,)
    error = prediction - t
    residual = xp.sum(error * error, axis=0)
    varies = total > 0.0
    explained = 1.0 - residual / xp.where(varies, total, 1.0)
    met = xp.where(xp.isnan(residual), residual, xp.astype(residual == 0.0, t.dtype))
    return xp.mean(xp.where(varies, explained, met))
