"""NumPy: the default backend, on the CPU."""

from typing import Any

import numpy as np
from array_api_compat import numpy as xp

from polydnn.arrays.backend import Backend
from polydnn.arrays.machine import cpu_name
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array

__all__ = ["NumpyBackend", "numpy_backend"]


class NumpyBackend(Backend):
    """NumPy arrays; host and device are the same, so nothing is ever copied."""

    library = "numpy"

    def __init__(self) -> None:
        self.xp = xp
        self.device = "cpu"

    @property
    def name(self) -> str:
        return "numpy"

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def owns(self, value: object) -> bool:
        return isinstance(value, np.ndarray | np.generic) and value.dtype.isnative

    def device_name(self) -> str:
        return cpu_name()


def numpy_backend(device: str | None = None) -> NumpyBackend:
    """The NumPy backend; ``device`` is None or "cpu".

    >>> numpy_backend().asarray([1.0, 2.0]).sum()
    np.float64(3.0)
    """
    if device not in (None, "cpu"):
        msg = f"backend 'numpy:{device}': NumPy has the device 'cpu' only. Use 'cupy' for a CUDA device."
        raise BackendUnavailableError(msg)
    return NumpyBackend()
