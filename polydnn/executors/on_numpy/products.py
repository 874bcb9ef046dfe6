"""Matrix products over fixed arrays, each by the routine that this machine runs fastest for its shape."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from polydnn.execution.tuning import fastest
from polydnn.executors.on_numpy.blas import Blas, Matrix, libraries

__all__ = ["Product", "accumulated", "plain"]

Product: TypeAlias = Callable[[float], Any]
"""``product(alpha)`` computes C <- alpha A B + beta C; what was fixed when it was made is all the rest."""

SMALL = 2**15
"""Multiplications below which the call costs more than the work, so that NumPy's own, the quickest to call, is best."""


def plain(a: Matrix, b: Matrix, c: Matrix) -> Callable[[], Any]:
    """``f()`` doing C <- A B."""
    by_numpy = _dot(a, b, c)
    if _work(a, b) <= SMALL:
        return by_numpy
    candidates: dict[str, Callable[[], Any]] = {"dot": by_numpy}
    for name, routine in _routines(a, b, c, 0.0):
        candidates[name] = _of_one(routine)
    return candidates[_chosen("product", a, b, c, candidates)]


def accumulated(a: Matrix, b: Matrix, c: Matrix) -> Product:
    """``f(alpha)`` doing C <- C + alpha A B, in one pass over C where a BLAS can be called."""
    routines = dict(_routines(a, b, c, 1.0))
    if not routines or _work(a, b) <= SMALL // 8:
        return _two_passes(a, b, c)
    kept = c.copy()
    try:
        name = _chosen("accumulated product", a, b, c, {each: _of_zero(call) for each, call in routines.items()})
    finally:
        c[...] = kept
    return routines[name]


def _work(a: Matrix, b: Matrix) -> int:
    return int(a.shape[0] * a.shape[1] * b.shape[1])


def _dot(a: Matrix, b: Matrix, c: Matrix) -> Callable[[], Any]:
    """NumPy's product into C, or into the rows of C's transpose where those lie one after another."""
    if not c.flags.c_contiguous:
        a, b, c = b.T, a.T, c.T
    dot = a.dot

    def call() -> None:
        dot(b, c)

    return call


def _two_passes(a: Matrix, b: Matrix, c: Matrix) -> Product:
    between = np.empty(c.shape, c.dtype)
    product = _dot(a, b, between)

    def call(alpha: float) -> None:
        product()
        np.multiply(between, alpha, out=between)
        np.add(c, between, out=c)

    return call


def _routines(a: Matrix, b: Matrix, c: Matrix, beta: float) -> Iterator[tuple[str, Product]]:
    """Every BLAS routine that computes this product."""
    if not c.flags.c_contiguous:
        a, b, c = b.T, a.T, c.T
    for blas in libraries():
        yield f"{blas.name} gemm", blas.gemm(a, b, c, beta)
        yield from _for_vectors(blas, a, b, c, beta)


def _for_vectors(blas: Blas, a: Matrix, b: Matrix, c: Matrix, beta: float) -> Iterator[tuple[str, Product]]:
    if b.shape[1] == 1:
        yield f"{blas.name} gemv", blas.gemv(a, b, c, beta)
    elif a.shape[0] == 1:
        yield f"{blas.name} gemv", blas.gemv(b.T, a.T, c.T, beta)
    if a.shape[1] == 1 and beta == 1.0:
        yield f"{blas.name} ger", blas.ger(a, b, c)


def _of_one(routine: Product) -> Callable[[], Any]:
    def call() -> None:
        routine(1.0)

    return call


def _of_zero(routine: Product) -> Callable[[], Any]:
    """For measuring: as much work, and C stays what it is (BLAS may skip alpha = 0, so it is next to nothing)."""

    def call() -> None:
        routine(1e-30)

    return call


def _chosen(what: str, a: Matrix, b: Matrix, c: Matrix, candidates: dict[str, Callable[[], Any]]) -> str:
    question = {
        "what": what,
        "shape": [*a.shape, b.shape[1]],
        "rows": [each.flags.c_contiguous for each in (a, b, c)],
        "dtype": c.dtype.name,
        "threads": {blas.name: blas.threads for blas in libraries()},
    }
    return fastest(question, candidates)[0]
