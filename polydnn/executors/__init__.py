"""Executors made for one array library each: the reference step, faster; each is imported when a plan first asks."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from polydnn.execution.executor import Executor
    from polydnn.execution.plan import StepPlan
    from polydnn.executors.on_numpy.updates import FlatUpdate

__all__ = ["cupy_executor", "jax_executor", "numpy_executor", "torch_flat_executor", "torch_graph_executor"]


def cupy_executor(plan: "StepPlan") -> "Executor":
    """Whole steps captured as CUDA graphs, products by cublasLt, on CuPy."""
    from polydnn.executors.on_cupy import cupy_executor as make

    return make(plan)


def jax_executor(plan: "StepPlan") -> "Executor":
    """The reference step compiled by JAX's jit, bundles of steps as one compiled loop."""
    from polydnn.executors.on_jax import JaxExecutor

    return JaxExecutor(plan)


def numpy_executor(plan: "StepPlan", rule: "FlatUpdate | None" = None) -> "Executor":
    """Flat buffers made once, products by the fastest BLAS routine, updates in place, on NumPy.

    A plugin may give the rule that moves the parameters: ``rule(parameters, gradients, slots, learning_rate, step)`` on
    flat arrays, in place, slots by name; two parts of them may be worked on at the same time.
    """
    from polydnn.executors.on_numpy.executor import NumpyExecutor

    return NumpyExecutor(plan, rule)


def torch_flat_executor(plan: "StepPlan") -> "Executor":
    """One update of all parameters laid end to end, on torch on a CPU, for small networks."""
    from polydnn.executors.on_torch import TorchFlatExecutor

    return TorchFlatExecutor(plan)


def torch_graph_executor(plan: "StepPlan") -> "Executor":
    """The whole step as one captured CUDA graph, on torch."""
    from polydnn.executors.on_torch import TorchGraphExecutor

    return TorchGraphExecutor(plan)
