"""Which library multiplies the panels: NumPy's BLAS, or Intel's MKL where it is installed and faster for a batch size.

Every call computes with the thread that makes it, so that MKL is told to have none of its own.
"""

import ctypes
import importlib.metadata
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from polydnn.executors.on_numpy import Blas, aligned, fastest_made, libraries, thread_limit

__all__ = ["multiplying_library"]

SEQUENTIAL = 1
"""MKL's number for the layer that starts no threads."""


def multiplying_library(terms: int, units: int, rows: int, dtype: str) -> Blas:
    """The faster library for a panel of (terms, units) weights and so many rows.

    Measured once on this machine, and remembered.
    """
    found = _all()
    question = {"what": "library for panels", "shape": [terms, units, rows], "dtype": dtype}
    trials = {name: partial(_trial, blas, terms, units, rows, dtype) for name, blas in found.items()}
    return found[fastest_made(question, trials)[0]]


@cache
def _all() -> dict[str, Blas]:
    """NumPy's own first, and MKL; one whose sizes are of another type than NumPy's would have to be compiled for."""
    own = libraries()[0]
    other = _mkl()
    if other is None or np.dtype(other.integer) != np.dtype(own.integer):
        return {own.name: own}
    return {own.name: own, f"mkl {importlib.metadata.version('mkl')}": other}


@cache
def _mkl() -> Blas | None:
    """The MKL that ``pip install mkl`` brings, unless another part of the process computes with one already."""
    if any(pool["internal_api"] == "mkl" for pool in threadpool_info()):
        return None
    with suppress(importlib.metadata.PackageNotFoundError, OSError, AttributeError):
        for file in importlib.metadata.files("mkl") or []:
            if file.name.startswith(("libmkl_rt", "mkl_rt")) and not file.name.endswith(".lib"):
                handle = ctypes.CDLL(str(file.locate()))
                handle.MKL_Set_Threading_Layer(SEQUENTIAL)
                return Blas("mkl", handle, "", "_64", ctypes.c_int64)
    return None


def _trial(blas: Blas, terms: int, units: int, rows: int, dtype: str) -> Callable[[], Any]:
    """What a step does with a panel: forward, back, and onto the weights."""
    w, x, z, down = (_numbers(*shape, dtype) for shape in ((terms, units), (terms, rows), (units, rows), (terms, rows)))
    held = w, x, z, down
    products = [blas.gemm(w.T, x, z, 0.0), blas.gemm(w, z, down, 0.0), blas.gemm(x, z.T, w, 1.0)]

    def call() -> None:
        assert held  # the products know the places of the arrays only
        with thread_limit(True):
            for product in products:
                product(1e-9)

    return call


def _numbers(rows: int, columns: int, dtype: str) -> Any:
    """Numbers in rows that lie as far apart as those of activations do: whole vectors, but a single column."""
    wide = columns if columns == 1 else -(-columns // 16) * 16
    array = aligned(rows * wide, dtype).reshape(rows, wide)
    array[...] = 1e-2 * np.random.Generator(np.random.Philox(0)).standard_normal(array.shape)
    return array[:, :columns]
