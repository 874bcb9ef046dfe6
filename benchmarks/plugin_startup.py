"""What an installed plugin that nothing uses costs a program's start: the same start with and without it.

    python benchmarks/plugin_startup.py [--rounds 60] [--write]

Three starts are timed, each in processes of their own: importing polydnn, ``polydnn --version``, and the first look-up
of a built-in's name, which imports every plugin. pip installs one package (an activation) into an empty folder that is
on the search path of one side and not of the other. Rounds alternate between the sides; a figure is the median of the
differences between the two halves of a round, with its standard error, once of the time that passed and once of the
processor's time, which other programs disturb less. The aim is below 5 ms. ``--write`` stores the figures under
benchmarks/results/.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polydnn import get_backend

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results" / "plugin_startup.json"
PLUGIN = ROOT / "plugins" / "polydnn-leaky-relu"
STARTS = {
    "import_polydnn": ["-c", "import polydnn"],
    "version": ["-m", "polydnn", "--version"],
    "first_look_up": ["-c", "import polydnn; polydnn.activation('relu')"],
}
AIM_MS = 5.0


def install(target: Path) -> None:
    """Put the plugin into the folder ``target``."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(PLUGIN)], check=True, capture_output=True)


def milliseconds(arguments: list[str], path: list[Path]) -> tuple[float, float]:
    """The time that passes, and the processor's, from the start of a process of Python to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLYDNN_")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, path))
    started, worked = time.perf_counter(), processor_seconds()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    return (time.perf_counter() - started) * 1e3, (processor_seconds() - worked) * 1e3


def processor_seconds() -> float:
    """What all processes started from here, and ended, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(rounds: int) -> dict[str, Any]:
    """Figures by start, after one round of each that is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        target, empty = Path(folder) / "target", Path(folder) / "empty"
        install(target)
        empty.mkdir()
        found = {}
        for name, arguments in STARTS.items():
            pairs = []
            for number in range(rounds + 1):
                sides = [empty, target] if number % 2 else [target, empty]
                taken = {side: milliseconds(arguments, [side, ROOT]) for side in sides}
                pairs += [(taken[empty], taken[target])] if number else []
            passed, worked = zip(*((zip(*pair, strict=True)) for pair in pairs), strict=True)
            found[name] = {"passed": figures(passed), "processor": figures(worked)}
    return {"rounds": rounds, "aim_ms": AIM_MS, "starts": found}


def figures(pairs: Iterable[tuple[float, float]]) -> dict[str, float]:
    """Medians of (without, with) in milliseconds; the error is 1.25 standard errors of the mean difference."""
    pairs = list(pairs)
    added = [with_plugin - without for without, with_plugin in pairs]
    return {
        "without_ms": round(statistics.median(without for without, _ in pairs), 2),
        "added_ms": round(statistics.median(added), 2),
        "error_ms": round(1.25 * statistics.stdev(added) / len(added) ** 0.5, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="store the figures under benchmarks/results/")
    arguments = parser.parse_args()
    result = measure(arguments.rounds) | {
        "machine": {
            "cpu": get_backend("numpy").device_name(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "date": datetime.now(UTC).date().isoformat(),
    }
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if arguments.write:
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(text)


if __name__ == "__main__":
    main()
