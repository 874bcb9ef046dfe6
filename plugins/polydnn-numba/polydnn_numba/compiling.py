"""How functions are compiled here, and how those that are called from Python are kept on disk."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba import njit

__all__ = ["COMPILED", "FINGERPRINT", "kept"]

KEPT: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}
"""Dividing by zero gives inf or NaN, as in NumPy; Python's lock is not held. Nothing is allocated, so that references
need not be counted: counting took half the time of a step of one example."""

COMPILED: dict[str, Any] = {**KEPT, "forceinline": True}
"""For what compiled code calls: it becomes a part of its caller. To hand over arrays, seven numbers each, a dozen times
took four tenths of a step of one example."""


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, compiled when it is first called with some types and kept on disk, where there is a place to write.

    numba notices a change of the file that holds a function, but not of the files of what it calls. It does compare the
    values that a function closes over: one that closes over FINGERPRINT is compiled anew when anything here changes.
    """
    compiled: Any = njit(**KEPT)(function)
    with suppress(RuntimeError):  # neither beside the source nor in the user's cache folder may anything be written
        compiled.enable_caching()
    return compiled  # type: ignore[no-any-return]


def _fingerprint() -> int:
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return int.from_bytes(hashlib.blake2b(sources, digest_size=7).digest())


FINGERPRINT = _fingerprint()
