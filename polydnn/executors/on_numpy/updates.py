"""The optimizer over flat buffers: the built-in ones in place, any other elementwise one through its own function."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from polydnn.execution.plan import StepPlan
from polydnn.executors.on_numpy.blas import Matrix
from polydnn.executors.on_numpy.buffers import Buffers
from polydnn.executors.on_numpy.team import parts_of, together
from polydnn.optimizers.clipping import clip_by_global_norm, clip_by_value
from polydnn.optimizers.weight_decay import add_penalty_gradient, decay_weight, penalty

__all__ = ["CHUNK", "FlatUpdate", "Update", "is_plain_descent"]

CHUNK = 2**16
"""Elements handled at once, so that what passes between an optimizer's operations stays in a second-level cache."""

FlatUpdate = Callable[[Matrix, Matrix, Mapping[str, Matrix], float, int], None]
"""``rule(parameters, gradients, slots, learning_rate, step)`` changes parameters and slots, flat arrays, in place.

It may use the gradients as it likes, and is called for two parts at the same time where there are many parameters.
"""


def is_plain_descent(plan: StepPlan) -> bool:
    """Whether a step is W <- W - learning_rate * dW and nothing else."""
    penalties, optimizer = plan.penalties, plan.optimizer
    decay = optimizer.weight_decay if penalties.weight_decay is None else penalties.weight_decay
    changed = (penalties.l1, penalties.l2, decay, penalties.clip_value, penalties.clip_norm)
    return not any(changed) and _module(plan) == "polydnn.optimizers.sgd" and not optimizer.options.get("momentum")


class Update:
    """Penalties, clipping, weight decay and the optimizer's rule, on the buffers of one executor."""

    def __init__(self, plan: StepPlan, buffers: Buffers, rule: FlatUpdate | None = None) -> None:
        self._plan, self._buffers = plan, buffers
        penalties = plan.penalties
        decay = plan.optimizer.weight_decay if penalties.weight_decay is None else penalties.weight_decay
        self._decay, self._weights = decay, [name for name in buffers.shapes if name in plan.weight_names]
        self._clips = penalties.clip_value is not None or penalties.clip_norm is not None
        self._rule = rule or _rule(plan)
        self._parts = parts_of(buffers.size)

    def charge(self, loss: Any) -> Any:
        """The loss with the L1 and L2 penalties, whose gradients are added."""
        l1, l2 = self._plan.penalties.l1, self._plan.penalties.l2
        if not l1 and not l2:
            return loss
        for name in self._weights:
            weight, gradient = self._buffers.views[name], self._buffers.gradient_views[name]
            gradient[...] = add_penalty_gradient(gradient, weight, l1=l1, l2=l2, xp=np)
            loss = loss + penalty(weight, l1=l1, l2=l2, xp=np)
        return loss

    def __call__(self, learning_rate: float, step: int, *, shared: bool = False) -> None:
        """Move the parameters; ``shared`` among threads of our own, while those of the BLAS are asleep.

        A BLAS with several threads keeps them spinning between its calls, on the processors that ours would need: the
        update gained a tenth of a millisecond from a second thread, and the products lost up to two.
        """
        buffers = self._buffers
        if self._clips:
            self._clip()
        if self._decay:
            for name in self._weights:
                view = buffers.views[name]
                view[...] = decay_weight(view, learning_rate=learning_rate, weight_decay=self._decay)
        if not self._plan.optimizer.elementwise:
            self._one_by_one(learning_rate, step)
            return
        if shared and len(self._parts) > 1:
            together([partial(self._part, part, learning_rate, step) for part in self._parts])
        else:
            self._rule(buffers.parameters, buffers.gradients, buffers.slots, learning_rate, step)

    def _part(self, part: slice, learning_rate: float, step: int) -> None:
        buffers = self._buffers
        slots = {slot: flat[part] for slot, flat in buffers.slots.items()}
        self._rule(buffers.parameters[part], buffers.gradients[part], slots, learning_rate, step)

    def _clip(self) -> None:
        penalties, flat = self._plan.penalties, self._buffers.gradients
        if penalties.clip_value is not None:
            flat[...] = clip_by_value({"": flat}, penalties.clip_value, xp=np)[""]
        if penalties.clip_norm is not None:
            flat[...] = clip_by_global_norm({"": flat}, penalties.clip_norm, xp=np)[""]

    def _one_by_one(self, learning_rate: float, step: int) -> None:
        """An optimizer that looks at a whole parameter at once."""
        buffers = self._buffers
        for name, view in buffers.views.items():
            state = {slot: views[name] for slot, views in buffers.slot_views.items()}
            fresh, new = self._plan.optimizer.update(
                buffers.gradient_views[name], state, view, learning_rate=learning_rate, step=step, xp=np
            )
            view[...] = fresh
            for slot, array in state.items():
                np.copyto(array, new[slot])


