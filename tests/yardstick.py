"""How long a piece of work takes beside a known piece of work of the same moment: no test asks for a time in seconds.

A machine may be slow, shared, or both, and it may be so for a while only. So a test says how many times as long as a
yardstick its work may take; both are measured in turns, in processor time, and the least of each counts. The allowed
numbers are at least twice what an idle machine shows.
"""

import gc
import time
from collections.abc import Callable

__all__ = ["ROUNDS", "assert_ratio", "assert_within", "fixed_work", "processor_seconds"]

ROUNDS = 5
"""Turns after which the least times are final; fewer where they are good enough before."""


def fixed_work() -> int:
    """Text, numbers, a dictionary and a sort in pure Python: some 10 ms on a machine of 2024.

    It stands alone, so that its source can be run in another process too.
    """
    counts: dict[str, int] = {}
    for number in range(50_000):
        key = str(number * 7919 % 10_007)
        counts[key] = counts.get(key, 0) + len(key)
    return len(sorted(counts))


def processor_seconds(work: Callable[[], object]) -> float:
    """Seconds of processor time that ``work`` takes, without those of collecting other tests' garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        started = time.process_time()
        work()
        return time.process_time() - started
    finally:
        if was_on:
            gc.enable()


def assert_within(allowed: float, work: Callable[[], object], yardstick: Callable[[], object] = fixed_work) -> None:
    """``work`` takes at most ``allowed`` times the processor time of ``yardstick``; both can be repeated."""
    assert_ratio(allowed, lambda: processor_seconds(work), lambda: processor_seconds(yardstick))


def assert_ratio(allowed: float, measured: Callable[[], float], yardstick: Callable[[], float]) -> None:
    """The least of several ``measured`` is at most ``allowed`` times the least ``yardstick``, taken in turns."""
    least = unit = float("inf")
    for _ in range(ROUNDS):
        least, unit = min(least, measured()), min(unit, yardstick())
        if least <= allowed * unit:
            return
    msg = f"{least:.3g} s are {least / unit:.3g} times the yardstick's {unit:.3g} s; at most {allowed:g} are allowed"
    raise AssertionError(msg)
