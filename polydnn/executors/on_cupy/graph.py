"""One training step, or several in a row, captured as a CUDA graph; where that fails the step runs call by call.

The first step of a batch size runs call by call, and does its work: it compiles and loads kernels and lets CuPy's pool
take its memory. Then one step is captured, and CHUNK steps once as many are wanted at a time. Capturing runs nothing.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

__all__ = ["CHUNK", "CaptureDevice", "Graph", "StepGraph"]

CHUNK = 32
"""Steps in the long graph; between 16 and 64 by what others saw, to be measured."""

logger = logging.getLogger("polydnn")


class Graph(Protocol):
    """What a capture gives."""

    def launch(self) -> None:
        """Queue everything captured on the executor's stream."""


class CaptureDevice(Protocol):
    """What a step graph needs of a device."""

    def capture(self, run: Callable[[], None]) -> Graph:
        """Record the calls of ``run`` without executing them; raise what keeps them from being recorded."""


class StepGraph:
    """Runs a step a number of times, by graphs where it can be captured.

    ``run`` queues all work of one step and is free of host decisions that change from step to step. ``what`` names the
    step in the one warning that says why it cannot be captured.
    """

    def __init__(self, device: CaptureDevice, run: Callable[[], None], what: str) -> None:
        self._device, self._run, self._what = device, run, what
        self._warm = False
        self._failed = False
        self._graphs: dict[int, Graph] = {}

    @property
    def captured(self) -> bool:
        """Whether steps are replayed."""
        return bool(self._graphs) and not self._failed

    def launch(self, count: int) -> None:
        """Queue ``count`` steps."""
        if count and not self._warm:
            self._run()
            self._warm = True
            count -= 1
        while count:
            length = CHUNK if count >= CHUNK else 1
            graph = self._graph(length)
            if graph is None:
                length = 1
                self._run()
            else:
                graph.launch()
            count -= length

    def _graph(self, length: int) -> Graph | None:
        """The graph of so many steps, captured at the first need; None where capturing has failed."""
        if length not in self._graphs and not self._failed:
            try:
                self._graphs[length] = self._device.capture(partial(self._several, length))
            except Exception as error:  # CUDA, cuBLAS and CuPy raise types of their own; the step runs without a graph
                self._failed = True
                reason = f"{type(error).__name__}: {error}"
                logger.warning("cupy_graph: %s runs without a CUDA graph, call by call (%s)", self._what, reason)
        return None if self._failed else self._graphs[length]

    def _several(self, count: int) -> None:
        for _ in range(count):
            self._run()
