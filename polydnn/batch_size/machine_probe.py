"""What the machine can do, measured: its caches, bandwidth and arithmetic, apart from what it says of itself."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from polydnn.arrays import Backend, available_memory, machine_report, numpy_backend
from polydnn.arrays.caches import Cache, believable_bytes, read_caches
from polydnn.batch_size.cache_sizes import CacheSize, settle_caches
from polydnn.batch_size.cache_sweep import bandwidth_curve, latency_curve, sweep_sizes
from polydnn.batch_size.knees import find_knees
from polydnn.types import Array

__all__ = ["peak_gigaflops", "probe_machine"]

BUDGET = 3.0
SHARES = {"bandwidth": 0.5, "latency": 0.2, "arithmetic": 0.15}  # of the budget
BEYOND = 3  # times the outermost believable cache: far enough to see the level of main memory
UNKNOWN_CACHE = 64 * 2**20
LARGEST = 2**29


def probe_machine(
    backend: Backend, *, dtype: str = "float32", seconds: float = BUDGET, overrides: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """The record's ``machine``: caches (detected, measured, used), bandwidth, latency, peaks, load and warnings.

    On the processor the sweep runs on NumPy whatever the backend, since the caches are the same; on a device it runs
    there. ``seconds`` bounds the time spent roughly; ``overrides`` are sizes in bytes by level, which win over both.
    """
    report = machine_report(gpu=False)
    detected = _detected(backend)
    sizes = sweep_sizes(_largest(backend, detected))
    sweeping = numpy_backend() if backend.on_host else backend
    bandwidth = bandwidth_curve(sweeping, sizes, seconds * SHARES["bandwidth"])
    latency = latency_curve(sizes, seconds * SHARES["latency"]) if backend.on_host else []
    caches = settle_caches(
        detected,
        _knees(bandwidth, latency),
        virtual=backend.on_host and bool(report["cpu"]["virtual_machine"]),
        processors=os.cpu_count() if backend.on_host else None,
        overrides=overrides,
    )
    return {
        "cpu": report["cpu"]["model"],
        "device": {"name": backend.device_name(), **backend.processors()},
        "caches": [cache.record() for cache in caches],
        "bandwidth": bandwidth,
        "latency": latency,
        "peak_gigaflops": peak_gigaflops(backend, dtype, seconds * SHARES["arithmetic"]),
        "peak_gigabytes_per_second": max(row["gigabytes_per_second"] for row in bandwidth),
        "load_average": report["load_average"] or [],
        "warnings": [*_cache_warnings(caches), *_other_warnings(report)],
    }


def _detected(backend: Backend) -> list[Cache]:
    if backend.on_host:
        return read_caches()
    return [Cache(int(name[1]), "Unified", size, source="device") for name, size in backend.caches().items()]


def _largest(backend: Backend, detected: Sequence[Cache]) -> int:
    """Bytes of the largest array: beyond the believable caches, within an eighth of the free memory."""
    outermost = max((believable_bytes(cache) if backend.on_host else cache.size_bytes for cache in detected), default=0)
    free = (available_memory() if backend.on_host else backend.memory_bytes()) or LARGEST
    return max(min(BEYOND * (outermost or UNKNOWN_CACHE), LARGEST, free // 8), 2**20)


def _knees(bandwidth: Sequence[Mapping[str, float]], latency: Sequence[Mapping[str, float]]) -> list[int]:
    """Those of the bandwidth, and of the latency where the bandwidth shows none within a factor of two.

    Streaming is what a training step does, so its knees come first; the innermost cache hides under the cost of a call
    there and shows in the latency alone.
    """
    knees = find_knees(_column(bandwidth, "array_bytes"), _column(bandwidth, "gigabytes_per_second"))
    if latency:
        rates = [1 / each for each in _column(latency, "nanoseconds")]
        more = find_knees(_column(latency, "array_bytes"), rates)
        inside = min(knees, default=math.inf)
        knees = [*(knee for knee in more if 2 * knee < inside), *knees]
    return knees


def _column(rows: Sequence[Mapping[str, float]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def _cache_warnings(caches: Sequence[CacheSize]) -> list[str]:
    texts = []
    for cache in caches:
        if cache.doubt and not cache.overridden:
            end = "the measured size is used" if cache.measured_bytes else "no other size shows; give the true one"
            texts.append(f"{cache.doubt.rstrip('.')}; {end}.")
    return texts


def _other_warnings(report: Mapping[str, Any]) -> list[str]:
    return [f"{each['text']} Remedy: {each['remedy']}." for each in report["warnings"] if each["topic"] != "caches"]


def peak_gigaflops(backend: Backend, dtype: str, seconds: float) -> float:
    """The best rate of a large square matrix product, in 10^9 operations per second.

    The matrices double while one product takes less than a tenth of ``seconds`` and the next ones fit an eighth of the
    free memory; then the product is repeated until the time is up.
    """
    backend.activate()
    xp, side, best = backend.xp, 256, 0.0
    room = ((available_memory() if backend.on_host else backend.memory_bytes()) or LARGEST) // 8
    deadline = time.perf_counter() + seconds
    while True:
        a = xp.ones((side, side), dtype=backend.dtype(dtype), device=backend.device)
        took = min(_product_seconds(backend, a) for _ in range(2))  # the first one warms it up
        best = max(best, 2 * side**3 / took / 1e9)
        bytes_next = 2 * (2 * side) ** 2 * 8  # the operand and the product, of the widest type
        if took > seconds / 10 or bytes_next > room or time.perf_counter() > deadline:
            break
        side *= 2
    while time.perf_counter() < deadline:
        best = max(best, 2 * side**3 / _product_seconds(backend, a) / 1e9)
    return best


def _product_seconds(backend: Backend, a: Array) -> float:
    return max(backend.seconds(lambda: backend.xp.matmul(a, a)), 1e-9)
