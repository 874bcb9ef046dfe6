"""How the gradient noise scale moves while a network trains, and its mean over that training.

The cost of a small batch is paid in every step, so over a whole training a mean of the noise scale over the steps takes
the place of B_c (McCandlish et al., *An empirical model of large-batch training*, 2018, who find it to rise as
the loss falls).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from polydnn.batch_size.gradient_moments import gradient_moments
from polydnn.batch_size.noise_paths import mean_over_steps
from polydnn.batch_size.noise_scale import Drift, NoiseScale, estimate
from polydnn.errors import InvalidArgumentError
from polydnn.execution.executor import Executor, executor_of
from polydnn.execution.plan import Key, OptimizerState, StepPlan, first_state
from polydnn.execution.reference import reference_step
from polydnn.training.batches import Rows, epoch_batches
from polydnn.types import Array, Parameters

__all__ = ["follow_noise_scale", "measure_noise_scale"]


def measure_noise_scale(
    plan: StepPlan, parameters: Parameters, rows: Rows, *, seed: int, step: int = 0, examples: int = 4096
) -> NoiseScale:
    """The noise scale at ``parameters``, from up to ``examples`` rows; its drift holds this one point.

    ``rows`` lie on the device, in training's units. L1 and L2 penalties are left out, dropout's masks belong to the
    noise. Nothing of the caller's is changed. Raises InvalidDataError for fewer than eight rows.
    """
    moments = gradient_moments(plan, parameters, rows, seed=seed, step=step, examples=examples)
    found = estimate(moments)
    return replace(found, drift=(Drift(step, moments.loss, found.value, found.interval),))


def follow_noise_scale(
    plan: StepPlan,
    rows: Rows,
    *,
    learning_rate: float,
    batch_size: int,
    seed: int,
    at: Sequence[int] = (0, 10, 100, 1000),
    parameters: Parameters | None = None,
    state: OptimizerState | None = None,
    executor: Executor | None = None,
    examples: int = 4096,
    target_loss: float | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> NoiseScale:
    """Train beside the network, on its own arrays, and measure after each number of steps in ``at``.

    ``value`` of what comes back is the geometric mean over the steps (trapezoids between the measurements), and
    ``interval`` is from their spread about it; ``trace`` and ``squared_norm`` are those of the last measurement,
    ``examples`` all rows looked at. ``parameters`` and ``state`` default to the
    network's and to fresh ones; the caller's arrays, the network and the optimizer stay as they are. Without
    ``executor``, one of the plan, the reference step trains. Training stops once ``go_on`` says no, at least one point
    having been measured; where the loss has come to ``target_loss``, since the noise scale goes on rising after it; and
    where a gradient is no longer finite. Raises InvalidArgumentError unless ``at`` rises from 0 or more, and where no
    gradient at all was finite.
    """
    points = _checked(at)
    parameters = plan.network.arrays if parameters is None else parameters
    trained = executor_of(plan, reference_step(plan)) if executor is None else executor
    trained.load(parameters, first_state(plan) if state is None else state)
    found: list[NoiseScale] = []
    batches = _endless(rows, batch_size, seed, plan)
    done = 0
    for wanted in points:
        while done < wanted and (go_on() or not found):
            done += 1
            x, y, weights = next(batches)
            trained.step(x, y, learning_rate, Key(seed, done), weights)
        if done < wanted or (found and not go_on()):
            break
        measured = measure_noise_scale(plan, trained.read()[0], rows, seed=seed, step=done, examples=examples)
        if not np.isfinite([measured.value, measured.drift[0].loss, measured.trace]).all():
            break
        found.append(measured)
        if target_loss is not None and measured.drift[0].loss <= target_loss:
            break
    if not found:
        msg = f"the gradient is not finite after {done} steps with learning_rate={learning_rate:g}; lower it."
        raise InvalidArgumentError(msg)
    return mean_over_steps(found)


def _checked(at: Sequence[int]) -> list[int]:
    points = [int(each) for each in at]
    if not points or points[0] < 0 or any(later <= earlier for earlier, later in pairwise(points)):
        msg = f"at must be rising numbers of steps from 0 on, found {tuple(at)!r}."
        raise InvalidArgumentError(msg)
    return points


def _endless(rows: Rows, batch_size: int, seed: int, plan: StepPlan) -> Iterator[tuple[Array, Array, Array | None]]:
    epoch = 0
    while True:
        yield from epoch_batches(rows, batch_size, seed, epoch, plan.backend)
        epoch += 1
