"""The command line of a batch-size benchmark, the facts of its run, and where its figures go."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine_facts import machine_facts
from machine_load import OthersWatch, load_of_machine

from batch_size_parts import UNSET

__all__ = ["Report", "parser_of", "progress", "run", "size_list"]

BUSY_LIMIT = 0.2
"""Refuse to run where other processes use more than this part of one processor."""

Report = dict[str, Any]


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all of them take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a shortened run that shows that it works, no more")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--output", type=Path, help="store the JSON there and the picture beside it")
    parser.add_argument("--loaded-anyway", action="store_true", help="run although the machine is busy")
    return parser


def run(
    chosen: argparse.Namespace,
    name: str,
    measure: Callable[[], Report],
    table: Callable[[Report], str],
    draw: Callable[[Report, Path], None],
) -> None:
    """Measure, store, draw, print. Ends the program where others keep the machine busy, unless told."""
    before = load_of_machine(seconds=2.0)
    if before["busy_processors"] > BUSY_LIMIT and not chosen.loaded_anyway:
        sys.exit(
            f"other processes use {before['busy_processors']:.2f} processors here; figures would mean little above "
            f"{BUSY_LIMIT}. Wait, or give --loaded-anyway."
        )
    machine, watch, started = {**machine_facts(), "unset": UNSET, "load_before": before}, OthersWatch(), time.time()
    found = {"schema": 1, "benchmark": name, "quick": chosen.quick, "machine": machine, **measure()}
    machine |= {"during": watch.figures(), "seconds": time.time() - started}
    text = json.dumps(found, indent=1, allow_nan=False)
    if chosen.output is not None:
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(text + "\n", encoding="utf-8")
        draw(found, chosen.output.with_suffix(".png"))
    print(text if chosen.json else table(found))


def progress(text: str, share: float | None = None) -> None:
    """A line on standard error; the part of a budget that is spent is left out."""
    print(text, file=sys.stderr, flush=True)


def size_list(text: str) -> tuple[int, ...]:
    """Sizes from the command line."""
    return tuple(int(part) for part in text.split(","))
