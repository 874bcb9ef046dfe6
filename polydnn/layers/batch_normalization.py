"""Batch normalization: every unit is brought to zero mean and unit variance over the batch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError
from polydnn.layers.checks import check_fraction
from polydnn.layers.layer import Forward, Layer
from polydnn.types import Array, Gradients, Namespace, Options

__all__ = ["BatchNormalization"]


class BatchNormalization(Layer):
    """Y = scale * (X - mean) / sqrt(variance + eps) + shift, unit by unit.

    While training, mean and (biased) variance are those of the batch, and the running statistics move towards them:
    running <- momentum * running + (1 - momentum) * batch, the variance there with n - 1 in the denominator. Otherwise
    the running statistics are used. ``scale`` and ``shift``, both (in_features,), are parameters; they count as biases
    for weight decay. Backwards, with X' the normalized input and column means over the batch:
    dX = scale / sqrt(variance + eps) * (dY - mean(dY) - X' mean(dY X')).

    ``momentum`` lies in [0, 1), ``eps`` is above 0. A batch of one row has no variance: its output is ``shift``, and
    its running variance stays as it was. Source: Ioffe & Szegedy, *Batch Normalization*, 2015.
    """

    type = "batch_normalization"

    def __init__(self, momentum: float = 0.9, eps: float = 1e-5) -> None:
        self.momentum = check_fraction("BatchNormalization", "momentum", momentum)
        if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0.0 < eps < float("inf"):
            msg = f"BatchNormalization: eps must be a number above 0, found {eps!r}."
            raise InvalidArgumentError(msg)
        self.eps = float(eps)

    @property
    def options(self) -> Options:
        return {"momentum": self.momentum, "eps": self.eps}

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return ("scale", "shift")

    def parameters(self, in_features: int, stream: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
        return {"scale": np.ones(in_features), "shift": np.zeros(in_features)}

    def statistics(self, in_features: int) -> dict[str, np.ndarray[Any, Any]]:
        return {"running_mean": np.zeros(in_features), "running_variance": np.ones(in_features)}

    def shapes(self, in_features: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("scale", "shift", "running_mean", "running_variance"), (in_features,))

    def predict(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        factor = arrays["scale"] / xp.sqrt(arrays["running_variance"] + self.eps)
        return (x - arrays["running_mean"]) * factor + arrays["shift"]

    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        n = x.shape[0]
        scale = arrays["scale"]
        mean = xp.mean(x, axis=0)
        centred = x - mean
        variance = xp.mean(centred * centred, axis=0)
        inverse = 1.0 / xp.sqrt(variance + self.eps)
        normalized = centred * inverse  # X'

        def back(dy: Array, need_dx: bool) -> tuple[Array | None, Gradients]:
            dshift = xp.sum(dy, axis=0)
            dscale = xp.sum(dy * normalized, axis=0)
            dx = (scale * inverse) * (dy - dshift / n - normalized * (dscale / n)) if need_dx else None
            return dx, {"scale": dscale, "shift": dshift}

        keep, take = self.momentum, 1.0 - self.momentum
        changes = {"running_mean": keep * arrays["running_mean"] + take * mean}
        if n > 1:
            changes["running_variance"] = keep * arrays["running_variance"] + (take * n / (n - 1)) * variance
        else:
            changes["running_variance"] = arrays["running_variance"]
        return normalized * scale + arrays["shift"], back, changes
