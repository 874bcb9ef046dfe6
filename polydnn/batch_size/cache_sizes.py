"""Which size of each cache is used: detected by the system, measured by the sweep, or given by the user."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from polydnn.arrays.caches import UNITS, Cache, doubt
from polydnn.batch_size.knees import match_levels
from polydnn.errors import InvalidArgumentError, did_you_mean

__all__ = ["CacheSize", "parse_caches", "settle_caches"]

LEVELS = ("L1d", "L2", "L3", "L4")
EXAMPLE = "write it as in 'L2=1M,L3=32M'"
MANY_TIMES = 3.0
"""A virtual machine's last level that is said to be this many times what the sweep shows is the host's."""


@dataclass(frozen=True)
class CacheSize:
    """One level: what the system says (and who said it), what the sweep shows, what is used, and why where in doubt."""

    level: str
    detected_bytes: int | None
    source: str
    measured_bytes: int | None
    used_bytes: int | None
    overridden: bool
    doubt: str | None = None

    def record(self) -> dict[str, Any]:
        """The row of the record; the doubt is told among the machine's warnings."""
        row = asdict(self)
        del row["doubt"]
        return row


def parse_caches(text: str) -> dict[str, int]:
    """Sizes in bytes from "L2=1M,L3=32M"; K, M and G are powers of 1024, "KiB" and "MB" are understood the same way.

    Raises InvalidArgumentError for anything else, with what was found.

    >>> parse_caches("L2=1M, L3=32MiB")
    {'L2': 1048576, 'L3': 33554432}
    """
    found: dict[str, int] = {}
    for part in text.split(","):
        name, equals, size = (word.strip() for word in part.partition("="))
        level = next((each for each in LEVELS if each.lower() == name.lower()), None)
        if not equals or level is None:
            msg = f"caches {text!r}: {part.strip()!r} names no cache; possible: {', '.join(LEVELS)}; {EXAMPLE}."
            raise InvalidArgumentError(msg + ("" if level else did_you_mean(name, LEVELS)))
        if level in found:
            msg = f"caches {text!r}: {level} is given twice; give each level once."
            raise InvalidArgumentError(msg)
        found[level] = _bytes(size, text)
    _check_order(found, text)
    return found


def _bytes(size: str, text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?", size, flags=re.IGNORECASE)
    count = round(float(match[1]) * UNITS.get(match[2].upper(), 1)) if match else 0
    if count < 1:
        msg = f"caches {text!r}: {size!r} is no size; give a number of bytes, or one with K, M or G; {EXAMPLE}."
        raise InvalidArgumentError(msg)
    return count


def _check_order(found: Mapping[str, int], text: str) -> None:
    levels = [level for level in LEVELS if level in found]
    for inner, outer in pairwise(levels):
        if found[inner] >= found[outer]:
            msg = (
                f"caches {text!r}: {inner} has {found[inner]} bytes and {outer} {found[outer]}; a cache holds more "
                f"than the one before it. Correct the sizes or the units; {EXAMPLE}."
            )
            raise InvalidArgumentError(msg)


def settle_caches(
    detected: Sequence[Cache],
    knees: Sequence[int],
    *,
    virtual: bool = False,
    processors: int | None = None,
    overrides: Mapping[str, int] | None = None,
) -> list[CacheSize]:
    """The data caches, inner ones first: detected, measured and used sizes apart.

    Used is the user's size; else the measured one where the system is silent or its word is in doubt (a virtual
    machine is told of its host's last level, or processors share it that are not to be seen); else the detected one.
    """
    told = {cache.name: cache for cache in detected if cache.kind != "Instruction"}
    measured = match_levels(knees, {name: cache.size_bytes for name, cache in told.items()})
    given = dict(overrides or {})
    rows = []
    for level in sorted({*told, *measured, *given}):
        cache, seen = told.get(level), measured.get(level)
        why = _doubt(cache, seen, virtual, processors) if cache else None
        size = cache.size_bytes if cache else None
        used = given.get(level) or (seen if seen and (why or size is None) else size)
        rows.append(CacheSize(level, size, cache.source if cache else "none", seen, used, level in given, why))
    return rows


def _doubt(cache: Cache, seen: int | None, virtual: bool, processors: int | None) -> str | None:
    why = doubt(cache, virtual=virtual, processors=processors)
    if why is None and virtual and cache.level >= 3 and seen and cache.size_bytes > MANY_TIMES * seen:
        size, shown = cache.size_bytes // 2**20, seen / 2**20
        return f"this virtual machine is told of an {cache.name} of {size} MiB, and the sweep shows {shown:.0f} MiB."
    return why
