"""Noticing that numbers stopped being finite, without making the device wait, and saying where it began."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from polydnn.arrays import Backend
from polydnn.execution.executor import Executor, all_finite_on_device, all_finite_on_host
from polydnn.execution.plan import OptimizerState, StepPlan
from polydnn.execution.trace import StepInputs, trace_step
from polydnn.types import Array, Parameters

__all__ = ["Found", "all_finite", "find_first", "first_not_finite"]


class Found(NamedTuple):
    """The first step whose loss or parameters are not finite: its number, what it was, and where it began."""

    step: int
    what: str
    value: float
    where: str | None


def all_finite(backend: Backend, losses: Sequence[Array], arrays: Sequence[Array]) -> bool:
    """Whether all losses and all elements of the arrays are finite; one answer is read back."""
    if not all_finite_on_host(loss for loss in losses if isinstance(loss, np.ndarray)):
        return False
    waiting = [*(loss for loss in losses if not isinstance(loss, np.ndarray)), *arrays]
    if backend.looks_are_free:
        return all_finite_on_host(waiting, xp=backend.xp)
    return not waiting or bool(all_finite_on_device(backend.xp, waiting))


def find_first(
    plan: StepPlan, executor: Executor, parameters: Parameters, state: OptimizerState, feed: Iterable[StepInputs]
) -> Found | None:
    """Compute the steps of ``feed`` again until one is not finite; None where, this time, all of them are."""
    executor.load(parameters, state)
    for inputs in feed:
        x, y, weights, rate, key = inputs
        value = float(executor.step(x, y, rate, key, weights))
        after, new_state = executor.read()
        bad = [name for name in after if not _finite(plan.backend, after[name])]
        if bad or not math.isfinite(value):
            what = bad[0] if math.isfinite(value) else "the loss"
            value = _worst(plan.backend, after[bad[0]]) if math.isfinite(value) else value
            return Found(key.step, what, value, first_not_finite(plan, parameters, state, inputs))
        parameters, state = after, new_state
    return None


def first_not_finite(plan: StepPlan, parameters: Parameters, state: OptimizerState, inputs: StepInputs) -> str | None:
    """The first array of a step that is not finite, in words such as "the gradient of layers.1.weight (dense)"."""
    traced = trace_step(plan, parameters, state, inputs)
    for name, array in traced.arrays.items():
        if not _finite(plan.backend, array):
            return _in_words(plan, name)
    return None


def _in_words(plan: StepPlan, name: str) -> str:
    """The name of a traced array as people say it, with the type of its layer."""
    if name == "loss":
        return "the loss, while the output of the last layer is finite"
    owner, _, rest = name.partition(" ")
    index = owner.split(".")[1] if owner.startswith("layers.") else ""
    kind = f" ({plan.network.layers[int(index)].type})" if index else ""
    if rest.endswith("gradient"):
        of = f"the {rest.removesuffix(' gradient')} of " if rest != "gradient" else ""
        return f"the gradient of {of}{owner}{kind}"
    return f"the {rest} of {owner}{kind}" if rest else f"{owner}{kind} after its update"


def _finite(backend: Backend, array: Array) -> bool:
    return bool(backend.xp.all(backend.xp.isfinite(array)))


def _worst(backend: Backend, array: Array) -> float:
    host = np.asarray(backend.to_numpy(array)).reshape(-1)
    return float(host[~np.isfinite(host)][0])
