"""The built-in schedules: factors of the learning rate over a fit, each with a linear warm-up where it is asked for.

Lengths (``every``, ``warm_up``) are whole numbers of steps, or floats between 0 and 1: shares of all steps of the fit,
which stay right when the batch size or the number of epochs changes.
"""

import math
from collections.abc import Callable

from polydnn.optimizers._arguments import check_number, check_share_or_steps
from polydnn.optimizers.schedule import Schedule
from polydnn.types import Options

__all__ = ["constant_schedule", "cosine_schedule", "exponential_schedule", "step_schedule"]


def constant_schedule(warm_up: float | int = 0) -> Schedule:
    """1 throughout, after a warm-up that rises as step / warm_up to 1 at its last step.

    Raises InvalidArgumentError for a ``warm_up`` that is neither steps nor a share.
    Source of the warm-up: Goyal et al., *Accurate, large minibatch SGD*, 2017.

    >>> [constant_schedule(warm_up=2).factor(step, 4) for step in (1, 2, 3, 4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    return _warmed("constant", lambda done, total: 1.0, warm_up, {})


def step_schedule(factor: float = 0.1, every: float | int = 1 / 3, warm_up: float | int = 0) -> Schedule:
    """factor^floor(done / every) with done steps behind: the learning rate drops by ``factor`` every so many steps.

    ``factor`` lies in (0, 1]; ``every`` is a number of steps or a share of them all. A warm-up is counted apart: the
    schedule begins after it, and shares in ``every`` are of the steps that then remain. Raises InvalidArgumentError.

    >>> [step_schedule(factor=0.5, every=2).factor(step, 4) for step in (1, 2, 3, 4)]
    [1.0, 1.0, 0.5, 0.5]
    """
    factor = check_number("step_schedule", "factor", factor, "(0, 1]")
    every = check_share_or_steps("step_schedule", "every", every)

    def drop(done: int, total: int) -> float:
        # 10 / (1/3 * 30) must count as one whole drop although it may round to just below
        return factor ** math.floor(done / _length(every, total) + 1e-9)

    return _warmed("step", drop, warm_up, {"factor": factor, "every": every})


def exponential_schedule(factor: float = 0.1, every: float | int = 1 / 3, warm_up: float | int = 0) -> Schedule:
    """factor^(done / every) with done steps behind: the smooth curve through the corners of ``step_schedule``.

    ``factor`` lies in (0, 1]; lengths and errors are those of ``step_schedule``.

    >>> [exponential_schedule(factor=0.25, every=2).factor(step, 4) for step in (1, 2, 3, 4)]
    [1.0, 0.5, 0.25, 0.125]
    """
    factor = check_number("exponential_schedule", "factor", factor, "(0, 1]")
    every = check_share_or_steps("exponential_schedule", "every", every)

    def fall(done: int, total: int) -> float:
        return float(factor ** (done / _length(every, total)))

    return _warmed("exponential", fall, warm_up, {"factor": factor, "every": every})


def cosine_schedule(final: float = 0.0, warm_up: float | int = 0) -> Schedule:
    """final + (1 - final) * (1 + cos(pi * done / total)) / 2 with done of total steps behind, after the warm-up.

    ``final`` in [0, 1] is the factor that would come one step after the last, so that the last step still moves.
    Raises InvalidArgumentError. Source: Loshchilov & Hutter, *SGDR: stochastic gradient descent with warm restarts*,
    2017.

    >>> [round(cosine_schedule().factor(step, 4), 3) for step in (1, 2, 3, 4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    final = check_number("cosine_schedule", "final", final, "[0, 1]")

    def swing(done: int, total: int) -> float:
        return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * min(done / total, 1.0)))

    return _warmed("cosine", swing, warm_up, {"final": final})


def _length(amount: float | int, total: int) -> float:
    """A length in steps, from steps or from a share of ``total``."""
    return amount if isinstance(amount, int) else amount * total


def _warmed(name: str, curve: Callable[[int, int], float], warm_up: float | int, options: Options) -> Schedule:
    """``curve(done, total)`` behind a linear warm-up; both count the steps after the warm-up only."""
    warm_up = check_share_or_steps(f"{name}_schedule", "warm_up", warm_up, zero=True)

    def factor(step: int, total_steps: int) -> float:
        warm_steps = round(_length(warm_up, total_steps))
        if step <= warm_steps:
            return step / warm_steps
        return curve(step - 1 - warm_steps, max(total_steps - warm_steps, 1))

    return Schedule(name, factor, {**options, "warm_up": warm_up})
