"""The kernels of one program: collected while it is put together, compiled as one module, launched on grids."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from polydnn.executors.on_cupy.kernels import BLOCK, COLUMNS, ROWS, module_text

__all__ = ["NULL", "KernelDevice", "Kernels", "one_axis", "two_axes"]

NULL = np.uint64(0)
"""The null pointer, as a kernel's argument."""

TALLEST = 65535  # a grid's largest second axis
WIDEST = 4096  # blocks of a kernel along one axis: more than any device runs at a time

C_NAMES = {"float32": "float", "float64": "double"}


class KernelDevice(Protocol):
    """What launching needs of a device."""

    def module(self, text: str, names: list[str]) -> Mapping[str, Callable[..., None]]:
        """Compile CUDA C++ and give the named kernels."""


class Kernels:
    """Kernels by name, for arrays of one dtype ("float32" or "float64")."""

    def __init__(self, device: KernelDevice, dtype: str) -> None:
        self._device, self._dtype = device, dtype
        self._texts: list[str] = []
        self._names: list[str] = []
        self._compiled: Mapping[str, Callable[..., None]] = {}

    def need(self, text: str, *names: str) -> None:
        """Ask for kernels before ``compile``; twice is once."""
        self._texts.append(text)
        self._names += [name for name in names if name not in self._names]

    def compile(self) -> None:
        """Make all of them."""
        self._compiled = self._device.module(module_text(C_NAMES[self._dtype], self._texts), self._names)

    def real(self, value: float) -> Any:
        """A number as an argument of C's type ``real``."""
        return np.dtype(self._dtype).type(value)

    def launch(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
        """Queue a kernel; Python's integers go as 64-bit numbers, arrays as pointers."""
        converted = tuple(np.int64(each) if isinstance(each, int) else each for each in arguments)
        self._compiled[name](grid, block, converted)


def two_axes(rows: int, columns: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Grid and block for kernels that walk over rows and columns.

    >>> two_axes(20, 40)
    ((2, 3), (32, 8))
    """
    return (-(-columns // COLUMNS), min(-(-rows // ROWS), TALLEST)), (COLUMNS, ROWS)


def one_axis(count: int) -> tuple[tuple[int], tuple[int]]:
    """Grid and block for kernels that walk over elements."""
    return (min(-(-count // BLOCK), WIDEST),), (BLOCK,)
