"""Where a curve of speed over array size falls for good: the capacities of the caches that the curve shows."""

import math
from collections.abc import Mapping, Sequence

__all__ = ["find_knees", "match_levels"]

STEEP = 0.05  # a fall of this share from one size to the next is part of a descent; less is a plateau's unrest
CONFIRMING = 3  # sizes that must show a fall at the end of the curve
TYPICAL = (("L1d", 2**18), ("L2", 6 * 2**20), ("L3", 2**62))  # below that size: the level, where nothing was detected


def find_knees(sizes: Sequence[int], speeds: Sequence[float], *, fall: float = 0.2) -> list[int]:
    """The array sizes, in bytes and rising, at which the speed falls by more than ``fall`` and never comes back.

    Neighbours on a shared machine make single sizes slow, so a dip from which the curve recovers is none: counted is
    the best speed of a size or any larger one, after a median over three neighbours has taken single peaks away. One
    descent may spread over several sizes; its knee is where the speed has come half way down, on the logarithmic scale.

    >>> find_knees([2**p for p in range(14, 24)], [80, 99, 100, 40, 98, 101, 100, 50, 49, 50])
    [1482910]
    """
    pairs = sorted(zip(sizes, speeds, strict=True))
    sizes = [size for size, _ in pairs]
    held = _best_from_here(_without_peaks([speed for _, speed in pairs]))
    knees, start = [], 0
    while start < len(held) - 1:
        end = start
        while end < len(held) - 1 and held[end + 1] < held[end] * (1 - STEEP):
            end += 1
        if held[end] < held[start] * (1 - fall):
            knees.append(_half_way(sizes[start : end + 1], held[start : end + 1]))
        start = max(end, start + 1)
    return knees


def _without_peaks(speeds: list[float]) -> list[float]:
    inner = [sorted(speeds[place - 1 : place + 2])[1] for place in range(1, len(speeds) - 1)]
    return [*speeds[:1], *inner, *speeds[-1:]] if len(speeds) > 2 else speeds


def _best_from_here(speeds: list[float]) -> list[float]:
    """At the end of the curve nothing comes that could take a fall back: the last sizes answer for each other."""
    held, best = [], max(speeds[-CONFIRMING:])
    for speed in reversed(speeds):
        best = max(best, speed)
        held.append(best)
    return held[::-1]


def _half_way(sizes: Sequence[int], held: list[float]) -> int:
    """The size at which a falling stretch crosses the geometric mean of its ends."""
    middle = math.sqrt(held[0] * held[-1])
    place = next(number for number, speed in enumerate(held) if speed <= middle)
    share = math.log(held[place - 1] / middle) / math.log(held[place - 1] / held[place])
    knee: float = sizes[place - 1] * (sizes[place] / sizes[place - 1]) ** share
    return round(knee)


def match_levels(knees: Sequence[int], detected: Mapping[str, int]) -> dict[str, int | None]:
    """For each cache level the knee that shows it, None where none does.

    The levels that a core has to itself are told rightly by most systems: theirs is the nearest knee within a factor of
    two. The last level is the one that may be false: its knee is the outermost one, if that lies outside the level
    before. Where no level is known, a knee has the level of its usual size.

    >>> match_levels([2_300_000, 115_000_000], {"L1d": 49152, "L2": 2**21, "L3": 480 * 2**20})
    {'L1d': None, 'L2': 2300000, 'L3': 115000000}
    """
    if not detected:
        return {_usual(knee): knee for knee in knees}
    levels = sorted(detected, key=lambda level: detected[level])
    found: dict[str, int | None] = {level: _nearest(knees, detected[level]) for level in levels[:-1]}
    inside = detected[levels[-2]] if len(levels) > 1 else 0
    outside = [knee for knee in knees if knee > 2 * inside]
    return {**found, levels[-1]: max(outside, default=None)}


def _nearest(knees: Sequence[int], size: int) -> int | None:
    near = [knee for knee in knees if size / 2 <= knee <= size * 2]
    return min(near, key=lambda knee: abs(math.log(knee / size)), default=None)


def _usual(knee: int) -> str:
    return next(level for level, below in TYPICAL if knee < below)
