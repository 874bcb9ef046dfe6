"""Every array a step computes on its way, by name and in order: for finding where numbers part or stop being finite."""

from collections.abc import Mapping
from typing import NamedTuple

from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.execution.reference import NO_NOISE, back_propagation, update_rule
from polydnn.layers.layer import Forward, Layer
from polydnn.layers.watched import Watched
from polydnn.types import Array, Gradients, Namespace, Parameters

__all__ = ["StepInputs", "Traced", "trace_step"]


class StepInputs(NamedTuple):
    """What one step is given besides parameters and state: a batch, the learning rate, its place in the stream."""

    x: Array
    y: Array
    weights: Array | None
    learning_rate: float
    key: Key


class Traced(NamedTuple):
    """The arrays of one step in the order in which they were computed, and what the step leaves behind.

    ``arrays`` holds ``layers.0 output``, ..., ``loss``, then from the last layer to the first ``layers.2 output
    gradient`` and ``layers.2.weight gradient``, then ``layers.0.weight`` and ``layers.0.weight first_moment``, as the
    optimizer leaves them.
    """

    arrays: dict[str, Array]
    parameters: Parameters
    state: OptimizerState


class _Recording(Watched[Layer]):
    """Notes everything that passes."""

    def __init__(self, inside: Layer, name: str, seen: dict[str, Array]) -> None:
        super().__init__(inside)
        self._name, self._seen = name, seen

    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        y, back, changes = self.inside.forward(arrays, x, noise, xp=xp)
        self._seen[f"{self._name} output"] = y

        def noted(dy: Array, need_dx: bool) -> tuple[Array | None, Gradients]:
            self._seen[f"{self._name} output gradient"] = dy
            dx, gradients = back(dy, need_dx)
            self._seen.update({f"{self._name}.{short} gradient": each for short, each in gradients.items()})
            return dx, gradients

        return y, noted, changes


class _RecordingPlan(StepPlan):
    """A plan whose layers note what passes through them."""

    seen: dict[str, Array]

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(_Recording(layer, f"layers.{index}", self.seen) for index, layer in enumerate(super().layers))


def trace_step(plan: StepPlan, parameters: Parameters, state: OptimizerState, inputs: StepInputs) -> Traced:
    """Run one reference step and keep everything; the numbers are those of the reference step itself."""
    seen: dict[str, Array] = {}
    recording = _RecordingPlan(plan.network, plan.loss, plan.optimizer, plan.penalties)
    object.__setattr__(recording, "seen", seen)  # the plan is frozen
    random = any(layer.random for layer in plan.layers)
    noise = plan.noise(inputs.key, inputs.x.shape[0]) if random else NO_NOISE
    result = back_propagation(recording)(parameters, inputs.x, inputs.y, noise, inputs.weights)
    forward = {name: array for name, array in seen.items() if name.endswith(" output")}
    backward = {name: array for name, array in seen.items() if name not in forward}
    parameters, state = update_rule(plan)(parameters, state, result, inputs.learning_rate, inputs.key.step)
    left = dict(parameters)
    for name, slots in state.items():
        left |= {f"{name} {slot}": array for slot, array in slots.items()}
    return Traced({**forward, "loss": result.loss, **backward, **left}, parameters, state)
