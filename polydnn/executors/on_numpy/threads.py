"""How many threads the products of a step get: all, or one where another process keeps a core busy.

Two threads that wait for each other on a busy core take a hundred times as long as one. Nobody can tell beforehand, so
both are tried now and then on real steps. Only products that round alike with any number of threads are used (see
``products``), so that the bits of a run do not depend on who else was at work.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from polydnn.executors.on_numpy.blas import Blas

__all__ = ["ThreadPace"]

TRIAL_STEPS = 2
SHORTEST, LONGEST = 0.25, 20.0
"""Seconds between two trials of the number that is not in use: few while it is near, many where it was far behind."""

FAR = 1.5


class ThreadPace:
    """Sets the threads before a step and learns from how long it took."""

    def __init__(self, libraries: Sequence[Blas], clock: Callable[[], float] = time.perf_counter) -> None:
        self._libraries = libraries
        self._all = {blas: blas.threads for blas in libraries}
        self.most = max(self._all.values(), default=1)
        self._clock = clock
        self._best: dict[bool, float] = {}
        self._single = False
        self._trial = 0
        self._interval, self._due = SHORTEST, 0.0
        self._rows = 0

    @property
    def single(self) -> bool:
        """Whether the next step gets one thread."""
        return self._single != (self._trial > 0)

    def begin(self, rows: int) -> float | None:
        """Set the threads of the next step, of ``rows`` rows; the time on the clock. None where there is no choice.

        Batches of another size than the first, the last of an epoch say, teach nothing.
        """
        self._rows = self._rows or rows
        if self.most <= 1:
            return None
        if rows == self._rows:
            self._plan()
            for blas, count in self._all.items():
                wanted = 1 if self.single else count
                if blas.threads != wanted:
                    blas.threads = wanted
            return self._clock()
        return None

    def end(self, begun: float) -> None:
        """Learn how long the step took."""
        now = self._clock()
        seconds, single = now - begun, self.single
        if self._trial:
            self._best[single] = min(seconds, self._best[single]) if self._trial < TRIAL_STEPS else seconds
            self._trial -= 1
            if not self._trial:
                self._judge(now)
            return
        before = self._best.get(single, seconds)
        self._best[single] = 0.7 * before + 0.3 * seconds
        if seconds > 3.0 * before:
            self._due = now  # something has changed

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Give every library its threads back at the end of the block."""
        try:
            yield
        finally:
            for blas, count in self._all.items():
                if blas.threads != count:
                    blas.threads = count

    def _plan(self) -> None:
        if not self._trial and self._single in self._best and self._clock() >= self._due:
            self._trial = TRIAL_STEPS

    def _judge(self, now: float) -> None:
        """After a trial: change over where it was faster, and say when the next one is due."""
        current, other = self._best[self._single], self._best[not self._single]
        if other < 0.95 * current:
            self._single = not self._single
            self._interval = SHORTEST
        elif other > FAR * current:
            self._interval = min(2.0 * self._interval, LONGEST)
        else:
            self._interval = SHORTEST
        self._due = now + self._interval
