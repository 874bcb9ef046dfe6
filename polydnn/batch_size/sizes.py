"""The batch sizes of a sweep: powers of two unless given, and what "1:4096" or "16,64,256" mean."""

import re
from collections.abc import Sequence
from numbers import Integral

from polydnn.errors import InvalidArgumentError

__all__ = ["LARGEST", "check_sizes", "default_sizes", "parse_sizes"]

LARGEST = 4096
"""Where a sweep ends unless it is told otherwise."""

MOST = 2**31
"""Nothing larger is a batch size; a longer number is a slip of the keyboard."""

EXAMPLE = "write a range with its powers of two as 1:4096, or a list as 16,64,256"


def default_sizes(rows: int) -> list[int]:
    """The powers of two from 1 to 4096, or to the number of rows where that is smaller.

    >>> default_sizes(100)
    [1, 2, 4, 8, 16, 32, 64]
    """
    return _powers(1, min(rows, LARGEST))


def parse_sizes(text: str) -> list[int]:
    """Sizes from text: numbers, and ranges that stand for their ends and the powers of two between them.

    Raises InvalidArgumentError for anything else, with what was found.

    >>> parse_sizes("1:16, 48, 100:300")
    [1, 2, 4, 8, 16, 48, 100, 128, 256, 300]
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?::\s*(\d+)\s*)?", part, flags=re.ASCII)
        low, high = (match[1], match[2] or match[1]) if match and len(part) < 50 else ("0", "0")
        if not 1 <= int(low) <= int(high) <= MOST:
            msg = f"sizes {text!r}: {part.strip()!r} is no batch size and no rising range of them; {EXAMPLE}."
            raise InvalidArgumentError(msg)
        found |= {int(low), int(high), *_powers(int(low), int(high))}
    return sorted(found)


def check_sizes(sizes: Sequence[int] | str | None, rows: int) -> list[int]:
    """The sizes in rising order, each once; text is parsed, and None means the default for so many rows.

    Raises InvalidArgumentError for no sizes and for what is no whole number of at least 1.
    """
    if sizes is None:
        return default_sizes(rows)
    if isinstance(sizes, str):
        return parse_sizes(sizes)
    try:
        given = list(sizes)
    except TypeError:
        given = []
    good = [isinstance(each, Integral) and not isinstance(each, bool) and 1 <= each <= MOST for each in given]
    if not given or not all(good):
        msg = f"sizes must be whole numbers of at least 1, found {sizes!r}; {EXAMPLE}."
        raise InvalidArgumentError(msg)
    return sorted({int(each) for each in given})


def _powers(low: int, high: int) -> list[int]:
    return [2**k for k in range(high.bit_length()) if low <= 2**k <= high]
