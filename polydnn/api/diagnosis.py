"""Everything that ``polydnn doctor`` reports, as plain values."""

from dataclasses import asdict
from typing import Any

from polydnn.api.backends import ENVIRONMENT_VARIABLE, BackendStatus, backends, get_backend
from polydnn.arrays import machine_report
from polydnn.arrays.advice import Advice
from polydnn.errors import PolydnnError
from polydnn.registry import default_registry, executor_entries

__all__ = ["diagnose"]


def diagnose() -> dict[str, Any]:
    """The machine report with the state of every backend, for ``json.dumps``.

    To the keys of ``machine_report`` it adds ``backends``, a list with name, available, device, reason and install,
    ``default_backend``, the name of the one that is used where none is named, None where that one cannot be used, and
    ``executors``, a list with name, the backends each is for (all where there are none), and a summary.

    >>> diagnose()["default_backend"]
    'numpy'
    """
    report = machine_report()  # first, while NumPy's BLAS is the only one that is loaded
    found = backends()
    default, advice = _default_backend()
    report["backends"] = [asdict(status) for status in found]
    report["default_backend"] = default
    report["executors"] = _executors()
    report["warnings"] += [each.record() for each in (*advice, *_missing_gpu(report["gpu"], found))]
    return report


def _executors() -> list[dict[str, Any]]:
    """What may compute the steps, the reference first."""
    found: list[dict[str, Any]] = [{"name": "reference", "backends": [], "summary": "The step every other is held to."}]
    for entry in executor_entries():
        spec: Any = entry.spec
        name = default_registry().address(entry)
        found.append({"name": name, "backends": list(spec.backends), "summary": spec.summary})
    return found


def _default_backend() -> tuple[str | None, list[Advice]]:
    try:
        return get_backend().name, []
    except PolydnnError as error:
        remedy = f"set {ENVIRONMENT_VARIABLE} to a backend that works, or unset it"
        return None, [Advice("backends", str(error), remedy)]


def _missing_gpu(gpu: dict[str, Any], found: list[BackendStatus]) -> list[Advice]:
    """A driver is there, and no backend uses the GPU."""
    if not gpu["driver_cuda"] or any(each.available and each.name in ("cupy", "torch:cuda") for each in found):
        return []
    text = f"there is an NVIDIA driver for CUDA {gpu['driver_cuda']}, and no backend that works on the GPU."
    return [Advice("backends", text, gpu["install"])]
