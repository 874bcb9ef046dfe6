"""What lasts from step to step on the device: parameters, gradients, state, statistics, and the numbers of the step."""

from typing import Any

import numpy as np

from polydnn.execution.plan import OptimizerState, StepPlan, first_state
from polydnn.executors.on_cupy.buffers import Layout
from polydnn.executors.on_cupy.kernels import CONTROL, CURRENT
from polydnn.executors.on_cupy.optimizer_kernels import numbers_of_step, update_kernel
from polydnn.types import Array, Parameters

__all__ = ["Store"]


class Store:
    """Flat buffers with named views, for one executor.

    Raises NotImplementedError for an optimizer whose state is not an array like the parameter in every slot.
    """

    def __init__(self, plan: StepPlan, device: Any) -> None:
        self._plan, network = plan, plan.network
        dtype = np.dtype(network.dtype)
        arrays = network.arrays
        names = network.parameter_names
        weights = [name for name in names if name in plan.weight_names]
        self.layout = Layout({name: tuple(arrays[name].shape) for name in names}, weights, itemsize=dtype.itemsize)
        self.decay = _decay(plan)
        self.kernel = update_kernel(plan.optimizer)
        self.parameters, self.gradient = device.zeros(self.layout.size, dtype), device.zeros(self.layout.size, dtype)
        self.state: dict[str, Array] = {slot: device.zeros(self.layout.size, dtype) for slot in _slots(plan)}
        self.gradients = self.layout.views(self.gradient)
        self.statistics = {
            name: device.zeros(tuple(array.shape), array.dtype) for name, array in arrays.items() if name not in names
        }
        trained = self.layout.views(self.parameters)
        self.arrays: dict[str, Array] = {name: {**trained, **self.statistics}[name] for name in arrays}
        self.control = device.zeros(len(CONTROL), np.dtype(np.uint64))
        self.current = device.zeros(len(CURRENT), dtype)
        self.broken = device.flag()

    @property
    def rate(self) -> Array:
        """The step's learning rate, 0-d, for functions that know nothing of ``current``."""
        return self._number("rate")

    @property
    def step(self) -> Array:
        """The step's number, 0-d."""
        return self._number("step")

    def state_of(self, name: str) -> dict[str, Array]:
        """Views of one parameter's state."""
        return {slot: self.layout.view(flat, name) for slot, flat in self.state.items()}

    def table(self, rates: list[float], first_step: int) -> np.ndarray[Any, Any]:
        """The numbers of some steps, and a row more, which the last of them reads and nobody uses."""
        optimizer = self._plan.optimizer
        steps = enumerate([*rates, 0.0], start=first_step)
        rows = [numbers_of_step(optimizer, float(rate), step, self.decay) for step, rate in steps]
        return np.asarray(rows, dtype=self._plan.network.dtype)

    def write(self, parameters: Parameters, state: OptimizerState) -> None:
        """Queue copies of these arrays into the buffers."""
        for name, own in self.arrays.items():
            own[...] = parameters[name]
        for name in self.layout.shapes:
            for slot, own in self.state_of(name).items():
                own[...] = state[name][slot]

    def read(self) -> tuple[Parameters, OptimizerState]:
        """Queue copies of everything; the views of a copy keep it as a whole."""
        copied = self.layout.views(self.parameters.copy())
        flat = {slot: self.layout.views(array.copy()) for slot, array in self.state.items()}
        statistics = {name: array.copy() for name, array in self.statistics.items()}
        parameters = {name: {**copied, **statistics}[name] for name in self.arrays}
        return parameters, {name: {slot: flat[slot][name] for slot in flat} for name in self.layout.shapes}

    def _number(self, name: str) -> Array:
        at = CURRENT.index(name)
        return self.current[at : at + 1].reshape(())


def _decay(plan: StepPlan) -> float:
    own = plan.penalties.weight_decay
    return plan.optimizer.weight_decay if own is None else own


def _slots(plan: StepPlan) -> list[str]:
    """The names of the state's arrays, the same for all parameters."""
    state = first_state(plan)
    shapes = {name: tuple(plan.network.arrays[name].shape) for name in state}
    slots = [list(own) for own in state.values()]
    alike = all(tuple(array.shape) == shapes[name] for name, own in state.items() for array in own.values())
    if not alike or any(own != slots[0] for own in slots):
        msg = f"the state of optimizer {plan.optimizer.name!r} is not one array like the parameter in every slot"
        raise NotImplementedError(msg)
    return slots[0] if slots else []
