"""NumPy's BLAS, called directly: NumPy's own products know no beta, so that they cannot accumulate.

NumPy's wheels bring an OpenBLAS with all of CBLAS inside, under prefixed names; other builds of NumPy come with MKL.
Either is called through ctypes on arrays whose addresses never change, so that a call costs a microsecond or two.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["Blas", "Matrix", "libraries", "thread_limit"]

Matrix: TypeAlias = np.ndarray[Any, Any]

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


@contextmanager
def thread_limit(single: bool) -> Iterator[None]:
    """Give every library one thread while the block runs, where ``single`` says so."""
    before = {blas: blas.threads for blas in libraries()} if single else {}
    for blas in before:
        blas.threads = 1
    try:
        yield
    finally:
        for blas, count in before.items():
            blas.threads = count
