"""Steps of one batch size on shuffled rows, in the bundles in which a fit would run them, ready to be timed."""

import math

import numpy as np

from polydnn.batch_size.twin import Twin
from polydnn.execution import Data, Executor, Key
from polydnn.training.batches import epoch_order
from polydnn.training.step_loop import READ_BACK
from polydnn.types import Array

__all__ = ["RATE_SHARE", "TICK", "Stepping"]

RATE_SHARE = 1e-3
"""The part of the learning rate with which timed steps are taken.

The arithmetic is the same, and no size, however small, leaves the numbers of a sound network within a timing.
"""

TICK = 0.02
"""Seconds of one timing where there is time enough: long beside the clock's cost, short beside a neighbour's burst."""

MOST_BUNDLES = 50


class Stepping:
    """Steps of ``size`` rows by one executor.

    Batches are taken one after the other from an epoch's own order, the last partial one left out, and from the
    beginning again where it ends. Every bundle has as many steps as a fit would hand to the executor at once.
    """

    def __init__(self, twin: Twin, executor: Executor, size: int, *, tick: float = TICK) -> None:
        self.tick = tick
        self._twin, self._executor, self._size = twin, executor, size
        rows, trainer = twin.rows, twin.trainer
        self._data = Data(rows.x, rows.y, rows.weights)
        self._full = size >= len(rows)
        self._batches = max(len(rows) // size, 1)
        order: Array = epoch_order(len(rows), trainer.seed, 0)
        if not executor.order_on_host:
            order = twin.backend.asarray(order, dtype=twin.backend.index_dtype)
        self._order = order
        self._rate = trainer.learning_rate * RATE_SHARE
        self._next = 0
        self._step = 0
        self._last: Array | None = None
        self._bundle = self._bundles = 1

    @property
    def rate(self) -> float:
        """The learning rate of the steps."""
        return self._rate

    @property
    def index(self) -> Array:
        """The rows of the first batch, where the executor wants their numbers."""
        return self._order[: self._size]

    def restart(self) -> None:
        """Go back to the first step, with the parameters that the copy has."""
        self._twin.load(self._executor)
        self._next = self._step = 0

    def settle(self) -> float:
        """Find out how many steps make a timing; the seconds of one step, roughly."""
        self._bundle = self._bundles = 1
        once = min(self.seconds() for _ in range(2))
        if once < self.tick:
            self._bundle = max(1, min(math.ceil(self.tick / once), READ_BACK, self._batches))
            once = min(self.seconds() for _ in range(2))
        self._bundles = max(1, min(math.ceil(self.tick / (once * self._bundle)), MOST_BUNDLES))
        return once

    def seconds(self) -> float:
        """The seconds of a step, by one timing; a clock too coarse to see it says a nanosecond."""
        return max(self._twin.backend.seconds(self.run), 1e-9) / (self._bundle * self._bundles)

    def run(self) -> None:
        """The steps of one timing."""
        for _ in range(self._bundles):
            self._take(self._bundle)

    def is_finite(self) -> bool:
        """Whether the last loss is a number; it waits for the device."""
        if self._last is None:
            return True
        return bool(np.isfinite(self._twin.backend.to_numpy(self._last)).all())

    def _take(self, count: int) -> None:
        key = Key(self._twin.trainer.seed, self._step + 1)
        self._step += count
        if self._full:  # a fit takes the rows as they are, since their order does not matter to a mean
            self._last = self._executor.step(*self._data[:2], self._rate, key, self._data.weights)
            return
        if self._next + count > self._batches:
            self._next = 0
        start = self._next * self._size
        order = self._order[start : start + count * self._size]
        self._next += count
        self._last = self._executor.steps(self._data, order, self._size, [self._rate] * count, key)
