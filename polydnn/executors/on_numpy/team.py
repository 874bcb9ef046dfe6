"""The threads that work beside the caller's, one team of a size for the whole process."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import cache
from typing import Any

from polydnn.arrays import usable_threads

__all__ = ["parts_of", "together"]

SHARED = 2**18
"""Elements of flat arrays from which on two halves are worked on at the same time."""


def together(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each task gives, the first computed by the caller while the others run beside it.

    All have the caller's context: what NumPy does about numbers that are not finite, for one.
    """
    if len(tasks) == 1:
        return [tasks[0]()]
    team = _team(len(tasks) - 1)
    with team.apart():
        others = [team.submit(copy_context().run, task) for task in tasks[1:]]
        return [tasks[0](), *(other.result() for other in others)]


def parts_of(size: int) -> list[slice]:
    """The parts of a flat array of ``size`` elements that are worth a thread each."""
    half = size // 2
    return [slice(0, half), slice(half, size)] if size >= SHARED and usable_threads() > 1 else [slice(0, size)]


class _Team(ThreadPoolExecutor):
    """Threads that can be kept on other processors than their caller.

    Whenever one thread hands Python's lock to another, Linux is inclined to move the woken one to the processor of its
    waker, and takes some fifty milliseconds to see that an idle one is at hand: until then two are no faster than one.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, thread_name_prefix="polydnn", initializer=self._enter)
        self._places: dict[int, set[int]] = {}

    def _enter(self) -> None:
        self._places[threading.get_native_id()] = set()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Give the caller and each thread processors of their own, and the caller all of its own again at the end."""
        here, threads = _processor(), list(self._places)  # a thread may be entering just now
        allowed = set() if here is None else os.sched_getaffinity(0)
        if here not in allowed or len(allowed) <= len(threads):
            yield
            return
        own, *others = _shares(allowed, here, 1 + len(threads))
        for thread, wanted in zip(threads, others, strict=True):
            if self._places[thread] != wanted:
                self._places[thread] = wanted
                _place(thread, wanted)
        _place(0, own)
        try:
            yield
        finally:
            _place(0, allowed)


def _place(thread: int, processors: set[int]) -> None:
    """Let a thread, or for 0 the caller, run on these; where that is forbidden all goes on as the system likes."""
    with suppress(OSError):
        os.sched_setaffinity(thread, processors)


def _shares(allowed: set[int], here: int, count: int) -> list[set[int]]:
    """The processors in ``count`` parts, ``here`` in the first."""
    order = [here, *sorted(allowed - {here})]
    return [set(order[each::count]) for each in range(count)]


@cache
def _team(size: int) -> _Team:
    """``size`` threads, started when first needed; a forked process starts its own."""
    return _Team(max(size, 1))


@cache
def _asking() -> Callable[[], int] | None:
    """The C library's ``sched_getcpu``, where there is one and threads can be placed."""
    return getattr(ctypes.CDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None


def _processor() -> int | None:
    """The number of the processor that this thread runs on just now, where the system tells."""
    ask = _asking()
    return None if ask is None else ask()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.cache_clear)
