"""The floor: the matrix products of a step and nothing else, by NumPy's matmul and by the fastest BLAS at hand."""

import ctypes
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from peer_frameworks.framework import Arrays, Framework, Problem

__all__ = ["FastestProducts", "NumpyProducts", "Product", "candidates", "products_of"]

Call = Callable[[], object]


class Product(NamedTuple):
    """out = a @ b, where a or b may be the transpose of an array that is stored by rows."""

    role: str
    a: np.ndarray
    b: np.ndarray
    out: np.ndarray


def products_of(problem: Problem, weights: Arrays) -> list[Product]:
    """Forward products, then for every layer from the last the weight's gradient and the input's (not the first's)."""
    n, widths, rng = problem.batch_size, problem.case.widths, np.random.default_rng(5)
    activations = [problem.data[0][:n].copy()]
    activations += [rng.random((n, width), np.float32) for width in widths[1:]]
    slopes = [rng.random((n, width), np.float32) for width in widths]
    found = [
        Product(f"forward {place}", activations[place], weight, activations[place + 1])
        for place, weight in enumerate(weights[::2])
    ]
    for place in reversed(range(len(widths) - 1)):
        weight = weights[2 * place]
        found.append(Product(f"weight {place}", activations[place].T, slopes[place + 1], np.empty_like(weight)))
        if place:
            found.append(Product(f"input {place}", slopes[place + 1], weight.T, slopes[place]))
    return found


class NumpyProducts(Framework):
    """``np.matmul`` with ``out=`` for every product."""

    measures = ("step",)
    checked = False

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.calls = [functools.partial(np.matmul, each.a, each.b, out=each.out) for each in self._products(problem)]

    def _products(self, problem: Problem) -> list[Product]:
        rng = np.random.default_rng(6)
        widths = problem.case.widths
        weights: Arrays = []
        for m, k in pairwise(widths):
            weights += [rng.random((m, k), np.float32) / np.float32(m), np.zeros(k, np.float32)]
        return products_of(problem, weights)

    def reset(self) -> None:
        """Products have no state."""

    def steps(self, count: int) -> None:
        calls = self.calls
        for _ in range(count):
            for call in calls:
                call()


class FastestProducts(NumpyProducts):
    """For every product the fastest call of ``candidates``, chosen by measurement when the problem is loaded."""

    libraries = ("numpy", "scipy")

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.products = products = self._products(problem)  # kept: MKL is given addresses
        chosen = [fastest(product) for product in products]
        self.calls = [call for _, call in chosen]
        self.notes = [f"{product.role}: {name}" for product, (name, _) in zip(products, chosen, strict=True)]


def fastest(product: Product, seconds: float = 0.02) -> tuple[str, Call]:
    """Name and call of the candidate with the shortest time in a few interleaved tries."""
    calls = dict(candidates(product))
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    stop = time.perf_counter() + seconds * len(calls)
    tries = 0
    while tries < 3 or (time.perf_counter() < stop and tries < 200):
        tries += 1
        for name, call in calls.items():
            before = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - before)
    name = min(best, key=best.__getitem__)
    return name, calls[name]


def candidates(product: Product) -> Iterator[tuple[str, Call]]:
    """Ways to compute a product without a copy, each leaving its result in ``product.out``."""
    a, b, out = product.a, product.b, product.out
    yield "np.matmul", functools.partial(np.matmul, a, b, out=out)
    yield "np.dot", functools.partial(np.dot, a, b, out=out)
    if 1 in (a.shape[1], b.shape[0]):
        yield "np.multiply", functools.partial(np.multiply, a, b, out=out)  # an outer product
    yield "scipy sgemm", scipy_gemm(a, b, out)
    mkl = mkl_library()
    if mkl is not None:
        yield "mkl sgemm", mkl_gemm(mkl, a, b, out)


def scipy_gemm(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
    """BLAS stores columns: out.T = b.T @ a.T, every operand given as it lies in memory."""
    from scipy.linalg.blas import sgemm

    left, trans_left = (b.T, 0) if b.flags.c_contiguous else (b, 1)
    right, trans_right = (a.T, 0) if a.flags.c_contiguous else (a, 1)
    call = functools.partial(
        sgemm, 1.0, left, right, beta=0.0, c=out.T, trans_a=trans_left, trans_b=trans_right, overwrite_c=1
    )
    if not np.shares_memory(call(), out):  # a copy of an operand would be timed as well
        msg = f"sgemm copied its result for shapes {a.shape} and {b.shape}"
        raise RuntimeError(msg)
    return call


def mkl_gemm(library: ctypes.CDLL, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
    """cblas_sgemm of MKL by ctypes; the arrays have to outlive the call that is returned."""
    rows, no, yes = 101, 111, 112
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    trans_a, lda = (no, k) if a.flags.c_contiguous else (yes, m)
    trans_b, ldb = (no, n) if b.flags.c_contiguous else (yes, k)
    one, zero = ctypes.c_float(1.0), ctypes.c_float(0.0)
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in (a, b, out)]
    sizes = [ctypes.c_int(each) for each in (rows, trans_a, trans_b, m, n, k)]
    where = (pointers[0], ctypes.c_int(lda), pointers[1], ctypes.c_int(ldb), zero, pointers[2], ctypes.c_int(n))
    return functools.partial(library.cblas_sgemm, *sizes, one, *where)


@functools.cache
def mkl_library() -> ctypes.CDLL | None:
    """MKL where its package is installed in this environment."""
    for path in sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*")) if os.name == "posix" else ():
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            continue
    return None
