"""What the NVIDIA driver, the CUDA runtime and the GPUs say of themselves, or why they say nothing."""

import ctypes
import re
import sys
from pathlib import Path
from typing import Any

from polydnn.arrays._cupy import CupyBackend, cuda_version, cupy_backend
from polydnn.arrays.installing import INSTALL
from polydnn.errors import BackendUnavailableError

__all__ = ["cuda_report", "cupy_install", "driver_cuda", "driver_version"]

DRIVER_FILE = Path("/proc/driver/nvidia/version")


def cuda_report() -> dict[str, Any]:
    """Driver, CUDA versions and GPUs, as CuPy sees them; where CuPy does not work, the reason and what to install."""
    report: dict[str, Any] = {"driver": driver_version(), "driver_cuda": driver_cuda()}
    try:
        first = cupy_backend()
    except BackendUnavailableError as error:
        return {"works": False, **report, "reason": str(error), "install": cupy_install(report["driver_cuda"])}
    devices = [_facts(first)]
    for number in range(1, first.device_count()):
        try:
            devices.append(_facts(cupy_backend(str(number))))
        except BackendUnavailableError as error:
            devices.append({"number": number, "reason": str(error)})
    return {"works": True, **report, **first.versions(), "devices": devices}


def _facts(backend: CupyBackend) -> dict[str, Any]:
    properties = backend.properties()
    return {
        "number": backend.device.id,
        "name": backend.device_name(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        **backend.processors(),
        "l2_bytes": backend.caches()["L2"],
        "memory_bytes": int(properties["totalGlobalMem"]),
        "free_bytes": backend.memory_bytes(),
    }


def cupy_install(cuda: str | None) -> str:
    """The command that installs a CuPy for the driver's CUDA version, both where there is no driver yet.

    >>> cupy_install("12.8")
    "pip install 'polydnn[cuda12x]'"
    """
    major = int(cuda.partition(".")[0]) if cuda else 0
    if major >= 13:
        return "pip install 'polydnn[cuda13x]'"
    return "pip install 'polydnn[cuda12x]'" if major == 12 else INSTALL["cupy"]


def driver_version(path: Path = DRIVER_FILE) -> str | None:
    """The NVIDIA driver's version, "580.65.06" say; None where there is no driver or it does not tell."""
    try:
        found = re.search(r"\b(\d{3}\.\d+(?:\.\d+)?)\b", path.read_text())
    except OSError:
        return None
    return found.group(1) if found else None


def driver_cuda() -> str | None:
    """The newest CUDA version that the driver supports, "13.0" say; None without a driver."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        version = ctypes.c_int()
        failed = library.cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return None
    return None if failed else cuda_version(version.value)
