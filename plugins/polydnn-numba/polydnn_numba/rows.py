"""The rows of a fit as compiled code takes them, which looks at neither shapes nor dtypes."""

from typing import Any

import numpy as np

from polydnn import StepPlan
from polydnn.errors import ShapeError
from polydnn.execution import Data

__all__ = ["NO_LABELS", "prepared"]

LABEL = np.dtype(np.int64)
NO_LABELS = np.zeros(0, LABEL)


def prepared(plan: StepPlan, data: Data, order: Any, *, labels: bool) -> tuple[Data, Any]:
    """Contiguous rows of the network's dtype, and their numbers; those of another kind are converted, as needed.

    ``labels`` says whether targets may be class labels. Raises as the reference step would for shapes that do not fit.
    """
    _check(plan, data, labels=labels)
    x, y, weights = data
    dtype = np.dtype(plan.network.dtype)
    of_y = dtype if y.ndim == 2 else LABEL
    order = np.ascontiguousarray(order, np.int64)
    if _fits(x, dtype) and _fits(y, of_y) and (weights is None or _fits(weights, dtype)):
        return data, order
    rows = [
        None if each is None else np.take(each, order, axis=0).astype(kind, "C")
        for each, kind in zip(data, (dtype, of_y, dtype), strict=True)
    ]
    return Data(*rows), np.arange(len(order))


def _fits(array: Any, dtype: np.dtype[Any]) -> bool:
    return bool(array.dtype == dtype and array.flags.carray)


def _check(plan: StepPlan, data: Data, *, labels: bool) -> None:
    n, features, outputs = len(data.x), plan.network.in_features, plan.network.outputs
    if data.x.shape != (n, features):
        msg = f"x must have {features} columns, as the network does, found shape {data.x.shape}."
        raise ShapeError(msg)
    if len(data.y) != n or (data.weights is not None and data.weights.shape != (n,)):
        msg = f"y and weights must have one row for each of the {n} rows of x, found another number."
        raise ShapeError(msg)
    if data.y.shape != (n, outputs) and not (labels and data.y.ndim == 1 and data.y.dtype.kind in "iu"):
        cost = plan.form or plan.loss
        cost.value(np.zeros((n, outputs), np.dtype(plan.network.dtype)), data.y, xp=np)
        msg = f"y must have shape ({n}, {outputs}), found {data.y.shape}."
        raise ShapeError(msg)
