"""A picture described without saying how it is drawn: the page and the PNG files draw the same ones."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Figure", "Line", "Point", "Shade", "Stack", "Upright", "log_ticks"]

Scale: TypeAlias = Literal["log2", "log10", "linear"]
Role: TypeAlias = Literal["measured", "predicted", "roof", "plain"]


@dataclass(frozen=True)
class Point:
    """One mark: where it stands, its interval, what is said of it when it is pointed at, and a name beside it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    text: str = ""
    batch_size: int | None = None
    label: str = ""


@dataclass(frozen=True)
class Line:
    """Points in the order of x; ``marked`` draws each of them, ``joined`` the line between, ``banded`` a band."""

    label: str
    points: Sequence[Point]
    role: Role = "measured"
    marked: bool = True
    joined: bool = True
    dashed: bool = False


@dataclass(frozen=True)
class Stack:
    """Bars of shares that add up to one: for each batch size the share of each part."""

    labels: Sequence[str]
    bars: Sequence[tuple[int, Sequence[float], str]]


@dataclass(frozen=True)
class Upright:
    """A vertical line with its name: a cache's capacity, or the best batch size."""

    x: float
    label: str
    kind: Literal["cache", "best", "detected"] = "cache"


@dataclass(frozen=True)
class Shade:
    """An interval of x."""

    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Figure:
    """One picture: its axes, what is drawn, what it shows in words (``alt``), and a remark below it."""

    key: str
    title: str
    alt: str
    x_label: str
    y_label: str
    x_text: Callable[[float], str]
    y_text: Callable[[float], str]
    x_scale: Scale = "log2"
    y_scale: Scale = "log10"
    lines: Sequence[Line] = ()
    stack: Stack | None = None
    uprights: Sequence[Upright] = ()
    shade: Shade | None = None
    remark: str = ""
    wide: bool = False

    def x_range(self) -> tuple[float, float]:
        """From the first to the last point; a single point gets room on both sides."""
        xs = [point.x for line in self.lines for point in line.points if line.role != "roof"]
        xs += [float(bar[0]) for bar in self.stack.bars] if self.stack else []
        low, high = (min(xs), max(xs)) if xs else (1.0, 2.0)
        if low < high:
            return low, high
        return (low / 2, high * 2) if self.x_scale != "linear" else (low - 1, high + 1)

    def y_range(self) -> tuple[float, float]:
        """Room for every point and interval; shares from 0 to 1; a linear axis starts at zero."""
        if self.stack:
            return 0.0, 1.0
        ys = [
            y
            for line in self.lines
            for point in line.points
            for y in (point.y, point.low, point.high)
            if y is not None and math.isfinite(y) and (y > 0 or self.y_scale == "linear")
        ]
        low, high = (min(ys), max(ys)) if ys else (1.0, 10.0)
        if self.y_scale == "linear":
            return min(0.0, low), (high or 1.0) * 1.06
        room = max((high / low) ** 0.05, 1.15)
        return low / room, high * room


def log_ticks(low: float, high: float, base: int, most: int) -> list[float]:
    """At most ``most`` round places of a logarithmic axis: powers of ``base``; 2 and 5 between if there is room.

    >>> log_ticks(1, 4096, 2, 7)
    [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0]
    >>> log_ticks(0.3, 4, 10, 6)
    [0.5, 1.0, 2.0]
    """
    first, last = math.log(low, base), math.log(high, base)
    powers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    if base == 10:
        fine = [step * 10.0**power for power in range(math.floor(first), math.ceil(last) + 1) for step in (1, 2, 5)]
        fine = [tick for tick in fine if low <= tick <= high]
        if len(fine) <= most:
            return fine
    every = max(1, math.ceil(len(powers) / most))
    return [float(base) ** power for power in powers if power % every == 0 or every == 1]
