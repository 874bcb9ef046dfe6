"""Parameters, gradients and optimizer state end to end in flat buffers, with views that bear the usual names."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from polydnn.execution.plan import OptimizerState, StepPlan
from polydnn.executors.on_numpy.blas import Matrix
from polydnn.types import Parameters

__all__ = ["Buffers", "aligned"]

LINE = 64
"""Bytes of a cache line; some libraries round differently where arrays lie differently against them."""


def aligned(size: int, dtype: Any) -> Matrix:
    """A flat array of zeros that begins with a cache line, so that a second run finds the same alignment."""
    item = np.dtype(dtype).itemsize
    room = np.zeros(size + LINE // item, dtype)
    start = -room.ctypes.data % LINE // item
    return room[start : start + size]


class Buffers:
    """One flat array for the parameters, one for the gradients and one for each slot of the optimizer's state.

    The arrays of a layer lie next to each other, a weight before its bias: ``layers.0.weight`` (in, out) and
    ``layers.0.bias`` (out,) together are one matrix (in + 1, out), which saves adding the bias and summing for it.
    """

    def __init__(self, plan: StepPlan) -> None:
        network = plan.network
        self.dtype = np.dtype(network.dtype)
        self.shapes = {name: tuple(array.shape) for name, array in network.parameters.items()}
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        self.spans = {
            name: slice(end - size, end)
            for name, size, end in zip(self.shapes, sizes, np.cumsum(sizes).tolist(), strict=True)
        }
        self.size = sum(sizes)
        self.parameters = aligned(self.size, self.dtype)
        self.gradients = aligned(self.size, self.dtype)
        self.slots: dict[str, Matrix] = {}
        self.statistics: Parameters = {}
        self.views = self.views_of(self.parameters)
        self.gradient_views = self.views_of(self.gradients)
        self.slot_views: dict[str, dict[str, Matrix]] = {}

    def views_of(self, flat: Matrix) -> dict[str, Matrix]:
        """The arrays of a flat buffer by name."""
        return {name: flat[span].reshape(self.shapes[name]) for name, span in self.spans.items()}

    def joined(self, flat: Matrix, weight: str, bias: str) -> Matrix:
        """Weight and bias as one matrix (in + 1, out)."""
        start, end = self.spans[weight].start, self.spans[bias].stop
        rows, columns = self.shapes[weight]
        return flat[start:end].reshape(rows + 1, columns)

    def load(self, parameters: Parameters, state: OptimizerState) -> None:
        """Copy everything in; raises NotImplementedError for a state that is not of flat slots."""
        for name, view in self.views.items():
            view[...] = parameters[name]
        self._names = tuple(parameters)  # files list arrays in this order
        self.statistics = {name: array for name, array in parameters.items() if name not in self.views}
        names = _slot_names(state)
        if tuple(self.slots) != names:
            self.slots = {slot: np.empty(self.size, self.dtype) for slot in names}
            self.slot_views = {slot: self.views_of(flat) for slot, flat in self.slots.items()}
        for slot, views in self.slot_views.items():
            for name, view in views.items():
                given = state[name][slot]
                if given.shape != view.shape or given.dtype != view.dtype:
                    msg = f"the optimizer's {slot} of {name} is not shaped like the parameter"
                    raise NotImplementedError(msg)
                view[...] = given

    def read(self) -> tuple[Parameters, OptimizerState]:
        """Copies of everything, by name."""
        both: dict[str, Any] = self.views_of(self.parameters.copy()) | self.statistics
        parameters = {name: both[name] for name in self._names}
        slots = {slot: self.views_of(flat.copy()) for slot, flat in self.slots.items()}
        state: OptimizerState = {name: {slot: views[name] for slot, views in slots.items()} for name in self.shapes}
        return parameters, state


def _slot_names(state: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    found = {tuple(slots) for slots in state.values()}
    if len(found) > 1:
        msg = "the optimizer keeps other state for one parameter than for another"
        raise NotImplementedError(msg)
    return found.pop() if found else ()
