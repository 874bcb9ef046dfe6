"""Repeated timings: their median, its interval, and whether they are steady enough to stop."""

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["ENOUGH", "FEWEST", "STEADY", "is_steady", "median_interval", "relative_width", "visits_interval"]

STEADY = 0.02
"""The 95 % interval of the median is then narrower than this part of it."""

FEWEST, ENOUGH = 9, 400
"""Repeats before which no timing counts as steady, and after which more would not make it so."""

FEWEST_VISITS = 3
"""Visits from which their own spread says more than that of the timings in them."""

BY_RANGE = {2: 6.35, 3: 1.30, 4: 0.72, 5: 0.51}
"""Half a 95 % interval in ranges, for fewer repeats than order statistics can serve.

Source: Lord, *The use of range in place of standard deviation in the t-test*, 1947.
"""


def median_interval(seconds: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The median and its 95 % interval, from order statistics: no distribution is presumed.

    Fewer than six repeats say too little for that: then it is the range, widened as for a normal distribution, and of
    a single one nothing is known but its size: half to twice the value.

    >>> median_interval([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 9.0])
    (1.3, (1.0, 9.0))
    """
    ordered = np.sort(np.asarray(seconds, dtype=np.float64))
    count, middle = len(ordered), float(np.median(ordered))
    if count == 1:
        return middle, (middle / 2, 2 * middle)
    if count in BY_RANGE:
        half = BY_RANGE[count] * float(ordered[-1] - ordered[0])
        return middle, (max(middle - half, middle / 10), middle + half)
    outside = _left_out(count)
    return middle, (float(ordered[outside]), float(ordered[count - 1 - outside]))


def visits_interval(seconds: Sequence[float], visit: int) -> tuple[float, tuple[float, float]]:
    """The median of timings taken ``visit`` at a time, and its 95 % interval from the medians of the visits.

    What slows a machine lasts longer than a visit, so that timings of one visit are no independent witnesses, and those
    of another visit are. Of fewer than three visits the timings are all there is.

    >>> visits_interval([1.0, 1.0, 1.0, 1.1, 1.1, 1.1, 1.2, 1.2, 1.2], 3)[1][1] > median_interval([1.0, 1.1, 1.2])[0]
    True
    """
    middle, ends = median_interval(seconds)
    medians = [float(np.median(seconds[start : start + visit])) for start in range(0, len(seconds), visit)]
    if len(medians) < FEWEST_VISITS:
        return middle, ends
    low, high = median_interval(medians)[1]
    return middle, (min(low, middle), max(high, middle))


def _left_out(count: int) -> int:
    """How many of the smallest, and of the largest, may be left out so that 95 % of the intervals hold the median.

    The number of values below the median is binomial with one half.
    """
    chance = term = 0.5**count
    outside = 0
    while outside < (count - 1) // 2 and chance + (term := term * (count - outside) / (outside + 1)) <= 0.025:
        outside += 1
        chance += term
    return outside


def relative_width(seconds: Sequence[float]) -> float:
    """The width of the interval as a part of the median; infinite before there are any."""
    if not len(seconds):
        return math.inf
    middle, (low, high) = median_interval(seconds)
    return (high - low) / middle if middle > 0.0 else 0.0


def is_steady(seconds: Sequence[float]) -> bool:
    """Whether no more repeats are needed."""
    count = len(seconds)
    return count >= FEWEST and (count >= ENOUGH or relative_width(seconds) < STEADY)
