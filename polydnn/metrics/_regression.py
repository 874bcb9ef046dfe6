"""The shapes that metrics of regression take."""

from polydnn.errors import ShapeError
from polydnn.metrics._labels import check_rows
from polydnn.types import Array, Namespace

__all__ = ["real_target"]


def real_target(metric: str, prediction: Array, target: Array, *, xp: Namespace) -> Array:
    """The target in the prediction's shape (n, outputs) and dtype; (n,) passes where there is one output.

    Raises ShapeError for anything else: without it (n, 1) and (n,) would broadcast to (n, n).
    """
    check_rows(metric, prediction)
    n, outputs = prediction.shape
    if tuple(target.shape) != (n, outputs) and not (outputs == 1 and tuple(target.shape) == (n,)):
        msg = (
            f"{metric}: the target must have the prediction's shape {(n, outputs)}, found {tuple(target.shape)}; "
            f"reshape one of them."
        )
        raise ShapeError(msg)
    return xp.reshape(xp.astype(target, prediction.dtype, copy=False), (n, outputs))
