"""The pictures of a study, described from its record: time of a step, throughput, roofline, split, noise, target."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from polydnn.batch_size.report.figure import Figure, Line, Point, Shade, Stack, Upright
from polydnn.batch_size.report.wording import bytes_text, count_text, number_text, seconds_text

__all__ = ["PARTS", "capacity_sizes", "figures_of"]

PARTS = ("gather", "forward", "backward", "optimizer")
SIZE = "batch size"

Record = Mapping[str, Any]


def figures_of(record: Record) -> list[Figure]:
    """Those pictures for which the record holds something, in the order in which they are told; the machine's last."""
    makers = (_target, _step_time, _throughput, _roofline, _split, _noise, _bandwidth)
    return [figure for maker in makers for figure in maker(record)]


def capacity_sizes(record: Record) -> dict[str, float]:
    """For each cache that the working set leaves within the sweep, the batch size at which it does, by straight lines.

    A cache that is too small for the smallest size, or holds the largest one, has none.
    """
    rows = sorted(record["sweep"], key=lambda row: int(row["batch_size"]))
    found = {}
    for cache in record["machine"]["caches"]:
        room = cache["used_bytes"]
        for before, after in pairwise(rows):
            low, high = before["working_set_bytes"], after["working_set_bytes"]
            if room is not None and low <= room < high:
                share = (room - low) / (high - low)
                found[cache["level"]] = before["batch_size"] + share * (after["batch_size"] - before["batch_size"])
    return found


def _uprights(record: Record, *, knees: bool = False) -> list[Upright]:
    room = {cache["level"]: cache["used_bytes"] for cache in record["machine"]["caches"]}
    lines = [Upright(x, f"{level} full ({bytes_text(room[level])})") for level, x in capacity_sizes(record).items()]
    if knees:
        found = (knee for knee in record["cost_model"]["knees"] if knee.get("kind") == "measured")
        lines += [Upright(float(knee["batch_size"]), "rows cost more", "detected") for knee in found]
    return [*lines, _best(record)]


def _best(record: Record) -> Upright:
    return Upright(float(record["best"]["batch_size"]), f"best: {count_text(record['best']['batch_size'])}", "best")


def _shade(record: Record) -> Shade | None:
    ends = record["best"]["interval"]
    return Shade(float(ends[0]), float(ends[1]), "interval of the best size") if ends and ends[0] < ends[1] else None


def _ends(interval: Sequence[float | None] | None, scale: float = 1.0) -> tuple[float | None, float | None]:
    """The interval, or nothing where an end is open: half a band cannot be drawn."""
    low, high = interval or (None, None)
    return (None, None) if low is None or high is None else (low / scale, high / scale)


def _leaving(record: Record) -> str:
    """Where the working set leaves each cache, in words."""
    crossing = capacity_sizes(record)
    told = []
    rows = sorted(row["working_set_bytes"] for row in record["sweep"])
    for cache in record["machine"]["caches"]:
        level, room = cache["level"], cache["used_bytes"]
        if room is None:
            continue
        if level in crossing:
            told.append(f"leaves {level} ({bytes_text(room)}) near batch size {count_text(round(crossing[level]))}")
        else:
            told.append(f"never fits {level}" if room < rows[0] else f"stays within {level} ({bytes_text(room)})")
    return f"The working set {', '.join(told)}." if told else "The sizes of the caches are not known."


def _target(record: Record) -> Iterator[Figure]:
    """The U: time to the target loss in multiples of the shortest, predicted and measured."""
    predicted = [row for row in record["prediction"] if row["seconds_to_target"]]
    if not predicted:
        return
    lines = [Line("predicted", _times(predicted), "predicted", marked=False)]
    measured = _reached(record)
    if measured:
        lines.append(Line("measured", _times(measured), "measured", joined=len(measured) > 1))
    best, interval = record["best"]["batch_size"], record["best"]["interval"]
    alt = f"The predicted time to the target loss is shortest at batch size {best}"
    alt += f", interval {interval[0]} to {interval[1]}." if interval else "."
    if measured:
        least = min(measured, key=lambda row: row["seconds_to_target"])["batch_size"]
        alt += f" Measured, it is shortest at {least}."
    yield Figure(
        key="target",
        title="Time to the target loss",
        alt=alt,
        x_label=SIZE,
        y_label="multiples of the shortest",
        x_text=count_text,
        y_text=lambda value: f"{number_text(value)}×",  # noqa: RUF001 - "times"
        lines=lines,
        uprights=[_best(record)],
        shade=_shade(record),
        remark="Steps to the target, from the gradient noise, times the measured time of a step. Each curve is "
        "divided by its own shortest time, so that their shapes can be compared.",
        wide=True,
    )


