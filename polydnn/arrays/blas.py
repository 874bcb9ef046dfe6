"""The linear algebra libraries behind NumPy's matrix products, as they are loaded in this process."""

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

__all__ = ["BlasLibrary", "blas_libraries", "kernel_level"]

KERNELS = {
    "avx512": {"skylakex", "cooperlake", "sapphirerapids"},
    "avx2": {"haswell", "zen", "excavator"},
    "avx": {"sandybridge", "bulldozer", "piledriver", "steamroller"},
    "sse": {"prescott", "core2", "penryn", "dunnington", "nehalem", "atom", "nano", "barcelona", "bobcat", "opteron"},
}
"""OpenBLAS's names of processors, by the vector instructions that the kernels written for them use."""


@dataclass(frozen=True)
class BlasLibrary:
    """One loaded library; ``architecture`` is the processor whose kernels it chose, where it tells."""

    name: str
    version: str | None
    architecture: str | None
    threads: int | None
    threading_layer: str | None = None
    file: str = ""

    def record(self) -> dict[str, Any]:
        """The library as plain values, for reports."""
        return asdict(self)


def blas_libraries(pools: list[dict[str, Any]] | None = None) -> list[BlasLibrary]:
    """The BLAS libraries loaded now, NumPy's first; ``pools`` are those that threadpoolctl finds, unless given.

    A library that threadpoolctl does not know (Apple's Accelerate) is taken from NumPy's build record, without threads.
    """
    if pools is None:
        from threadpoolctl import threadpool_info  # costs milliseconds that "import polydnn" need not spend

        pools = threadpool_info()
    found = [_from_pool(pool) for pool in pools if pool.get("user_api") == "blas"]
    return sorted(found, key=lambda library: "numpy" not in library.file) or [_from_build_record()]


def kernel_level(library: BlasLibrary) -> str | None:
    """The vector instructions of the chosen kernels ("avx512", "avx2", "avx", "sse"), None where that is not known.

    >>> kernel_level(BlasLibrary("openblas", "0.3.31", "Haswell", 2))
    'avx2'
    """
    if library.name != "openblas" or not library.architecture:
        return None
    chosen = library.architecture.lower()
    return next((level for level, names in KERNELS.items() if chosen in names), None)


def _from_pool(pool: dict[str, Any]) -> BlasLibrary:
    return BlasLibrary(
        name=str(pool.get("internal_api")),
        version=pool.get("version"),
        architecture=pool.get("architecture"),
        threads=pool.get("num_threads"),
        threading_layer=pool.get("threading_layer"),
        file="/".join(PurePath(pool.get("filepath", "")).parts[-2:]),
    )


def _from_build_record() -> BlasLibrary:
    record: Any = np.show_config(mode="dicts")
    blas = record.get("Build Dependencies", {}).get("blas", {})
    return BlasLibrary(str(blas.get("name", "unknown")), blas.get("version"), None, None)
