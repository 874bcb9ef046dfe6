"""How many threads the products of a step get: all, or one where another process keeps a core busy.

Two threads that wait for each other on a busy core take a hundred times as long as one. Nobody can tell beforehand, so
both are tried now and then on real steps. Only products that round alike with any number of threads are used (see
``products``), so that the bits of a run do not depend on who else was at work.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Protocol

__all__ = ["ThreadPace", "Threaded"]

TRIAL_PARTS, RECENT = 2, 7
"""Parts of a trial at least, and the latest parts whose median counts."""

PART = 0.005
"""Seconds of work of a part, about: one step or bundle, or several in succession until half of that is reached.

Beside a busy process some steps take as long as ever and others thirty times that. The median of single steps would not
show it; of parts it does."""

WAKING = 0.1
"""Seconds until threads that have slept work side by side: a system may wake them where their waker runs, and takes
some fifty milliseconds to see that another processor is idle."""

SHORTEST, LONGEST = 1.0, 20.0
"""Seconds between two trials of the number that is not in use: few while it is near, many where it was far behind."""

FAR, CLEARLY = 1.5, 3.0
"""Times as long as the other: so far behind that a trial need not come back soon, that one trial says enough."""

AGAIN = 0.5
"""Seconds until a trial that was won by less is repeated."""

COST = 10.0
"""The time between two trials in lengths of a trial, at least."""


class Threaded(Protocol):
    """What computes with as many threads as it is set to: a BLAS, or an executor with threads of its own."""

    threads: int


class ThreadPace:
    """Sets the threads before a step and learns from how long it took."""

    def __init__(
        self, libraries: Sequence[Threaded], clock: Callable[[], float] = time.perf_counter, *, single: bool = False
    ) -> None:
        """``single`` says with what to begin: one thread, where all of them gain little and may lose much."""
        self._all = [(each, each.threads) for each in libraries]
        self.most = max((count for _, count in self._all), default=1)
        self._clock = clock
        self._recent: dict[bool, deque[float]] = {each: deque(maxlen=RECENT) for each in (False, True)}
        self._single, self._trying, self._won = single, False, False
        self._last: float | None = None
        self._tried = self._awake = self._due = 0.0
        self._interval = SHORTEST
        self._work, self._steps = 0.0, 0
        self._rows, self._known = 0, False

    @property
    def single(self) -> bool:
        """Whether the next step gets one thread."""
        return self._single != self._trying

    def begin(self, rows: int) -> float | None:
        """Set the threads of the next steps, of ``rows`` rows; the time on the clock.

        None where there is nothing to learn: one thread, or batches of another size than the first, as the last of an
        epoch, which get as many threads as the others just had.
        """
        if self.most <= 1:
            return None
        if not self._rows:
            self._rows = rows
        if rows != self._rows:
            self._set()
            return None
        now = self._clock()
        if self._last is not None and now - self._last > WAKING:
            self._rest(now, now - self._last)
        if self._is_due(now):
            self._try(now)
        self._set()
        return self._clock()

    def at_once(self, steps: int) -> int:
        """How many of a bundle of so many steps to take between ``begin`` and ``end``: few where they are a trial."""
        if self.most <= 1 or not (self._trying or self._is_due(self._clock())):
            return steps
        known = self._recent[self._single]
        return min(steps, max(int(PART / median(known)), 1)) if known and median(known) > 0.0 else steps

    def end(self, begun: float, steps: int = 1) -> None:
        """Learn how long the step took, or so many of them."""
        now, first = self._clock(), self._last is None
        self._last = now
        if first:  # whatever the first call had to prepare teaches nothing
            self._rest(now, 0.0)
        if now <= self._awake:
            return
        self._work, self._steps = self._work + now - begun, self._steps + steps
        if self._work < 0.5 * PART:
            return
        work, taken, recent = self._work, self._work / self._steps, self._recent[self.single]
        self._work, self._steps = 0.0, 0
        if recent and not self._trying and taken > 3.0 * median(recent):
            self._due = now  # something has changed
        recent.append(taken)
        if not self._known:  # as long as nothing is known, a trial is as likely to lose as to win
            self._known, self._due = True, max(self._due, now + COST * work)
        if self._trying and len(recent) >= TRIAL_PARTS:
            self._judge(now)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Give every library its threads back at the end of the block."""
        try:
            yield
        finally:
            for blas, count in self._all:
                if blas.threads != count:
                    blas.threads = count

    def _set(self) -> None:
        for blas, count in self._all:
            wanted = 1 if self.single else count
            if blas.threads != wanted:
                blas.threads = wanted

    def _is_due(self, now: float) -> bool:
        return not self._trying and now >= self._due and len(self._recent[self._single]) >= TRIAL_PARTS

    def _rest(self, now: float, pause: float) -> None:
        """Begin anew after a pause, in which threads have gone to sleep and no trial has come nearer.

        A trial that it broke off counts as made, or where steps are long and pauses frequent there would be no other.
        """
        if self._trying:
            self._due = now - pause + self._interval
        self._trying, self._work, self._steps = False, 0.0, 0
        for recent in self._recent.values():
            recent.clear()
        self._awake = now + WAKING
        self._due = max(self._due + pause, self._awake)

    def _try(self, now: float) -> None:
        """Begin a trial of the number that is not in use; all threads are given the time to wake."""
        self._trying, self._work, self._steps = True, 0.0, 0
        self._recent[self.single].clear()
        self._tried = now
        self._awake = now + (WAKING if self._single else 0.0)

    def _judge(self, now: float) -> None:
        """After a trial: change over where it was faster, and say when the next one is due.

        Less than ``CLEARLY`` faster has to be seen in two trials: a machine that changes its speed between one number's
        turn and the other's makes either look faster.
        """
        self._trying = False
        current, other = median(self._recent[self._single]), median(self._recent[not self._single])
        faster = other < 0.95 * current
        if faster and (self._won or CLEARLY * other < current):
            self._single, self._won = not self._single, False
            self._interval = SHORTEST
        elif faster:
            self._won, self._interval = True, AGAIN
        else:
            self._won = False
            self._interval = min(max(2.0 * self._interval, SHORTEST), LONGEST) if other > FAR * current else SHORTEST
        self._awake = now + (0.0 if self._single else WAKING)
        self._due = now + max(self._interval, COST * (now - self._tried))
