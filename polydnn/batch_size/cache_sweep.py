"""How fast memory is for arrays of each size: bytes per second on any backend, and latency where Numba is installed."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from polydnn.arrays import Backend
from polydnn.types import Array

__all__ = ["bandwidth_curve", "latency_curve", "sweep_sizes"]

SMALLEST = 2**14
ROUNDS = 3
TICK = 2e-4  # seconds of one timing: long beside the clock's own cost, short beside a neighbour's burst
LINE = 64
WINDOW = 2**16  # bytes visited in random order before the next: few enough pages for the translation buffer to hold
ATOM = np.dtype(np.float32).itemsize


def sweep_sizes(largest: int, smallest: int = SMALLEST) -> list[int]:
    """Array sizes in bytes, two to the octave, from ``smallest`` to ``largest``, each a whole number of lines.

    >>> sweep_sizes(2**16)
    [16384, 23168, 32768, 46336, 65536]
    """
    steps = math.floor(2 * math.log2(largest / smallest) + 1e-9)
    return [round(smallest * 2 ** (step / 2)) // LINE * LINE for step in range(steps + 1)]


def bandwidth_curve(backend: Backend, sizes: Sequence[int], seconds: float) -> list[dict[str, float]]:
    """Rows of ``array_bytes`` and ``gigabytes_per_second`` for changing the sign of an array in place.

    Read and written bytes both count. Every size is timed in several rounds, in another order each time, and the best
    time stands: whatever else runs on the machine can only make it longer. After ``seconds`` it ends, but the first
    round is always finished. One large array serves all sizes, so nothing but its touching costs time beforehand.
    """
    xp = backend.xp
    backend.activate()
    whole = xp.ones((max(sizes) // ATOM,), dtype=backend.dtype("float32"), device=backend.device)
    best = dict.fromkeys(sizes, math.inf)
    deadline = time.perf_counter() + seconds
    for turn, size in enumerate(size for order in _orders(list(sizes)) for size in order):
        if turn >= len(sizes) and time.perf_counter() > deadline:
            break
        best[size] = min(best[size], _seconds(backend, whole[: size // ATOM], deadline))
    return [{"array_bytes": size, "gigabytes_per_second": 2 * size / best[size] / 1e9} for size in sizes]


def _orders(sizes: list[int]) -> Iterator[list[int]]:
    order = np.random.Generator(np.random.PCG64(0))  # its own: no global random state is touched
    yield sizes  # the first round warms every size on its way up
    for _ in range(ROUNDS * 4):
        yield [sizes[place] for place in order.permutation(len(sizes))]


def _seconds(backend: Backend, part: Array, deadline: float) -> float:
    """The best time of one pass over ``part``: several passes to a timing where one is too short to be timed."""

    def passes(count: int) -> Callable[[], None]:
        def run() -> None:
            array = part
            for _ in range(count):
                array *= -1.0

        return run

    backend.seconds(passes(1))
    once = max(backend.seconds(passes(1)), 1e-9)
    count = max(1, min(4096, math.ceil(TICK / once)))
    best = once
    for _ in range(ROUNDS * 4 if once < 1e-3 else 1):
        best = min(best, backend.seconds(passes(count)) / count)
        if time.perf_counter() > deadline:
            break
    return best


def latency_curve(sizes: Sequence[int], seconds: float) -> list[dict[str, float]]:
    """Rows of ``array_bytes`` and ``nanoseconds`` for one load that waits for the one before; empty without Numba.

    Each cache line holds the place of the next. Sizes are taken as they come, until ``seconds`` are spent;
    compiling, about one second, comes on top.
    """
    chase = _compiled_chase()
    if chase is None:
        return []
    rows: list[dict[str, float]] = []
    deadline = time.perf_counter() + seconds
    for size in sizes:
        if time.perf_counter() > deadline:
            break
        rows.append({"array_bytes": size, "nanoseconds": _load_seconds(chase, size) * 1e9})
    return rows


def _load_seconds(chase: Callable[[Any, int], int], size: int) -> float:
    following = _ring(size)
    loads = max(size // LINE, 2**14)
    chase(following, loads)  # brings it into the caches that can hold it
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        chase(following, loads)
        times.append(time.perf_counter() - started)
    return min(times) / loads


def _ring(size: int) -> np.ndarray[Any, Any]:
    """One closed walk over all cache lines: at random inside a window, window after window."""
    order = np.random.Generator(np.random.PCG64(0))
    lines, window = size // LINE, WINDOW // LINE
    walk = np.concatenate([start + order.permutation(min(window, lines - start)) for start in range(0, lines, window)])
    walk *= LINE // 8  # places are counted in 8-byte words
    following = np.zeros(lines * (LINE // 8), dtype=np.int64)
    following[walk] = np.roll(walk, -1)
    return following


def _compiled_chase() -> Callable[[Any, int], int] | None:
    try:
        import numba
    except Exception:  # a Numba that does not fit this NumPy raises ImportError, SystemError and others; do without
        return None

    def chase(following: Any, loads: int) -> int:
        place = 0
        for _ in range(loads):
            place = following[place]
        return place

    compiled: Callable[[Any, int], int] = numba.njit(chase)
    compiled(_ring(LINE), 1)  # compiled here, not inside the first timing
    return compiled
