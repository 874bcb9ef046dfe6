"""array-api-strict: the standard and nothing else, by default on a device that NumPy cannot see.

Meant for testing: code that runs here calls no function outside the standard and never reaches for the host.
"""

from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.arrays.dtypes import cast_host
from polydnn.arrays.installing import import_library
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["StrictBackend", "strict_backend"]

DEFAULT_DEVICE = "device1"


class StrictBackend(Backend):
    """array-api-strict on one of its simulated devices."""

    library = "array-api-strict"

    def __init__(self, xp: Any, device: str) -> None:
        self.xp = xp
        self.device = xp.Device(device)
        self._device = device
        self._host = xp.Device("CPU_DEVICE")
        self._kind = type(xp.empty(0))

    @property
    def name(self) -> str:
        return self.library if self._device == DEFAULT_DEVICE else f"{self.library}:{self._device}"

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.array(array.to_device(self._host))  # a copy: the standard's arrays are not shared with the host

    def owns(self, value: object) -> bool:
        return isinstance(value, self._kind) and bool(value.device == self.device)

    def device_name(self) -> str:
        return f"simulated device {self._device}"

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        if host.dtype.name == "float16":  # not in the standard
            host = cast_host(host, "float32", "value")
        array = self.xp.asarray(np.array(host, order="C"), device=self.device)
        return array if dtype is None else self.xp.astype(array, dtype, copy=False)


def strict_backend(device: str | None = None) -> StrictBackend:
    """array-api-strict on ``device``: "device1" (the default), "device2" or "CPU_DEVICE"."""
    (array_api_strict,) = import_library("array-api-strict", "array_api_strict")
    try:
        return StrictBackend(array_api_strict, device or DEFAULT_DEVICE)
    except ValueError as error:
        msg = f"backend 'array-api-strict:{device}': no such device; there are CPU_DEVICE, device1 and device2."
        raise BackendUnavailableError(msg) from error
