"""A stand-in for CuPy on machines without a GPU: enough of it to be probed, moved to and refused."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest


class Array:
    """An array on a pretended device: NumPy cannot read it by itself."""

    __module__ = "cupy"

    def __init__(self, host: Any, device: "Device") -> None:
        self.host, self.device = np.array(host), device

    @property
    def dtype(self) -> Any:
        return self.host.dtype

    def __array__(self, *args: Any, **options: Any) -> Any:
        msg = "Implicit conversion to a NumPy array is not allowed."
        raise TypeError(msg)

    def __getitem__(self, index: Any) -> "Array":
        return Array(self.host[index], self.device)

    def __float__(self) -> float:
        return float(self.host)


Array.__name__ = Array.__qualname__ = "ndarray"


class Device:
    """A device by number; the current one is a class attribute, as it is a state of the CUDA runtime."""

    current = 0

    def __init__(self, number: int) -> None:
        self.id, self.before = number, 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __str__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __enter__(self) -> None:
        self.before, Device.current = Device.current, self.id

    def __exit__(self, *error: object) -> None:
        Device.current = self.before

    def use(self) -> None:
        Device.current = self.id

    def synchronize(self) -> None:
        pass


class Event:
    """A mark in a stream; the clock of the pretended device gains a quarter of a second from one to the next."""

    clock = 0.0

    def record(self) -> None:
        Event.clock += 250.0
        self.milliseconds = Event.clock

    def synchronize(self) -> None:
        pass


class Runtime:
    """The CUDA runtime of two small GPUs, or one whose first call fails."""

    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure

    def getDeviceCount(self) -> int:
        if self.failure is not None:
            raise self.failure
        return 2

    def getDeviceProperties(self, number: int) -> dict[str, Any]:
        return {
            "name": f"Pretended GPU {number}".encode(),
            "major": 9,
            "minor": 0,
            "multiProcessorCount": 132,
            "l2CacheSize": 60 * 2**20,
            "sharedMemPerMultiprocessor": 228 * 2**10,
            "totalGlobalMem": 139 * 2**30,
        }

    def memGetInfo(self) -> tuple[int, int]:
        return 100 * 2**30, 139 * 2**30

    def runtimeGetVersion(self) -> int:
        return 13000


def install_fake_cupy(monkeypatch: pytest.MonkeyPatch, failure: Exception | None = None, product: float = 4.0) -> Any:
    """Put the stand-in where ``import cupy`` finds it; with ``failure``, it imports and then does not work."""
    cupy: Any = ModuleType("cupy")
    cupy.__version__ = "14.2.0"
    cupy.ndarray, cupy.generic, cupy.float32, cupy.float64 = Array, type("generic", (), {}), np.float32, np.float64
    cupy.cuda = ModuleType("cupy.cuda")
    cupy.cuda.Device, cupy.cuda.runtime = Device, Runtime(failure)
    cupy.cuda.Event = Event
    cupy.cuda.get_elapsed_time = lambda begin, end: end.milliseconds - begin.milliseconds
    cupy.get_default_memory_pool = lambda: type("Pool", (), {"free_bytes": lambda self: 2**20})()
    cupy.asarray = lambda host, dtype=None: Array(np.asarray(host, dtype=dtype), Device(Device.current))
    cupy.zeros = lambda shape, dtype: cupy.asarray(np.zeros(shape, dtype))
    cupy.ElementwiseKernel = lambda *text: lambda array: array
    cupy.matmul = lambda a, b: cupy.asarray(np.full((4, 4), product))
    cupy.asnumpy = lambda array: array.host.copy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", cupy)
    monkeypatch.setattr(Device, "current", 0)
    return cupy
