"""Clipping of gradients, by value and by their norm taken together; all on the device."""

from collections.abc import Mapping

from polydnn.optimizers._arguments import check_number
from polydnn.types import Array, Gradients, Namespace

__all__ = ["clip_by_global_norm", "clip_by_value", "global_norm"]


def clip_by_value(gradients: Mapping[str, Array], limit: float, *, xp: Namespace) -> Gradients:
    """Every element brought into [-limit, limit]; same names and shapes, NaN stays NaN.

    Raises InvalidArgumentError unless ``limit`` is a number above 0.

    >>> import numpy as np
    >>> clip_by_value({"w": np.asarray([-3.0, 0.5])}, 1.0, xp=np)["w"].tolist()
    [-1.0, 0.5]
    """
    limit = check_number("clip_by_value", "limit", limit, "(0, inf]")
    return {name: xp.minimum(xp.maximum(each, -limit), limit) for name, each in gradients.items()}


def clip_by_global_norm(gradients: Mapping[str, Array], limit: float, *, xp: Namespace) -> Gradients:
    """All gradients times limit / norm where their norm exceeds ``limit``, else unchanged; same names and shapes.

    The norm is ``global_norm``; a direction is never changed. A NaN anywhere makes everything NaN: there is no norm to
    go by, and the training step sees it. Raises InvalidArgumentError unless ``limit`` is a finite number above 0.
    Source: Pascanu, Mikolov & Bengio, *On the difficulty of training recurrent neural networks*, 2013.

    >>> import numpy as np
    >>> clipped = clip_by_global_norm({"w": np.asarray([[3.0]]), "b": np.asarray([4.0])}, 2.5, xp=np)
    >>> clipped["w"].tolist(), clipped["b"].tolist()
    ([[1.5]], [2.0])
    """
    limit = check_number("clip_by_global_norm", "limit", limit, "(0, inf)")
    if not gradients:
        return {}
    # divided by their largest element first: the squares of exploded gradients overflow, and limit / inf is no step
    first, *rest = (xp.max(xp.abs(each)) for each in gradients.values())
    for each in rest:
        first = xp.maximum(first, each)
    scale = xp.maximum(first, limit)
    shares = {name: each / scale for name, each in gradients.items()}
    factor = limit / xp.maximum(global_norm(shares, xp=xp), limit / scale)  # within the norm: factor = scale
    return {name: factor * each for name, each in shares.items()}


def global_norm(gradients: Mapping[str, Array], *, xp: Namespace) -> Array:
    """sqrt(sum of the squares of all elements of all arrays); 0-d. There must be at least one array.

    >>> import numpy as np
    >>> float(global_norm({"w": np.asarray([[3.0]]), "b": np.asarray([4.0])}, xp=np))
    5.0
    """
    first, *rest = (xp.sum(each * each) for each in gradients.values())
    return xp.sqrt(sum(rest, start=first))
