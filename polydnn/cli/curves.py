"""The picture of a run: loss and metrics over the epochs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polydnn.cli.output import figure
from polydnn.errors import StorageError

if TYPE_CHECKING:
    from polydnn.training import History

__all__ = ["INSTALL_PLOT", "draw_curves"]

INSTALL_PLOT = "pip install 'polydnn[plot]'"
TRAINING, VALIDATION, TEST = "#1b6ca8", "#d1495b", "#5b6770"
MARKED = 40
"""Up to this many epochs every one gets a marker; one epoch alone would draw no line."""


def draw_curves(history: "History", metrics: Sequence[str], test: dict[str, float], title: str, path: Path) -> None:
    """Write a PNG with a panel for the loss and one for each of the first two metrics.

    ``test`` holds the loss and the metrics of the finished model on the test rows, drawn as a level to compare with.
    Raises ImportError where matplotlib is missing and StorageError where the disk refuses.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = ["loss", *metrics[:2]]
    figure = Figure(figsize=(0.6 + 4.6 * len(names), 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    for place, name in enumerate(names):
        _panel(figure.add_subplot(1, len(names), place + 1), history, name, test.get(name))
    try:
        figure.savefig(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}."
        raise StorageError(msg) from error


def _panel(axes: Any, history: "History", name: str, test: float | None) -> None:
    from matplotlib.ticker import MaxNLocator

    marker = "o" if len(history) <= MARKED else ""
    for column, label, colour in ((name, "training", TRAINING), (f"val_{name}", "validation", VALIDATION)):
        if column in history:
            style = "-" if column == name else "--"
            axes.plot(history["epoch"], history[column], style, color=colour, label=label, marker=marker, markersize=3)
    if test is not None:
        axes.axhline(test, color=TEST, linewidth=1, linestyle=":", label=f"test, at the end: {figure(test)}")
    axes.set_xlabel("epoch")
    axes.set_ylabel(name.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
