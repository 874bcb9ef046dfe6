"""How the knees in the time per example move with the width of the network, and so with the working set of a step.

    python benchmarks/batch_size_widths.py --quick --loaded-anyway
    python benchmarks/batch_size_widths.py --output benchmarks/results/batch_size_widths.json    # under ten minutes

Networks [784, w, w, 10] of several widths w are swept over the batch size on random rows. For each: the size from which
the time per example is within 5 % of its least (the lower knee, where overhead ends), the size from which it is more
than 5 % above it again (the upper knee, where there is one), the working sets there, and the sizes at which the working
set leaves each cache by count.
"""

from batch_size_parts import UNSET  # isort: skip # noqa: F401 - before NumPy

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from batch_size_parts.cases import network_of_width, powers
from batch_size_parts.pictures import Curve, Panel, draw_panels
from batch_size_parts.runs import Report, parser_of, progress, run, size_list

import polydnn
from polydnn.batch_size import Timing, fit_cost_model, probe_machine, sweep

IN_FEATURES = 784
WIDTHS, QUICK_WIDTHS = (32, 64, 128, 256, 512, 1024), (32, 128)
SIZES, QUICK_SIZES = powers(1, 8192), powers(1, 512)
SECONDS, QUICK_SECONDS = 80.0, 8.0
NEAR = 0.05


def measure(chosen: argparse.Namespace) -> Report:
    """The machine, and the sweep of every width."""
    sizes = QUICK_SIZES if chosen.quick else SIZES
    seconds = QUICK_SECONDS if chosen.quick else SECONDS
    generator = np.random.default_rng(0)
    x = generator.normal(size=(sizes[-1], IN_FEATURES)).astype(np.float32)
    y = generator.integers(0, 10, size=sizes[-1])
    probe = probe_machine(polydnn.get_backend("numpy"), seconds=1.0 if chosen.quick else 4.0)
    caches = {each["level"]: each["used_bytes"] for each in probe["caches"] if each["used_bytes"]}
    found = []
    for width in chosen.widths or (QUICK_WIDTHS if chosen.quick else WIDTHS):
        progress(f"width {width}")
        network = polydnn.Network(IN_FEATURES, network_of_width(width))
        trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", learning_rate=0.001)
        swept = sweep(trainer, x, y, sizes=sizes, budget=seconds, caches=caches)
        found.append({"width": width, **knees(swept.rows), "skipped": swept.skipped, "sweep": swept.rows})
    return {"settings": {"sizes": list(sizes), "seconds": seconds}, "probe": probe, "widths": found}


def knees(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The knees of the time per example, and what the cost model says."""
    costs = [row["seconds_per_step"] / row["batch_size"] for row in rows]
    least = min(costs)
    lower = next(row for row, cost in zip(rows, costs, strict=True) if cost <= (1 + NEAR) * least)
    after = costs.index(least)
    above = [row for row, cost in zip(rows[after:], costs[after:], strict=True) if cost > (1 + NEAR) * least]
    upper = above[0] if above else None
    timings = [
        Timing(row["batch_size"], row["seconds_per_step"], tuple(row["seconds_per_step_interval"]), row["cache_level"])
        for row in rows
    ]
    model = fit_cost_model(timings)
    return {
        "least_microseconds_per_example": 1e6 * least,
        "lower_knee": lower["batch_size"],
        "lower_working_set_bytes": lower["working_set_bytes"],
        "upper_knee": upper and upper["batch_size"],
        "upper_working_set_bytes": upper and upper["working_set_bytes"],
        "half_saturation": model.half_saturation,
        "leaves": [
            {"level": before["cache_level"], "batch_size": later["batch_size"]}
            for before, later in pairwise(rows)
            if before["cache_level"] != later["cache_level"]
        ],
        "cost_model": model.as_dict(),
    }


def table(found: Report) -> str:
    """A line for each width."""
    lines = [f"{'width':>6}{'us/example':>12}{'t0/t1':>9}{'lower':>7}{'MiB':>8}{'upper':>7}{'MiB':>8}  leaves"]
    for row in found["widths"]:
        upper = f"{row['upper_knee']:>7}{mebibytes(row['upper_working_set_bytes']):>8}" if row["upper_knee"] else ""
        leaves = ", ".join(f"{each['level']} at {each['batch_size']}" for each in row["leaves"])
        half = "-" if row["half_saturation"] is None else f"{row['half_saturation']:.1f}"
        lines.append(
            f"{row['width']:>6}{row['least_microseconds_per_example']:>12.3f}{half:>9}{row['lower_knee']:>7}"
            f"{mebibytes(row['lower_working_set_bytes']):>8}{upper or '-':>15}  {leaves}"
        )
    return "\n".join(lines)


def mebibytes(count: int) -> str:
    """Bytes as text in MiB."""
    return f"{count / 2**20:.2f}"


def draw(found: Report, path: Path) -> None:
    """Time per example in multiples of each network's least, over the batch size and over the working set."""
    curves, by_bytes = [], []
    for each in found["widths"]:
        least = each["least_microseconds_per_example"] / 1e6
        costs = [row["seconds_per_step"] / row["batch_size"] / least for row in each["sweep"]]
        label = f"[784, {each['width']}, {each['width']}, 10]"
        curves.append(Curve(label, [(row["batch_size"], c) for row, c in zip(each["sweep"], costs, strict=True)]))
        held = [(row["working_set_bytes"], cost) for row, cost in zip(each["sweep"], costs, strict=True)]
        by_bytes.append(Curve(label, held))
    caches = [(each["used_bytes"], each["level"]) for each in found["probe"]["caches"] if each["used_bytes"]]
    panels = [
        Panel("time per example, over the batch size", "multiples of the least", curves),
        Panel("the same, over the working set", "multiples of the least", by_bytes, caches, "bytes of a step"),
    ]
    draw_panels(panels, path, "Width of the network and the knees of the batch size")


def main(arguments: list[str] | None = None) -> None:
    """Measure, store, print."""
    parser = parser_of(__doc__)
    parser.add_argument("--widths", type=size_list, metavar="W,W,...", help="widths of the hidden layers")
    chosen = parser.parse_args(arguments)
    run(chosen, "batch_size_widths", lambda: measure(chosen), table, draw)


if __name__ == "__main__":
    main()
