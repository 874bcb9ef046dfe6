"""The study's numbers as rows of text, which the terminal's table and the page share."""

from collections.abc import Mapping, Sequence
from typing import Any

from polydnn.batch_size.report.wording import (
    NOTHING,
    bytes_text,
    count_text,
    interval_text,
    number_text,
    seconds_text,
    span_text,
)

__all__ = ["cache_rows", "headline", "key_figures", "provenance_rows", "size_rows"]

Record = Mapping[str, Any]
Rows = list[tuple[str, ...]]


def headline(record: Record) -> str:
    """The answer in one line: "Best batch size 256, between 128 and 512"."""
    best = record["best"]
    low, high = best["interval"] or (best["batch_size"], best["batch_size"])
    between = f", between {count_text(low)} and {count_text(high)}" if low < high else ""
    return f"Best batch size {count_text(best['batch_size'])}{between}"


def size_rows(record: Record) -> list[dict[str, str]]:
    """For each batch size its numbers by the names of the columns; times to the target in multiples of the shortest."""
    predicted = _multiples(record["prediction"])
    measured = _multiples(record["validation"]["measured"] if record["validation"] else [])
    return [
        {
            "batch size": count_text(row["batch_size"]),
            "step": seconds_text(row["seconds_per_step"]),
            "±": _spread(row["seconds_per_step_interval"]),
            "95 % interval": span_text(row["seconds_per_step_interval"], seconds_text),
            "examples/s": count_text(row["samples_per_second"]),
            "epoch": seconds_text(row["seconds_per_epoch"]),
            "GFLOP/s": number_text(row["gigaflops_per_second"]),
            "GB/s": number_text(row["gigabytes_per_second"]),
            "working set": bytes_text(row["working_set_bytes"]),
            "fits in": str(row["cache_level"]),
            "peak memory": bytes_text(row["peak_memory_bytes"]),
            "to target, predicted": predicted.get(row["batch_size"], NOTHING),
            "to target, measured": measured.get(row["batch_size"], NOTHING),
            "": _standing(row["batch_size"], record),
        }
        for row in record["sweep"]
    ]


def _spread(interval: Sequence[float] | None) -> str:
    """Half the width of an interval as a share of its middle."""
    return f"{(interval[1] - interval[0]) / (interval[1] + interval[0]):.0%}" if interval else NOTHING


def _multiples(rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    times = {row["batch_size"]: row["seconds_to_target"] for row in rows if row["seconds_to_target"]}
    shortest = min(times.values(), default=1.0)
    return {size: f"{number_text(time / shortest)}×" for size, time in times.items()}  # noqa: RUF001 - "times"


def _standing(size: int, record: Record) -> str:
    best, validation = record["best"], record["validation"]
    measured = validation["measured_best"]["batch_size"] if validation and validation["measured_best"] else None
    names = (
        ("best", best["batch_size"]),
        ("best measured", measured),
        ("within 5 %", best["smallest_within_5_percent"]),
        ("top throughput", best["fastest_throughput"]),
    )
    return ", ".join(name for name, each in names if each == size)


def cache_rows(record: Record) -> Rows:
    """Level, detected (and by whom), measured, used."""
    rows: Rows = []
    for cache in record["machine"]["caches"]:
        source = f" ({cache['source']})" if cache["detected_bytes"] else ""
        given = " (given)" if cache["overridden"] else ""
        rows.append(
            (
                str(cache["level"]),
                bytes_text(cache["detected_bytes"]) + source,
                "does not show" if cache["measured_bytes"] is None else bytes_text(cache["measured_bytes"]),
                bytes_text(cache["used_bytes"]) + given,
            )
        )
    return rows


def key_figures(record: Record) -> list[tuple[str, str, str]]:
    """Name, value and remark of the few numbers that explain the rest."""
    best, model, noise, machine = record["best"], record["cost_model"], record["noise_scale"], record["machine"]
    found = [
        ("smallest within 5 %", count_text(best["smallest_within_5_percent"]), "of the top throughput"),
        ("top throughput at", count_text(best["fastest_throughput"]), "the most examples per second"),
        ("half saturation", count_text(_rounded(model["half_saturation"])), "t0 / t1: half of a step is overhead"),
    ]
    if noise:
        told = f"95 %: {interval_text(noise['interval'])}" if noise["interval"] else "examples"
        found.append(("gradient noise scale", count_text(_rounded(noise["value"])), told))
    if machine["peak_gigaflops"]:
        found.append(("peak arithmetic", f"{number_text(machine['peak_gigaflops'])} GFLOP/s", "a large matrix product"))
    if machine["peak_gigabytes_per_second"]:
        speed = f"{number_text(machine['peak_gigabytes_per_second'])} GB/s"
        found.append(("peak bandwidth", speed, "in the fastest cache"))
    if record["crossover"]:
        cross = record["crossover"]
        from_here = "no size of these" if cross["batch_size"] is None else count_text(cross["batch_size"])
        found.append((f"{cross['faster_backend']} wins from", from_here, str(cross["why"])))
    return found


def _rounded(value: float | None) -> float | None:
    return value if value is None or value < 10 else round(value)


def provenance_rows(record: Record) -> list[tuple[str, str]]:
    """Everything that a repetition must match, one line a fact."""
    return [(key.replace("_", " "), _plain(value)) for key, value in record["provenance"].items()]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(each)}" for key, each in value.items()) or NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value) or NOTHING
    if value is None:
        return "unset"
    return str(value)
