"""Sizes in bytes as people read them: of caches, memories and working sets."""

import math

__all__ = ["bytes_text"]

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def bytes_text(count: float | None, unknown: str = "unknown") -> str:
    """A size in the binary unit that fits, to three digits; ``unknown`` for None and for what is not finite.

    >>> bytes_text(49152), bytes_text(11_400_000), bytes_text(25276514304), bytes_text(None)
    ('48 KiB', '10.9 MiB', '23.5 GiB', 'unknown')
    """
    if count is None or not math.isfinite(count):
        return unknown
    number, power = float(count), 0
    while number >= 1024 and power < len(UNITS) - 1:
        number, power = number / 1024, power + 1
    whole = number == int(number)
    return f"{int(number) if whole else _three_digits(number)} {UNITS[power]}"


def _three_digits(number: float) -> str:
    """All digits before the point, and after it as many as make three.

    >>> _three_digits(1.5), _three_digits(1018.53), _three_digits(0.25)
    ('1.50', '1019', '0.25')
    """
    before = len(str(int(number)))
    return f"{number:.{max(3 - before, 0)}f}"
