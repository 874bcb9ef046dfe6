"""Portable random numbers: one counter-based stream, keyed by seed, purpose and position.

The numbers are drawn on the host by Philox (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, 2011) and
then moved, so every backend sees the same bits. A stream has no hidden state: its place is three things that can be
written down, and a stream is made anew for each use. Nothing here touches a global random state.

How two streams can never meet. Philox4x64 turns a key of two 64-bit words and a counter of four into random words, one
to one for each key; drawing adds one to the counter, lowest word first. The key is (seed, purpose and number of
positions), the counter starts at (0, 0, first position, second position). Different keys are different functions; with
the same key, different positions are 2**128 draws apart. The purpose enters as 62 bits of its BLAKE2b digest: among a
thousand purposes, two share them with a probability of one in ten million million (a checksum of 32 bits: one in ten
thousand).
"""

import functools
import hashlib
from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError

__all__ = ["check_seed", "permutation", "stream"]

MOST_POSITIONS = 2
WORD = 2**64


def check_seed(seed: object) -> int:
    """The seed as an int; raises InvalidArgumentError unless it is an integer from 0 to 2**64 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= int(seed) < WORD:
        msg = f"seed must be an integer from 0 to 2**64 - 1, found {seed!r}."
        raise InvalidArgumentError(msg)
    return int(seed)


def stream(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A generator for one place: the same arguments give the same numbers, other arguments give independent ones.

    ``purpose`` is a word such as "initialize", "shuffle" or "dropout"; ``position`` is up to two integers (layer and
    step, say) from 0 to 2**64 - 1. Raises InvalidArgumentError for anything else.

    >>> float(stream(0, "shuffle", 3).random()) == float(stream(0, "shuffle", 3).random())
    True
    """
    if len(position) > MOST_POSITIONS or not all(_is_word(each) for each in position):
        msg = f"a random stream has up to {MOST_POSITIONS} positions, integers from 0 to 2**64 - 1; found {position!r}."
        raise InvalidArgumentError(msg)
    first, second = (*position, 0, 0)[:2]
    key = np.array([check_seed(seed), _purpose_code(purpose) << 2 | len(position)], dtype=np.uint64)
    counter = np.array([0, 0, first, second], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def permutation(n: int, seed: int, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The order in which epoch number ``epoch`` (from 0) visits ``n`` rows; shape (n,).

    It is made of Philox's raw words, which NumPy promises never to change, and not by ``Generator.permutation``, which
    it may: a run resumed under a newer NumPy goes on in the same order. Each row's number is written into the low bits
    of a random word, and the words are sorted.

    >>> permutation(5, seed=0, epoch=0)
    array([1, 4, 0, 2, 3])
    """
    index_bits = np.uint64(max(n - 1, 0).bit_length())
    words: np.ndarray[Any, np.dtype[np.uint64]] = stream(seed, "shuffle", epoch).bit_generator.random_raw(n)
    tagged = words >> index_bits << index_bits | np.arange(n, dtype=np.uint64)
    tagged.sort()  # all different, so every sorting method gives the same order
    return (tagged & ((np.uint64(1) << index_bits) - np.uint64(1))).astype(np.int64)


def _is_word(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= int(value) < WORD


@functools.cache
def _purpose_code(purpose: str) -> int:
    """The purpose as a number below 2**62, which leaves two bits for the number of positions."""
    if not isinstance(purpose, str) or not purpose:
        msg = f"a random stream's purpose is a word such as 'shuffle', found {purpose!r}."
        raise InvalidArgumentError(msg)
    digest = hashlib.blake2b(purpose.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 2
