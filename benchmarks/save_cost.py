"""What it costs to save safely: a checkpoint of 16 MB beside the same bytes written and flushed with nothing more.

    python benchmarks/save_cost.py [--megabytes 16] [--rounds 31] [--folder DIR] [--write]

The raw side opens a file, writes the arrays' bytes, flushes them to the disk and closes it. The other side is
``write_checkpoint``: header, checksum, temporary file, flush, rename, flush of the folder. Rounds alternate, and each
side overwrites its own file. The figure is the ratio of the medians; the aim is 2 or less. Reading the checkpoint back,
with its checks, is timed beside reading the raw bytes. ``--write`` stores the figures under benchmarks/results/.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polydnn import get_backend
from polydnn.storage import read_checkpoint, write_checkpoint

RESULT = Path(__file__).parent / "results" / "save_cost.json"


def make_arrays(megabytes: int) -> dict[str, np.ndarray]:
    """Parameters and the two states of Adam, as a checkpoint of a dense network has them."""
    width = int((megabytes * 2**20 / 12) ** 0.5)
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(width, width)).astype(np.float32) for name in ("weight", "mean", "square")}


def write_raw(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """The least that a program can do to have bytes on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for array in arrays.values():
            os.write(descriptor, array.data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seconds(run: Callable[[], object]) -> float:
    """The time one call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(folder: Path, megabytes: int, rounds: int) -> dict[str, Any]:
    """Medians of alternating rounds, in milliseconds, after one round that is not counted."""
    arrays = make_arrays(megabytes)
    raw, safe = folder / "raw", folder / "safe"
    sides: dict[str, Callable[[], object]] = {
        "raw_write": lambda: write_raw(raw, arrays),
        "checkpoint_write": lambda: write_checkpoint(safe, 1, {}, arrays),
        "raw_read": lambda: raw.read_bytes(),
        "checkpoint_read": lambda: read_checkpoint(safe),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            taken = seconds(side)
            if number:
                times[name].append(taken)
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {
        "megabytes": megabytes,
        "rounds": rounds,
        **{f"{name}_ms": round(median * 1e3, 2) for name, median in medians.items()},
        "write_ratio": round(medians["checkpoint_write"] / medians["raw_write"], 3),
        "read_ratio": round(medians["checkpoint_read"] / medians["raw_read"], 3),
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the temporary folder)")
    parser.add_argument("--write", action="store_true", help="store the figures under benchmarks/results/")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = measure(Path(folder), arguments.megabytes, arguments.rounds)
    facts = {"cpu": get_backend("numpy").device_name(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    facts |= {"python": platform.python_version(), "numpy": np.__version__}
    text = json.dumps({"machine": facts, **figures}, indent=2) + "\n"
    print(text, end="")
    if arguments.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)


if __name__ == "__main__":
    main()
