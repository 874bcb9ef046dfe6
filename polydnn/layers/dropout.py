"""Dropout: units are silenced at random while training."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from polydnn.layers.checks import check_fraction
from polydnn.layers.layer import NOTHING, Forward, Layer
from polydnn.types import Array, Gradients, Namespace, Options

__all__ = ["Dropout"]


class Dropout(Layer):
    """Y = X * M / (1 - rate) while training, Y = X otherwise; M is 0 with probability ``rate`` and else 1.

    ``rate`` lies in [0, 1). M is drawn on the host from the stream of its step and layer, so that every backend drops
    the same units. Source: Srivastava et al., *Dropout*, 2014.
    """

    type = "dropout"

    def __init__(self, rate: float) -> None:
        self.rate = check_fraction("Dropout", "rate", rate)

    @property
    def options(self) -> Options:
        return {"rate": self.rate}

    @property
    def random(self) -> bool:
        return self.rate > 0.0

    def noise(self, rows: int, in_features: int, stream: np.random.Generator) -> np.ndarray[Any, Any] | None:
        if not self.random:
            return None
        kept = stream.random((rows, in_features), dtype=np.float32) >= self.rate
        return kept.astype(np.float32) * np.float32(1.0 / (1.0 - self.rate))

    def predict(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        return x

    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        def back(dy: Array, need_dx: bool) -> tuple[Array | None, Gradients]:
            return dy if noise is None else dy * noise, {}

        return x if noise is None else x * noise, back, NOTHING
