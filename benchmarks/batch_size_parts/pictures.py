"""Logarithmic panels of figures over the batch size, in one PNG."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Curve", "Panel", "draw_panels"]


@dataclass(frozen=True)
class Curve:
    """A line through (batch size, value), with the ends of intervals where there are such."""

    label: str
    points: Sequence[tuple[int, float]]
    intervals: Sequence[Sequence[float]] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves over the batch size, or what ``x_label`` says; ``uprights`` are (where, text)."""

    title: str
    y_label: str
    curves: Sequence[Curve]
    uprights: Sequence[tuple[float, str]] = field(default_factory=tuple)
    x_label: str = "batch size"


def narrow(ends: tuple[float, float]) -> bool:
    """Whether an axis spans so little that powers of ten alone would not label it."""
    return ends[1] < 12.0 * ends[0]


def draw_panels(panels: Sequence[Panel], path: Path, title: str) -> None:
    """The panels side by side, in ``path``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter

    plain = FuncFormatter(lambda value, _: f"{value:g}")
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5.0 * len(panels), 4.4), squeeze=False)
    for axis, panel in zip(axes[0], panels, strict=True):
        for curve in panel.curves:
            if not curve.points:
                continue
            sizes, values = zip(*curve.points, strict=True)
            style = "--" if curve.dashed else "-"
            (line,) = axis.plot(sizes, values, style, marker=None if curve.dashed else "o", ms=4, label=curve.label)
            if curve.intervals:
                low, high = zip(*curve.intervals, strict=True)
                axis.fill_between(sizes, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        axis.set(yscale="log", title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
        axis.set_xscale("log", base=2)
        for size, text in panel.uprights:
            axis.axvline(size, color="grey", linewidth=0.8, linestyle=":")
            axis.annotate(text, (size, 1.0), xycoords=("data", "axes fraction"), rotation=90, va="top", fontsize=7)
        axis.yaxis.set_major_formatter(plain)
        axis.yaxis.set_minor_formatter(plain if narrow(axis.get_ylim()) else NullFormatter())
        axis.grid(visible=True, which="major", linewidth=0.3)
        if any(curve.label for curve in panel.curves):
            axis.legend(fontsize=7, frameon=False)
    figure.suptitle(title)
    figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
