"""Numbers as people read them: times, sizes, rates and intervals in the unit that fits."""

import math
import re
from collections.abc import Callable, Sequence

from polydnn.arrays import byte_sizes

__all__ = ["bytes_text", "count_text", "interval_text", "number_text", "seconds_text", "shortened", "span_text"]

NOTHING = "–"  # noqa: RUF001 - the dash that typesetters put where nothing is
TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def number_text(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits, thousands apart; a dash for None and for what is not finite.

    >>> number_text(1234.567), number_text(0.04321), number_text(None)
    ('1,230', '0.0432', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    scientific = f"{value:.{digits - 1}e}"
    rounded = float(scientific)
    if abs(rounded) < 1e-4:
        return scientific
    places = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, places)}f}"


def count_text(value: float | None) -> str:
    """A count with k, M, G for thousands, millions and billions: "12.5 k".

    >>> count_text(950), count_text(12_480), count_text(3_200_000)
    ('950', '12.5 k', '3.20 M')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    for least, factor, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{number_text(value / factor)} {letter}"
    return number_text(value) if value != int(value) else f"{int(value):,}"


def seconds_text(value: float | None) -> str:
    """A time in the unit that fits.

    >>> seconds_text(0.000213), seconds_text(4.2), seconds_text(754.0)
    ('213 µs', '4.20 s', '12.6 min')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value >= 300:
        return f"{number_text(value / 60)} min" if value < 7200 else f"{number_text(value / 3600)} h"
    factor, unit = next((each for each in TIMES if value >= each[0]), TIMES[-1])
    return f"{number_text(value / factor)} {unit}"


def bytes_text(value: float | None) -> str:
    """A size in binary units, with a table's dash where there is none.

    >>> bytes_text(49152), bytes_text(None)
    ('48 KiB', '–')
    """
    return byte_sizes.bytes_text(value, NOTHING)


def interval_text(ends: Sequence[float | None] | None) -> str:
    """The two ends of an interval of counts; an end that is None is open, and a dash stands where there is none.

    >>> interval_text([128, 512]), interval_text([250.4, None])
    ('128 to 512', '250 or more')
    """
    if not ends or (ends[0] is None and ends[1] is None):
        return NOTHING
    low, high = (end if end is None else count_text(round(end) if abs(end) >= 10 else end) for end in ends)
    if low is None:
        return f"up to {high}"
    return f"{low} or more" if high is None else f"{low} to {high}"


def span_text(ends: Sequence[float] | None, told: Callable[[float], str]) -> str:
    """The two ends of an interval, the unit once where both have the same.

    >>> span_text([0.000208, 0.000225], seconds_text), span_text([0.0009, 0.0011], seconds_text)
    ('208 to 225 µs', '900 µs to 1.10 ms')
    """
    if not ends:
        return NOTHING
    low, high = told(ends[0]), told(ends[1])
    number, _, unit = low.rpartition(" ")
    return f"{number if number and high.endswith(f' {unit}') else low} to {high}"


def shortened(text: str) -> str:
    """A number without the zeros after its point, as an axis shows it.

    >>> shortened("10.0 ms"), shortened("2.50 k"), shortened("1,000")
    ('10 ms', '2.5 k', '1,000')
    """
    return re.sub(r"(\.\d*?)0+(?=\D|$)", lambda found: "" if found[1] == "." else found[1], text)
