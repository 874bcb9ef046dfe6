"""The names of data types, the same for every library, and conversions on the host that never change a value unseen."""

from typing import Any

import numpy as np

from polydnn.errors import InvalidDataError
from polydnn.types import DType

__all__ = ["DTYPE_NAMES", "cast_host", "dtype_name", "narrow_host"]

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64", "float16", "bfloat16")
DTYPE_NAMES = ("bool", *INTEGERS, *FLOATS)
"""The real data types polydnn knows; a library need not have them all."""


def dtype_name(dtype: DType) -> str:
    """The name of a dtype of any library, "float32" say; a name passes unchanged.

    >>> dtype_name(np.float32), dtype_name(np.ones(2).dtype), dtype_name("int64")
    ('float32', 'float64', 'int64')
    """
    if isinstance(dtype, str):
        return dtype
    if isinstance(dtype, np.dtype):
        return str(dtype.name)
    if isinstance(dtype, type) and issubclass(dtype, np.generic | bool | int | float):
        return str(np.dtype(dtype).name)
    if hasattr(dtype, "dtype"):  # jax.numpy.float32 is a function-like object that carries its dtype
        return str(np.dtype(dtype.dtype).name)
    return str(dtype).rpartition(".")[2]  # "torch.float32", "array_api_strict.float32"


def cast_host(host: np.ndarray[Any, Any], name: str, argument: str) -> np.ndarray[Any, Any]:
    """``host`` as the dtype called ``name``; floating-point values are rounded, nothing else may change.

    Raises InvalidDataError, naming ``argument``, where a finite value would become infinite, an integer would wrap
    around or a fraction would be cut off. A name NumPy does not know ("bfloat16") leaves the array to its library.

    >>> cast_host(np.asarray([1.0, 2.0]), "int64", "y")
    array([1, 2])
    """
    if name == host.dtype.name or name not in DTYPE_NAMES or name == "bfloat16":
        return host
    target = np.dtype(name)
    if target.kind == "f":
        return _to_floating(host, target, argument)
    if host.dtype.kind == "f":
        _require_whole(host, target, argument)
    _require_range(host, target, argument)
    return host.astype(target)


def narrow_host(host: np.ndarray[Any, Any], argument: str) -> np.ndarray[Any, Any]:
    """``host`` with its 64-bit type replaced by the 32-bit one, for a library that has switched 64 bits off."""
    narrow = {"float64": "float32", "int64": "int32", "uint64": "uint32"}
    return cast_host(host, narrow.get(host.dtype.name, host.dtype.name), argument)


def _to_floating(host: np.ndarray[Any, Any], target: np.dtype[Any], argument: str) -> np.ndarray[Any, Any]:
    try:
        with np.errstate(over="raise", under="ignore", invalid="ignore"):
            return host.astype(target)
    except FloatingPointError:
        largest = float(np.nanmax(np.abs(np.where(np.isfinite(host), host, 0))))
        msg = (
            f"{argument} holds {largest:.4g}, which {target.name} cannot hold (its largest number is "
            f"{float(np.finfo(target).max):.4g}). Scale the data, or use a wider dtype."
        )
        raise InvalidDataError(msg) from None


def _require_whole(host: np.ndarray[Any, Any], target: np.dtype[Any], argument: str) -> None:
    whole = np.isfinite(host) & (np.trunc(host) == host)
    if not whole.all():
        at = np.unravel_index(int(np.argmin(whole)), host.shape)
        msg = (
            f"{argument} must hold whole numbers to become {target.name}, found {float(host[at])} "
            f"at position {tuple(int(i) for i in at)}. Round it, or keep a floating-point dtype."
        )
        raise InvalidDataError(msg)


def _require_range(host: np.ndarray[Any, Any], target: np.dtype[Any], argument: str) -> None:
    if host.size == 0 or host.dtype.kind == "b":
        return
    lowest, highest = (0, 1) if target.kind == "b" else (int(np.iinfo(target).min), int(np.iinfo(target).max))
    smallest, largest = int(host.min()), int(host.max())
    if smallest < lowest or largest > highest:
        wrong = smallest if smallest < lowest else largest
        msg = f"{argument} holds {wrong}, which {target.name} cannot hold; it holds {lowest} to {highest}."
        raise InvalidDataError(msg)
