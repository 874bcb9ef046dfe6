"""What the command line reaches on real data: means over seeds, beside the figures it has to reach.

    python benchmarks/accuracy.py [--seeds 5] [--only digits] [--output benchmarks/results/accuracy.json]

Every run is the command `polydnn train` in a process of its own. The small data sets use the command's defaults (with
the hidden layers named in the table); the figures to reach are about what scikit-learn's MLP reaches on them, and for
Fashion-MNIST a little more than the 0.8833 that the data set's own page lists for an MLP.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine_facts import FORCING, machine_facts


@dataclass(frozen=True)
class Case:
    """A data set, the flags beside the defaults, the metric of the test rows, its target, and the number of seeds."""

    dataset: str
    flags: tuple[str, ...]
    metric: str
    target: float
    seeds: int | None = None


FASHION = ("--hidden", "512,512", "--optimizer", "adam", "--learning-rate", "0.001", "--batch-size", "64")
CASES = (
    Case("digits", (), "accuracy", 0.965),
    Case("breast_cancer", (), "accuracy", 0.955),
    Case("california_housing", ("--hidden", "64,64", "--epochs", "60"), "r2", 0.775),
    Case("yeast", (), "f1", 0.625),
    Case("fashion_mnist", (*FASHION, "--epochs", "10"), "accuracy", 0.885, seeds=1),
)


def train(case: Case, seed: int, folder: str) -> dict[str, Any]:
    """The JSON object of one run."""
    environment = {name: value for name, value in os.environ.items() if name not in FORCING}
    command = [sys.executable, "-m", "polydnn", "train", "--dataset", case.dataset, *case.flags]
    command += ["--seed", str(seed), "--output", f"{folder}/{case.dataset}-{seed}", "--quiet", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def measure(case: Case, seeds: int) -> dict[str, Any]:
    """The row of one case."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [train(case, seed, folder) for seed in range(case.seeds or seeds)]
    values = [run["test_metrics"][case.metric] for run in runs]
    return {
        "dataset": case.dataset,
        "flags": " ".join(case.flags),
        "metric": case.metric,
        "target": case.target,
        "mean": statistics.fmean(values),
        "values": values,
        "seconds": statistics.median(run["seconds"] for run in runs),
        "epochs": runs[0]["epochs"],
    }


def main() -> None:
    """Measure, print the table, store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", help="one data set")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rows = [measure(case, arguments.seeds) for case in CASES if arguments.only in (None, case.dataset)]
    print(f"{'data set':<20}{'metric':<10}{'mean':>8}{'target':>8}{'':>7}{'seconds':>9}  flags beside the defaults")
    for row in rows:
        verdict = "reached" if row["mean"] >= row["target"] else "missed"
        print(
            f"{row['dataset']:<20}{row['metric']:<10}{row['mean']:>8.4f}{row['target']:>8.3f} {verdict:<8}"
            f"{row['seconds']:>7.1f}  {row['flags']}"
        )
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        stored = {"schema": 1, "machine": machine_facts(), "rows": rows}
        arguments.output.write_text(json.dumps(stored, indent=2) + "\n")


if __name__ == "__main__":
    main()
