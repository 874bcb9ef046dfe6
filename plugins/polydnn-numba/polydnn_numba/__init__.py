"""An executor for polydnn that numba compiles: tiny networks, a whole bundle of steps in one call."""

from polydnn import ExecutorSpec, StepPlan, hookimpl
from polydnn.execution import Executor

__all__ = ["numba_executor"]


def numba_executor(plan: StepPlan) -> Executor:
    """The executor for a plan; raises NotImplementedError, with the reason, for one that it does not serve."""
    try:
        from polydnn_numba.tiny import TinyExecutor
    except ImportError as error:
        msg = f"numba cannot be imported: {error}"
        raise NotImplementedError(msg) from error
    return TinyExecutor(plan)


@hookimpl
def polydnn_executors() -> list[ExecutorSpec]:
    return [ExecutorSpec("numba", numba_executor, "tiny networks in compiled code", backends=("numpy",))]
