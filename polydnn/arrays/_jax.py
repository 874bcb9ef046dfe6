"""JAX on its default device or a named one."""

from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.arrays.machine import cpu_name
from polydnn.errors import BackendError, BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["JaxBackend", "jax_backend"]


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
        return np.asarray(array)

    def owns(self, value: object) -> bool:
        return isinstance(value, self._jax.Array) and value.devices() == {self.device}

    def synchronize(self) -> None:
        self._jax.device_put(0.0, self.device).block_until_ready()

    def device_name(self) -> str:
        return cpu_name() if self.device.platform == "cpu" else str(self.device.device_kind)

    @property
    def index_dtype(self) -> DType:
        return self.xp.int64 if self._x64() else self.xp.int32

    def _x64(self) -> bool:
        return bool(self._jax.config.jax_enable_x64)

    def dtype(self, name: str) -> DType:
        if name == "float64" and not self._x64():
            msg = (
                "dtype 'float64' is switched off in JAX; set JAX_ENABLE_X64=1 before it starts, "
                "or call jax.config.update('jax_enable_x64', True)."
            )
            raise BackendError(msg)
        return super().dtype(name)

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        narrow = {"float64": np.float32, "int64": np.int32, "uint64": np.uint32}
        if dtype is None and not self._x64() and host.dtype.name in narrow:
            host = host.astype(narrow[host.dtype.name])
        return self._jax.device_put(self.xp.asarray(host, dtype=dtype), self.device)


def jax_backend(device: str | None = None) -> JaxBackend:
    """JAX on ``device``: a platform such as "cpu" or "gpu", with ":N" for a numbered one; by default JAX's own choice."""
    try:
        import jax
        import jax.numpy  # noqa: F401 - makes jax.numpy an attribute
    except ImportError as error:
        msg = "backend 'jax' needs JAX: pip install 'polydnn[jax]'"
        raise BackendUnavailableError(msg) from error
    platform, _, number = (device or "").partition(":")
    try:
        found = jax.devices(platform or None)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError) as error:
        possible = ", ".join(str(each) for each in jax.devices())
        msg = f"backend 'jax:{device}': JAX has no such device here; it sees {possible}."
        raise BackendUnavailableError(msg) from error
    return JaxBackend(jax, found, f"jax:{device}" if device else "jax")
