"""Where a fit stands: numbers a checkpoint can hold, from which it goes on at any step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from polydnn.types import Array

__all__ = ["Progress"]

ToHost = Callable[[list[Array]], np.ndarray[Any, Any]]
"""Brings arrays of losses to the host as one array, in one transfer, which waits for them."""


@dataclass
class Progress:
    """Counters of a fit; epochs and batches count from 0, and ``step`` is the number of steps done.

    ``first_epoch`` to ``end_epoch`` are the epochs of this fit, ``first_step`` the steps done before it: a second fit
    of the same trainer goes on counting. ``loss_sum`` and ``mass`` are the sum of the losses weighted by rows, and
    those weights, of the epoch under way. Losses wait on the device until somebody asks for their sum.
    """

    first_epoch: int
    end_epoch: int
    first_step: int
    steps_per_epoch: int
    epoch: int
    step: int
    batch: int = 0
    _mass: float = 0.0
    _loss_sum: float = 0.0
    _waiting: list[tuple[Array, Sequence[float], ToHost]] = field(default_factory=list)

    @property
    def loss_sum(self) -> float:
        """The losses of the epoch so far, each times the weight of its batch."""
        self._settle()
        return self._loss_sum

    @property
    def mass(self) -> float:
        """The weight of the batches of the epoch so far."""
        self._settle()
        return self._mass

    def note(self, losses: Array, masses: Sequence[float], to_host: ToHost) -> None:
        """Count steps with these losses, an array that may still be on its way, and the weights of their batches."""
        self._waiting.append((losses, masses, to_host))
        self.step += len(masses)
        self.batch += len(masses)

    def _settle(self) -> None:
        """Add up what waits, in float64 and one by one: however the steps were bundled, the sum is the same."""
        if not self._waiting:
            return
        to_host = self._waiting[-1][2]
        found = to_host([losses for losses, _, _ in self._waiting]).tolist()
        masses = [mass for _, each, _ in self._waiting for mass in each]
        for loss, mass in zip(found, masses, strict=True):
            self._loss_sum += loss * mass
            self._mass += mass
        self._waiting.clear()

    def copy(self) -> "Progress":
        """The same place, to go back to."""
        return Progress.from_numbers(self.numbers(), self.loss_sum, self.mass)

    @property
    def total_steps(self) -> int:
        """The steps of the whole fit, should nothing stop it."""
        return (self.end_epoch - self.first_epoch) * self.steps_per_epoch

    def begin_epoch(self) -> None:
        """Forget the sums of the epoch before."""
        self.batch, self._mass, self._loss_sum = 0, 0.0, 0.0
        self._waiting.clear()

    def numbers(self) -> dict[str, int]:
        """The counters."""
        return {name: getattr(self, name) for name in COUNTERS}

    @classmethod
    def from_numbers(cls, numbers: dict[str, int], loss_sum: float, mass: float) -> "Progress":
        """What ``numbers`` gave, with the sums, as an object again."""
        counters: dict[str, Any] = {name: numbers[name] for name in COUNTERS}
        return cls(**counters, _loss_sum=loss_sum, _mass=mass)


COUNTERS = tuple(each.name for each in fields(Progress) if not each.name.startswith("_"))
