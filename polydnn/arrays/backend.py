"""The contract of a backend: one array library on one device, and the few things the standard leaves out."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from polydnn.arrays.caches import cpu_caches
from polydnn.arrays.dtypes import DTYPE_NAMES, cast_host, dtype_name
from polydnn.arrays.foreign import describe, home_of, host_expression, is_foreign
from polydnn.arrays.inputs import as_host
from polydnn.arrays.machine import available_memory
from polydnn.errors import BackendError, MixedBackendsError, unknown_name
from polydnn.types import Array, Device, DType, Namespace

__all__ = ["Backend", "describe"]


class Backend(ABC):
    """One array library on one device.

    Host data (NumPy arrays, lists, numbers) enters by ``asarray`` and leaves by ``to_numpy``; nothing else crosses
    between host and device. Two backends are equal when they name the same library and device.
    """

    library: ClassVar[str]
    """The name before the colon: "numpy", "cupy", "torch", "jax", "array-api-strict"."""

    xp: Namespace
    device: Device

    reason: str = ""
    """Why "auto" chose this backend; empty where it was named."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that selects this backend again, for example ``"torch:cuda:0"``."""

    @abstractmethod
    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        """Copy an array of this backend to the host (the NumPy backend gives the array itself)."""

    @abstractmethod
    def owns(self, value: object) -> bool:
        """Whether ``value`` is an array of this library on this device."""

    def activate(self) -> None:  # noqa: B027 - only CuPy keeps a current device
        """Make the device the one on which the library works in this thread, where the library has such a notion."""

    def synchronize(self) -> None:  # noqa: B027 - libraries that compute at once have nothing to wait for
        """Wait until everything queued on the device is done; timings are meaningless without it."""

    def seconds(self, run: Callable[[], object]) -> float:
        """How long ``run()`` keeps the device busy, in seconds, by the device's own clock where it has one."""
        self.synchronize()
        started = time.perf_counter()
        run()
        self.synchronize()
        return time.perf_counter() - started

    def peak_bytes(self, run: Callable[[], object]) -> int | None:
        """The most memory that arrays made by ``run()`` held at one time; None where the library does not tell."""
        run()
        return None

    @property
    def on_host(self) -> bool:
        """Whether it computes on this computer's processor, so that the processor's caches and memory are its own."""
        return True

    @property
    def looks_are_free(self) -> bool:
        """Whether numbers can be looked at without a copy and without waiting for work that is queued."""
        return False

    def device_name(self) -> str:
        """The device in words, for reports."""
        return str(self.device)

    def processors(self) -> dict[str, int]:
        """A device's multiprocessors and the shared memory of each in bytes, as detected; empty where it has none."""
        return {}

    def caches(self) -> dict[str, int]:
        """Cache sizes in bytes by level, as detected: ``{"L1d": 49152, "L2": ..., "L3": ...}``."""
        return cpu_caches()

    def memory_bytes(self) -> int | None:
        """Bytes free on the device, None where the library cannot say."""
        return available_memory()

    @property
    def index_dtype(self) -> DType:
        """The integer type in which rows are gathered."""
        return self.xp.int64

    def dtype(self, name: str | DType) -> DType:
        """The data type of that name, "float32" or "float64" for instance; a dtype of any library stands for its name.

        Raises UnknownNameError where there is no such type anywhere, and BackendError where the library or the device
        does not have it.
        """
        wanted = dtype_name(name)
        if wanted not in DTYPE_NAMES:
            raise unknown_name("dtype", wanted, DTYPE_NAMES)  # noqa: EM101 - it is no message
        found = getattr(self.xp, wanted, None)
        if found is None:
            msg = f"dtype {wanted!r} does not exist on backend {self.name!r}; use 'float32' or 'float64'."
            raise BackendError(msg)
        return found

    @property
    def widest_dtype(self) -> DType:
        """float64 where the device has it, float32 elsewhere: the type for sums that want every digit."""
        try:
            return self.dtype("float64")
        except BackendError:
            return self.dtype("float32")

    def asarray(self, value: object, *, dtype: DType | None = None) -> Array:
        """Bring host data onto the device; an array of this backend passes unchanged but for its dtype.

        The NumPy backend may give back the caller's own array, the others a copy; nobody writes to it either way.
        Raises MixedBackendsError for an array of another library or device, and as ``as_host`` does.
        """
        if self.owns(value):
            return value if dtype is None else self.xp.astype(value, dtype, copy=False)
        self.refuse_foreign(value, "value")
        return self._bring(value, dtype)

    def _bring(self, value: object, dtype: DType | None) -> Array:
        """Check and move host data."""
        host = as_host(value, "value")
        return self._from_host(host if dtype is None else cast_host(host, dtype_name(dtype), "value"), dtype)

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        """Move a native, real host array, already of ``dtype`` where NumPy has that type."""
        return self.xp.asarray(host, dtype=dtype, device=self.device)

    def refuse_foreign(self, value: object, argument: str) -> None:
        """Raise MixedBackendsError where ``value`` is an array that is neither NumPy's nor this backend's."""
        if not is_foreign(value) or self.owns(value):
            return
        home = home_of(value)
        move = f", or move the network with network.to({home!r})" if home else ""
        msg = (
            f"{argument} is {describe(value)}, but the backend is {self.name!r}; arrays do not move between libraries "
            f"or devices by themselves. Give {host_expression(value, argument)}{move}."
        )
        raise MixedBackendsError(msg)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backend) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Backend":
        """A copy of a network shares its backend: a library and a device cannot be doubled."""
        return self

    def __repr__(self) -> str:
        return f"<backend {self.name}>"
