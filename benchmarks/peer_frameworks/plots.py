"""Pictures of a comparison: time of a step or epoch over the batch size, relative to the fastest peer."""

from pathlib import Path
from typing import Any

from peer_frameworks import FRAMEWORKS
from peer_frameworks.summaries import groups

__all__ = ["draw", "relative_times"]

STYLES = {"polydnn": {"linewidth": 2.2}, "peer": {"linewidth": 1.1}, "floor": {"linestyle": ":", "color": "black"}}
BEST_FLOOR = {"linestyle": "--", "color": "black", "linewidth": 0.8}


def relative_times(by_batch: dict[int, dict[str, dict[str, Any]]]) -> dict[str, list[tuple[int, float]]]:
    """For every framework (batch size, median over the fastest peer's median), where a peer was measured."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for batch_size, measured in sorted(by_batch.items()):
        peers = [point["median_us"] for name, point in measured.items() if FRAMEWORKS[name].role == "peer"]
        if not peers:
            continue
        for name in sorted(measured, key=list(FRAMEWORKS).index):
            lines.setdefault(name, []).append((batch_size, measured[name]["median_us"] / min(peers)))
    return lines


def draw(points: list[dict[str, Any]], output: Path) -> list[Path]:
    """One PNG for each measure and optimizer beside ``output``, a panel for each case; what was written."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels: dict[tuple[str, str], dict[str, dict[str, list[tuple[int, float]]]]] = {}
    for (case, optimizer, measure), by_batch in groups(points):
        panels.setdefault((measure, optimizer), {})[case] = relative_times(by_batch)
    written = []
    colors = pyplot.get_cmap("tab20")
    for (measure, optimizer), cases in panels.items():
        figure, axes = pyplot.subplots(1, len(cases), figsize=(4.6 * len(cases), 4.2), sharey=True, squeeze=False)
        for axis, (case, lines) in zip(axes[0], cases.items(), strict=True):
            for name, line in lines.items():
                style = {"color": colors(list(FRAMEWORKS).index(name) % 20), **STYLES[FRAMEWORKS[name].role]}
                style |= BEST_FLOOR if name == "floor_best_blas" else {}
                axis.plot(*zip(*line, strict=True), marker=".", label=name, **style)
            axis.axhline(1.0, color="grey", linewidth=0.6)
            axis.set(xscale="log", yscale="log", title=f"[{case.replace('-', ', ')}]", xlabel="batch size")
        axes[0][0].set_ylabel(f"time of one {measure} / fastest peer's")
        handles = {
            text: handle for axis in axes[0] for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=8)
        figure.suptitle(f"{measure}, {optimizer}")
        path = output.with_name(f"{output.stem}-{measure}-{optimizer}.png")
        figure.set_layout_engine("constrained")
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
        written.append(path)
    return written
