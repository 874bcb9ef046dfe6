"""Which library multiplies the panels: NumPy's BLAS, or Intel's MKL where it is installed and faster here.

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

ROWS, TERMS, COLUMNS = 256, 512, 64
"""The product that the libraries are compared by: a panel of weights and a batch of usual sizes."""


@cache
def multiplying_library() -> Blas | None:
    """The faster library, measured once on this machine and remembered; None where NumPy's cannot be called."""
    if not libraries():
        return None
    own = libraries()[0]
    found = {own.name: own}
    other = _mkl()
    if other is not None:
        found[f"mkl {importlib.metadata.version('mkl')}"] = other
    trials = {name: partial(_trial, blas) for name, blas in found.items()}
    return found[fastest_made({"what": "library for panels"}, trials)[0]]


def _mkl() -> Blas | None:
    """The MKL that ``pip install mkl`` brings, unless another part of the process computes with one already."""
    if any(pool["internal_api"] == "mkl" for pool in threadpool_info()):
        return None
    with suppress(importlib.metadata.PackageNotFoundError, OSError, AttributeError):
        for file in importlib.metadata.files("mkl") or []:
            if file.name.startswith(("libmkl_rt", "mkl_rt")) and not file.name.endswith(".lib"):
                handle = ctypes.CDLL(str(file.locate()))
                handle.MKL_Set_Threading_Layer(SEQUENTIAL)
                return Blas("mkl", handle, "", "", ctypes.c_int)
    return None


def _trial(blas: Blas) -> Callable[[], Any]:
    a, b, c = (_numbers(*shape) for shape in ((ROWS, TERMS), (TERMS, COLUMNS), (ROWS, COLUMNS)))
    product = blas.gemm(a, b, c, 0.0)

    def call() -> None:
        with thread_limit(True):
            product(1.0)

    return call


def _numbers(rows: int, columns: int) -> Any:
    array = aligned(rows * columns, np.float32).reshape(rows, columns)
    array[...] = np.random.Generator(np.random.Philox(0)).standard_normal(array.shape)
    return array
