"""The contract of a backend: one array library on one device, and the few things the standard leaves out."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from polydnn.errors import BackendError, MixedBackendsError
from polydnn.types import Array, Device, DType, Namespace

__all__ = ["Backend"]


class Backend(ABC):
    """One array library on one device.

    Host data (NumPy arrays, lists, numbers) enters by ``asarray`` and leaves by ``to_numpy``; nothing else crosses
    between host and device. Two backends are equal when they name the same library and device.
    """

    library: ClassVar[str]
    """The name before the colon: "numpy", "cupy", "torch", "jax", "array-api-strict"."""

    xp: Namespace
    device: Device

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that selects this backend again, for example ``"torch:cuda"``."""

    @abstractmethod
    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        """Copy an array of this backend to the host (the NumPy backend gives the array itself)."""

    @abstractmethod
    def owns(self, value: object) -> bool:
        """Whether ``value`` is an array of this library on this device."""

    def synchronize(self) -> None:  # noqa: B027 - libraries that compute at once have nothing to wait for
        """Wait until everything queued on the device is done; timings are meaningless without it."""

    def device_name(self) -> str:
        """The device in words, for reports."""
        return str(self.device)

    def caches(self) -> dict[str, int]:
        """Cache sizes in bytes by level, as detected: ``{"L1d": 49152, "L2": ..., "L3": ...}``."""
        from polydnn.arrays.machine import cpu_caches

        return cpu_caches()

    def memory_bytes(self) -> int | None:
        """Bytes free on the device, None where the library cannot say."""
        from polydnn.arrays.machine import available_memory

        return available_memory()

    @property
    def index_dtype(self) -> DType:
        """The integer type in which rows are gathered."""
        return self.xp.int64

    def dtype(self, name: str) -> DType:
        """The data type of that name, "float32" or "float64" for instance.

        Raises BackendError where the library or the device does not have it.
        """
        try:
            return getattr(self.xp, name)
        except AttributeError:
            msg = f"dtype {name!r} does not exist on backend {self.name!r}; use 'float32' or 'float64'."
            raise BackendError(msg) from None

    def asarray(self, value: object, *, dtype: DType | None = None) -> Array:
        """Bring host data onto the device; an array of this backend passes unchanged but for its dtype.

        Raises MixedBackendsError for an array of another library or device.
        """
        if self.owns(value):
            return value if dtype is None else self.xp.astype(value, dtype, copy=False)
        self.refuse_foreign(value, "value")
        host = np.asarray(value)
        if not host.dtype.isnative:
            host = host.astype(host.dtype.newbyteorder("="))
        return self._from_host(host, dtype)

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        return self.xp.asarray(host, dtype=dtype, device=self.device)

    def refuse_foreign(self, value: object, argument: str) -> None:
        """Raise MixedBackendsError where ``value`` is an array that is neither NumPy's nor this backend's."""
        if isinstance(value, np.ndarray | np.generic) or self.owns(value):
            return
        if hasattr(value, "__array_namespace__") or hasattr(value, "__dlpack__"):
            msg = (
                f"{argument} is {describe(value)}, but the backend is {self.name!r}; "
                f"arrays do not move between libraries or devices by themselves. "
                f"Give a NumPy array, or move the network with network.to(...)."
            )
            raise MixedBackendsError(msg)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backend) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<backend {self.name}>"


def describe(value: object) -> str:
    """An array in words: library, type and device."""
    kind = type(value)
    library = kind.__module__.split(".")[0]
    device = getattr(value, "device", None)
    place = f" on {device}" if device is not None else ""
    return f"a {library}.{kind.__name__}{place}"
