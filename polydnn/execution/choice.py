"""Which executor runs a fit: the fastest one offered that agrees with the reference step on the first batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from polydnn.errors import InvalidArgumentError, did_you_mean
from polydnn.execution.plan import Key, OptimizerState, Step, StepPlan
from polydnn.execution.reference import reference_step
from polydnn.types import Array, Parameters

__all__ = ["TOLERANCE", "Batch", "Candidate", "Choice", "choose"]

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
"""Largest difference allowed between an executor and the reference, relative to the largest element of each array."""

StepFactory: TypeAlias = Callable[[StepPlan], Step]


@dataclass(frozen=True)
class Candidate:
    """An executor that may be tried: its name and what builds its step from a plan (or raises where it cannot)."""

    name: str
    build: StepFactory


@dataclass(frozen=True)
class Batch:
    """The first batch of a fit, with everything a step needs besides."""

    parameters: Parameters
    optimizer_state: OptimizerState
    x: Array
    y: Array
    learning_rate: float
    key: Key
    weights: Array | None = None

    def run(self, step: Step) -> tuple[Parameters, OptimizerState, Array]:
        """What ``step`` makes of this batch."""
        return step(
            self.parameters, self.optimizer_state, self.x, self.y, self.learning_rate, self.key, weights=self.weights
        )


@dataclass(frozen=True)
class Choice:
    """The step that was chosen, its executor's name, and a sentence for every candidate that was passed over."""

    name: str
    step: Step
    reasons: tuple[str, ...] = ()


def choose(plan: StepPlan, batch: Batch, candidates: Sequence[Candidate], execution: str = "auto") -> Choice:
    """The step for a fit.

    ``execution`` is "reference", "auto" (candidates in their order, the reference where none serves) or a candidate's
    name. A candidate that cannot be built, fails, or differs from the reference beyond TOLERANCE is passed over with
    the reason. Raises InvalidArgumentError for a name that is no candidate.
    """
    reference = reference_step(plan)
    if execution == "reference":
        return Choice("reference", reference)
    names = [candidate.name for candidate in candidates]
    if execution not in ("auto", *names):
        possible = ["auto", "reference", *names]
        msg = f"execution must be one of {', '.join(possible)}, found {execution!r}." + did_you_mean(
            str(execution), possible
        )
        raise InvalidArgumentError(msg)
    reasons: list[str] = []
    for candidate in candidates:
        if execution not in ("auto", candidate.name):
            continue
        try:
            step = candidate.build(plan)
            reason = _difference(plan, batch.run(reference), batch.run(step))
        except Exception as error:  # an executor is an optimization: whatever goes wrong in it, the reference goes on
            reason = f"{type(error).__name__}: {error}"
        if reason is None:
            return Choice(candidate.name, step, tuple(reasons))
        reasons.append(f"executor {candidate.name!r} is not used: {reason}")
    return Choice("reference", reference, tuple(reasons))


def _difference(
    plan: StepPlan,
    expected: tuple[Parameters, OptimizerState, Array],
    found: tuple[Parameters, OptimizerState, Array],
) -> str | None:
    """The first array of ``found`` that departs from ``expected``, in words; None where all agree."""
    tolerance = TOLERANCE[plan.network.dtype]
    for name, wanted, got in _pairs(expected, found):
        a, b = plan.backend.to_numpy(wanted), plan.backend.to_numpy(got)
        if a.shape != b.shape:
            return f"{name} has shape {b.shape} where the reference has {a.shape}"
        scale = max(float(np.max(np.abs(a), initial=0.0)), 1e-8)
        gap = float(np.max(np.abs(a - b), initial=0.0)) / scale
        if not gap <= tolerance and np.isfinite(a).all():
            return f"{name} differs from the reference by {gap:.1e}, more than {tolerance:.0e} of its largest element"
    return None


def _pairs(
    expected: tuple[Parameters, OptimizerState, Array], found: tuple[Parameters, OptimizerState, Array]
) -> list[tuple[str, Array, Array]]:
    rows = [("the loss", expected[2], found[2])]
    rows += [(name, array, found[0][name]) for name, array in expected[0].items()]
    for name, state in expected[1].items():
        rows += [(f"{name} {slot}", array, found[1][name][slot]) for slot, array in state.items()]
    return rows
