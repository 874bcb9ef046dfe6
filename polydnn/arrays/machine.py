"""What can be learnt about this computer without privileges: processor and memory."""

import functools
import os
import platform
from pathlib import Path

from polydnn.arrays.cgroup import cpu_quota, memory_left

__all__ = [
    "available_memory",
    "cpu_flags",
    "cpu_name",
    "physical_cores",
    "total_memory",
    "usable_threads",
    "vector_level",
]

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
TOPOLOGY = Path("/sys/devices/system/cpu")
VECTOR_LEVELS = {
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx2": {"avx2", "fma"},
    "avx": {"avx"},
}


@functools.cache
def cpu_name() -> str:
    """The processor's model name."""
    return _cpuinfo("model name", CPUINFO) or platform.processor() or platform.machine() or "unknown processor"


def cpu_flags(path: Path = CPUINFO) -> frozenset[str]:
    """The processor's instruction sets as Linux lists them ("avx2", "avx512f" ...); empty where it does not."""
    return frozenset((_cpuinfo("flags", path) or _cpuinfo("Features", path)).split())


def vector_level(flags: frozenset[str]) -> str | None:
    """The widest x86 vector instructions among the flags: "avx512", "avx2", "avx" or "sse"; None elsewhere.

    >>> vector_level(frozenset({"sse2", "avx", "avx2", "fma"}))
    'avx2'
    """
    for level, needed in VECTOR_LEVELS.items():
        if needed <= flags:
            return level
    return "sse" if "sse2" in flags else None


def usable_threads() -> int:
    """Processors this process may use: the scheduler's affinity, cut by a container's quota; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return allowed if quota is None else max(1, min(allowed, round(quota)))


def physical_cores(root: Path = TOPOLOGY) -> int | None:
    """Cores of the machine, hardware threads of one core counted once; None where the system does not say."""
    cores = set()
    for name in ("core_cpus_list", "thread_siblings_list"):
        for path in root.glob(f"cpu[0-9]*/topology/{name}"):
            try:
                cores.add(path.read_text().strip())
            except OSError:
                continue
        if cores:
            return len(cores)
    return None


def available_memory() -> int | None:
    """Bytes of main memory that can be had without swapping or breaking a container's limit, None where unknown."""
    free = _meminfo("MemAvailable", MEMINFO)
    left = memory_left()
    known = [each for each in (free, left) if each is not None]
    return min(known) if known else total_memory()


def total_memory() -> int | None:
    """Bytes of main memory in the machine, None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _cpuinfo(key: str, path: Path) -> str:
    try:
        for line in path.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    except OSError:
        pass
    return ""


def _meminfo(key: str, path: Path) -> int | None:
    try:
        for line in path.read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
