"""JAX on its default device or a named one."""

from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.arrays.dtypes import dtype_name, narrow_host
from polydnn.arrays.installing import INSTALL, cause_of, import_library, warnings_logged
from polydnn.arrays.machine import cpu_name
from polydnn.errors import BackendError, BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["JaxBackend", "jax_backend"]

WIDE = ("float64", "int64", "uint64")


class JaxBackend(Backend):
    """``jax.Array`` on one device, without ``jit``: the reference step runs operation by operation."""

    library = "jax"

    def __init__(self, jax: Any, device: Any, name: str) -> None:
        self.xp = jax.numpy
        self.device = device
        self._jax = jax
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.array(array)  # a copy: np.asarray would give a read-only view of JAX's own memory

    def owns(self, value: object) -> bool:
        return isinstance(value, self._jax.Array) and value.devices() == {self.device}

    def synchronize(self) -> None:
        # A transfer may overtake a computation, so waiting for one proves nothing: wait for every array that is alive,
        # then for a computation, which the device runs after those whose results are already forgotten.
        self._jax.block_until_ready([each for each in self._jax.live_arrays() if self.owns(each)])
        (self._jax.device_put(np.float32(0), self.device) + 1).block_until_ready()

    @property
    def on_host(self) -> bool:
        return bool(self.device.platform == "cpu")

    def device_name(self) -> str:
        return cpu_name() if self.device.platform == "cpu" else str(self.device.device_kind)

    def caches(self) -> dict[str, int]:
        return super().caches() if self.on_host else {}

    def memory_bytes(self) -> int | None:
        if self.device.platform == "cpu":
            return super().memory_bytes()
        figures = self.device.memory_stats() or {}
        return int(figures["bytes_limit"] - figures["bytes_in_use"]) if "bytes_limit" in figures else None

    @property
    def index_dtype(self) -> DType:
        return self.xp.int64 if self._x64() else self.xp.int32

    def _x64(self) -> bool:
        return bool(self._jax.config.jax_enable_x64)

    def dtype(self, name: str | DType) -> DType:
        self._refuse_wide(dtype_name(name))
        return super().dtype(name)

    def _refuse_wide(self, name: str) -> None:
        if name in WIDE and not self._x64():
            msg = (
                f"dtype {name!r} is switched off in JAX; set JAX_ENABLE_X64=1 before it starts, "
                f"or call jax.config.update('jax_enable_x64', True)."
            )
            raise BackendError(msg)

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        if dtype is not None:
            self._refuse_wide(dtype_name(dtype))
            ready = np.array(host, dtype=dtype_name(dtype))
        else:
            ready = np.array(host if self._x64() else narrow_host(host, "value"))
        return self._jax.device_put(ready, self.device)  # a private copy: JAX may go on using the memory it is given


def jax_backend(device: str | None = None) -> JaxBackend:
    """JAX on ``device``: a platform such as "cpu" or "gpu", with ":N" for a numbered one; by default JAX's own choice.

    Raises BackendUnavailableError where JAX is missing or does not see the device.
    """
    jax, _ = import_library("jax", "jax", "jax.numpy")
    try:
        with warnings_logged("jax"):
            found = _find(jax, device)
            default = jax.devices()[0]
    except Exception as error:  # JAX raises RuntimeError for a platform, and types of its own for a broken plugin
        msg = (
            f"backend '{f'jax:{device}' if device else 'jax'}': JAX {jax.__version__} has no such device here "
            f"({cause_of(error)}). It sees {_seen(jax)}. For a GPU: pip install 'jax[cuda13]'; "
            f"for the CPU: 'jax:cpu', or {INSTALL['jax']}."
        )
        raise BackendUnavailableError(msg) from error
    return JaxBackend(jax, found, "jax" if found == default else f"jax:{found.platform}:{found.id}")


def _find(jax: Any, device: str | None) -> Any:
    platform, _, number = (device or "").partition(":")
    if number and not number.isdecimal():
        msg = f"{number!r} is no device number"
        raise ValueError(msg)
    devices = jax.devices(platform or None)
    if int(number or 0) >= len(devices):
        msg = f"device {number} was asked for, there are {len(devices)}"
        raise ValueError(msg)
    return devices[int(number or 0)]


def _seen(jax: Any) -> str:
    try:
        return ", ".join(str(each) for each in jax.devices())
    except Exception as error:  # what it sees is asked for an error message, which must not fail in turn
        return f"nothing ({cause_of(error)})"
