"""CuPy on a CUDA device, accepted only after a probe: CuPy imports happily where it cannot compute."""

from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array

__all__ = ["CupyBackend", "cupy_backend"]

INSTALL = "pip install 'polydnn[cuda12x]' or 'polydnn[cuda13x]', whichever CUDA the driver supports (never both)"


class CupyBackend(Backend):
    """CuPy arrays on one CUDA device."""

    library = "cupy"

    def __init__(self, cupy: Any, xp: Any, number: int) -> None:
        self.xp = xp
        self.device = cupy.cuda.Device(number)
        self._cupy = cupy
        self._number = number

    @property
    def name(self) -> str:
        return "cupy" if self._number == 0 else f"cupy:{self._number}"

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        host: np.ndarray[Any, Any] = self._cupy.asnumpy(array)
        return host

    def owns(self, value: object) -> bool:
        return isinstance(value, self._cupy.ndarray) and value.device == self.device

    def synchronize(self) -> None:
        self.device.synchronize()

    def properties(self) -> dict[str, Any]:
        """What the CUDA runtime says of the device: L2 size, multiprocessors, shared memory ..."""
        found: dict[str, Any] = self._cupy.cuda.runtime.getDeviceProperties(self._number)
        return found

    def device_name(self) -> str:
        name = self.properties()["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def caches(self) -> dict[str, int]:
        return {"L2": int(self.properties()["l2CacheSize"])}

    def memory_bytes(self) -> int | None:
        with self.device:
            return int(self._cupy.cuda.runtime.memGetInfo()[0])

    def _from_host(self, host: np.ndarray[Any, Any], dtype: Any) -> Array:
        with self.device:
            return self._cupy.asarray(host, dtype=dtype)


def cupy_backend(device: str | None = None) -> CupyBackend:
    """CuPy on CUDA device number ``device`` (0 by default), after a probe that computes something.

    Raises BackendUnavailableError with the cause and the command that mends it.
    """
    try:
        import cupy
        from array_api_compat import cupy as xp
    except ImportError as error:
        msg = f"backend 'cupy' needs CuPy: {INSTALL}"
        raise BackendUnavailableError(msg) from error
    number = _device_number(device)
    try:
        _probe(cupy, number)
    except Exception as error:  # the CUDA libraries raise types of their own, ImportError and RuntimeError among them
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        msg = (
            f"backend 'cupy:{number}': CuPy {cupy.__version__} is installed but does not work here ({cause}). "
            f"It needs an NVIDIA driver, a CUDA device and the CUDA libraries: {INSTALL}; 'polydnn doctor' tells more."
        )
        raise BackendUnavailableError(msg) from error
    cupy.cuda.Device(number).use()
    return CupyBackend(cupy, xp, number)


def _device_number(device: str | None) -> int:
    if device is None:
        return 0
    if not device.isdecimal():
        msg = f"backend 'cupy:{device}': a CUDA device is named by its number, as in 'cupy:1'."
        raise BackendUnavailableError(msg)
    return int(device)


def _probe(cupy: Any, number: int) -> None:
    """Ask for the device, compile one kernel, multiply two matrices; whatever is missing raises."""
    count = cupy.cuda.runtime.getDeviceCount()
    if number >= count:
        msg = f"device {number} was asked for, there are {count}"
        raise RuntimeError(msg)
    with cupy.cuda.Device(number):
        ones = cupy.ElementwiseKernel("float32 x", "float32 y", "y = x + 1", "polydnn_probe")(
            cupy.zeros((4, 4), dtype=cupy.float32)
        )
        product = cupy.matmul(ones, ones)
        if float(product[0, 0]) != 4.0:
            msg = f"a matrix product came out wrong: {float(product[0, 0])} instead of 4.0"
            raise RuntimeError(msg)