def _reached(record: Record) -> list[Mapping[str, Any]]:
    rows = record["validation"]["measured"] if record["validation"] else []
    return [row for row in rows if row["seconds_to_target"]]


def _times(rows: Sequence[Mapping[str, Any]]) -> list[Point]:
    shortest = min(row["seconds_to_target"] for row in rows)
    points = []
    for row in sorted(rows, key=lambda row: int(row["batch_size"])):
        value = row["seconds_to_target"] / shortest
        text = f"{number_text(value)} times the shortest"
        low, high = _ends(row["seconds_to_target_interval"], shortest)
        points.append(Point(row["batch_size"], value, low, high, text, row["batch_size"]))
    return points


def _step_time(record: Record) -> Iterator[Figure]:
    model, sweep = record["cost_model"], record["sweep"]
    points = []
    for row in sweep:
        text = f"{seconds_text(row['seconds_per_step'])} a step, {bytes_text(row['working_set_bytes'])} in "
        low, high = _ends(row["seconds_per_step_interval"])
        size = row["batch_size"]
        points.append(Point(size, row["seconds_per_step"], low, high, text + row["cache_level"], size))
    lines = [Line("measured", points)]
    if len(sweep) > 1 and model["t0"] is not None and model["t1"] is not None:
        straight = [Point(row["batch_size"], model["t0"] + model["t1"] * row["batch_size"]) for row in sweep]
        lines.append(Line("t0 + t1 B", straight, "predicted", marked=False, dashed=True))
    first, last = sweep[0], sweep[-1]
    yield Figure(
        key="step-time",
        title="Time of one step, t(B)",
        alt=f"A step takes {seconds_text(first['seconds_per_step'])} at batch size {first['batch_size']} and "
        f"{seconds_text(last['seconds_per_step'])} at {last['batch_size']}. {_leaving(record)}",
        x_label=f"{SIZE} B",
        y_label="time of a step",
        x_text=count_text,
        y_text=seconds_text,
        lines=lines,
        uprights=_uprights(record, knees=True),
        remark=_leaving(record),
        wide=True,
    )


def _throughput(record: Record) -> Iterator[Figure]:
    best = record["best"]
    points = [
        Point(
            row["batch_size"],
            row["samples_per_second"],
            text=f"{count_text(row['samples_per_second'])} examples/s",
            batch_size=row["batch_size"],
        )
        for row in record["sweep"]
    ]
    top = max(point.y for point in points)
    remark = f"Within 5 % of the best from batch size {count_text(best['smallest_within_5_percent'])} on."
    yield Figure(
        key="throughput",
        title="Throughput",
        alt=f"Throughput is highest, {count_text(top)} examples per second, at batch size "
        f"{best['fastest_throughput']}. {remark}",
        x_label=SIZE,
        y_label="examples per second",
        x_text=count_text,
        y_text=count_text,
        y_scale="linear",
        lines=[Line("measured", points)],
        uprights=_uprights(record),
        remark=remark,
    )


def _roofline(record: Record) -> Iterator[Figure]:
    points, sizes = [], [row["batch_size"] for row in record["sweep"]]
    named = {min(sizes), max(sizes), record["best"]["batch_size"]}
    for row in record["sweep"]:
        if row["flops"] and row["bytes_moved"] and row["gigaflops_per_second"]:
            text = f"{number_text(row['gigaflops_per_second'])} GFLOP/s"
            intensity = row["flops"] / row["bytes_moved"]
            size = row["batch_size"]
            label = count_text(size) if size in named else ""
            points.append(Point(intensity, row["gigaflops_per_second"], text=text, batch_size=size, label=label))
    if not points:
        return
    points.sort(key=lambda point: point.batch_size or 0)
    machine = record["machine"]
    top, roofs = machine["peak_gigaflops"], list(_roofs(machine, points))
    alt = f"Achieved {number_text(max(point.y for point in points))} GFLOP/s"
    yield Figure(
        key="roofline",
        title="Roofline",
        alt=f"{alt} of a measured peak of {number_text(top)} GFLOP/s." if top else f"{alt}; the peak is not known.",
        x_label="operations per byte",
        y_label="GFLOP/s",
        x_text=number_text,
        y_text=number_text,
        x_scale="log10",
        lines=[*roofs, Line("steps, by batch size", points)],
        remark="Below the slope the step waits for memory, below the level for arithmetic; far below both, for calls.",
    )


