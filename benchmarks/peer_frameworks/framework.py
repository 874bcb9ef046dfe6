"""What a framework has to offer to be compared: load a problem, start afresh, run steps, run epochs."""

from abc import ABC, abstractmethod
from importlib import metadata
from typing import ClassVar

import numpy as np

from peer_frameworks.problems import Arrays, Problem

__all__ = ["Arrays", "Framework", "Problem"]

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
"""Adam's constants for every framework; where eps stands beside the root is the framework's own."""


class Framework(ABC):
    """One way to train; every call returns only when its work is done (device and threads have finished).

    ``libraries`` are the distributions whose versions are recorded, ``measures`` what it can be timed at, ``block``
    how many steps one call of its own makes (counts of steps are multiples of it), ``checked`` whether it computes
    losses and weights at all (the floor does not), ``notes`` what a reader should know.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    measures: ClassVar[tuple[str, ...]] = ("step", "epoch")
    checked: ClassVar[bool] = True
    block: int = 1

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.notes: list[str] = []

    def versions(self) -> dict[str, str]:
        """Distribution to version."""
        return {name: metadata.version(name) for name in self.libraries}

    def refusal(self, problem: Problem) -> str | None:
        """Why the same mathematics cannot be had for ``problem``; None where it can."""
        return None

    @abstractmethod
    def load(self, problem: Problem, weights: Arrays) -> None:
        """Hold the problem's rows and its first batch in the framework's own memory, and build the step."""

    @abstractmethod
    def reset(self) -> None:
        """Stand at the initial weights again, with the optimizer as before its first step; compile nothing anew."""

    @abstractmethod
    def steps(self, count: int) -> None:
        """``count`` updates on the first batch."""

    def epochs(self, count: int) -> None:
        """``count`` passes over all rows in a new random order each, gathering included."""
        raise NotImplementedError

    def losses(self, count: int) -> list[float]:
        """The loss before each of ``count`` updates on the first batch."""
        raise NotImplementedError

    def parameters(self) -> list[np.ndarray]:
        """Weight (in, out), bias, weight, bias ... as they are now."""
        raise NotImplementedError

    def device_bytes(self) -> int | None:
        """The most device memory held since ``load``, where there is a device beside the host and it can be asked."""
        return None
