"""An executor for polydnn that numba compiles: bundles of steps of dense networks, one-pass updates of any other."""

from polydnn import ExecutorSpec, StepPlan, hookimpl
from polydnn.execution import Executor

__all__ = ["numba_executor"]


def numba_executor(plan: StepPlan) -> Executor:
    """The executor for a plan; raises NotImplementedError, with the reason, for one that it does not serve.

    A network of dense layers with polydnn's own functions and at most ``layout.LARGEST`` parameters runs in compiled
    code altogether; of a larger one BLAS multiplies panels of weights, one for each thread. Of any other the NumPy
    executor does what it does, and hands the optimizer's update over.
    """
    try:
        from polydnn_numba.flat import one_pass_executor
        from polydnn_numba.panels import PanelExecutor
        from polydnn_numba.tiny import TinyExecutor
    except ImportError as error:
        msg = f"numba cannot be imported: {error}"
        raise NotImplementedError(msg) from error
    reasons: list[str] = []
    for make in (TinyExecutor, PanelExecutor, one_pass_executor):
        try:
            return make(plan)
        except NotImplementedError as error:
            reasons.append(str(error))
    raise NotImplementedError("; and ".join(dict.fromkeys(reasons)))


@hookimpl
def polydnn_executors() -> list[ExecutorSpec]:
    summary = "Bundles of steps in compiled code, each thread with its own part of the weights."
    return [ExecutorSpec("numba", numba_executor, summary, backends=("numpy",))]
