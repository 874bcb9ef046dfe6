"""One training step and one epoch of small networks: polydnn beside PyTorch, JAX, Keras, scikit-learn, thinc, NumPy.

    python benchmarks/peers.py --quick --json                   # under three minutes
    python benchmarks/peers.py --threads all --output benchmarks/results/peers.json

Every framework runs in a process of its own and trains the same network from the same weights on the same rows; ten
steps are compared with a float64 loop before anything is timed. Rounds go through all frameworks in random order, and
ratios are taken within a round. Tables go to standard output, progress to standard error. docs/benchmarks.md says how
to read the figures.
"""

import os
import sys

from machine_facts import FORCING, machine_facts

FOUND_FORCING = {name: os.environ.pop(name) for name in FORCING if name in os.environ}

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine_load import OthersWatch, load_of_machine
from peer_frameworks import FRAMEWORKS
from peer_frameworks.campaign import LOSS_TOLERANCE, MOVE_TOLERANCE, Campaign, Plan
from peer_frameworks.plots import draw
from peer_frameworks.problems import BATCH_SIZES, CASES, OPTIMIZERS
from peer_frameworks.processes import THREAD_VARIABLES, worker_environment
from peer_frameworks.rounds import Limits
from peer_frameworks.summaries import summarize

BUSY_LIMIT = 0.2
"""Refuse to run where other processes use more than this part of one processor."""

QUICK_SECONDS = 150.0
QUICK = {
    "cases": ("784-512-512-10", "8-10-1"),
    "optimizers": ("sgd", "adam"),
    "batch_sizes": (1, 64),
    "measures": ("step",),
}
NOT_QUICK = ("torch_compile", "keras_steps")  # minutes of compilation; measures epochs only
NOT_QUICK += ("polydnn_reference", "polydnn_torch", "polydnn_jax")  # importing two libraries once more takes its time
VARIABLES = (
    *THREAD_VARIABLES,
    *FORCING,
    "KERAS_BACKEND",
    "XLA_FLAGS",
    "JAX_PLATFORMS",
    "KMP_BLOCKTIME",
    "OMP_WAIT_POLICY",
)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two networks, two batch sizes, under three minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--output", type=Path, help="store the JSON there and the pictures beside it")
    parser.add_argument("--add", action="store_true", help="keep what --output holds of problems not measured now")
    parser.add_argument("--threads", default="1", help="1, 2, ... or all: threads and processors of every framework")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds-per-point", type=float, default=1.0, help="time cap for a framework at a point")
    parser.add_argument("--spread", type=float, default=0.02, help="stop where IQR/median is below this")
    parser.add_argument("--keras-backend", choices=("jax", "torch", "tensorflow"), default="jax")
    parser.add_argument("--loaded-anyway", action="store_true", help="run although the machine is busy")
    parser.add_argument("--seed", type=int, default=0, help="of the random order of problems and rounds")
    for name, choices, kind in (
        ("frameworks", list(FRAMEWORKS), str),
        ("cases", list(CASES), str),
        ("optimizers", OPTIMIZERS, str),
        ("measures", ("step", "epoch"), str),
        ("batch-sizes", None, int),
    ):
        parser.add_argument(f"--{name}", nargs="+", choices=choices, type=kind, metavar=name[:-1].upper())
    return parser


def plan_of(chosen: argparse.Namespace) -> Plan:
    """What to measure, filters applied."""
    possible = [name for name, entry in FRAMEWORKS.items() if chosen.device in entry.devices]
    if chosen.quick and not chosen.frameworks:
        possible = [name for name in possible if name not in NOT_QUICK]
    all_of: dict[str, tuple[Any, ...]] = {
        "cases": tuple(CASES),
        "optimizers": OPTIMIZERS,
        "batch_sizes": BATCH_SIZES,
        "measures": ("step", "epoch"),
    }
    defaults = {**all_of, **(QUICK if chosen.quick else {})}
    picked = {name: tuple(getattr(chosen, name) or default) for name, default in defaults.items()}
    limits = Limits(chosen.seconds_per_point, spread=chosen.spread)
    if chosen.quick:
        limits = replace(limits, sample_seconds=0.01, wake_seconds=0.1, at_least=5)
    return Plan(
        frameworks=tuple(name for name in chosen.frameworks or possible if name in possible),
        limits=limits,
        device=chosen.device,
        seed=chosen.seed,
        deadline=time.monotonic() + QUICK_SECONDS if chosen.quick else None,
        **picked,
    )


