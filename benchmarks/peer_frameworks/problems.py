"""The networks, batch sizes and rows that every framework trains, made from fixed seeds so that all have the same."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

__all__ = ["BATCH_SIZES", "CASES", "OPTIMIZERS", "STEPS_CHECKED", "Case", "Problem", "initial_weights", "make_rows"]

BATCH_SIZES = (1, 4, 16, 64, 256, 1024, 4096, 16384)
OPTIMIZERS = ("sgd", "adam")
STEPS_CHECKED = 10
"""Before anything is timed, this many steps must give the losses and weights of a loop in float64."""

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Case:
    """A network of relu layers; ten outputs mean softmax with cross entropy, one means mean squared error."""

    name: str
    widths: tuple[int, ...]
    learning_rates: dict[str, float]

    @property
    def loss(self) -> str:
        """ "cross_entropy" or "squared_error"."""
        return "cross_entropy" if self.widths[-1] > 1 else "squared_error"


LARGE = {"sgd": 0.01, "adam": 1e-5}  # with larger ones a single row is learnt by heart within a block of steps
TINY = {"sgd": 0.01, "adam": 1e-3}
CASES = {
    "784-512-512-10": Case("784-512-512-10", (784, 512, 512, 10), LARGE),
    "8-10-1": Case("8-10-1", (8, 10, 1), TINY),
    "8-10-5-1": Case("8-10-5-1", (8, 10, 5, 1), TINY),
    "8-64-1": Case("8-64-1", (8, 64, 1), TINY),
}


@dataclass(frozen=True)
class Problem:
    """A case with an optimizer (``sgd`` or ``adam``) and a batch size."""

    case: Case
    optimizer: str
    batch_size: int

    @property
    def learning_rate(self) -> float:
        """The same for every framework."""
        return self.case.learning_rates[self.optimizer]

    @property
    def rows(self) -> int:
        """The rows of an epoch: a whole number of batches, at least 1,024 rows, at least two batches."""
        return max(2 * self.batch_size, min(max(64 * self.batch_size, 1024), 16384))

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        widths = self.case.widths
        return sum((m + 1) * k for m, k in pairwise(widths))

    @property
    def products_flop(self) -> int:
        """Floating-point operations of the step's matrix products: forward, weights' gradients, inputs' gradients."""
        widths = self.case.widths
        sizes = [2 * self.batch_size * m * k for m, k in pairwise(widths)]
        return 3 * sum(sizes) - sizes[0]

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (rows, in_features) and labels (rows,) int64, or targets (rows, 1)."""
        return make_rows(self.case, self.rows)


def make_rows(case: Case, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in [0, 1) as scaled pixels are, or normal ones; labels and targets that no network can learn exactly."""
    rng = np.random.default_rng(11)
    if case.loss == "cross_entropy":
        return rng.random((n, case.widths[0]), np.float32), rng.integers(0, case.widths[-1], n)
    x = rng.standard_normal((n, case.widths[0]), np.float32)
    noise = rng.standard_normal((n, 1), np.float32)
    return x, np.sin(x.sum(axis=1, keepdims=True)) + noise


def initial_weights(case: Case) -> Arrays:
    """Weight (in, out), bias (out,), weight, bias ... as He et al. draw them, with small biases in place of zeros."""
    rng = np.random.default_rng(12)
    found: Arrays = []
    for m, k in pairwise(case.widths):
        found += [rng.standard_normal((m, k), np.float32) * np.float32(np.sqrt(2.0 / m))]
        found += [rng.standard_normal(k, np.float32) * np.float32(0.01)]
    return found
