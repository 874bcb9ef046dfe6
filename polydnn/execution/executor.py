"""The contract of an executor: training steps that keep parameters and optimizer state between calls."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np

from polydnn.execution.plan import Key, OptimizerState, Step, StepPlan
from polydnn.types import Array, Namespace, Parameters

__all__ = [
    "TOLERANCE",
    "Data",
    "Executor",
    "ExecutorFactory",
    "PureExecutor",
    "all_finite_on_device",
    "all_finite_on_host",
    "executor_of",
]


TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
"""Largest difference allowed between an executor and the reference, relative to the largest element of each array."""


class Data(NamedTuple):
    """Rows on the device: x (n, in_features), y as the loss takes it, and weights (n,) or None."""

    x: Array
    y: Array
    weights: Array | None = None


class Executor(ABC):
    """Runs the steps of one plan.

    ``load`` hands over where to start and ``read`` asks where the steps have led; between the two the executor may keep
    everything in buffers of its own. It computes what the reference step computes, to the rounding of the dtype, and
    ``steps`` gives what as many calls of ``step`` would give, to the last bit on NumPy.
    """

    order_on_host: ClassVar[bool] = False
    """Whether ``steps`` wants row numbers as a NumPy array; by default they lie on the device."""

    def __init__(self, plan: StepPlan) -> None:
        self.plan = plan

    @property
    def tolerance(self) -> float:
        """How far its results may lie from the reference's; wider only where the user asked for a lower precision."""
        return TOLERANCE[self.plan.network.dtype]

    @abstractmethod
    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        """Start from these arrays, all of the network's and the optimizer's; they are never written to."""

    @abstractmethod
    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        """One update from a batch x (n, in_features), y, weights (n,) or None; the batch's loss before it, 0-d."""

    @abstractmethod
    def read(self) -> tuple[Parameters, OptimizerState]:
        """The arrays as the last step left them; no later step changes what was given out."""

    def steps(self, data: Data, order: Array, batch_size: int, rates: Sequence[float], key: Key) -> Array:
        """One update for each of the k ``rates``, and their losses (k,): a NumPy array where they are known already.

        Step i takes the rows of ``data`` that ``order`` (k * batch_size,) names from i * batch_size on; ``key`` is that
        of the first. Fewer losses than rates mean that the last of them, or a parameter after it, is not finite, and
        that the executor stopped there.
        """
        xp = self.plan.backend.xp
        losses = []
        for count, rate in enumerate(rates):
            index = order[count * batch_size : (count + 1) * batch_size]
            x, y = xp.take(data.x, index, axis=0), xp.take(data.y, index, axis=0)
            weights = None if data.weights is None else xp.take(data.weights, index, axis=0)
            losses.append(self.step(x, y, rate, Key(key.seed, key.step + count), weights))
            if self.stopped(losses[-1]):
                break
        return xp.stack(losses)

    def timed_step(self, data: Data, index: Array, learning_rate: float, key: Key) -> dict[str, float] | None:
        """One step on the rows that ``index`` names, with the seconds of gather, forward, backward and optimizer.

        None where the parts cannot be told apart, as in a captured graph or a compiled loop.
        """
        return None

    def stopped(self, loss: Array) -> bool:
        """Whether the step that gave ``loss`` left something that is not finite, as far as can be told at once."""
        return False


ExecutorFactory: TypeAlias = Callable[[StepPlan], "Executor | Step"]
"""What a plugin gives: it makes an executor, or a pure step, for a plan, and raises where it cannot."""


class PureExecutor(Executor):
    """A pure step, the reference step for one, with its parameters and state held for it.

    A step that leaves something that is not finite is the last one. Where a look costs nothing, ``stopped`` says so at
    once. A device is not waited for: it notes by itself whether all is well, and from the step after on it keeps every
    array as it is and gives NaN for a loss.
    """

    def __init__(self, plan: StepPlan, step: Step) -> None:
        super().__init__(plan)
        self._step = step
        self._trained = plan.network.parameter_names
        self._well: Array | None = None

    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        self._parameters, self._state, self._well = parameters, optimizer_state, None

    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        before = self._parameters, self._state
        self._parameters, self._state, loss = self._step(*before, x, y, learning_rate, key, weights)
        return loss if self.plan.backend.looks_are_free else self._hold(*before, loss)

    def _hold(self, parameters: Parameters, state: OptimizerState, loss: Array) -> Array:
        """Undo the step on the device where an earlier one went wrong, and note whether this one did."""
        xp, well = self.plan.backend.xp, self._well
        if well is not None:
            self._parameters = {name: xp.where(well, new, parameters[name]) for name, new in self._parameters.items()}
            self._state = {
                name: {slot: xp.where(well, new, state[name][slot]) for slot, new in slots.items()}
                for name, slots in self._state.items()
            }
            loss = xp.where(well, loss, math.nan)
        self._well = all_finite_on_device(xp, [loss, *(self._parameters[name] for name in self._trained)])
        return loss

    def read(self) -> tuple[Parameters, OptimizerState]:
        return self._parameters, self._state

    def stopped(self, loss: Array) -> bool:
        """Told at once where a look costs nothing; on a device it would wait."""
        if not self.plan.backend.looks_are_free:
            return False
        arrays = (self._parameters[name] for name in self._trained)
        return not (math.isfinite(loss) and all_finite_on_host(arrays, xp=self.plan.backend.xp))


def executor_of(plan: StepPlan, made: Executor | Step) -> Executor:
    """What a factory gave, as an executor."""
    return made if isinstance(made, Executor) else PureExecutor(plan, made)


def all_finite_on_host(arrays: Iterable[Array], *, xp: Namespace = np) -> bool:
    """Whether all elements are finite; their sum of squares says so in one pass of BLAS, unless it overflows."""
    for array in arrays:
        flat = array.reshape(-1)
        if not math.isfinite(flat.dot(flat)) and not xp.all(xp.isfinite(flat)):
            return False
    return True


def all_finite_on_device(xp: Namespace, arrays: Sequence[Array]) -> Array:
    """The same as a 0-d boolean that stays where the arrays are."""
    return xp.all(xp.stack([xp.all(xp.isfinite(array)) for array in arrays]))
