"""The contract of a schedule: from the step's number to a factor of the learning rate."""

from dataclasses import dataclass, field
from typing import Protocol

from polydnn.types import Options

__all__ = ["Factor", "Schedule"]


class Factor(Protocol):
    def __call__(self, step: int, total_steps: int) -> float: ...


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes during training.

    ``factor(step, total_steps)`` is multiplied with the trainer's learning rate; ``step`` counts from 1 to
    ``total_steps``, the number of steps the whole fit will take. Plain numbers on the host.
    """

    name: str
    factor: Factor
    options: Options = field(default_factory=dict)
