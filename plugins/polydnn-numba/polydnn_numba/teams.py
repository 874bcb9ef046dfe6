"""Threads that run one compiled function side by side and meet in it."""

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np

from polydnn.executors.on_numpy import ThreadPace, together, usable_threads
from polydnn_numba.native import APART

__all__ = ["GIVE_WAY", "Team"]

ALL_PAST = 2**62
"""A count of meetings that no thread waits for."""

_at_work = threading.Lock()


class Team:
    """At most so many threads: as many as are fastest just now, and one while another fit of this process has a team.

    Two teams that wait for each other's threads would wait for ever.
    """

    def __init__(self, most: int, *, single: bool = False) -> None:
        """``single`` says to begin with one thread."""
        self._most = most
        self.threads = min(most, usable_threads())
        self.counters = np.zeros(most * APART, np.int64)
        self._pace = ThreadPace([self], single=single)

    def at_once(self, steps: int) -> int:
        """How many of so many steps to take in the next run: few where another number of threads is tried."""
        return self._pace.at_once(steps)

    def run(self, task: Callable[[int, int], int], rows: int, steps: int) -> int:
        """What ``task(me, threads)`` gives, called for every thread; ``rows`` and ``steps`` say how much is to be done.

        The threads of a task may meet by ``counters``, which are 0 when it begins.
        """
        if self._most == 1:
            return task(0, 1)
        begun = self._pace.begin(rows)
        with self._pace.restored(), _alone(self.threads) as threads:
            taken = self._all_at_once([partial(task, me, threads) for me in range(threads)])
        if begun is not None:
            self._pace.end(begun, steps)
        return taken

    def _all_at_once(self, tasks: list[Callable[[], int]]) -> int:
        """Run all; where one cannot even begin, the others are not left waiting for it."""
        self.counters[...] = 0
        try:
            return int(together(tasks)[0])
        except BaseException:
            self.counters[...] = ALL_PAST
            raise


@contextmanager
def _alone(threads: int) -> Iterator[int]:
    """The threads that may begin: one where another team is at work."""
    alone = threads > 1 and _at_work.acquire(blocking=False)
    try:
        yield threads if alone else 1
    finally:
        if alone:
            _at_work.release()


def _address(name: str) -> int:
    """Where a function of the C library begins; 0 where there is none."""
    with suppress(TypeError, AttributeError):  # TypeError: a system on which the process itself is no library
        return ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value or 0
    return 0


GIVE_WAY = _address("sched_yield")
"""The address of a function that lets others have the processor, or 0."""
