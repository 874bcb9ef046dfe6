"""How much memory arrays take at their most, and whether an error means that there was not enough."""

import tracemalloc
from collections.abc import Callable

__all__ = ["memory_ran_out", "traced_peak"]

SAID = ("can't allocate memory", "out of memory", "RESOURCE_EXHAUSTED", "array is too big", "Maximum allowed")


def memory_ran_out(error: BaseException) -> bool:
    """Whether an allocation failed: array libraries raise other classes than MemoryError for it.

    >>> memory_ran_out(RuntimeError("CUDA error: out of memory")), memory_ran_out(RuntimeError("misaligned address"))
    (True, False)
    """
    return isinstance(error, MemoryError) or any(each in str(error) for each in SAID)


def traced_peak(run: Callable[[], object]) -> int:
    """The most bytes that ``run()`` held at one time, as Python and NumPy allocate them; tracing slows it down."""
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        run()
        return max(tracemalloc.get_traced_memory()[1] - before, 0)
    finally:
        if ours:
            tracemalloc.stop()
