"""Whether an executor computes what the reference computes: one step on the first batch of a fit, array by array."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from polydnn.execution.executor import Data, Executor
from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.execution.reference import NO_NOISE, back_propagation, update_rule
from polydnn.types import Array, Gradients, Parameters

__all__ = ["Expected", "FirstBatch", "disagreement", "expected_of"]

NOISE_LEVEL = 1e-3
"""Gradients below this part of an array's largest may be rounding alone; see ``_parameter_gap``."""

FEW_ROWS = 64
"""So few rows hardly ever have a pre-activation so near 0 that rounding decides on which side it lies."""

KINKS = 0.05
"""What such decisions may change in a whole batch: part of the root mean square of the step."""


@dataclass(frozen=True)
class FirstBatch:
    """The first batch of a fit, with everything a step needs besides.

    Where a fit gathers ``bundles`` of batches an executor is run as it will be then: ``steps`` may be another program.
    """

    parameters: Parameters
    optimizer_state: OptimizerState
    x: Array
    y: Array
    learning_rate: float
    key: Key
    weights: Array | None = None
    bundles: bool = False

    def run(self, executor: Executor) -> Array:
        """Let ``executor`` take this step, from the beginning; the loss."""
        executor.load(self.parameters, self.optimizer_state)
        return self.steps(executor, 1, self.learning_rate)

    def steps(self, executor: Executor, count: int, learning_rate: float) -> Array:
        """The first loss of ``count`` steps on this batch, from wherever the executor stands."""
        if not self.bundles:
            losses = [executor.step(self.x, self.y, learning_rate, self.key, self.weights) for _ in range(count)]
            return losses[0]
        backend, rows = executor.plan.backend, self.x.shape[0]
        order: Array = np.tile(np.arange(rows), count)
        if not executor.order_on_host:
            order = backend.asarray(order, dtype=backend.index_dtype)
        data = Data(self.x, self.y, self.weights)
        return executor.steps(data, order, rows, [learning_rate] * count, self.key)[0]

    def head(self, rows: int) -> "FirstBatch":
        """The same with the first ``rows`` of its rows."""
        weights = None if self.weights is None else self.weights[:rows]
        return replace(self, x=self.x[:rows, ...], y=self.y[:rows, ...], weights=weights)


class Expected(NamedTuple):
    """What the reference makes of the first batch."""

    parameters: Parameters
    state: OptimizerState
    loss: Array
    gradients: Gradients


def expected_of(plan: StepPlan, batch: FirstBatch) -> Expected:
    """What the reference makes of the batch."""
    rows = batch.x.shape[0]
    noise = plan.noise(batch.key, rows) if any(layer.random for layer in plan.layers) else NO_NOISE
    result = back_propagation(plan)(batch.parameters, batch.x, batch.y, noise, batch.weights)
    gradients = dict(result.gradients)
    parameters, state = update_rule(plan)(
        batch.parameters, batch.optimizer_state, result, batch.learning_rate, batch.key.step
    )
    return Expected(parameters, state, result.loss, gradients)


def disagreement(executor: Executor, batch: FirstBatch, expected: Expected) -> str | None:
    """Where the executor's step departs from the reference's beyond its tolerance, in words; None where it does not.

    Of a large batch a few pre-activations lie so near 0 that rounding decides whether a relu lets them pass, and then
    the gradients of a unit differ by an example's part. Where a whole batch departs by no more than that, the first few
    rows of it decide.
    """
    plan = executor.plan
    loss = batch.run(executor)
    found = (*executor.read(), loss)
    reason = _difference(plan, batch, expected, found, executor.tolerance)
    if reason is None or batch.x.shape[0] <= FEW_ROWS or not _near(plan, batch, expected, found, executor.tolerance):
        return reason
    few = batch.head(FEW_ROWS)
    loss = few.run(executor)
    return _difference(plan, few, expected_of(plan, few), (*executor.read(), loss), executor.tolerance)


def _difference(
    plan: StepPlan,
    batch: FirstBatch,
    expected: Expected,
    found: tuple[Parameters, OptimizerState, Array],
    tolerance: float,
) -> str | None:
    """The first array of ``found`` that departs from ``expected``, in words; None where all agree."""
    host = plan.backend.to_numpy
    slopes = {name: host(gradient) for name, gradient in expected.gradients.items()}
    steepest = max(map(_largest, slopes.values()), default=0.0)
    level = {name: slope for name, slope in slopes.items() if _largest(slope) <= tolerance * steepest}
    for name, wanted, got in _pairs(expected, found):
        a, b = host(wanted), np.asarray(host(got))
        if a.shape != b.shape:
            return f"{name} has shape {b.shape} where the reference has {a.shape}"
        if name.partition(" ")[0] in level and np.isfinite(b).all():
            continue  # a gradient that is rounding alone, as before batch normalization, says nothing of the executor
        if name in slopes:
            gap = _parameter_gap(a, b, host(batch.parameters[name]), slopes[name])
        else:
            gap = _largest(a - b) / _scale(a)
        if not gap <= tolerance and np.isfinite(a).all():
            return f"{name} differs from the reference by {gap:.1e}, more than {tolerance:.0e} of its largest element"
    return None


def _parameter_gap(a: Any, b: Any, before: Any, gradient: Any) -> float:
    """How far two new values of a parameter lie apart, relative to the largest.

    Adam and its kin take a step of full length for the smallest gradient, so that where a gradient is rounding alone,
    both are right: there a difference of two such steps is none.
    """
    apart = np.abs(a - b)
    noise = np.abs(gradient) <= NOISE_LEVEL * _largest(gradient)
    excused = noise & (apart <= 2.5 * _largest(a - before))
    return _largest(np.where(excused, 0.0, apart)) / _scale(a)


def _largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def _scale(array: Any) -> float:
    return max(_largest(array), 1e-8)


def _pairs(expected: Expected, found: tuple[Parameters, OptimizerState, Array]) -> list[tuple[str, Array, Array]]:
    rows = [("the loss", expected.loss, found[2])]
    rows += [(name, array, found[0][name]) for name, array in expected.parameters.items()]
    for name, state in expected.state.items():
        rows += [(f"{name} {slot}", array, found[1][name][slot]) for slot, array in state.items()]
    return rows


def _near(
    plan: StepPlan,
    batch: FirstBatch,
    expected: Expected,
    found: tuple[Parameters, OptimizerState, Array],
    tolerance: float,
) -> bool:
    """Whether losses agree and arrays differ by a small part of what the step changed, in the root mean square."""
    host = plan.backend.to_numpy
    for name, wanted, got in _pairs(expected, found):
        a, b = host(wanted), np.asarray(host(got))
        if a.shape != b.shape:
            return False
        before = host(batch.parameters[name]) if name in batch.parameters else 0.0
        limit = tolerance * _scale(a) if name == "the loss" else KINKS * _mean_square(a - before) ** 0.5 + 1e-12
        if not _mean_square(a - b) ** 0.5 <= limit:
            return False
    return True


def _mean_square(array: Any) -> float:
    return float(np.mean(np.square(array, dtype=np.float64)))
