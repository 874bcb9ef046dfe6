"""Training rows in place on the device, and the batches of every epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.arrays import Backend, permutation, stream
from polydnn.execution.executor import Data
from polydnn.types import Array

__all__ = ["Rows", "batch_count", "epoch_batches", "epoch_order", "split_rows"]


@dataclass(frozen=True)
class Rows:
    """Rows on the device: inputs, targets in training's units, targets for metrics, weights or None."""

    x: Array
    y: Array
    metric_y: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, places: np.ndarray[Any, Any], backend: Backend) -> "Rows":
        """The rows at ``places``, gathered on the device."""
        xp = backend.xp
        index = backend.asarray(places, dtype=backend.index_dtype)
        return Rows(
            xp.take(self.x, index, axis=0),
            xp.take(self.y, index, axis=0),
            xp.take(self.metric_y, index, axis=0),
            None if self.weights is None else xp.take(self.weights, index, axis=0),
        )


def batch_count(n: int, batch_size: int) -> int:
    """The steps of an epoch: ceil(n / batch_size)."""
    return -(-n // batch_size)


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray[Any, Any]:
    """The order in which an epoch takes its n rows, drawn on the host: the same on every backend."""
    return permutation(n, seed, epoch)


def epoch_batches(
    rows: Rows, batch_size: int, seed: int, epoch: int, backend: Backend, *, first: int = 0
) -> Iterator[Data]:
    """The batches of an epoch from number ``first`` on: rows in the epoch's own order, the last batch maybe smaller.

    The order is moved once; rows are gathered where they lie. A batch of all rows is the rows as they are, since their
    order does not matter to a mean.
    """
    n = len(rows)
    if batch_size >= n:
        if first == 0:
            yield Data(rows.x, rows.y, rows.weights)
        return
    xp = backend.xp
    order = backend.asarray(epoch_order(n, seed, epoch), dtype=backend.index_dtype)
    x, y, weights = rows.x, rows.y, rows.weights
    for start in range(first * batch_size, n, batch_size):
        index = order[start : min(start + batch_size, n)]
        yield Data(
            xp.take(x, index, axis=0),
            xp.take(y, index, axis=0),
            None if weights is None else xp.take(weights, index, axis=0),
        )


def split_rows(rows: Rows, fraction: float, seed: int, backend: Backend) -> tuple[Rows, Rows]:
    """Rows to train on and rows to validate on, ``fraction`` of them (at least one, never all)."""
    n = len(rows)
    order = stream(seed, "split").permutation(n)
    count = min(max(1, round(fraction * n)), n - 1)
    return rows.take(np.sort(order[count:]), backend), rows.take(np.sort(order[:count]), backend)