def processors(threads: str) -> set[int]:
    """The processors every framework is bound to: as many as threads, from the last on."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if threads == "all":
        return set(usable)
    count = int(threads) if threads.isdigit() else 0
    if not 1 <= count <= len(usable):
        sys.exit(f"--threads must be all or 1 .. {len(usable)}, found {threads}.")
    return set(usable[-count:])


def refuse_where_busy(anyway: bool) -> dict[str, Any]:
    """The load before the run; ends the program where others are busy, unless told."""
    load = load_of_machine(seconds=2.0)
    if load["busy_processors"] > BUSY_LIMIT and not anyway:
        sys.exit(
            f"other processes use {load['busy_processors']:.2f} processors here (load average {load['load_average']}); "
            f"figures would mean little above {BUSY_LIMIT}. Wait, or give --loaded-anyway."
        )
    return load


def settings_of(chosen: argparse.Namespace, plan: Plan, environment: dict[str, str], cpus: set[int]) -> dict[str, Any]:
    """What was asked for, and what every worker was given."""
    return {
        "threads": len(cpus),
        "processors": sorted(cpus),
        "device": chosen.device,
        "quick": chosen.quick,
        "seconds_per_point": chosen.seconds_per_point,
        "spread": chosen.spread,
        "seed": chosen.seed,
        "loss_tolerance": LOSS_TOLERANCE,
        "move_tolerance": MOVE_TOLERANCE,
        "learning_rates": {name: CASES[name].learning_rates for name in plan.cases},
        "worker_environment": {name: environment[name] for name in VARIABLES if name in environment},
    }


def report(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run and describe everything; what there is so far is stored after every problem."""
    cpus = processors(chosen.threads)
    before = refuse_where_busy(chosen.loaded_anyway)
    machine = {**machine_facts(), "unset": FOUND_FORCING, "load_before": before}
    environment = worker_environment(FORCING, len(cpus), chosen.device, chosen.keras_backend)
    plan = plan_of(chosen)
    campaign = Campaign(plan, environment, cpus)
    earlier = kept_from(chosen.output, plan) if chosen.add else {"points": [], "runs": []}
    campaign.points += earlier["points"]
    found: dict[str, Any] = {
        "schema": 1,
        "benchmark": "peers",
        "complete": False,
        "machine": machine,
        "settings": settings_of(chosen, plan, environment, cpus),
        "earlier_runs": earlier["runs"],
        "frameworks": campaign.frameworks,
        "summary": [],
        "points": campaign.points,
    }
    watch = OthersWatch()
    campaign.run(lambda: store(found, chosen.output))
    machine |= {"during": watch.figures(), "load_after": load_of_machine(seconds=1.0)}
    return {**found, "complete": True, "summary": summarize(campaign.points)}


def kept_from(path: Path | None, plan: Plan) -> dict[str, Any]:
    """Points of problems that this run does not measure, from the file of earlier ones, and how those were made.

    All ratios are taken within a problem, whose rounds are always those of one run.
    """
    if path is None or not path.exists():
        return {"points": [], "runs": []}
    before = json.loads(path.read_text(encoding="utf-8"))
    measured = {(each.case.name, each.optimizer, each.batch_size) for each in plan.problems()}
    kept = [
        point
        for point in before["points"]
        if (point["case"], point["optimizer"], point["batch_size"]) not in measured
        or point["measure"] not in plan.measures
    ]
    run = {name: before[name] for name in ("machine", "settings", "frameworks") if name in before}
    return {"points": kept, "runs": [*before.get("earlier_runs", []), run]}


def as_text(found: dict[str, Any]) -> str:
    """JSON with a line for each point and each row of the summary."""
    long = ("summary", "points")
    lines = ["{"]
    for name, value in found.items():
        if name in long:
            rows = ",\n".join(json.dumps(row, allow_nan=False) for row in value)
            value_text = f"[\n{rows}\n]"
        else:
            value_text = json.dumps(value, indent=1, allow_nan=False)
        lines.append(f"{json.dumps(name)}: {value_text}" + ("," if name != list(found)[-1] else ""))
    return "\n".join([*lines, "}"]) + "\n"


def store(found: dict[str, Any], output: Path | None) -> None:
    """Write the JSON, if it is wanted."""
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(as_text(found), encoding="utf-8")


def table(summary: list[dict[str, Any]]) -> str:
    """The summary as text: microseconds and ratios of every way of running polydnn."""
    lines = []
    for row in summary:
        lines.append(f"[{row['case'].replace('-', ', ')}]  {row['measure']}  {row['optimizer']}  {row['framework']}")
        for cell in row["batch_sizes"]:
            lines.append(f"{cell['batch_size']:>8}{cell['median_us']:>12.5g} us" + shown(cell))
        mean = row["mean_to_fastest_peer"]
        lines.append(f"{'geometric mean':>23}{mean:>10.3f} of the fastest peer" if mean else "")
    return "\n".join(lines)


def shown(cell: dict[str, Any]) -> str:
    """The ratios of one batch size as text."""
    parts = []
    for key, name in (
        ("to_fastest_peer", cell["fastest_peer"]),
        ("to_fastest_stepwise_peer", cell["fastest_stepwise_peer"]),
        ("to_floor", "the floor"),
    ):
        parts.append(f"{cell[key]['median']:>10.3f} of {name:<14}" if cell[key] else "")
    return "".join(parts).rstrip()


def main(arguments: list[str] | None = None) -> None:
    """Measure, store, print."""
    chosen = parser().parse_args(arguments)
    found = report(chosen)
    store(found, chosen.output)
    for path in draw(found["points"], chosen.output) if chosen.output else ():
        print(f"wrote {path}", file=sys.stderr)
    print(as_text(found) if chosen.json else table(found["summary"]) + "\n", end="")


if __name__ == "__main__":
    main()
