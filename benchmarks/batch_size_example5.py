"""Example 5 of "Neural networks and deep learning": Fashion-MNIST, [784, 512, 512, 10], learning rate 0.001, and sizes.

    python benchmarks/batch_size_example5.py --quick --loaded-anyway
    python benchmarks/batch_size_example5.py --output benchmarks/results/batch_size_example5.json    # about ten minutes

The chapter compares batch sizes from 16 to 4096 and says that the time for weight updates is U-shaped in them, with an
optimum that depends on the caches. Here are, for sizes up to 16384: the time of an update, of an epoch, and the time
until the training loss has come to a target, with the learning rate 0.001 at every size and with one that grows with
the size from 0.001 at the example's 64. A prediction from gradient noise and step times stands beside them.
"""

from batch_size_parts import UNSET  # isort: skip # noqa: F401 - before NumPy

import argparse
from pathlib import Path
from typing import Any

from batch_size_parts.cases import FASHION, powers
from batch_size_parts.pictures import Curve, Panel, draw_panels
from batch_size_parts.runs import Report, parser_of, progress, run

from polydnn.batch_size import study, validate

LEARNING_RATE = 0.001
TARGET, QUICK_TARGET = 0.9, 2.1
BUDGETS = {"study": 100.0, "linear": 330.0, "none": 120.0}
QUICK_BUDGETS = {"study": 15.0, "linear": 25.0, "none": 10.0}
SIZES, QUICK_SIZES = powers(16, 16384), powers(16, 1024)


def measure(chosen: argparse.Namespace) -> Report:
    """The study, and the trainings to the target with both rules for the learning rate."""
    x, y = FASHION.rows()
    budgets = QUICK_BUDGETS if chosen.quick else BUDGETS
    sizes = QUICK_SIZES if chosen.quick else SIZES
    target = QUICK_TARGET if chosen.quick else TARGET
    trainer = FASHION.trainer(x.shape[1], learning_rate=LEARNING_RATE)
    record = study(trainer, x, y, sizes=sizes, budget=budgets["study"], dataset=FASHION.dataset, target_loss=target)
    swept = [row["batch_size"] for row in record["sweep"]]
    asked: dict[str, Any] = {"sizes": swept, "target_loss": target, "report": progress}
    validations = {
        "linear": validate(trainer, x, y, scaling="linear", seeds=(0, 1, 2), budget=budgets["linear"], **asked),
        "none": validate(trainer, x, y, scaling="none", seeds=(0,), budget=budgets["none"], **asked),
    }
    return {
        "settings": {"learning_rate": LEARNING_RATE, "target_loss": target, "budgets": budgets, "sizes": list(sizes)},
        "rows": rows_of(record, validations),
        "record": record,
        "validations": validations,
    }


def rows_of(record: dict[str, Any], validations: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each size: what the picture and the table show."""
    predicted = {row["batch_size"]: row["seconds_to_target"] for row in record["prediction"]}
    least = min(predicted.values(), default=1.0)
    rows = []
    for swept in record["sweep"]:
        size = swept["batch_size"]
        row = {name: swept[name] for name in ("batch_size", "seconds_per_step", "seconds_per_epoch", "cache_level")}
        row["seconds_per_step_interval"] = swept["seconds_per_step_interval"]
        row["predicted_in_shortest"] = predicted[size] / least if size in predicted else None
        for rule, found in validations.items():
            (at,) = [each for each in found["measured"] if each["batch_size"] == size] or [{}]
            row[f"seconds_to_target_{rule}"] = at.get("seconds_to_target")
            row[f"interval_{rule}"] = at.get("seconds_to_target_interval")
        rows.append(row)
    return rows


def table(found: Report) -> str:
    """The rows as text."""
    lines = [f"{'size':>7}{'ms/update':>11}{'s/epoch':>10}{'linear':>10}{'none':>10}{'predicted':>11}  working set in"]
    for row in found["rows"]:
        cells = [
            "-" if row[key] is None else f"{row[key]:.3g}"
            for key in ("seconds_to_target_linear", "seconds_to_target_none", "predicted_in_shortest")
        ]
        lines.append(
            f"{row['batch_size']:>7}{1e3 * row['seconds_per_step']:>11.3f}{row['seconds_per_epoch']:>10.2f}"
            f"{cells[0]:>10}{cells[1]:>10}{cells[2]:>11}  {row['cache_level']}"
        )
    lines.append("linear, none: seconds to the target; predicted: in multiples of the shortest")
    return "\n".join([*lines, found["record"]["best"]["why"]])


def draw(found: Report, path: Path) -> None:
    """Update, epoch and target over the batch size."""
    rows = found["rows"]
    update = [(row["batch_size"], 1e3 * row["seconds_per_step"]) for row in rows]
    ends = [[1e3 * end for end in row["seconds_per_step_interval"]] for row in rows]
    curves = []
    for rule, text in (("linear", "learning rate grows with the size"), ("none", "learning rate 0.001")):
        there = [row for row in rows if row[f"seconds_to_target_{rule}"] is not None]
        points = [(row["batch_size"], row[f"seconds_to_target_{rule}"]) for row in there]
        curves.append(Curve(text, points, [row[f"interval_{rule}"] for row in there]))
    shortest = min((value for _, value in curves[0].points), default=1.0)
    predicted = [(r["batch_size"], shortest * r["predicted_in_shortest"]) for r in rows if r["predicted_in_shortest"]]
    curves.append(Curve("predicted, drawn to the same shortest", predicted, dashed=True))
    panels = [
        Panel("time of an update", "milliseconds", [Curve("", update, ends)]),
        Panel("time of an epoch", "seconds", [Curve("", [(r["batch_size"], r["seconds_per_epoch"]) for r in rows])]),
        Panel(f"time to training loss {found['settings']['target_loss']:g}", "seconds", curves),
    ]
    draw_panels(panels, path, "Fashion-MNIST, [784, 512, 512, 10]")


def main(arguments: list[str] | None = None) -> None:
    """Measure, store, print."""
    chosen = parser_of(__doc__).parse_args(arguments)
    run(chosen, "batch_size_example5", lambda: measure(chosen), table, draw)


if __name__ == "__main__":
    main()
