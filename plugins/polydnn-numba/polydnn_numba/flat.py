"""One pass of an optimizer over flat buffers of any length, for the NumPy executor, which multiplies by BLAS."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import njit

from polydnn import Optimizer, StepPlan
from polydnn.execution import Executor
from polydnn.executors import numpy_executor
from polydnn_numba.compiling import COMPILED, FINGERPRINT, kept
from polydnn_numba.lanes import BYTES
from polydnn_numba.recognition import optimizer_rule
from polydnn_numba.updates import SLOTS, update

__all__ = ["FlatUpdate", "flat_update", "one_pass_executor"]

FlatUpdate = Callable[[Any, Any, Mapping[str, Any], float, int], None]
"""``(parameters, gradients, slots, learning_rate, step)``; parameters and slots are changed where they lie."""


def one_pass_executor(plan: StepPlan) -> Executor:
    """The NumPy executor with a compiled update; raises NotImplementedError where that would gain nothing.

    Plain gradient descent is such a case: the NumPy executor then lets BLAS write into the weights.
    """
    rule = flat_update(plan.optimizer)
    if plan.optimizer.name == "sgd" and not plan.optimizer.options["momentum"]:
        msg = "plain gradient descent has no update to gain on"
        raise NotImplementedError(msg)
    return numpy_executor(plan, rule)


def flat_update(optimizer: Optimizer) -> FlatUpdate:
    """The update of one of polydnn's own optimizers; raises NotImplementedError for any other.

    Parameters, gradients and every slot are flat, of one length and one dtype. NumPy goes over them once for each array
    operation; this reads and writes every number once. It holds no lock of Python's: parts may be updated side by side.
    """
    rule = optimizer_rule(optimizer)
    options = np.asarray(rule.options, np.float64)
    rows = {row: name for name, row in rule.slots.items()}

    def run(parameters: Any, gradients: Any, slots: Mapping[str, Any], learning_rate: float, step: int) -> None:
        held = [slots[rows[row]] if row in rows else parameters for row in range(SLOTS)]
        spare = np.zeros((SLOTS + 2, BYTES // parameters.itemsize), parameters.dtype)
        _over_all(rule.kind, options, parameters, gradients, *held, learning_rate, step, spare)

    return run


def _compiled() -> Callable[..., None]:
    fingerprint = FINGERPRINT

    @kept
    def over_all(kind, options, p, g, slot0, slot1, slot2, rate, step, spare):  # type: ignore[no-untyped-def]
        """Whole vectors where they lie, the rest in ``spare``."""
        _ = fingerprint
        whole = len(p) - len(p) % spare.shape[1]
        if whole > 0:
            update(kind, options, p[:whole], g[:whole], slot0[:whole], slot1[:whole], slot2[:whole], rate, step)
        rest = len(p) - whole
        if rest > 0:
            _copy(p[whole:], spare[0])
            _copy(g[whole:], spare[1])
            _copy(slot0[whole:], spare[2])
            _copy(slot1[whole:], spare[3])
            _copy(slot2[whole:], spare[4])
            update(kind, options, spare[0], spare[1], spare[2], spare[3], spare[4], rate, step)
            _copy(spare[2], slot0[whole:])
            _copy(spare[3], slot1[whole:])
            _copy(spare[4], slot2[whole:])
            _copy(spare[0], p[whole:])  # last: slots that are not there are the parameters

    return over_all


@njit(**COMPILED)
def _copy(a, b):  # type: ignore[no-untyped-def]
    for i in range(min(len(a), len(b))):
        b[i] = a[i]


_over_all = _compiled()
