"""NumPy whose arrays cannot be written: code that modifies an input or an intermediate result in place fails on it."""

from types import ModuleType
from typing import Any

import numpy as np

from polydnn.arrays._numpy import NumpyBackend
from polydnn.types import Array, DType

WRITABLE = {"empty", "empty_like"}  # made to be filled, by an executor say


class FrozenNamespace:
    """Stands in for a namespace; the arrays its functions return are read-only."""

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._namespace, name)
        if isinstance(found, ModuleType):
            return FrozenNamespace(found)
        if isinstance(found, type) or not callable(found) or name in WRITABLE:
            return found
        return lambda *args, **options: _call(found, args, options)


class ReadOnlyNumpyBackend(NumpyBackend):
    """The NumPy backend with every array frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.xp = FrozenNamespace(self.xp)

    def asarray(self, value: object, *, dtype: DType | None = None) -> Array:
        return freeze(np.array(super().asarray(value, dtype=dtype)))


def freeze(value: Any) -> Any:
    """A read-only view of an array, and of the arrays in a tuple or list; anything else as it is."""
    if isinstance(value, np.ndarray):
        view = value.view()  # a view: a function such as asarray may give its argument back, which stays the caller's
        view.flags.writeable = False
        return view
    if isinstance(value, tuple | list):
        frozen = [freeze(each) for each in value]
        return type(value)(*frozen) if hasattr(value, "_fields") else type(value)(frozen)
    return value


def _call(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    result = function(*args, **options)
    return result if "out" in options else freeze(result)
