"""Where a fit stands: numbers a checkpoint can hold, from which it goes on at any step."""

from dataclasses import dataclass, fields
from typing import Any

from polydnn.types import Array

__all__ = ["Progress"]


@dataclass
class Progress:
    """Counters of a fit; epochs and batches count from 0, and ``step`` is the number of steps done.

    ``first_epoch`` to ``end_epoch`` are the epochs of this fit, ``first_step`` the steps done before it: a second fit
    of the same trainer goes on counting. ``loss_sum`` and ``mass`` are the sum of the costs weighted by rows, and those
    weights, of the epoch under way; they stay on the device.
    """

    first_epoch: int
    end_epoch: int
    first_step: int
    steps_per_epoch: int
    epoch: int
    step: int
    batch: int = 0
    mass: Any = 0.0
    loss_sum: Array = 0.0

    @property
    def total_steps(self) -> int:
        """The steps of the whole fit, should nothing stop it."""
        return (self.end_epoch - self.first_epoch) * self.steps_per_epoch

    def begin_epoch(self) -> None:
        """Forget the sums of the epoch before."""
        self.batch, self.mass, self.loss_sum = 0, 0.0, 0.0

    def numbers(self) -> dict[str, int]:
        """The counters."""
        return {name: getattr(self, name) for name in COUNTERS}

    @classmethod
    def from_numbers(cls, numbers: dict[str, int], loss_sum: Array, mass: Any) -> "Progress":
        """What ``numbers`` gave, with the sums, as an object again."""
        return cls(**{name: numbers[name] for name in COUNTERS}, loss_sum=loss_sum, mass=mass)


COUNTERS = tuple(field.name for field in fields(Progress) if field.name not in ("loss_sum", "mass"))
