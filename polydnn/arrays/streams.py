"""Portable random numbers: one counter-based stream, keyed by seed, purpose and position.

The numbers are drawn on the host by Philox (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, 2011) and then
moved, so every backend sees the same bits. A stream has no hidden state: its place is three things that can be written
down, and a stream is made anew for each use. Nothing here touches a global random state.
"""

import zlib
from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError

__all__ = ["check_seed", "permutation", "stream"]


def check_seed(seed: object) -> int:
    """The seed as an int; raises InvalidArgumentError unless it is an integer from 0 to 2**64 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= int(seed) < 2**64:
        msg = f"seed must be an integer from 0 to 2**64 - 1, found {seed!r}."
        raise InvalidArgumentError(msg)
    return int(seed)


def stream(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A generator for one place: the same arguments give the same numbers, other arguments give independent ones.

    ``purpose`` is a word such as "initialize", "shuffle" or "dropout"; ``position`` is up to two integers (layer and
    step, say). They become Philox's key and the high words of its counter, whose low words count the numbers drawn.

    >>> float(stream(0, "shuffle", 3).random()) == float(stream(0, "shuffle", 3).random())
    True
    """
    first, second = (*position, 0, 0)[:2]
    key = np.array([seed, zlib.crc32(purpose.encode())], dtype=np.uint64)
    counter = np.array([0, 0, first, second], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def permutation(n: int, seed: int, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The order in which epoch number ``epoch`` visits ``n`` rows; shape (n,)."""
    return stream(seed, "shuffle", epoch).permutation(n)