def _roofs(machine: Mapping[str, Any], points: Sequence[Point]) -> Iterator[Line]:
    """min(peak, bandwidth times intensity) for the fastest cache, and for main memory where the sweep reached it."""
    top, fastest = machine["peak_gigaflops"], machine["peak_gigabytes_per_second"]
    if not top or not fastest:
        return
    rows = machine["bandwidth"]
    slow = rows[-1]["gigabytes_per_second"] if rows else fastest
    low, high = min(point.x for point in points), max(point.x for point in points)
    for label, bandwidth in (("fastest cache", fastest), ("largest arrays", slow)):
        if label == "largest arrays" and bandwidth > 0.9 * fastest:
            continue
        places = sorted({low, high, min(max(top / bandwidth, low), high)})
        heights = [Point(x, min(top, bandwidth * x)) for x in places]
        yield Line(f"{label}, {number_text(bandwidth)} GB/s", heights, "roof", marked=False, dashed=bandwidth == slow)


def _split(record: Record) -> Iterator[Figure]:
    bars = []
    for row in record["sweep"]:
        parts = [max(row["split"].get(part) or 0.0, 0.0) for part in PARTS] if row["split"] else []
        if sum(parts) > 0:
            shares = [part / sum(parts) for part in parts]
            text = ", ".join(f"{name} {share:.0%}" for name, share in zip(PARTS, shares, strict=True))
            bars.append((row["batch_size"], shares, text))
    if not bars:
        return
    yield Figure(
        key="split",
        title="Where the time goes",
        alt=f"Shares of a step: at batch size {bars[0][0]} {bars[0][2]}; at {bars[-1][0]} {bars[-1][2]}.",
        x_label=SIZE,
        y_label="share of a step",
        x_text=count_text,
        y_text=lambda value: f"{value:.0%}",
        y_scale="linear",
        stack=Stack(PARTS, bars),
    )


def _noise(record: Record) -> Iterator[Figure]:
    noise = record["noise_scale"]
    drift = [row for row in noise["drift"] if row["value"] and row["value"] > 0] if noise else []
    if not noise or not drift:
        return
    points = []
    for row in drift:
        text = f"noise scale {count_text(round(row['value']))} at step {row['step']}, loss {number_text(row['loss'])}"
        low, high = _ends(row["interval"])
        points.append(Point(row["step"], row["value"], low, high, text))
    yield Figure(
        key="noise",
        title="Gradient noise scale during training",
        alt=f"The noise scale goes from {count_text(round(points[0].y))} at step {points[0].x} to "
        f"{count_text(round(points[-1].y))} at step {points[-1].x}.",
        x_label="step",
        y_label="examples",
        x_text=count_text,
        y_text=count_text,
        x_scale="linear",
        lines=[Line("measured", points)],
        remark="A batch much larger than the noise scale averages away noise that is no longer there.",
    )


def _bandwidth(record: Record) -> Iterator[Figure]:
    machine = record["machine"]
    if not machine["bandwidth"]:
        return
    points = [
        Point(
            row["array_bytes"],
            row["gigabytes_per_second"],
            text=f"{number_text(row['gigabytes_per_second'])} GB/s for {bytes_text(row['array_bytes'])}",
        )
        for row in machine["bandwidth"]
    ]
    caches = [cache for cache in machine["caches"] if cache["used_bytes"]]
    largest = points[-1].x
    uprights = [Upright(each["used_bytes"], each["level"]) for each in caches if each["used_bytes"] <= largest]
    yield Figure(
        key="bandwidth",
        title="Memory, by array size",
        alt=f"Bandwidth is {number_text(points[0].y)} GB/s for {bytes_text(points[0].x)} and "
        f"{number_text(points[-1].y)} GB/s for {bytes_text(points[-1].x)}.",
        x_label="array",
        y_label="GB/s",
        x_text=bytes_text,
        y_text=number_text,
        y_scale="linear",
        lines=[Line("bandwidth", points)],
        uprights=uprights,
        remark="Where it falls for good, arrays leave a cache. The innermost one hides under the cost of a call.",
        wide=True,
    )
