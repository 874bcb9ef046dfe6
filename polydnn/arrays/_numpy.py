"""NumPy: the default backend, on the CPU."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.arrays.machine import cpu_name
from polydnn.arrays.memory import traced_peak
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["NumpyBackend", "numpy_backend"]


_reduce: Any = np.add.reduce  # NumPy's stubs have no overload for arguments that are passed on


def _sum(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    return _reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _direct_namespace() -> ModuleType:
    """NumPy's main namespace, which follows the standard since 2.1, with a sum that costs half as much to call.

    array-api-compat would wrap every call of matmul; on networks of ten units such calls are most of a step.
    """
    namespace = ModuleType("numpy")
    namespace.__dict__.update(vars(np))
    namespace.__dict__["sum"] = _sum
    return namespace


DIRECT = _direct_namespace()


class NumpyBackend(Backend):
    """NumPy arrays; host and device are the same, so nothing is copied without need."""

    library = "numpy"

    def __init__(self) -> None:
        self.xp = DIRECT
        self.device = "cpu"

    @property
    def name(self) -> str:
        return "numpy"

    @property
    def looks_are_free(self) -> bool:
        return True

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def owns(self, value: object) -> bool:
        # np.matrix, masked arrays and other subclasses compute differently; asarray makes plain arrays of them.
        plain = isinstance(value, np.generic) or type(value) in (np.ndarray, np.memmap)
        return plain and value.dtype.isnative  # type: ignore[attr-defined]  # narrowed by the line above

    def asarray(self, value: object, *, dtype: DType | None = None) -> Array:
        if dtype is None and type(value) is np.ndarray and value.dtype.kind in "fiub" and self.owns(value):
            return value  # the common case in a training loop
        self.refuse_foreign(value, "value")
        return self._bring(value, dtype)

    def peak_bytes(self, run: Callable[[], object]) -> int | None:
        return traced_peak(run)

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
