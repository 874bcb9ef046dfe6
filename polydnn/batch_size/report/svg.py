"""A figure drawn as inline SVG, in colours that the page's style sheet decides, for light, dark and paper."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from polydnn.batch_size.report.figure import Figure, Line, Point, Upright, log_ticks
from polydnn.batch_size.report.wording import shortened

__all__ = ["legend_of", "svg_of"]

LEFT, RIGHT, BOTTOM, ROW = 66, 26, 46, 17  # margins in pixels; ROW is the height of a line of names above the frame
ROOM = 6.0  # between the frame and the first and the last point
LETTERS = ((600, 7.4), (0, 8.3))  # pixels that a letter of a name takes, by the drawing's least width
LINEAR_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Frame:
    """The plane of a drawing: from values to pixels."""

    figure: Figure
    width: int
    height: int
    top: float

    def x(self, value: float) -> float:
        """Pixels from the left."""
        wide = self.width - LEFT - RIGHT
        if self.figure.stack:  # one bar beside the other, whatever the sizes
            sizes = [bar[0] for bar in self.figure.stack.bars]
            return LEFT + wide * (sizes.index(int(value)) + 0.5) / len(sizes)
        share = _share(value, *self.figure.x_range(), self.figure.x_scale != "linear")
        return LEFT + ROOM + share * (wide - 2 * ROOM)

    def y(self, value: float) -> float:
        """Pixels from the top; what lies outside is held at the edge."""
        low, high = self.figure.y_range()
        share = min(max(_share(value, low, high, self.figure.y_scale != "linear"), 0.0), 1.0)
        return self.height - BOTTOM - share * (self.height - BOTTOM - self.top)

    @property
    def floor(self) -> float:
        """The pixel line of the x axis."""
        return self.height - BOTTOM


def _share(value: float, low: float, high: float, logarithmic: bool) -> float:
    if logarithmic:
        return math.log(max(value, 1e-300) / low) / math.log(high / low)
    return (value - low) / (high - low)


def svg_of(figure: Figure, width: int, height: int) -> str:
    """The drawing as one ``<svg>`` element of that many pixels, which shrinks with its place on the page.

    Everything that comes from the record is escaped. What the drawing shows stands in words in its ``aria-label``.
    """
    low, high = figure.x_range()
    names = _name_rows([each for each in figure.uprights if low <= each.x <= high], Frame(figure, width, height, 0.0))
    rows = 1 + max((row for row, _ in names.values()), default=-1)
    frame = Frame(figure, width, height, 10.0 + ROW * rows)
    parts = [
        *_axes(frame),
        *_shade(frame),
        *(_upright(frame, upright, row) for upright, (row, _) in names.items()),
        *_stack(frame),
        *(part for line in figure.lines for part in _line(frame, line)),
        *(_text(x, 12.0 + ROW * row, each.label, f"name {each.kind}") for each, (row, x) in names.items()),
    ]
    label = escape(f"{figure.title}. {figure.alt}")
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="chart" {box} role="img" aria-label="{label}">' + "".join(parts) + "</svg>"


def legend_of(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of a style's class and the words for it."""
    if figure.stack:
        return [(f"part-{number}", label) for number, label in enumerate(figure.stack.labels)]
    lines = [(f"{line.role}{' dashed' if line.dashed else ''}", line.label) for line in figure.lines]
    lines = lines if len(lines) > 1 else []
    return [*lines, ("shade", figure.shade.label)] if figure.shade else lines


