"""The networks that are trained, each with its rows, its learning rate and the loss it has to come to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import polydnn

__all__ = ["CALIFORNIA", "CASES", "DIGITS", "FASHION", "Case", "network_of_width", "powers"]

Rows = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Case:
    """A training: the data set, the network's layers, loss, learning rate for ``batch_size`` rows, and the target.

    ``target_loss`` lies where the first, steep part of the training is over. ``factors`` of the learning rate are tried
    at each size: the prediction is about rates that are right for their size.
    """

    name: str
    dataset: str
    layers: Callable[[], list[polydnn.Layer]]
    loss: str
    learning_rate: float
    target_loss: float
    sizes: tuple[int, ...]
    batch_size: int = 64
    optimizer: str = "sgd"
    factors: tuple[float, ...] = (1.0, 2.0, 0.5)
    options: dict[str, Any] = field(default_factory=dict)
    divisor: float = 1.0

    def rows(self) -> Rows:
        """The training rows, pixels as parts of white."""
        train = polydnn.dataset(self.dataset).train
        if self.divisor == 1.0:
            return train.x, train.y
        return np.asarray(train.x, dtype=np.float32) / np.float32(self.divisor), train.y

    def trainer(self, in_features: int, seed: int = 0, learning_rate: float | None = None) -> polydnn.Trainer:
        """A trainer before its first fit."""
        network = polydnn.Network(in_features, self.layers(), seed=seed, **self.options)
        rate = self.learning_rate if learning_rate is None else learning_rate
        settings: dict[str, Any] = {"loss": self.loss, "optimizer": self.optimizer, "batch_size": self.batch_size}
        return polydnn.Trainer(network, learning_rate=rate, **settings)


def network_of_width(width: int) -> list[polydnn.Layer]:
    """Two hidden layers of so many units, and ten classes."""
    return [polydnn.Dense(width, "relu"), polydnn.Dense(width, "relu"), polydnn.Dense(10, "softmax")]


def powers(first: int, last: int) -> tuple[int, ...]:
    """The powers of two between these two."""
    return tuple(2**k for k in range(last.bit_length()) if first <= 2**k <= last)


FASHION = Case(
    name="Fashion-MNIST [784, 512, 512, 10]",
    dataset="fashion_mnist",
    layers=lambda: network_of_width(512),
    loss="categorical_cross_entropy",
    learning_rate=0.1,
    target_loss=0.6,
    sizes=powers(8, 1024),
    divisor=255.0,
)
CALIFORNIA = Case(
    name="California housing [8, 64, 1]",
    dataset="california_housing",
    layers=lambda: [polydnn.Normalization("standard"), polydnn.Dense(64, "relu"), polydnn.Dense(1)],
    loss="mean_squared_error",
    optimizer="adam",  # with plain descent its outliers throw the first steps off at rates that are good later
    learning_rate=0.005,
    target_loss=0.26,
    sizes=powers(8, 4096),
    factors=(1.0, 2.0, 4.0, 0.5),
    options={"target_normalization": "standard"},
)
DIGITS = Case(
    name="digits [64, 64, 10]",
    dataset="digits",
    layers=lambda: [polydnn.Normalization("min-max"), polydnn.Dense(64, "relu"), polydnn.Dense(10, "softmax")],
    loss="categorical_cross_entropy",
    learning_rate=0.3,
    target_loss=0.2,
    sizes=powers(4, 1024),
    factors=(1.0, 2.0, 4.0, 0.5),
)
CASES = {"fashion": FASHION, "california": CALIFORNIA, "digits": DIGITS}
