"""CuPy on a CUDA device, accepted only after a probe: CuPy imports happily where it cannot compute."""

from collections.abc import Callable
from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.arrays.installing import INSTALL, cause_of, import_library, warnings_logged
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["CupyBackend", "cuda_version", "cupy_backend"]


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
        return isinstance(value, self._cupy.ndarray) and bool(value.device == self.device)

    def activate(self) -> None:
        self.device.use()

    def synchronize(self) -> None:
        self.device.synchronize()

    def seconds(self, run: Callable[[], object]) -> float:
        with self.device:
            begin, end = self._cupy.cuda.Event(), self._cupy.cuda.Event()
            begin.record()
            run()
            end.record()
            end.synchronize()
            return float(self._cupy.cuda.get_elapsed_time(begin, end)) / 1000

    def peak_bytes(self, run: Callable[[], object]) -> int | None:
        with self.device:  # the pool gives nothing back by itself, so that it ends as large as it had to be
            pool = self._cupy.get_default_memory_pool()
            pool.free_all_blocks()
            before = int(pool.used_bytes())
            run()
            self.synchronize()
            return max(int(pool.total_bytes()) - before, 0)

    @property
    def on_host(self) -> bool:
        return False

    def properties(self) -> dict[str, Any]:
        """What the CUDA runtime says of the device: L2 size, multiprocessors, shared memory ..."""
        found: dict[str, Any] = self._cupy.cuda.runtime.getDeviceProperties(self._number)
        return found

    def device_name(self) -> str:
        name = self.properties()["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def caches(self) -> dict[str, int]:
        return {"L2": int(self.properties()["l2CacheSize"])}

    def processors(self) -> dict[str, int]:
        told = self.properties()
        return {
            "multiprocessors": int(told["multiProcessorCount"]),
            "shared_bytes_per_multiprocessor": int(told["sharedMemPerMultiprocessor"]),
        }

    def memory_bytes(self) -> int | None:
        with self.device:  # what CuPy's pool holds unused counts as free: the next arrays are made from it
            pooled = int(self._cupy.get_default_memory_pool().free_bytes())
            return int(self._cupy.cuda.runtime.memGetInfo()[0]) + pooled

    def device_count(self) -> int:
        """How many CUDA devices there are."""
        return int(self._cupy.cuda.runtime.getDeviceCount())

    def versions(self) -> dict[str, str]:
        """CuPy's version, and that of the CUDA runtime it uses."""
        runtime = int(self._cupy.cuda.runtime.runtimeGetVersion())
        return {"cupy": str(self._cupy.__version__), "runtime_cuda": cuda_version(runtime)}

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        with self.device:
            return self._cupy.asarray(host, dtype=dtype)


def cupy_backend(device: str | None = None) -> CupyBackend:
    """CuPy on CUDA device number ``device`` (0 by default), after a probe that computes something.

    CuPy works on one current device at a time, and making a backend leaves that choice alone: ``activate`` sets it.
    Raises BackendUnavailableError with the cause and the command that mends it.
    """
    number = _device_number(device)
    cupy, xp = import_library("cupy", "cupy", "array_api_compat.cupy")
    try:
        with warnings_logged("cupy"):
            _probe(cupy, number)
    except Exception as error:  # the CUDA libraries raise types of their own, ImportError and RuntimeError among them
        msg = (
            f"backend 'cupy:{number}': CuPy {cupy.__version__} is installed but does not work here "
            f"({cause_of(error)}). {_remedy(error)} 'polydnn doctor' tells more."
        )
        raise BackendUnavailableError(msg) from error
    return CupyBackend(cupy, xp, number)


def cuda_version(number: int) -> str:
    """CUDA's number for a version in its usual form.

    >>> cuda_version(12080)
    '12.8'
    """
    return f"{number // 1000}.{number % 1000 // 10}"


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
        zeros = cupy.zeros((4, 4), dtype=cupy.float32)
        ones = cupy.ElementwiseKernel("float32 x", "float32 y", "y = x + 1", "polydnn_probe")(zeros)
        product = float(cupy.matmul(ones, ones)[0, 0])
    if product != 4.0:
        msg = f"a matrix product came out as {product} instead of 4.0"
        raise RuntimeError(msg)


def _remedy(error: Exception) -> str:
    """What mends it: a driver, or the CUDA libraries, which CuPy's own wheels do not contain."""
    text = cause_of(error).lower()
    if isinstance(error, ImportError | OSError) or any(word in text for word in ("nvrtc", "cublas", "libcu", "lib.so")):
        return "CUDA libraries are missing: pip install 'cupy-cuda13x[ctk]' (or 'cupy-cuda12x[ctk]') brings them."
    if "was asked for" in text:
        return "Name one of the devices there are."
    return f"It needs a CUDA device and its driver; then {INSTALL['cupy']}."
