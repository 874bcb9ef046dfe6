"""array-api-strict: the standard and nothing else, by default on a device that NumPy cannot see.

Meant for testing: code that runs here calls no function outside the standard and never reaches for the host.
"""

from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["StrictBackend", "strict_backend"]


class StrictBackend(Backend):
    """array-api-strict on one of its simulated devices."""

    library = "array-api-strict"

    def __init__(self, xp: Any, device: str) -> None:
        self.xp = xp
        self.device = xp.Device(device)
        self._device = device
        self._host = xp.Device("CPU_DEVICE")

    @property
    def name(self) -> str:
        return f"{self.library}:{self._device}"

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array.to_device(self._host))

    def owns(self, value: object) -> bool:
        return isinstance(value, type(self.xp.empty(0))) and value.device == self.device

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        array = self.xp.asarray(np.ascontiguousarray(host).reshape(host.shape), device=self.device)
        return array if dtype is None else self.xp.astype(array, dtype, copy=False)


def strict_backend(device: str | None = None) -> StrictBackend:
    """array-api-strict on ``device``: "device1" (the default), "device2" or "CPU_DEVICE"."""
    try:
        import array_api_strict
    except ImportError as error:
        msg = "backend 'array-api-strict' needs the package array-api-strict: pip install 'polydnn[strict]'"
        raise BackendUnavailableError(msg) from error
    try:
        return StrictBackend(array_api_strict, device or "device1")
    except ValueError as error:
        msg = f"backend 'array-api-strict:{device}': no such device; there are CPU_DEVICE, device1 and device2."
        raise BackendUnavailableError(msg) from error
