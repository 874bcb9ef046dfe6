"""NumPy's BLAS, called directly: NumPy's own products know no beta, so that they cannot accumulate.

NumPy's wheels bring an OpenBLAS with all of CBLAS inside, under prefixed names; other builds of NumPy come with MKL.
Either is called through ctypes on arrays whose addresses never change, so that a call costs a microsecond or two.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import ThreadpoolController

from polydnn.execution.tuning import machine

__all__ = ["ALONE", "Blas", "Matrix", "libraries", "thread_limit"]

Matrix: TypeAlias = np.ndarray[Any, Any]

ALONE = 2**13
"""Multiplications up to which a library keeps to one thread where one side is a vector, or both are.

OpenBLAS's limits are 9,216 for float64, more for float32 on x86, and 10,000 for two vectors."""

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
LETTERS = {"float32": ("s", ctypes.c_float), "float64": ("d", ctypes.c_double)}
PREFIXES = ("", "scipy_")
SUFFIXES = (("64_", ctypes.c_int64), ("", ctypes.c_int))
NAMES = ("openblas", "mkl")


@dataclass(eq=False)
class Blas:
    """One library: how its symbols are spelt, its integers, and how its threads are set."""

    name: str
    handle: Any
    prefix: str
    suffix: str
    integer: Any

    def function(self, stem: str, dtype: str, operands: str) -> Any:
        """``cblas_sgemm`` and the like; ``operands`` spells its arguments: i integer, e enum, f scalar, p pointer."""
        found, scalar = self._symbol(stem, dtype), LETTERS[dtype][1]
        kinds = {"i": self.integer, "e": ctypes.c_int, "f": scalar, "p": ctypes.c_void_p}
        found.argtypes = [kinds[each] for each in operands]
        found.restype = None
        return found

    def address(self, stem: str, dtype: str) -> int:
        """Where the function begins, for compiled code that calls it."""
        return ctypes.cast(self._symbol(stem, dtype), ctypes.c_void_p).value or 0

    def _symbol(self, stem: str, dtype: str) -> Any:
        return self.handle[f"{self.prefix}cblas_{LETTERS[dtype][0]}{stem}{self.suffix}"]

    def gemm(self, a: Matrix, b: Matrix, c: Matrix, beta: float) -> Callable[[float], None]:
        """``f(alpha)`` doing C <- alpha A B + beta C; C has consecutive rows."""
        function = self.function("gemm", c.dtype.name, "eeeiiifpipifpi")
        (ta, lda), (tb, ldb), (_, ldc) = _layout(a), _layout(b), _layout(c)
        m, k, n = a.shape[0], a.shape[1], b.shape[1]
        first = (ROW_MAJOR, ta, tb, m, n, k)
        rest = (a.ctypes.data, lda, b.ctypes.data, ldb, beta, c.ctypes.data, ldc)

        def call(alpha: float) -> None:
            function(*first, alpha, *rest)

        return call

    def gemv(self, a: Matrix, x: Matrix, y: Matrix, beta: float) -> Callable[[float], None]:
        """``f(alpha)`` doing y <- alpha A x + beta y for columns x (k, 1) and y (m, 1)."""
        function = self.function("gemv", y.dtype.name, "eeiifpipifpi")
        ta, lda = _layout(a)
        rows, columns = a.shape if ta == PLAIN else a.shape[::-1]
        first = (ROW_MAJOR, ta, rows, columns)
        rest = (a.ctypes.data, lda, x.ctypes.data, _step(x), beta, y.ctypes.data, _step(y))

        def call(alpha: float) -> None:
            function(*first, alpha, *rest)

        return call

    def ger(self, x: Matrix, y: Matrix, c: Matrix) -> Callable[[float], None]:
        """``f(alpha)`` doing C <- C + alpha x y for a column x (m, 1) and a row y (1, n)."""
        function = self.function("ger", c.dtype.name, "eiifpipipi")
        first = (ROW_MAJOR, *c.shape)
        rest = (x.ctypes.data, _step(x), y.ctypes.data, _step(y.T), c.ctypes.data, _layout(c)[1])

        def call(alpha: float) -> None:
            function(*first, alpha, *rest)

        return call

    @property
    def threads(self) -> int:
        """How many threads its next call may use."""
        return int(self._get_threads())

    @threads.setter
    def threads(self, count: int) -> None:
        self._set_threads(count)

    @cached_property
    def _get_threads(self) -> Any:
        return self._control("openblas_get_num_threads", "MKL_Get_Max_Threads")

    @cached_property
    def _set_threads(self) -> Any:
        return self._control("openblas_set_num_threads", "MKL_Set_Num_Threads")

    def _control(self, openblas: str, mkl: str) -> Any:
        return self.handle[mkl if self.name == "mkl" else f"{self.prefix}{openblas}{self.suffix}"]


def _layout(matrix: Matrix) -> tuple[int, int]:
    """Whether BLAS sees the matrix as it is or transposed, and its leading dimension."""
    item = matrix.itemsize
    rows, columns = matrix.shape
    down, across = (stride // item for stride in matrix.strides)
    if across == 1 or columns == 1:
        return PLAIN, max(down if rows > 1 else columns, columns)
    return TRANSPOSED, max(across, rows)


def _step(column: Matrix) -> int:
    return max(column.strides[0] // column.itemsize, 1)


@cache
def libraries() -> tuple[Blas, ...]:
    """NumPy's own BLAS, if it can be called and gives right results.

    One library only, and no other that may be loaded or installed: the threads of two wait for each other's work, for
    milliseconds at a time, and products alternating between them took ten times as long.
    """
    machine()  # its threads are part of every question, and must be counted before anyone limits them
    for name, handle in _handles():
        blas = _spelling(name, handle)
        if blas is not None and _right(blas):
            return (blas,)
    return ()


def _handles() -> Iterator[tuple[str, Any]]:
    """The libraries that are loaded, those from NumPy's folder first."""
    found = [each for each in ThreadpoolController().lib_controllers if each.internal_api in NAMES]
    for controller in sorted(found, key=lambda each: "numpy" not in each.filepath):
        yield controller.internal_api, controller.dynlib


def _spelling(name: str, handle: Any) -> Blas | None:
    for prefix in PREFIXES:
        for suffix, integer in SUFFIXES:
            if hasattr(handle, f"{prefix}cblas_sgemm{suffix}"):
                return Blas(name, handle, prefix, suffix, ctypes.c_int if name == "mkl" else integer)
    return None


def _right(blas: Blas) -> bool:
    """Whether a product of three different sizes comes out; a wrong guess at the integers would not pass."""
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(12, dtype=np.float32).reshape(4, 3).T
    c = np.ones((2, 4), np.float32)
    blas.gemm(a, b, c, 1.0)(2.0)
    return bool(np.array_equal(c, 1.0 + 2.0 * (a @ b)))


class _Limit:
    """How many blocks of all threads want the libraries to have one thread, and what these had before."""

    def __init__(self) -> None:
        self._lock, self._blocks, self._before = Lock(), 0, dict[Blas, int]()

    def enter(self) -> None:
        with self._lock:
            if not self._blocks:
                self._before = {blas: blas.threads for blas in libraries()}
            self._blocks += 1
            for blas in self._before:
                blas.threads = 1

    def leave(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                for blas, count in self._before.items():
                    blas.threads = count


_limit = _Limit()


@contextmanager
def thread_limit(single: bool) -> Iterator[None]:
    """Give every library one thread while the block runs, where ``single`` says so.

    A library has one number of threads for the whole process: where blocks overlap, the last to end gives them back.
    """
    if not single:
        yield
        return
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()