def _module(plan: StepPlan) -> str:
    return str(plan.optimizer.update.__module__)


def _rule(plan: StepPlan) -> FlatUpdate:
    make = RULES.get(_module(plan))
    found = make(plan) if make is not None else None
    return found or _by_its_function(plan)


def _by_its_function(plan: StepPlan) -> FlatUpdate:
    update = plan.optimizer.update

    def rule(
        parameters: Matrix, gradients: Matrix, slots: Mapping[str, Matrix], learning_rate: float, step: int
    ) -> None:
        for start in range(0, parameters.size, CHUNK):
            part = slice(start, start + CHUNK)
            state = {slot: flat[part] for slot, flat in slots.items()}
            fresh, new = update(gradients[part], state, parameters[part], learning_rate=learning_rate, step=step, xp=np)
            parameters[part] = fresh
            for slot, array in state.items():
                np.copyto(array, new[slot])

    return rule


def _sgd(plan: StepPlan) -> FlatUpdate | None:
    momentum, nesterov = plan.optimizer.options["momentum"], plan.optimizer.options["nesterov"]
    if momentum:
        return None if nesterov else _with_momentum(plan, momentum)

    def rule(
        parameters: Matrix, gradients: Matrix, slots: Mapping[str, Matrix], learning_rate: float, step: int
    ) -> None:
        rate[...] = learning_rate
        _in_pieces(move, parameters, gradients)

    rate = _number(plan)

    def move(p: Matrix, g: Matrix) -> None:
        np.multiply(g, rate, g)
        np.subtract(p, g, p)

    return rule


def _in_pieces(move: Callable[..., None], *flats: Matrix) -> None:
    """``move`` flat arrays of one length, a piece at a time that stays in a cache."""
    size = flats[0].size
    if size <= CHUNK:  # to take a slice costs as much as to move a hundred parameters
        move(*flats)
        return
    for start in range(0, size, CHUNK):
        part = slice(start, start + CHUNK)
        move(*(flat[part] for flat in flats))


def _number(plan: StepPlan, value: float = 0.0) -> Matrix:
    """A number as an array without axes, which a ufunc takes in half the time that it takes a number of Python's."""
    return np.asarray(value, plan.network.dtype)


def _with_momentum(plan: StepPlan, momentum: float) -> FlatUpdate:
    keep, rate = _number(plan, momentum), _number(plan)

    def rule(
        parameters: Matrix, gradients: Matrix, slots: Mapping[str, Matrix], learning_rate: float, step: int
    ) -> None:
        rate[...] = learning_rate
        _in_pieces(move, parameters, gradients, slots["velocity"])

    def move(p: Matrix, g: Matrix, v: Matrix) -> None:
        np.multiply(v, keep, v)
        np.add(v, g, v)
        np.multiply(v, rate, g)
        np.subtract(p, g, p)

    return rule


def _adam(plan: StepPlan) -> FlatUpdate | None:
    options = plan.optimizer.options
    if options["amsgrad"] or options["eps_inside_sqrt"] or options["eps_hat"]:
        return None
    beta1, beta2, eps = options["beta1"], options["beta2"], options["eps"]
    keep1, keep2, offset, scale = _number(plan, beta1), _number(plan, beta2), _number(plan), _number(plan)

    def rule(
        parameters: Matrix, gradients: Matrix, slots: Mapping[str, Matrix], learning_rate: float, step: int
    ) -> None:
        weight = (1.0 - beta2**step) / (1.0 - beta2)
        scale[...] = learning_rate * (1.0 - beta1) / (1.0 - beta1**step) * weight**0.5
        offset[...] = eps * weight**0.5
        _in_pieces(move, parameters, gradients, slots["gradient_sum"], slots["square_sum"])

    def move(p: Matrix, g: Matrix, m: Matrix, v: Matrix) -> None:
        np.multiply(m, keep1, m)
        np.add(m, g, m)
        np.multiply(g, g, g)
        np.multiply(v, keep2, v)
        np.add(v, g, v)
        np.sqrt(v, g)
        np.add(g, offset, g)
        np.divide(m, g, g)
        np.multiply(g, scale, g)
        np.subtract(p, g, p)

    return rule


RULES: dict[str, Callable[[StepPlan], FlatUpdate | None]] = {
    "polydnn.optimizers.sgd": _sgd,
    "polydnn.optimizers.adam": _adam,
}
"""By the module of the update function; adamw's is adam's, for decoupled decay is the step's own business."""
