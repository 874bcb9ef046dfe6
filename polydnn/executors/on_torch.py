"""The reference step on torch from buffers that stay in place: one update for all parameters, one graph on CUDA."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from polydnn.execution.executor import Executor, all_finite_on_device, all_finite_on_host
from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.execution.reference import back_propagation
from polydnn.optimizers.clipping import clip_by_global_norm, clip_by_value
from polydnn.optimizers.weight_decay import decay_weight
from polydnn.types import Array, Gradients, Parameters

__all__ = ["TorchFlatExecutor", "TorchGraphExecutor"]

MOST_ELEMENTS = 2**14
"""Parameters up to which one update of all is faster than one of each on a CPU; measured: above it the copies cost."""

WARM_UPS = 3
"""Steps before a capture, in which libraries make their handles and workspaces."""


class _Buffers(Executor):
    """Parameters and state in arrays that keep their place; an elementwise optimizer sees them as one.

    What the reference does after back propagation is done here in its order: clipping, decay, the optimizer's update.
    """

    def __init__(self, plan: StepPlan) -> None:
        super().__init__(plan)
        import torch

        self._torch = torch
        self._differentiate = back_propagation(plan)
        self._dtype = plan.network.real_dtype
        names = plan.network.parameter_names
        self._arrays = {name: self._torch.clone(array) for name, array in plan.network.arrays.items()}
        self._slots: dict[str, dict[str, Array]] = {name: {} for name in names}
        decay = plan.penalties.weight_decay
        self._decay = plan.optimizer.weight_decay if decay is None else decay
        self._decayed = [name for name in names if self._decay and name in plan.weight_names]
        self._groups = [names] if plan.optimizer.elementwise and names else [(name,) for name in names]
        self._held = [self._hold(group) for group in self._groups]

    def _hold(self, group: tuple[str, ...]) -> tuple[Array, dict[str, Array]]:
        """The buffer of a group and its state; ``_arrays`` and ``_slots`` become views of them."""
        whole = self._arrays[group[0]]
        if self.plan.optimizer.elementwise:
            whole = self._torch.cat([self._arrays[name].reshape(-1) for name in group])
            self._arrays |= self._views(whole, group)
        state = {slot: self._torch.clone(each) for slot, each in self._init(whole).items()}
        for slot, each in state.items():
            views = self._views(each, group) if self.plan.optimizer.elementwise else {group[0]: each}
            for name, view in views.items():
                self._slots[name][slot] = view
        return whole, state

    def _init(self, parameter: Array) -> Mapping[str, Array]:
        return self.plan.optimizer.init(parameter, xp=self.plan.backend.xp)

    def _views(self, whole: Array, group: tuple[str, ...]) -> dict[str, Array]:
        shapes = [tuple(self._arrays[name].shape) for name in group]
        parts = self._torch.split(whole, [int(np.prod(shape)) for shape in shapes])
        return {name: part.view(shape) for name, part, shape in zip(group, parts, shapes, strict=True)}

    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        for name, array in self._arrays.items():
            array.copy_(parameters[name])
        for name, slots in self._slots.items():
            for slot, array in slots.items():
                array.copy_(optimizer_state[name][slot])

    def read(self) -> tuple[Parameters, OptimizerState]:
        state: OptimizerState = {
            name: {slot: self._torch.clone(each) for slot, each in own.items()} for name, own in self._slots.items()
        }
        return {name: self._torch.clone(array) for name, array in self._arrays.items()}, state

    def _advance(self, x: Array, y: Array, weights: Array | None, noise: Any, rate: Any, step: Any) -> Array:
        """One step from the buffers into the buffers; its loss."""
        result = self._differentiate(self._arrays, x, y, noise, weights)
        gradients = self._bounded(result.gradients)
        for name in self._decayed:
            weight = self._arrays[name]
            self._put(weight, decay_weight(weight, learning_rate=rate, weight_decay=self._decay))
        xp, update = self.plan.backend.xp, self.plan.optimizer.update
        for group, (whole, state) in zip(self._groups, self._held, strict=True):
            gradient = gradients[group[0]]
            if self.plan.optimizer.elementwise:
                gradient = self._torch.cat([gradients[name].reshape(-1) for name in group])
            new, changed = update(gradient, state, whole, learning_rate=rate, step=step, xp=xp)
            self._put(whole, new)
            for slot, array in changed.items():
                self._put(state[slot], array)
        for name, array in result.statistics.items():
            self._put(self._arrays[name], array)
        return result.loss

    def _put(self, place: Array, array: Array) -> None:
        """Write what the step has made of ``place``."""
        place.copy_(array)

    def _bounded(self, gradients: Gradients) -> Gradients:
        xp, penalties = self.plan.backend.xp, self.plan.penalties
        if penalties.clip_value is not None:
            gradients = clip_by_value(gradients, penalties.clip_value, xp=xp)
        if penalties.clip_norm is not None:
            gradients = clip_by_global_norm(gradients, penalties.clip_norm, xp=xp)
        return gradients


class TorchFlatExecutor(_Buffers):
    """On a CPU, for small networks and elementwise optimizers: torch without its records for automatic gradients."""

    def __init__(self, plan: StepPlan) -> None:
        elements = sum(int(np.prod(tuple(each.shape))) for each in plan.network.parameters.values())
        if not plan.backend.on_host or not plan.optimizer.elementwise or elements > MOST_ELEMENTS:
            msg = f"it is for elementwise optimizers and up to {MOST_ELEMENTS} parameters on a CPU"
            raise NotImplementedError(msg)
        super().__init__(plan)

    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        noise = self.plan.noise(key, x.shape[0]) if self.plan.random_layers else {}
        with self._torch.inference_mode():
            return self._advance(x, y, weights, noise, learning_rate, key.step)

    def stopped(self, loss: Array) -> bool:
        wholes = (whole for whole, _ in self._held)
        return not (math.isfinite(loss) and all_finite_on_host(wholes, xp=self.plan.backend.xp))


class _Recording(NamedTuple):
    """A captured step: what to fill in before ``replay``, and the loss behind it."""

    x: Array
    y: Array
    weights: Array | None
    noise: dict[int, Array]
    rate: Array
    number: Array
    replay: Callable[[], None]
    loss: Array


class TorchGraphExecutor(_Buffers):
    """On CUDA: the whole step as one captured graph for each size of batch, so that a step is one launch.

    A graph reads its batch, learning rate and step number from arrays of its own. Capturing fails where a function
    waits for the device, and the fit then goes on with the reference. The steps after one that left something that is
    not finite change nothing and give NaN for a loss.
    """

    needs_cuda: ClassVar[bool] = True

    def __init__(self, plan: StepPlan) -> None:
        if self.needs_cuda and plan.backend.device.type != "cuda":
            msg = "it is for CUDA devices"
            raise NotImplementedError(msg)
        super().__init__(plan)
        self._well = self._torch.ones((), dtype=self._torch.bool, device=plan.backend.device)
        self._recordings: dict[Any, _Recording] = {}

    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        super().load(parameters, optimizer_state)
        self._well.fill_(True)

    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        noise = self.plan.noise(key, x.shape[0]) if self.plan.random_layers else {}
        given = [each for each in (x, y, weights, *noise.values()) if each is not None]
        signature = (weights is None, *((tuple(each.shape), each.dtype) for each in given))
        if signature not in self._recordings:
            self._recordings[signature] = self._record(x, y, weights, noise)
        recording = self._recordings[signature]
        recording.x.copy_(x)
        recording.y.copy_(y)
        if recording.weights is not None:
            recording.weights.copy_(weights)
        for layer, array in noise.items():
            recording.noise[layer].copy_(array)
        recording.rate.fill_(learning_rate)
        recording.number.fill_(key.step)
        recording.replay()
        return self._torch.clone(recording.loss)  # the next replay writes there

    def _advance(self, x: Array, y: Array, weights: Array | None, noise: Any, rate: Any, step: Any) -> Array:
        loss = super()._advance(x, y, weights, noise, rate, step)
        loss = self._torch.where(self._well, loss, math.nan)
        self._well.copy_(all_finite_on_device(self.plan.backend.xp, [loss, *(whole for whole, _ in self._held)]))
        return loss

    def _put(self, place: Array, array: Array) -> None:
        place.copy_(self._torch.where(self._well, array, place))

    def _record(self, x: Array, y: Array, weights: Array | None, noise: Mapping[int, Array]) -> _Recording:
        own = {layer: self._torch.clone(array) for layer, array in noise.items()}
        # the step number in the network's dtype: torch would make float32 of an integer times a number
        rate, number = (self._torch.zeros((), dtype=self._dtype, device=self.plan.backend.device) for _ in range(2))
        number.fill_(1)
        held = None if weights is None else self._torch.clone(weights)
        batch = self._torch.clone(x), self._torch.clone(y), held
        before = self.read()
        replay, loss = self.capture(lambda: self._advance(*batch, own, rate, number), self.plan.backend.device)
        self.load(*before)  # the steps of the warm-up have moved them
        return _Recording(*batch, own, rate, number, replay, loss)

    @staticmethod
    def capture(body: Callable[[], Array], device: Any) -> tuple[Callable[[], None], Array]:
        """Run ``body`` a few times on a stream of its own, then capture it: what replays it, and its result's place."""
        import torch

        with torch.cuda.device(device):
            stream = torch.cuda.Stream(device)
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    body()
            torch.cuda.current_stream(device).wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                loss = body()
        return graph.replay, loss
