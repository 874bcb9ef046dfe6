"""Matrix products over fixed arrays, each by the routine that this machine runs fastest for its shape."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from polydnn.execution.tuning import fastest_made
from polydnn.executors.on_numpy.blas import ALONE, Blas, Matrix, libraries, thread_limit
from polydnn.executors.on_numpy.buffers import aligned

__all__ = ["Product", "accumulated", "plain"]

Product: TypeAlias = Callable[[float], Any]
"""``product(alpha)`` computes C <- alpha A B + beta C; what was fixed when it was made is all the rest."""

SMALL = 2**15
"""Multiplications up to which the call costs more than the work, so that NumPy's own, the quickest to call, is best."""

PANEL = 384
"""Terms that OpenBLAS adds up in one go with any number of threads; beyond, where it cuts depends on their number."""

TILE = 16
"""Columns of a product in float64 of which OpenBLAS rounds multiples alike with any number of threads.

How it rounds the columns that are left over depends on where its threads cut."""


def plain(a: Matrix, b: Matrix, c: Matrix) -> Callable[[], Any]:
    """``f()`` doing C <- A B."""
    if _work(a, b) <= (ALONE if 1 in (*a.shape, *b.shape) else SMALL):
        return _dot(a, b, c)
    made = _by_name(_chosen("product", a, b, c, 0.0), a, b, c, 0.0)
    return lambda: made(1.0)


def accumulated(a: Matrix, b: Matrix, c: Matrix) -> Product:
    """``f(alpha)`` doing C <- C + alpha A B, in one pass over C where a BLAS can be called."""
    if not libraries() or _work(a, b) <= SMALL // 8:
        return _two_passes(a, b, c)
    return _by_name(_chosen("accumulated product", a, b, c, 1.0), a, b, c, 1.0)


def _work(a: Matrix, b: Matrix) -> int:
    return int(a.shape[0] * a.shape[1] * b.shape[1])


def _dot(a: Matrix, b: Matrix, c: Matrix) -> Callable[[], Any]:
    """NumPy's product into C, or into the rows of C's transpose where those lie one after another."""
    if not c.flags.c_contiguous:
        a, b, c = b.T, a.T, c.T
    return partial(a.dot, b, c)


def _two_passes(a: Matrix, b: Matrix, c: Matrix) -> Product:
    between = np.empty(c.shape, c.dtype)
    product = _dot(a, b, between)

    def call(alpha: float) -> None:
        product()
        np.multiply(between, alpha, out=between)
        np.add(c, between, out=c)

    return call


def _routines(a: Matrix, b: Matrix, c: Matrix, beta: float) -> Iterator[tuple[str, Product]]:
    """Every routine that computes this product, the one to take unmeasured first."""
    if beta and not libraries():
        yield "dot in two passes", _two_passes(a, b, c)
    elif not beta:
        product = _dot(a, b, c)
        yield "dot", lambda alpha: product()
    if not c.flags.c_contiguous:
        a, b, c = b.T, a.T, c.T
    for blas in libraries():
        yield f"{blas.name} gemm", blas.gemm(a, b, c, beta)
        if a.shape[1] > PANEL:
            yield f"{blas.name} gemm in panels", _in_panels(blas, a, b, c, beta)
        if c.dtype == np.float64 and b.shape[1] > TILE and b.shape[1] % TILE:
            yield f"{blas.name} gemm in panels and tiles", _in_tiles(blas, a, b, c, beta)
        yield from _for_vectors(blas, a, b, c, beta)


def _for_vectors(blas: Blas, a: Matrix, b: Matrix, c: Matrix, beta: float) -> Iterator[tuple[str, Product]]:
    if b.shape[1] == 1:
        yield f"{blas.name} gemv", blas.gemv(a, b, c, beta)
    elif a.shape[0] == 1:
        yield f"{blas.name} gemv", blas.gemv(b.T, a.T, c.T, beta)
    if a.shape[1] == 1 and beta == 1.0:
        yield f"{blas.name} ger", blas.ger(a, b, c)


def _in_panels(blas: Blas, a: Matrix, b: Matrix, c: Matrix, beta: float) -> Product:
    """A gemm over equal parts of the inner dimension, one after the other."""
    terms = a.shape[1]
    cuts = np.linspace(0, terms, -(-terms // PANEL) + 1).astype(int).tolist()
    parts = [blas.gemm(a[:, start:end], b[start:end], c, beta if start == 0 else 1.0) for start, end in pairwise(cuts)]

    def call(alpha: float) -> None:
        for part in parts:
            part(alpha)

    return call


def _in_tiles(blas: Blas, a: Matrix, b: Matrix, c: Matrix, beta: float) -> Product:
    """The columns that fill tiles, and then the rest of them."""
    whole = c.shape[1] // TILE * TILE
    most = _in_panels(blas, a, b[:, :whole], c[:, :whole], beta)
    rest = _in_panels(blas, a, b[:, whole:], c[:, whole:], beta)

    def call(alpha: float) -> None:
        most(alpha)
        rest(alpha)

    return call


def _by_name(name: str, a: Matrix, b: Matrix, c: Matrix, beta: float) -> Product:
    return dict(_routines(a, b, c, beta))[name]


def _chosen(what: str, a: Matrix, b: Matrix, c: Matrix, beta: float) -> str:
    """The name of the fastest routine, tried on arrays of the same layout, whose bits do not depend on the threads."""
    question = {
        "what": what,
        "shape": [*a.shape, b.shape[1]],
        "layout": [[each.flags.c_contiguous, each.ctypes.data % 64] for each in (a, b, c)],
        "dtype": c.dtype.name,
        "threads": {blas.name: blas.threads for blas in libraries()},
    }
    twins: list[tuple[Matrix, Matrix, Matrix]] = []

    def trial(name: str) -> Callable[[], Any] | None:
        if not twins:
            twins.append((_twin(a), _twin(b), _twin(c)))
        routine = _by_name(name, *twins[0], beta)
        return _small(routine) if _steady(routine, twins[0][2]) else None

    return fastest_made(question, {name: partial(trial, name) for name, _ in _routines(a, b, c, beta)})[0]


def _small(routine: Product) -> Callable[[], Any]:
    """For timing: the numbers grow slowly enough to stay finite."""

    def call() -> None:
        routine(1e-3)

    return call


def _twin(array: Matrix) -> Matrix:
    """Numbers in an array of the same shape, strides and place against the cache lines."""
    span = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True)) // array.itemsize
    offset = array.ctypes.data % 64 // array.itemsize
    flat = aligned(offset + span + 1, array.dtype)
    flat[...] = np.random.Generator(np.random.Philox(0)).standard_normal(flat.size)
    return np.lib.stride_tricks.as_strided(flat[offset:], array.shape, array.strides)


def _steady(routine: Product, c: Matrix) -> bool:
    """Whether the result has the same bits with one thread and with all."""
    found, kept = [], c.copy()
    for single in (True, False):
        with thread_limit(single):
            c[...] = kept
            routine(0.7)
            found.append(c.tobytes())
    c[...] = kept
    return found[0] == found[1]
