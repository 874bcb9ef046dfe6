"""Executors made for one array library each: the reference step, faster; each is imported when a plan first asks."""

from polydnn.execution.executor import Executor
from polydnn.execution.plan import StepPlan

__all__ = ["cupy_executor", "jax_executor", "numpy_executor"]


def cupy_executor(plan: StepPlan) -> Executor:
    """Whole steps captured as CUDA graphs, products by cublasLt, on CuPy."""
    from polydnn.executors.on_cupy import cupy_executor as make

    return make(plan)


def jax_executor(plan: StepPlan) -> Executor:
    """The reference step compiled by JAX's jit, bundles of steps as one compiled loop."""
    from polydnn.executors.on_jax import JaxExecutor

    return JaxExecutor(plan)


def numpy_executor(plan: StepPlan) -> Executor:
    """Flat buffers made once, products by the fastest BLAS routine, updates in place, on NumPy."""
    from polydnn.executors.on_numpy.executor import NumpyExecutor

    return NumpyExecutor(plan)
