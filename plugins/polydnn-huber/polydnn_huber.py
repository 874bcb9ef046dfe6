"""The losses huber and log_cosh for polydnn: squared error near zero, absolute error for outliers."""

import math
from numbers import Real
from typing import Any

from polydnn import Loss, LossSpec, hookimpl
from polydnn.errors import InvalidArgumentError, ShapeError

__all__ = ["huber", "log_cosh"]


def huber(delta: float = 1.0) -> Loss:
    """mean_j of 1/2 e_j^2 where abs(e_j) <= delta, else delta abs(e_j) - 1/2 delta^2, with e = prediction - target.

    The gradient is e cut off at -delta and delta, over the number of outputs. Prediction and target are (n, outputs);
    ShapeError is raised where their shapes differ. ``delta`` is a finite number above 0, in units of the target; raises
    InvalidArgumentError for anything else.
    Sources: Margaryan, *Deep Learning*, 2024; Huber, *Robust estimation of a location parameter*, 1964.

    >>> import numpy as np
    >>> huber().value(np.asarray([[0.5], [3.0]]), np.asarray([[0.0], [0.0]]), xp=np).tolist()
    [0.125, 2.5]
    """
    if isinstance(delta, bool) or not isinstance(delta, Real) or not 0.0 < delta < math.inf:
        msg = f"huber: delta must be a finite number above 0, found {delta!r}; 1.0 is usual."
        raise InvalidArgumentError(msg)
    bound = float(delta)

    def value(prediction: Any, target: Any, *, xp: Any) -> Any:
        size = xp.abs(_error("huber", prediction, target))  # (n, outputs)
        near = xp.minimum(size, bound)
        # Both cases at once: e (e - e/2) up to delta, delta (e - delta/2) beyond. No large error is ever squared.
        return xp.sum(near * (size - 0.5 * near) * (1.0 / size.shape[-1]), axis=-1)

    def gradient(prediction: Any, target: Any, *, xp: Any) -> Any:
        error = _error("huber", prediction, target)
        return xp.clip(error, -bound, bound) * (1.0 / error.shape[-1])

    return Loss("huber", value, gradient, options={"delta": bound})


def log_cosh() -> Loss:
    """mean_j log cosh(e_j) with e = prediction - target; gradient tanh(e) over the number of outputs.

    About 1/2 e^2 near zero and abs(e) - log 2 far from it, smooth everywhere; good to a few units in the last place for
    errors of any size. Prediction and target are (n, outputs); raises ShapeError where their shapes differ.

    >>> import numpy as np
    >>> zero, outlier = np.asarray([[0.0]]), np.asarray([[1e300]])
    >>> log_cosh().value(zero, zero, xp=np).tolist(), log_cosh().value(outlier, zero, xp=np).tolist()
    ([0.0], [1e+300])
    """

    def value(prediction: Any, target: Any, *, xp: Any) -> Any:
        size = xp.abs(_error("log_cosh", prediction, target))  # (n, outputs)
        sinh = xp.sinh(xp.minimum(size, 1.0))
        near = 0.5 * xp.log1p(sinh * sinh)  # cosh^2 = 1 + sinh^2: no cancellation where e is small
        decay = xp.exp(-size)
        far = size + xp.log1p(decay * decay) - math.log(2.0)  # cosh e = exp(e) (1 + exp(-2 e)) / 2: no overflow
        return xp.sum(xp.where(size < 1.0, near, far) * (1.0 / size.shape[-1]), axis=-1)

    def gradient(prediction: Any, target: Any, *, xp: Any) -> Any:
        error = _error("log_cosh", prediction, target)
        return xp.tanh(error) * (1.0 / error.shape[-1])

    return Loss("log_cosh", value, gradient)


def _error(loss: str, prediction: Any, target: Any) -> Any:
    """prediction - target; raises ShapeError where (n, 1) and (n,) would broadcast to (n, n)."""
    if prediction.shape != target.shape:
        msg = (
            f"{loss}: the target must have the prediction's shape {tuple(prediction.shape)}, "
            f"found {tuple(target.shape)}; reshape one of them."
        )
        raise ShapeError(msg)
    return prediction - target


@hookimpl
def polydnn_losses() -> list[LossSpec]:
    return [
        LossSpec("huber", huber, "squared error up to delta, absolute error beyond"),
        LossSpec("log_cosh", log_cosh, "a smooth huber without an option"),
    ]
