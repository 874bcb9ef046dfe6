"""One record of the machine and the software: for ``polydnn doctor``, and beside every measurement."""

import os
import platform
from collections.abc import Iterator
from typing import Any

from polydnn.arrays.advice import Advice, blas_advice, environment_advice, load_advice, relevant_environment
from polydnn.arrays.blas import blas_libraries
from polydnn.arrays.caches import Cache, doubt, read_caches
from polydnn.arrays.cgroup import cpu_quota, memory_limit
from polydnn.arrays.cuda import cuda_report
from polydnn.arrays.machine import (
    available_memory,
    cpu_flags,
    cpu_name,
    physical_cores,
    total_memory,
    usable_threads,
    vector_level,
)

__all__ = ["SCHEMA", "machine_report"]

SCHEMA = 1
"""The version of the record's form; it rises when a key changes its meaning."""

PACKAGES = (
    "polydnn",
    "numpy",
    "array-api-compat",
    "array-api-strict",
    "cupy",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "jax",
    "jaxlib",
    "mkl",
    "numba",
    "scipy",
    "threadpoolctl",
    "torch",
)


def machine_report(*, gpu: bool = True) -> dict[str, Any]:
    """Processor, caches, BLAS, memory, load, versions, environment, GPU and warnings, as plain values for JSON.

    Sizes are in bytes (keys end in ``_bytes``). ``gpu=False`` spares the GPU probe, which imports CuPy. Nothing raises:
    what cannot be found out is None, an empty list, or a reason in words.

    >>> machine_report(gpu=False)["cpu"]["usable_threads"] >= 1
    True
    """
    caches, libraries, load = read_caches(), blas_libraries(), _load_average()
    cpu = _cpu()
    advice = [
        *blas_advice(libraries, cpu["vector_instructions"], cpu["usable_threads"], os.environ),
        *environment_advice(os.environ),
        *load_advice(load, cpu["usable_threads"]),
        *_cache_advice(caches, cpu["virtual_machine"]),
    ]
    return {
        "schema": SCHEMA,
        "cpu": cpu,
        "caches": [cache.record() for cache in caches],
        "blas": [library.record() for library in libraries],
        "memory": {
            "total_bytes": total_memory(),
            "available_bytes": available_memory(),
            "limit_bytes": memory_limit(),
        },
        "load_average": load,
        "software": _software(),
        "environment": relevant_environment(os.environ),
        "gpu": cuda_report() if gpu else None,
        "warnings": [each.record() for each in advice],
    }


def _cpu() -> dict[str, Any]:
    flags = cpu_flags()
    return {
        "model": cpu_name(),
        "machine": platform.machine(),
        "logical_cpus": os.cpu_count(),
        "physical_cores": physical_cores(),
        "usable_threads": usable_threads(),
        "quota": cpu_quota(),
        "vector_instructions": vector_level(flags),
        "virtual_machine": "hypervisor" in flags,
    }


def _software() -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "packages": packages,
    }


def _load_average() -> list[float] | None:
    try:
        return [round(each, 2) for each in os.getloadavg()]
    except (AttributeError, OSError):
        return None


def _cache_advice(caches: list[Cache], virtual: bool) -> Iterator[Advice]:
    if not any(cache.level >= 2 for cache in caches):
        silent = "the system does not tell the sizes of this processor's caches."
        remedy = "read them in its data sheet; here, advice on batch sizes rests on timings alone"
        yield Advice("caches", silent, remedy)
    for cache in caches:
        text = doubt(cache, virtual=virtual, processors=os.cpu_count())
        if text:
            yield Advice("caches", text, "trust the timings of 'polydnn batch-size' rather than this size")
