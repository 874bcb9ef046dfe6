"""The study's pictures as PNG files, drawn by matplotlib where it is installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polydnn.batch_size.report.figure import Figure, Line, Upright, log_ticks
from polydnn.batch_size.report.figures import figures_of
from polydnn.batch_size.report.wording import shortened
from polydnn.errors import PolydnnError, StorageError

__all__ = ["draw_plots"]

INKS = {"measured": "#1b6ca8", "predicted": "#c2560c", "roof": "#8b8f94", "plain": "#5c6670"}
PARTS = ("#a9b4bf", "#1b6ca8", "#d98a2b", "#2f9479")
UPRIGHTS = {"cache": ("#7a5299", ":"), "detected": ("#b9a3cc", "-"), "best": ("#15784c", "-")}
SHADE = "#15784c"


def draw_plots(record: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write a PNG for each picture into ``folder``, which exists; the paths, in the pictures' order.

    Raises PolydnnError where matplotlib is missing, with the command that brings it, and StorageError where the disk
    refuses.
    """
    try:
        import matplotlib  # noqa: F401 - asked first: the message must not depend on how far the drawing comes
    except ImportError as error:
        msg = "plots need matplotlib, which is not installed. Install it: pip install 'polydnn[plot]'."
        raise PolydnnError(msg) from error
    return [_save(figure, folder / f"{figure.key}.png") for figure in figures_of(record)]


def _save(figure: Figure, path: Path) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(9.0 if figure.wide else 6.2, 4.4), dpi=130, layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    _axes(axes, figure)
    if figure.stack:
        _stack(axes, figure)
    for line in figure.lines:
        _line(axes, line)
    _uprights(axes, figure)
    if len(figure.lines) > 1 or figure.stack:
        axes.legend(frameon=False, fontsize=8.5, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4)
    try:
        canvas.savefig(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}."
        raise StorageError(msg) from error
    return path


def _axes(axes: Any, figure: Figure) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_title(figure.title, loc="left", fontsize=11, fontweight="bold", pad=26)
    axes.set_xlabel(figure.x_label)
    axes.set_ylabel(figure.y_label)
    sides = ((axes.xaxis, "x", figure.x_scale, figure.x_range()), (axes.yaxis, "y", figure.y_scale, figure.y_range()))
    for axis, side, scale, ends in sides:
        if scale != "linear" and not (figure.stack and side == "x"):
            getattr(axes, f"set_{side}scale")("log", base=2 if scale == "log2" else 10)
            axis.set_major_locator(FixedLocator(log_ticks(*ends, 2 if scale == "log2" else 10, 8)))
            axis.set_minor_locator(NullLocator())
        words = figure.x_text if side == "x" else figure.y_text
        axis.set_major_formatter(FuncFormatter(lambda value, _, words=words: shortened(words(value))))
    axes.set_ylim(*figure.y_range())
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _line(axes: Any, line: Line) -> None:
    ink, banded = INKS[line.role], [point for point in line.points if point.low is not None and point.high is not None]
    places, heights = [point.x for point in line.points], [point.y for point in line.points]
    style = ("--" if line.dashed else "-") if line.joined else ""
    axes.plot(places, heights, style, color=ink, label=line.label, marker="o" if line.marked else "", markersize=4)
    if banded:
        lows, highs = [point.low for point in banded], [point.high for point in banded]
        axes.fill_between([point.x for point in banded], lows, highs, color=ink, alpha=0.16, linewidth=0)


def _stack(axes: Any, figure: Figure) -> None:
    stack = figure.stack
    if stack is None:
        return
    base = [0.0] * len(stack.bars)
    for number, label in enumerate(stack.labels):
        shares = [bar[1][number] for bar in stack.bars]
        axes.bar(range(len(stack.bars)), shares, 0.82, bottom=base, label=label, color=PARTS[number % len(PARTS)])
        base = [low + share for low, share in zip(base, shares, strict=True)]
    axes.set_xticks(range(len(stack.bars)), [figure.x_text(bar[0]) for bar in stack.bars], fontsize=8)


def _uprights(axes: Any, figure: Figure) -> None:
    """Vertical lines with their names above the frame, each other one a line higher where they stand close."""
    if figure.shade:
        axes.axvspan(figure.shade.low, figure.shade.high, color=SHADE, alpha=0.1, linewidth=0)
    low, high = figure.x_range()
    shown: list[Upright] = sorted((each for each in figure.uprights if low <= each.x <= high), key=lambda each: each.x)
    for number, upright in enumerate(shown):
        ink, style = UPRIGHTS[upright.kind]
        axes.axvline(upright.x, color=ink, linestyle=style, linewidth=1.3)
        place = {"xy": (upright.x, 1.0), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axes.annotate(upright.label, xytext=(0, 3 + 11 * (number % 2)), ha="center", fontsize=8, color=ink, **place)
