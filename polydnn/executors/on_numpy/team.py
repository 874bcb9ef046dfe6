"""The threads that work beside the caller's, one team of a size for the whole process."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from polydnn.arrays import usable_threads

__all__ = ["parts_of", "together"]

SHARED = 2**18
"""Elements of flat arrays from which on two halves are worked on at the same time."""


def together(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each task gives, the first computed by the caller while the others run beside it."""
    others = [_team(len(tasks) - 1).submit(task) for task in tasks[1:]]
    return [tasks[0](), *(other.result() for other in others)]


def parts_of(size: int) -> list[slice]:
    """The parts of a flat array of ``size`` elements that are worth a thread each."""
    half = size // 2
    return [slice(0, half), slice(half, size)] if size >= SHARED and usable_threads() > 1 else [slice(0, size)]


@cache
def _team(size: int) -> ThreadPoolExecutor:
    """``size`` threads, started when first needed; a forked process starts its own."""
    return ThreadPoolExecutor(max(size, 1), thread_name_prefix="polydnn")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.cache_clear)