def _text(x: float, y: float, words: str, kind: str, anchor: str = "middle", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _axes(frame: Frame) -> Iterator[str]:
    figure, right = frame.figure, frame.width - RIGHT
    for tick in _ticks(figure.y_range(), figure.y_scale, 8, _even):
        y = frame.y(tick)
        yield f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield _text(LEFT - 8, y + 4, shortened(figure.y_text(tick)), "tick", "end")
    for tick in _x_ticks(frame):
        x = frame.x(tick)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{frame.floor}" y2="{frame.floor + 4}" class="axis"/>'
        yield _text(x, frame.floor + 18, shortened(figure.x_text(tick)), "tick")
    yield f'<line x1="{LEFT}" x2="{right}" y1="{frame.floor}" y2="{frame.floor}" class="axis"/>'
    yield _text((LEFT + right) / 2, frame.height - 8, figure.x_label, "label")
    middle = (frame.top + frame.floor) / 2
    yield _text(14, middle, figure.y_label, "label", more=f' transform="rotate(-90 14 {middle:.1f})"')


def _x_ticks(frame: Frame) -> Sequence[float]:
    most = max(3, int((frame.width - LEFT - RIGHT) / 62))
    if frame.figure.stack:
        sizes = [float(bar[0]) for bar in frame.figure.stack.bars]
        return sizes[:: max(1, math.ceil(len(sizes) / most))]
    return _ticks(frame.figure.x_range(), frame.figure.x_scale, most, _even)


def _ticks(
    ends: tuple[float, float], scale: str, most: int, linear: Callable[[float, float, int], list[float]]
) -> list[float]:
    return linear(*ends, most) if scale == "linear" else log_ticks(*ends, 2 if scale == "log2" else 10, most)


def _even(low: float, high: float, most: int) -> list[float]:
    """Round places of a linear axis."""
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(each * unit for each in LINEAR_STEPS if each * unit >= rough * 0.999)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _shade(frame: Frame) -> Iterator[str]:
    if frame.figure.shade:
        low, high = frame.x(frame.figure.shade.low), frame.x(frame.figure.shade.high)
        low, high = max(low, LEFT), min(high, frame.width - RIGHT)
        size = f'width="{high - low:.1f}" height="{frame.floor - frame.top:.1f}"'
        yield f'<rect x="{low:.1f}" y="{frame.top:.1f}" {size} class="shade"/>'


def _name_rows(uprights: Sequence[Upright], plane: Frame) -> dict[Upright, tuple[int, float]]:
    """For each upright the row of its name above the frame, and where it is centred, so that no two names meet."""
    ends: list[float] = []
    placed = {}
    for upright in sorted(uprights, key=lambda each: each.x):
        half = len(upright.label) * _letter(plane) / 2
        centre = min(max(plane.x(upright.x), half), plane.width - half)
        row = next((number for number, end in enumerate(ends) if end < centre - half), len(ends))
        ends[row : row + 1] = [centre + half + 8]
        placed[upright] = (row, centre)
    return placed


def _upright(frame: Frame, upright: Upright, row: int) -> str:
    x = frame.x(upright.x)
    name = f'class="upright {upright.kind}" data-x="{upright.x:g}" data-label="{escape(upright.label)}"'
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{17.0 + ROW * row:.1f}" y2="{frame.floor:.1f}" {name}/>'


def _stack(frame: Frame) -> Iterator[str]:
    stack = frame.figure.stack
    if stack is None:
        return
    wide = 0.82 * (frame.width - LEFT - RIGHT) / len(stack.bars)
    for size, shares, text in stack.bars:
        base, left = 0.0, frame.x(size) - wide / 2
        yield _opening(frame.figure, size, size, text)
        for number, share in enumerate(shares):
            top, bottom = frame.y(base + share), frame.y(base)
            place = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{max(bottom - top, 0):.1f}"'
            yield f'<rect {place} class="part-{number}"/>'
            base += share
        yield "</g>"


def _line(frame: Frame, line: Line) -> Iterator[str]:
    points = [point for point in line.points if _drawable(frame.figure, point)]
    kind = f"{line.role}{' dashed' if line.dashed else ''}"
    banded = [point for point in points if point.low is not None and point.high is not None]
    if line.joined and len(banded) > 1:
        upper = [(point.x, point.high or 0.0) for point in banded]
        lower = [(point.x, point.low or 0.0) for point in reversed(banded)]
        yield f'<polygon points="{_path(frame, [*upper, *lower])}" class="band {kind}"/>'
    if line.joined and len(points) > 1:
        yield f'<polyline points="{_path(frame, [(point.x, point.y) for point in points])}" class="line {kind}"/>'
    for point in points if line.marked else []:
        yield from _mark(frame, point, kind)
    yield from _labels(frame, [point for point in points if point.label])


def _labels(frame: Frame, points: Sequence[Point]) -> Iterator[str]:
    """The names of points, left out where they would lie on the one before."""
    before = (-math.inf, -math.inf)
    for point in points:
        x, y = frame.x(point.x), frame.y(point.y) - 9
        if abs(x - before[0]) > _letter(frame) * len(point.label) or abs(y - before[1]) > 14:
            yield _text(x, y, point.label, "tick")
            before = (x, y)


def _letter(frame: Frame) -> float:
    return next(letter for width, letter in LETTERS if frame.width > width)


def _drawable(figure: Figure, point: Point) -> bool:
    return math.isfinite(point.y) and (figure.y_scale == "linear" or point.y > 0)


def _path(frame: Frame, places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in places)


def _mark(frame: Frame, point: Point, kind: str) -> Iterator[str]:
    x, y = frame.x(point.x), frame.y(point.y)
    yield _opening(frame.figure, point.x, point.batch_size, point.text)
    if point.low is not None and point.high is not None:
        low, high = frame.y(point.low), frame.y(point.high)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" class="whisker {kind}"/>'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" class="dot {kind}"/>'
    yield "</g>"


def _opening(figure: Figure, x: float, batch_size: int | None, text: str) -> str:
    """The group of one mark; its title is what a pointer shows, also without a script."""
    head = f"batch size {batch_size:,}: " if batch_size is not None else ""
    data = f' data-batch-size="{batch_size}"' if batch_size is not None else f' data-x="{x:g}"'
    return f'<g class="mark"{data}><title>{escape(head + text)}</title>'
