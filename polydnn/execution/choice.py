"""Which executor runs a fit: the fastest one offered that agrees with the reference step on the first batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from polydnn.errors import InvalidArgumentError, did_you_mean
from polydnn.execution.executor import TOLERANCE, Data, Executor, ExecutorFactory, PureExecutor, executor_of
from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.execution.reference import NO_NOISE, back_propagation, reference_step, update_rule
from polydnn.execution.tuning import fastest_made
from polydnn.types import Array, Gradients, Parameters

__all__ = ["TOLERANCE", "Candidate", "Choice", "FirstBatch", "choose"]

TIMED_STEPS, TIMED_WORK = 32, 2**20
"""Executors are timed on a bundle of steps, as a fit runs them, unless each takes long enough by itself."""

NOISE_LEVEL = 1e-3
"""Gradients below this part of an array's largest may be rounding alone; see ``_parameter_gap``."""


@dataclass(frozen=True)
class Candidate:
    """An executor that may be tried: its name, what builds it from a plan, and the libraries it is for (all if none).

    ``build`` raises where it cannot serve a plan; NotImplementedError means that it was not made for such plans, which
    is no news to anybody who did not ask for it.
    """

    name: str
    build: ExecutorFactory
    backends: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class Choice:
    """The executor that was chosen, its name, and a sentence for every candidate that was passed over.

    ``reasons`` are what a user has to know; ``remarks`` tell one who asks why it came so.
    """

    name: str
    executor: Executor
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Expected(NamedTuple):
    """What the reference makes of the first batch."""

    parameters: Parameters
    state: OptimizerState
    loss: Array
    gradients: Gradients


def choose(plan: StepPlan, batch: FirstBatch, candidates: Sequence[Candidate], execution: str = "auto") -> Choice:
    """The executor for a fit.

    ``execution`` is "reference", "auto" (the fastest candidate that agrees, the reference where none does) or a
    candidate's name. One that cannot be built, fails, or differs from the reference beyond TOLERANCE is passed over
    with the reason. Raises InvalidArgumentError for a name that is no candidate.
    """
    reference = PureExecutor(plan, reference_step(plan))
    if execution == "reference":
        return Choice("reference", reference, remarks=("the reference step was asked for",))
    reasons: list[str] = []
    remarks: list[str] = []
    tried = _tried(plan, candidates, execution, reasons)
    expected = _expected(plan, batch) if tried else None
    agreeing: dict[str, Executor] = {}
    for candidate in tried:
        assert expected is not None
        try:
            executor = executor_of(plan, candidate.build(plan))
            loss = batch.run(executor)
            reason = _difference(plan, batch, expected, (*executor.read(), loss), executor.tolerance)
        except NotImplementedError as error:
            (remarks if execution == "auto" else reasons).append(f"executor {candidate.name!r} is not used: {error}")
            continue
        except Exception as error:  # an executor is an optimization: whatever goes wrong in it, the reference goes on
            reason = f"{type(error).__name__}: {error}"
        if reason is None:
            agreeing[candidate.name] = executor
        else:
            reasons.append(f"executor {candidate.name!r} is not used: {reason}")
    if not agreeing:
        why = "no other executor serves this backend and agrees with the reference"
        return Choice("reference", reference, tuple(reasons), (*remarks, why))
    name, why = _fastest(plan, batch, agreeing)
    return Choice(name, agreeing[name], tuple(reasons), (*remarks, why))


def _tried(plan: StepPlan, candidates: Sequence[Candidate], execution: str, reasons: list[str]) -> list[Candidate]:
    """The candidates that ``execution`` means; in "auto" those for the library of the plan.

    Where the one that is named was not made for this library, the experiment has moved to another backend: "auto".
    """
    names = [candidate.name for candidate in candidates]
    if execution not in ("auto", *names):
        possible = ["auto", "reference", *names]
        msg = f"execution must be one of {', '.join(possible)}, found {execution!r}." + did_you_mean(
            str(execution), possible
        )
        raise InvalidArgumentError(msg)
    library = plan.backend.library
    fitting = [candidate for candidate in candidates if not candidate.backends or library in candidate.backends]
    if execution == "auto":
        return fitting
    if named := [candidate for candidate in fitting if candidate.name == execution]:
        return named
    made_for = next(candidate.backends for candidate in candidates if candidate.name == execution)
    reasons.append(f"executor {execution!r} is not used: it is for {', '.join(made_for)}, and the backend is {library}")
    return fitting


def _fastest(plan: StepPlan, batch: FirstBatch, agreeing: dict[str, Executor]) -> tuple[str, str]:
    """The name of the fastest, and how that is known; the answer is kept, so that a second run computes the same."""
    first = next(iter(agreeing))
    if len(agreeing) == 1:
        return first, f"executor {first!r} agrees with the reference"

    rows = int(batch.x.shape[0])
    count = TIMED_STEPS if rows * plan.network.parameter_count() < TIMED_WORK else 1

    def timed(executor: Executor) -> Callable[[], None]:
        def run() -> None:
            batch.steps(executor, count, 1e-3 * batch.learning_rate)  # so many steps on one batch might diverge
            plan.backend.synchronize()

        batch.run(executor)
        return run

    question = {"what": "executor", **plan.describe(), "rows": rows, "steps": count}
    return fastest_made(question, {name: partial(timed, executor) for name, executor in agreeing.items()})


def _expected(plan: StepPlan, batch: FirstBatch) -> Expected:
    rows = batch.x.shape[0]
    noise = plan.noise(batch.key, rows) if any(layer.random for layer in plan.layers) else NO_NOISE
    result = back_propagation(plan)(batch.parameters, batch.x, batch.y, noise, batch.weights)
    gradients = dict(result.gradients)
    parameters, state = update_rule(plan)(
        batch.parameters, batch.optimizer_state, result, batch.learning_rate, batch.key.step
    )
    return Expected(parameters, state, result.loss, gradients)


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
