"""Noticing that numbers stopped being finite, without making the device wait, and saying where it began."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from polydnn.arrays import Backend
from polydnn.execution.plan import OptimizerState, Step, StepPlan
from polydnn.execution.trace import StepInputs, trace_step
from polydnn.types import Array, Parameters

__all__ = ["READ_BACK", "Found", "Watch", "find_first", "first_not_finite"]

READ_BACK = 100
"""Steps between two looks, unless the user says otherwise: reading a device waits for all steps before it."""


class Found(NamedTuple):
    """The first step whose loss or parameters are not finite: its number, what it was, and where it began."""

    step: int
    what: str
    value: float
    where: str | None


class Watch:
    """Looks at losses and parameters every ``every`` steps, and on the host at the loss of each step besides.

    A parameter that is not finite spoils the loss of the next step, so that on the host it is noticed within one; to
    look at all parameters after every step would cost more than a small network's step.

    On a device the losses since the last look are kept where they are, which costs nothing, and come back in one
    transfer, so that the very step is known whenever it is looked. ``parameters`` and ``state`` are those of the last
    look: the steps since can be computed again from them.
    """

    def __init__(self, backend: Backend, every: int | None) -> None:
        self._backend = backend
        self._on_host = backend.library == "numpy"
        self.every = every or READ_BACK
        self._losses: list[Array] = []

    def start(self, parameters: Parameters, state: OptimizerState) -> None:
        """Everything is well up to here."""
        self.parameters, self.state = parameters, state
        self._losses.clear()

    @property
    def waiting(self) -> int:
        """How many steps nobody has looked at."""
        return len(self._losses)

    def note(self, loss: Array) -> None:
        """Keep the loss of a step, in any positive multiple, for the next look."""
        self._losses.append(loss)

    def due(self, step: int, loss: Array) -> bool:
        """Whether to look now: at the end of an interval, or at once where the host sees that a loss is not finite."""
        return step % self.every == 0 or (self._on_host and not math.isfinite(loss))

    def all_finite(self, parameters: Mapping[str, Array], names: Iterable[str]) -> bool:
        """Whether all losses since the last look and the named parameters are finite."""
        if not self._losses:
            return True
        if self._on_host:
            return all(map(math.isfinite, self._losses)) and _finite_on_host(parameters[name] for name in names)
        xp = self._backend.xp
        good = [xp.isfinite(xp.stack(self._losses))]
        good += [xp.all(xp.isfinite(parameters[name])) for name in names]
        return bool(xp.all(xp.stack([xp.all(good[0]), *good[1:]])))


def _finite_on_host(arrays: Iterable[np.ndarray[Any, Any]]) -> bool:
    """Whether all elements are finite; their sum of squares says so in one pass of BLAS, unless it overflows."""
    return all(math.isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all()) for array in arrays)


def find_first(
    plan: StepPlan, step: Step, parameters: Parameters, state: OptimizerState, feed: Iterable[StepInputs]
) -> Found | None:
    """Compute the steps of ``feed`` again until one is not finite; None where, this time, all of them are."""
    for inputs in feed:
        x, y, weights, rate, key = inputs
        after, new_state, loss = step(parameters, state, x, y, rate, key, weights)
        value = float(loss)
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
