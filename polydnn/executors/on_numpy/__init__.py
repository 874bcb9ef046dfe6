"""Steps on NumPy, and what an executor of another package can use of them: BLAS, threads, what is measured once."""

from polydnn.arrays import usable_threads
from polydnn.execution.tuning import fastest_made
from polydnn.executors.on_numpy.blas import Blas, libraries, thread_limit
from polydnn.executors.on_numpy.buffers import aligned
from polydnn.executors.on_numpy.team import together
from polydnn.executors.on_numpy.threads import ThreadPace

__all__ = [
    "Blas",
    "ThreadPace",
    "aligned",
    "fastest_made",
    "libraries",
    "thread_limit",
    "together",
    "usable_threads",
]
