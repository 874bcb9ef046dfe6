"""``polydnn doctor``: what this machine has, which backends work on it, and what slows it down."""

import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polydnn.api.diagnosis import diagnose
from polydnn.arrays.byte_sizes import bytes_text

__all__ = ["doctor"]

Rows: TypeAlias = Sequence[tuple[str, ...]]

PIPE_WIDTH = 120
"""Columns where the output is no terminal and has no width of its own."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def doctor(as_json: bool) -> None:
    """Report processor, caches, BLAS, memory, backends and GPU, with warnings and their remedies."""
    with contextlib.redirect_stdout(sys.stderr):  # a library that greets its user must not end up in the report
        report = diagnose()
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    for title, columns, rows in sections(report):
        console.print(table(title, columns, rows))


def sections(report: dict[str, Any]) -> Iterable[tuple[str, tuple[str, ...], Rows]]:
    """The parts of the report: title, headings and rows of each."""
    pair = ("", "")
    yield "CPU", pair, _cpu(report["cpu"], report["load_average"])
    yield "Caches", ("level", "size", "line", "shared by CPUs", "source"), [_cache(each) for each in report["caches"]]
    yield "BLAS", ("library", "version", "kernels", "threads"), [_blas(each) for each in report["blas"]]
    yield "Memory", pair, _memory(report["memory"])
    yield "Backends", ("name", "state", "device, or what is missing", "install"), _backends(report)
    yield "Executors", ("name", "backends", "how it computes the steps"), _executors(report)
    yield "GPU", pair, _gpu(report["gpu"])
    yield "Software", pair, _software(report["software"], report["environment"])
    warnings = [(each["text"], each["remedy"]) for each in report["warnings"]]
    yield "Warnings", ("found", "remedy"), warnings or [("none", "")]


def table(title: str, columns: tuple[str, ...], rows: Rows) -> Table:
    """A rich table in which every text stands as it is: "[cuda13x]" in a command is no markup."""
    made = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_header=any(columns))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _cpu(cpu: dict[str, Any], load: list[float] | None) -> Rows:
    quota = "" if cpu["quota"] is None else f", limited to the time of {cpu['quota']:g}"
    threads = f"{cpu['usable_threads']} usable of {cpu['logical_cpus']}{quota}"
    return [
        ("model", cpu["model"] + (" (virtual machine)" if cpu["virtual_machine"] else "")),
        ("cores", _or_unknown(cpu["physical_cores"])),
        ("threads", threads),
        ("vector instructions", _or_unknown(cpu["vector_instructions"])),
        ("load average", "unknown" if load is None else " ".join(f"{each:.2f}" for each in load)),
    ]


def _memory(memory: dict[str, Any]) -> Rows:
    limit = "none" if memory["limit_bytes"] is None else bytes_text(memory["limit_bytes"])
    figures = (("total", bytes_text(memory["total_bytes"])), ("available", bytes_text(memory["available_bytes"])))
    return [*figures, ("limit of the container", limit)]


def _cache(cache: dict[str, Any]) -> tuple[str, ...]:
    line = "unknown" if cache["line_bytes"] is None else f"{cache['line_bytes']} B"
    return cache["name"], bytes_text(cache["size_bytes"]), line, cache["shared_cpus"] or "unknown", cache["source"]


def _blas(library: dict[str, Any]) -> tuple[str, ...]:
    return library["name"], *(_or_unknown(library[key]) for key in ("version", "architecture", "threads"))


def _backends(report: dict[str, Any]) -> Rows:
    rows = []
    for each in report["backends"]:
        state = "works" if each["available"] else "missing"
        default = ", default" if each["name"] == report["default_backend"] else ""
        rows.append((each["name"], state + default, each["device"] or _cause(each["reason"]), each["install"]))
    return rows


def _executors(report: dict[str, Any]) -> Rows:
    return [(each["name"], ", ".join(each["backends"]) or "all", each["summary"]) for each in report["executors"]]


def _gpu(gpu: dict[str, Any]) -> Rows:
    driver = ("driver", gpu["driver"] or "none found"), ("CUDA of the driver", gpu["driver_cuda"] or "none found")
    if not gpu["works"]:
        return [*driver, ("CuPy", _cause(gpu["reason"])), ("install", gpu["install"])]
    devices = ((f"device {each['number']}", _device(each)) for each in gpu["devices"])
    return [*driver, ("CuPy", gpu["cupy"]), ("CUDA runtime", gpu["runtime_cuda"]), *devices]


def _device(device: dict[str, Any]) -> str:
    if "name" not in device:
        return str(device["reason"])
    memory = f"{bytes_text(device['free_bytes'])} of {bytes_text(device['memory_bytes'])} free"
    return (
        f"{device['name']}, compute capability {device['compute_capability']}, {device['multiprocessors']} "
        f"multiprocessors, L2 {bytes_text(device['l2_bytes'])}, {memory}"
    )


def _software(software: dict[str, Any], environment: dict[str, str]) -> Rows:
    python = f"{software['python']} ({software['implementation']})"
    versions = software["packages"].items()
    return [("Python", python), ("system", software["system"]), *versions, *environment.items()]


def _cause(reason: str) -> str:
    """The first sentence of an explanation; the remedy after it has a place of its own."""
    return reason.partition(". ")[0].rstrip(".")


def _or_unknown(value: object) -> str:
    return "unknown" if value is None else str(value)
