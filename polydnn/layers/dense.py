"""The dense layer: an affine map of all inputs, followed by an activation."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np

from polydnn.activations.activation import Activation
from polydnn.initializers import glorot_uniform, he_normal
from polydnn.initializers.initializer import Initializer
from polydnn.layers.checks import check_count, check_flag
from polydnn.layers.layer import NOTHING, Forward, Layer
from polydnn.types import Array, Gradients, Namespace, Options

__all__ = ["Dense"]


class Dense(Layer):
    """Z = X W + b, Y = activation(Z).

    X is (n, in_features), W is (in_features, units), b is (units,) and is added to every row. Backwards, with
    dZ = dY : activation'(Z):  dW = X^T dZ,  db = column sums of dZ,  dX = dZ W^T.

    ``units`` is a whole number of at least 1. Weights start from ``initializer`` (by default he_normal before relu and
    glorot_uniform before anything else), biases at zero.
    Source: Araab, *An Overview on Deep Neural Networks*; there as here the batch stands in rows.
    """

    type = "dense"

    def __init__(
        self, units: int, activation: Activation, *, use_bias: bool = True, initializer: Initializer | None = None
    ) -> None:
        self.units = check_count("Dense", "units", units)
        self.activation = activation
        self.use_bias = check_flag("Dense", "use_bias", use_bias)
        self.initializer = initializer

    @property
    def options(self) -> Options:
        return {
            "units": self.units,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "initializer": self.initializer,
        }

    def out_features(self, in_features: int) -> int:
        return self.units

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.use_bias else ("weight",)

    def parameters(self, in_features: int, stream: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
        initializer = self.initializer or default_initializer(self.activation)
        weight = initializer.draw((in_features, self.units), stream)
        return {"weight": weight, "bias": np.zeros(self.units)} if self.use_bias else {"weight": weight}

    def shapes(self, in_features: int) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (in_features, self.units)}
        return {**weight, "bias": (self.units,)} if self.use_bias else {**weight}

    def with_activation(self, activation: Activation) -> "Dense":
        """The same layer, of the same class, before another activation."""
        twin = copy(self)
        twin.activation = activation
        return twin

    def pre_activation(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        """Z (n, units)."""
        z = xp.matmul(x, arrays["weight"])
        return z + arrays["bias"] if self.use_bias else z

    def predict(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        return self.activation.forward(self.pre_activation(arrays, x, xp=xp), xp=xp)

    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        z = self.pre_activation(arrays, x, xp=xp)
        y = self.activation.forward(z, xp=xp)

        def back(dy: Array, need_dx: bool) -> tuple[Array | None, Gradients]:
            dz = self.activation.pull_back(dy, z, y, xp=xp)
            gradients = {"weight": xp.matmul(x.T, dz)}
            if self.use_bias:
                gradients["bias"] = xp.sum(dz, axis=0)
            return xp.matmul(dz, arrays["weight"].T) if need_dx else None, gradients

        return y, back, NOTHING


def default_initializer(activation: Activation) -> Initializer:
    """he_normal before relu, which silences half of its input, and glorot_uniform before anything else."""
    return he_normal() if activation.name == "relu" else glorot_uniform()
