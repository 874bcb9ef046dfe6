"""User data on its way in: real numbers pass, everything else is refused in words that name the argument."""

from typing import TYPE_CHECKING, Any

import numpy as np

from polydnn.arrays.dtypes import cast_host, dtype_name
from polydnn.arrays.foreign import describe, host_expression, is_foreign
from polydnn.errors import DTypeError, InvalidDataError, MixedBackendsError, ShapeError
from polydnn.types import Array, DType

if TYPE_CHECKING:
    from polydnn.arrays.backend import Backend

__all__ = ["as_host", "as_input"]

REAL = ("bool", "integral", "real floating")
KINDS = {
    "c": "complex numbers",
    "U": "text",
    "S": "bytes",
    "T": "text",
    "O": "Python objects",
    "M": "dates",
    "m": "time spans",
    "V": "records",
}
REMEDIES = {
    "c": "Give the real part, or the real and imaginary parts as two columns.",
    "U": "Encode text as numbers first: labels as integers from 0, categories as one-hot columns.",
    "M": "Give the time since some start as a number.",
    "O": "Make every entry a number: astype(float) does where that is possible.",
}
REMEDIES |= {
    "S": REMEDIES["U"],
    "T": REMEDIES["U"],
    "m": REMEDIES["M"],
    "V": "Give a plain array with one column a field.",
}


def as_input(backend: "Backend", value: object, argument: str, *, dtype: DType | None = None) -> Array:
    """Bring user data to ``backend``, with errors that call it ``argument``.

    An array of the backend stays where it is; NumPy arrays, lists, numbers and whatever NumPy can read (data frames,
    columns) are brought there. The result may be the caller's own array, so nobody writes to it. With ``dtype``,
    floating-point values are rounded to it, and integers come from whole numbers only.

    Raises DTypeError for complex numbers, text, dates and objects, ShapeError for ragged lists, MixedBackendsError for
    an array of another library or device, and InvalidDataError for sparse matrices, masked entries and numbers that
    the dtype cannot hold.

    >>> from polydnn.arrays import numpy_backend
    >>> as_input(numpy_backend(), [[1, 2], [3, 4]], "x", dtype=np.float32)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    if backend.owns(value) and not isinstance(value, np.ndarray | np.generic):
        _check_device_array(backend, value, argument, dtype)
        return backend.asarray(value, dtype=dtype)
    backend.refuse_foreign(value, argument)
    host = as_host(value, argument)
    if dtype is not None and not _widens(host, dtype_name(dtype)):
        host = cast_host(host, dtype_name(dtype), argument)
    return backend.asarray(host, dtype=dtype)


def as_host(value: object, argument: str) -> np.ndarray[Any, Any]:
    """User data as a NumPy array of real numbers in native byte order, for work on the host.

    The result may share memory with ``value``. Raises as ``as_input`` does, and MixedBackendsError for any array of
    another library: nothing moves between libraries or devices unless the caller says so.

    >>> as_host([[1, 2], [3]], "x")
    Traceback (most recent call last):
    polydnn.errors.ShapeError: x is ragged: entry 1 has length 1 and entry 0 has length 2; all need the same.
    """
    _refuse_unreadable(value, argument)
    host = _read(value, argument)
    if host.dtype.kind in KINDS:
        raise _not_real(value, host, argument)
    if host.dtype.kind == "f" and host.dtype.itemsize > 8:
        return cast_host(host, "float64", argument)  # long double exists on the host alone
    return host if host.dtype.isnative else host.astype(host.dtype.newbyteorder("="))


def _widens(host: np.ndarray[Any, Any], name: str) -> bool:
    """Whether integers are to become floating-point: they move as they are, being smaller, and change on the device."""
    return host.dtype.kind in "biu" and name in ("float32", "float64")


def _refuse_unreadable(value: object, argument: str) -> None:
    """Refuse what NumPy would wrap as a single object, or read without what belongs to it."""
    if is_foreign(value):
        msg = (
            f"{argument} is {describe(value)}, and host data is needed here; arrays do not move between libraries or "
            f"devices by themselves. Give {host_expression(value, argument)}."
        )
        raise MixedBackendsError(msg)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        count = int(np.ma.getmaskarray(value).sum())
        msg = f"{argument} has {count} masked entries, which would count as data. Fill them or leave their rows out."
        raise InvalidDataError(msg)
    if hasattr(value, "nnz") and hasattr(value, "toarray"):
        msg = f"{argument} is sparse ({describe(value)}); dense rows are needed. Give {argument}.toarray()."
        raise InvalidDataError(msg)


def _read(value: object, argument: str) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(value)
    except Exception as error:  # the value may be of any class, and its conversion may raise anything
        ragged = _raggedness(value)
        if ragged:
            msg = f"{argument} is ragged: {ragged}; all need the same."
            raise ShapeError(msg) from None
        cause = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        msg = f"{argument} cannot be read as an array of numbers: {cause}. Give a NumPy array or a list of numbers."
        raise InvalidDataError(msg) from error


def _raggedness(value: object) -> str:
    """Which two entries of a list differ in length, empty where none do at the first level."""
    if not isinstance(value, list | tuple) or not value:
        return ""
    first = _length(value[0])
    for position, entry in enumerate(value):
        if _length(entry) != first:
            return f"entry {position} {_length(entry)} and entry 0 {first}"
    return ""


def _length(entry: object) -> str:
    return f"has length {len(entry)}" if hasattr(entry, "__len__") else "is a number"


def _not_real(value: object, host: np.ndarray[Any, Any], argument: str) -> DTypeError:
    """The error for data that is no array of real numbers, with the first entry that shows it."""
    kind = host.dtype.kind
    if kind == "O" and host.ndim == 0:
        found = "None" if value is None else f"a {type(value).__name__}"
        msg = f"{argument} must be an array of real numbers, found {found}. Give a NumPy array or a list of numbers."
        return DTypeError(msg)
    msg = f"{argument} must hold real numbers, found {KINDS[kind]} (dtype {host.dtype.name}{_example(host)}). "
    return DTypeError(msg + REMEDIES[kind])


def _example(host: np.ndarray[Any, Any]) -> str:
    """The first entry that is no number, where the dtype alone does not show it."""
    if host.dtype.kind not in "OUST" or host.size == 0:
        return ""
    for position, entry in np.ndenumerate(host):
        if not isinstance(entry, int | float):
            shown = str(entry) if len(str(entry)) <= 40 else str(entry)[:37] + "..."
            return f", {shown!r} at position {tuple(int(i) for i in position)}"
    return ""


def _check_device_array(backend: "Backend", value: Array, argument: str, dtype: DType | None) -> None:
    """The checks of ``as_host`` on an array that stays on its device."""
    xp = backend.xp
    if "strided" not in str(getattr(value, "layout", "strided")):
        msg = f"{argument} is sparse ({describe(value)}, {value.layout}); give {argument}.to_dense()."
        raise InvalidDataError(msg)
    if not xp.isdtype(value.dtype, REAL):
        msg = f"{argument} must hold real numbers, found dtype {dtype_name(value.dtype)} in {describe(value)}."
        raise DTypeError(msg)
    to_integer = dtype is not None and not xp.isdtype(dtype, "real floating")
    if to_integer and xp.isdtype(value.dtype, "real floating"):
        whole = xp.all(xp.logical_and(xp.isfinite(value), xp.trunc(value) == value))
        if not backend.to_numpy(whole):
            msg = f"{argument} must hold whole numbers to become {dtype_name(dtype)}, found fractions, NaN or infinity."
            raise InvalidDataError(msg)
